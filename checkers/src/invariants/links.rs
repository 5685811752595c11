//! One direction of one TCP connection, within one life of the sender.
//!
//! Packets of one link are in the order in which they were sent; packets of different links may be
//! captured out of order, and after a heal old content is retransmitted (R3). Checkers of order
//! compare within a link only.

use std::net::SocketAddrV4;

use crate::observation::{Incarnations, NodeId, Packet};

/// A link as a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    source: SocketAddrV4,
    target: SocketAddrV4,
    incarnation: u32,
    sender: NodeId,
}

impl Link {
    /// The link this packet came on.
    pub fn of(packet: &Packet, incarnations: &Incarnations) -> Link {
        Link {
            source: packet.source,
            target: packet.target,
            incarnation: incarnations.life(&packet.from).incarnation,
            // A new id on the same addresses (RESET HARD) starts anew.
            sender: packet.header.sender.clone(),
        }
    }
}
