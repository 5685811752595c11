//! A path that packets take between two addresses: what the packet filters cut.
//!
//! A path has a direction; a cut of both directions is two paths. Each filter puts a path in its
//! own words ([`super::cuts`] chooses the filter).

use std::net::Ipv4Addr;

/// Packets that are dropped: those from an address to another, all of them or those of one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    /// Where they come from.
    pub source: Ipv4Addr,
    /// Where they go to.
    pub target: Ipv4Addr,
    /// Only those from this port or to it.
    pub port: Option<u16>,
}

impl Path {
    /// Whether a cut of this path cuts the other one, too.
    pub fn covers(&self, other: &Path) -> bool {
        let is_same_way = self.source == other.source && self.target == other.target;
        is_same_way && (self.port.is_none() || self.port == other.port)
    }
}
