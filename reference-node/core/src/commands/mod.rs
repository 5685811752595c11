//! What clients may ask: the command table, one file per group, and the way a command takes
//! through the node.
//!
//! The node calls the entries re-exported here with [`Parts`]; nothing here knows the node itself.

pub mod doors;
pub mod parts;
pub mod session;

pub use doors::{ClusterDoor, ClusterReads, ReplicationDoor, ReplicationSurroundings};
pub use parts::{Answer, Call, Parts, Server};
pub use session::{Clients, Session};
