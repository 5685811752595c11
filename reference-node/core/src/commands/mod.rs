//! What clients may ask: the command table, one file per group, and the way a command takes
//! through the node.
//!
//! The node calls the entries re-exported here with [`Parts`]; nothing here knows the node itself.

pub mod acl;
pub mod admission;
pub mod args;
pub mod bitmaps;
pub mod catalogue;
pub mod client;
pub mod config;
pub mod connection;
pub mod debug;
pub mod diagnostics;
pub mod dispatch;
pub mod doors;
pub mod expiry;
pub mod failover;
pub mod generic;
pub mod geo;
pub mod hashes;
pub mod help;
pub mod hyperloglog;
pub mod idle;
pub mod info;
pub mod introspection;
pub mod lists;
pub mod migrate;
pub mod monitor;
mod name_index;
pub mod newer;
pub mod notifications;
pub mod parts;
pub mod pubsub;
pub mod replication;
pub mod server;
pub mod session;
pub mod sets;
pub mod sha256;
pub mod sort;
pub mod streams;
pub mod strings;
pub mod table;
pub mod tracking;
pub mod transactions;
pub mod typed;
pub mod users;
pub mod wake;
pub mod zsets;

pub use dispatch::{
    Applied, apply_from_master, client_closed, client_command, client_opened, master_link_lost,
};
pub use doors::{ClusterDoor, ClusterReads, ReplicationDoor, ReplicationSurroundings};
pub use newer::in_our_words;
pub use parts::{Answer, Call, Parts, Role, Server};
pub use pubsub::deliver;
pub use session::{Clients, Session};
pub use wake::{
    delete_slot, demoted, next_wakeup, pause_writes, replicas_acknowledged, resume_writes,
    slots_changed, wake,
};

#[cfg(test)]
mod tests;

use table::Command;

/// The groups of the command table.
pub const GROUPS: &[&[Command]] = &[
    acl::COMMANDS,
    bitmaps::COMMANDS,
    bitmaps::field::COMMANDS,
    client::COMMANDS,
    config::COMMANDS,
    connection::COMMANDS,
    debug::COMMANDS,
    diagnostics::COMMANDS,
    expiry::COMMANDS,
    failover::COMMANDS,
    generic::COMMANDS,
    geo::COMMANDS,
    geo::search::COMMANDS,
    hashes::COMMANDS,
    hyperloglog::COMMANDS,
    info::COMMANDS,
    introspection::COMMANDS,
    lists::COMMANDS,
    lists::blocking::COMMANDS,
    migrate::COMMANDS,
    monitor::COMMANDS,
    pubsub::COMMANDS,
    replication::COMMANDS,
    server::COMMANDS,
    sets::COMMANDS,
    sort::COMMANDS,
    streams::COMMANDS,
    streams::claim::COMMANDS,
    streams::groups::COMMANDS,
    streams::info::COMMANDS,
    streams::read::COMMANDS,
    strings::COMMANDS,
    strings::ranges::COMMANDS,
    transactions::COMMANDS,
    zsets::COMMANDS,
    zsets::ranges::COMMANDS,
    zsets::combine::COMMANDS,
];
