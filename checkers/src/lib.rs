//! The judges: histories, observations of a cluster, and every checker of slotquake.
//!
//! A checker reads a recording (client operations, bus packets, views, faults, merged by time) and
//! nothing else, so that the same code judges a simulated node, our process and upstream's, live or
//! years later. This crate shares no code with the node it judges: it has its own bus decoder, its
//! own slot hash and its own vocabulary. It does no I/O beyond `Read` and `Write`.
//!
//! Rooms: [`history`] (what clients did), [`observation`] (what was seen of the cluster),
//! [`recording`] (both, merged), [`checker`] and [`registry`] (the judges), [`scene`] (what they
//! all need to know), [`transactions`] (cycles of dependencies), [`judge`] (all of them over one
//! recording), [`verdict`] (what they may say).

mod assumptions;
pub mod availability;
pub mod checker;
pub mod consistency;
pub mod history;
pub mod invariants;
pub mod judge;
pub mod lines;
pub mod observation;
pub mod recording;
pub mod registry;
pub mod scene;
pub mod table;
pub mod transactions;
pub mod verdict;
pub mod witness;

#[cfg(test)]
pub(crate) mod test_support;
