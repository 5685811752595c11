//! What clients may believe: checkers of histories.
//!
//! [`linear`] decides linearizability; [`timeline`] and [`windows`] tell when a slot failed over
//! and which losses the documentation allows; the checkers are [`linearizable`] (HI-01),
//! [`isolation`] and [`bank`] (HI-02), [`lost_writes`] (HI-03 to HI-08), [`counter`],
//! [`queue_delivery`], [`queue_order`], [`invented_values`] (HI-09), [`lineage`] (HI-10),
//! [`expiry`] (HI-14), [`replica_reads`] (RP-04) and [`deliveries`] (PS-01).

pub mod bank;
pub mod counter;
pub mod deliveries;
pub mod expiry;
pub mod invented_values;
pub mod isolation;
pub mod lineage;
pub mod linear;
pub mod linearizable;
pub mod lost_writes;
pub mod migration;
pub mod pairs_are_whole;
pub mod queue_delivery;
pub mod queue_order;
pub mod replica_reads;
pub mod set_full;
pub mod split_brain_reads;
pub mod timeline;
pub mod windows;

#[cfg(test)]
mod tests;
