//! What clients do, as pure deciders: workloads, and the MOVED/ASK-aware client.
//!
//! A [`workload::Workload`] says which operation a process does next; a [`client::Session`] says
//! how that operation reaches the right node and what its answer means for "did it happen?". Both
//! take inputs and give values; a world does the sending. Knows of checkers only the history types.
//!
//! [`registry`] lists the workloads, one line each; name, help and default live in their files.

pub mod append;
pub mod bank;
pub mod blocking;
pub mod cas;
pub mod client;
pub mod counter;
pub mod expiry;
pub mod keys;
pub mod list_append;
pub mod load;
pub mod pairs;
pub mod pubsub;
pub mod queue;
pub mod register;
pub mod registry;
pub mod rng;
pub mod set;
pub mod stray;
pub mod stream;
pub mod txn;
pub mod workload;
