//! Copies of the data: the stream of commands, who sends it and who receives it.
//!
//! [`Replication`] is both sides of it: a master serves replicas, which are clients that sent
//! PSYNC ([`primary`]); a replica follows its master over an upstream connection ([`replica`]).
//! Both share one [`history::History`]: replication ids, one offset, the backlog. The room never
//! runs commands and never touches the data: it hands them out as [`Event`]s, one at a time, and
//! counts a command as applied when it is told so (RW-35).

pub mod backlog;
mod door;
pub mod handover;
pub mod handshake;
pub mod history;
pub mod loading;
pub mod offset;
pub mod primary;
pub mod replica;
pub mod reports;
pub mod room;
pub mod stream;
mod sync;
pub mod transfer;

pub use handover::{Attached, Demand, Verdict};
pub use loading::LoadState;
pub use offset::{ReplId, ReplOffset};
pub use replica::MasterAddress;
pub use reports::SyncCounts;
pub use room::{Event, Replication, entries};

#[cfg(test)]
mod tests;
