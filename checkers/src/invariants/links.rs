//! One direction of one TCP connection, within one life of the sender.
//!
//! Packets of one link are in the order in which they were sent; packets of different links may be
//! captured out of order, and after a heal old content is retransmitted (R3). Checkers of order
//! compare within a link only. Links are numbered as they are first seen, so that what is kept of
//! each is found by index: see [`ByLink`].

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use crate::observation::{Incarnations, NodeId, Packet};

/// Number of a link, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkNumber(usize);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    source: SocketAddrV4,
    target: SocketAddrV4,
    incarnation: u32,
    /// A new id on the same addresses (RESET HARD) starts anew.
    sender: NodeId,
}

/// The links of a run.
#[derive(Debug, Clone, Default)]
pub struct Links {
    numbers: BTreeMap<Link, LinkNumber>,
    links: Vec<Link>,
    /// The last link between two addresses: nearly always that of the next packet, too. With it,
    /// how many lives had begun or ended by then.
    last: BTreeMap<(SocketAddrV4, SocketAddrV4), (LinkNumber, u64)>,
}

impl Links {
    /// The link this packet came on, and the incarnation of its sender.
    pub fn number(&mut self, packet: &Packet, lives: &Incarnations) -> (LinkNumber, u32) {
        let ends = (packet.source, packet.target);
        if let Some((number, changes)) = self.last.get(&ends).copied() {
            let link = &self.links[number.0];
            if changes == lives.changes() && link.sender == packet.header.sender {
                return (number, link.incarnation);
            }
        }
        let incarnation = lives.life(&packet.from).incarnation;
        let link = Link {
            source: packet.source,
            target: packet.target,
            incarnation,
            sender: packet.header.sender.clone(),
        };
        let next = LinkNumber(self.links.len());
        let number = *self.numbers.entry(link.clone()).or_insert(next);
        if number == next {
            self.links.push(link);
        }
        self.last.insert(ends, (number, lives.changes()));
        (number, incarnation)
    }
}

/// Something kept for each link.
#[derive(Debug, Clone)]
pub struct ByLink<T>(Vec<Option<T>>);

impl<T> Default for ByLink<T> {
    fn default() -> Self {
        ByLink(Vec::new())
    }
}

impl<T> ByLink<T> {
    /// Replaces what is kept for a link; gives what was kept.
    pub fn insert(&mut self, link: LinkNumber, value: T) -> Option<T> {
        self.place(link).replace(value)
    }

    fn place(&mut self, link: LinkNumber) -> &mut Option<T> {
        if link.0 >= self.0.len() {
            self.0.resize_with(link.0 + 1, || None);
        }
        &mut self.0[link.0]
    }
}

impl<T: Default> ByLink<T> {
    /// What is kept for a link.
    pub fn entry(&mut self, link: LinkNumber) -> &mut T {
        self.place(link).get_or_insert_default()
    }
}
