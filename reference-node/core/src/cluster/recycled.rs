//! Packets that were read, kept for their memory.
//!
//! A node sends about as many packets as it gets, each in a box of its own, most of them with a
//! list of gossip. So what came in serves what leaves next. What is kept says nothing: two rooms
//! that differ in it alone are the same.

use std::fmt;

use crate::bus::Packet;
use crate::bus::packet::{Body, Gossip};

/// Packets whose content nobody needs any more.
#[derive(Default)]
pub(super) struct Recycled(
    #[expect(
        clippy::vec_box,
        reason = "the boxes are what is kept: packets travel in them"
    )]
    Vec<Box<Packet>>,
);

impl Recycled {
    /// Keeps a packet that was read.
    pub fn keep(&mut self, packet: Box<Packet>) {
        if self.0.len() < KEPT_MAX {
            self.0.push(packet);
        }
    }

    /// An empty list, perhaps with room.
    pub fn list(&mut self) -> Vec<Gossip> {
        let kept = self.0.last_mut().map(|packet| &mut packet.body);
        let mut list = match kept {
            Some(Body::Ping(kept) | Body::Pong(kept) | Body::Meet(kept)) => {
                std::mem::take(&mut kept.gossip)
            }
            Some(
                Body::Fail { .. }
                | Body::Publish { .. }
                | Body::AuthRequest
                | Body::AuthAck
                | Body::Update { .. }
                | Body::MfStart
                | Body::Module
                | Body::PublishShard { .. }
                | Body::Unknown(_),
            )
            | None => Vec::new(),
        };
        list.clear();
        list
    }

    /// A box with this packet in it.
    pub fn boxed(&mut self, packet: Packet) -> Box<Packet> {
        match self.0.pop() {
            Some(mut kept) => {
                *kept = packet;
                kept
            }
            None => Box::new(packet),
        }
    }
}

impl Clone for Recycled {
    fn clone(&self) -> Recycled {
        Recycled::default()
    }
}

impl fmt::Debug for Recycled {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("Recycled")
    }
}

/// How many are kept: a node answers one packet before it reads the next.
const KEPT_MAX: usize = 4;
