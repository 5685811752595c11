//! Tests of the cluster room: some `Cluster`s on an in-memory wire and a fake clock.

mod claims;
mod commands;
mod elections;
mod failover;
mod faults;
mod files;
mod handshake;
mod hostile;
mod manual;
mod membership;
mod packets;
mod rig;
mod slots;
mod state;
mod voting;
