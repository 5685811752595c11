//! The reference node: a Redis Cluster member as a pure state machine.
//!
//! **The law: one input, then carry out all outputs in order, then the next input.**
//! [`Node::step`] takes the time and one [`Input`], and appends to [`Outputs`]. It reads no clock,
//! socket, file or entropy, so the same inputs give the same outputs, byte for byte. An
//! [`Output::Persist`] stands before whatever depends on it (BUS-10): carry it out first.
//!
//! Rooms: [`bus`] (packets and their bytes), [`cluster`] (membership, failure detection, elections,
//! slots), [`keyspace`] (data), [`commands`] (what clients may ask), [`route`] (who serves a key),
//! [`replication`] and [`rdb`] (copies of the data), [`resp`] (the client protocol), [`config`].

pub mod append_only;
pub mod bus;
pub mod cluster;
pub mod commands;
pub mod config;
mod digits;
pub mod epoch;
pub mod ids;
pub mod input;
pub mod keyspace;
pub mod mutants;
pub mod node;
pub mod output;
pub mod rdb;
pub mod replication;
pub mod resp;
pub mod rng;
pub mod route;
pub mod rules;
pub mod slot;
pub mod time;

pub use input::Input;
pub use node::{Boot, BootError, Node};
pub use output::{Output, Outputs};
