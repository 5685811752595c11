//! What clients may believe: checkers of histories.
//!
//! [`linear`] decides linearizability; [`timeline`] and
//! [`windows`] tell when a slot failed over and which losses the documentation allows; the checkers
//! are [`linearizable`] (HI-01), [`lost_writes`] (HI-03 to HI-08) and [`invented_values`] (HI-09).

pub mod invented_values;
pub mod linear;
pub mod linearizable;
pub mod lost_writes;
pub mod set_full;
pub mod timeline;
pub mod windows;

#[cfg(test)]
mod tests;
