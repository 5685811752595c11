//! Tests of the cluster room: some `Cluster`s on an in-memory wire and a fake clock.

mod acquaintance;
mod announce;
mod bus;
mod claims;
mod commands;
mod detection;
mod elections;
mod epochs;
mod extensions;
mod failover;
mod faults;
mod files;
mod forgetting;
mod gossip;
mod handshake;
mod hostile;
mod invariants;
mod manual;
mod membership;
<<<<<<< Updated upstream
mod ownership;
=======
mod open_slots;
>>>>>>> Stashed changes
mod packets;
mod restarts;
mod rig;
mod roles;
mod slots;
mod spares;
mod state;
mod voting;
mod weaknesses;
