//! One direction of one TCP connection, within one life of the sender.
//!
//! Packets of one link are in the order in which they were sent; packets of different links may be
//! captured out of order, and after a heal old content is retransmitted (R3). Checkers of order
//! compare within a link only. Links, the lives of senders, and pairs of nodes are numbered as they
//! are first seen, so that what is kept of each is found by index: see [`By`].

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::net::SocketAddrV4;

use crate::observation::{Incarnations, NodeId, NodeName, Packet};

/// Number of a link, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkNumber(usize);

/// Number of a life of a sender, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LifeNumber(usize);

/// Number of a sender and a receiver, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PairNumber(usize);

/// Where a packet comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// The link it came on.
    pub link: LinkNumber,
    /// The life of its sender.
    pub life: LifeNumber,
    /// Its sender and receiver.
    pub pair: PairNumber,
    /// How often its sender had been started.
    pub incarnation: u32,
}

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
    links: BTreeMap<Link, LinkNumber>,
    lives: BTreeMap<(NodeName, u32), LifeNumber>,
    pairs: BTreeMap<(NodeName, NodeName), PairNumber>,
    /// The last packet between two addresses: nearly always the next one has the same origin.
    last: BTreeMap<u128, Last>,
}

/// The last packet between two addresses.
#[derive(Debug, Clone)]
struct Last {
    origin: Origin,
    from: NodeName,
    to: NodeName,
    sender: NodeId,
    /// How many lives had begun or ended by then.
    changes: u64,
}

impl Links {
    /// Where this packet comes from.
    pub fn origin(&mut self, packet: &Packet, lives: &Incarnations) -> Origin {
        let sender = &packet.header.sender;
        let ends = bits(packet.source) << 64 | bits(packet.target);
        if let Some(last) = self.last.get(&ends)
            && last.changes == lives.changes()
            && last.sender == *sender
            && (&last.from, &last.to) == (&packet.from, &packet.to)
        {
            return last.origin;
        }
        let incarnation = lives.life(&packet.from).incarnation;
        let link = Link {
            source: packet.source,
            target: packet.target,
            incarnation,
            sender: sender.clone(),
        };
        let names = (packet.from.clone(), packet.to.clone());
        let next = LinkNumber(self.links.len());
        let link = *self.links.entry(link).or_insert(next);
        let next = LifeNumber(self.lives.len());
        let life = self.lives.entry((packet.from.clone(), incarnation));
        let life = *life.or_insert(next);
        let next = PairNumber(self.pairs.len());
        let pair = *self.pairs.entry(names).or_insert(next);
        let origin = Origin {
            link,
            life,
            pair,
            incarnation,
        };
        let last = Last {
            origin,
            from: packet.from.clone(),
            to: packet.to.clone(),
            sender: sender.clone(),
            changes: lives.changes(),
        };
        self.last.insert(ends, last);
        origin
    }
}

fn bits(address: SocketAddrV4) -> u128 {
    u128::from(address.ip().to_bits()) << 16 | u128::from(address.port())
}

/// Numbers from 0 of one kind of thing.
pub trait Number: Copy {
    /// The number.
    fn index(self) -> usize;
}

impl Number for LinkNumber {
    fn index(self) -> usize {
        self.0
    }
}

impl Number for LifeNumber {
    fn index(self) -> usize {
        self.0
    }
}

impl Number for PairNumber {
    fn index(self) -> usize {
        self.0
    }
}

/// Something kept for each link.
pub type ByLink<T> = By<LinkNumber, T>;
/// Something kept for each life of a sender.
pub type ByLife<T> = By<LifeNumber, T>;
/// Something kept for each sender and receiver.
pub type ByPair<T> = By<PairNumber, T>;

/// Something kept for each number that was seen.
#[derive(Debug, Clone)]
pub struct By<N, T> {
    kept: Vec<Option<T>>,
    numbers: PhantomData<N>,
}

impl<N, T> Default for By<N, T> {
    fn default() -> Self {
        By {
            kept: Vec::new(),
            numbers: PhantomData,
        }
    }
}

impl<N: Number, T> By<N, T> {
    /// What is kept for a number.
    pub fn get(&self, number: N) -> Option<&T> {
        self.kept.get(number.index())?.as_ref()
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, number: N) -> Option<&mut T> {
        self.kept.get_mut(number.index())?.as_mut()
    }

    /// Replaces what is kept for a number; gives what was kept.
    pub fn insert(&mut self, number: N, value: T) -> Option<T> {
        self.place(number).replace(value)
    }

    /// Keeps nothing for a number any more.
    pub fn remove(&mut self, number: N) {
        if let Some(kept) = self.kept.get_mut(number.index()) {
            *kept = None;
        }
    }

    /// All that is kept.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.kept.iter().flatten()
    }

    fn place(&mut self, number: N) -> &mut Option<T> {
        let index = number.index();
        if index >= self.kept.len() {
            self.kept.resize_with(index + 1, || None);
        }
        &mut self.kept[index]
    }
}

impl<N: Number, T: Default> By<N, T> {
    /// What is kept for a number.
    pub fn entry(&mut self, number: N) -> &mut T {
        self.place(number).get_or_insert_default()
    }
}
