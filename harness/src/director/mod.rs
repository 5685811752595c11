//! The run itself, as a pure state machine.
//!
//! [`Director`] takes what happened and the time, and gives commands for the world; it has no
//! clock, thread or socket. Phases: boot, warm, disturb, heal, settle, drain, read. It owns
//! the workloads, the nemesis schedule and the named random streams (one for each client, one for
//! each kind of fault), so that dropping one fault kind does not reshuffle what clients do.
//!
//! [`run()`] is the loop between a director and a world, and gives the recording.

pub mod agenda;
mod ambush;
pub mod chart;
pub mod clients;
pub mod errands;
mod operator;
mod rest;
pub mod run;
pub mod scenario;
pub mod schedule;
pub mod state;
pub mod strikes;
#[cfg(test)]
mod tests;

pub use run::{Fallen, Ordered, Played, Progress, play, play_or_fall, run};
pub use state::{Director, Phase};
