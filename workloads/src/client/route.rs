//! Which node serves which slot, as the client believes.

use std::net::SocketAddrV4;

/// The client's slot map: learned from CLUSTER SLOTS and from MOVED.
#[derive(Debug, Clone)]
pub struct Route {
    /// Nodes to ask when nothing better is known.
    pub seeds: Vec<SocketAddrV4>,
    /// Owner of each slot, by index into nothing but the address itself.
    pub owners: Vec<Option<SocketAddrV4>>,
}
