//! Connections with the manners of TCP.
//!
//! What goes into a lane comes out whole and in order, or the connection ends. Where a path is cut
//! the lane stalls: what is in it waits, and flows some time after the heal, as retransmissions do.
//! Requests to connect are repeated with growing pauses. Only paths between nodes can be cut.

use std::collections::VecDeque;

use bytes::Bytes;
use slotquake_core::bus::Packet;
use slotquake_core::ids::{ClientId, LinkId, PeerId, UpstreamId};
use slotquake_core::resp::request::RequestParser;
use slotquake_workloads::client::RespValue;
use slotquake_workloads::rng::Rng;

use super::MS;
use crate::plan::Network;

/// Number of a connection; that of a refused dial is used again.
pub type ConnId = usize;

/// Direction within a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From who opened it.
    Out,
    /// To who opened it.
    Back,
}

impl Way {
    /// The other one.
    pub fn reverse(self) -> Way {
        match self {
            Way::Out => Way::Back,
            Way::Back => Way::Out,
        }
    }
}

/// What a node calls its end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Handle {
    /// A bus link.
    Link(LinkId),
    /// A client.
    Client(ClientId),
    /// The connection to its master.
    Upstream(UpstreamId),
    /// The connection to the target of a MIGRATE.
    Peer(PeerId),
}

/// Who holds an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A node.
    Node {
        /// Its host.
        host: usize,
        /// Its name for it.
        handle: Handle,
    },
    /// A simulated client.
    Caller,
    /// Nobody: not accepted yet, or closed.
    Gone,
}

/// What a node listens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// The cluster bus.
    Bus,
    /// Clients.
    Clients,
}

/// What travels.
#[derive(Debug)]
pub enum Payload {
    /// A bus packet; its place in the record.
    Packet(Box<Packet>, Option<usize>),
    /// Replies to a simulated client, without the detour of bytes.
    Replies(Vec<RespValue>),
    /// Commands of a client.
    Commands(Vec<Vec<Bytes>>),
    /// Bytes of the replication stream, or replies.
    Bytes(Bytes),
    /// The sender closed its end.
    Close,
}

/// One direction of a connection. A cluster of a thousand nodes has two million: nearly always
/// there is nothing in one, or one thing: the first. The rest follows it.
#[derive(Debug, Default)]
pub struct Lane {
    first: Option<Payload>,
    #[expect(
        clippy::box_collection,
        reason = "24 bytes less in each of two million lanes"
    )]
    rest: Option<Box<VecDeque<Payload>>>,
    /// When the last thing put in will come out, ns.
    last_at: u64,
    /// How many of the things in it met a cut.
    stalled: usize,
}

impl Lane {
    fn push(&mut self, payload: Payload) {
        match self.first {
            None => self.first = Some(payload),
            Some(_) => self.rest.get_or_insert_default().push_back(payload),
        }
    }

    fn pop(&mut self) -> Option<Payload> {
        let next = self.rest.as_mut().and_then(|rest| rest.pop_front());
        std::mem::replace(&mut self.first, next)
    }

    fn clear(&mut self) {
        self.first = None;
        self.rest = None;
    }
}

/// One connection.
#[derive(Debug)]
pub struct Conn {
    /// Who opened it.
    pub opener: End,
    /// Who accepted it.
    pub acceptor: End,
    /// Host of the opener; none for simulated clients.
    pub from: Option<usize>,
    /// Host it goes to.
    pub to: usize,
    /// What it asks for there.
    pub service: Service,
    /// Requests to connect sent so far.
    pub tries: u32,
    /// Reads the commands in the bytes that reach the acceptor, once there are any.
    parser: Option<Box<RequestParser>>,
    out: Lane,
    back: Lane,
}

impl Conn {
    /// The end that this way leads to.
    pub fn receiver(&mut self, way: Way) -> &mut End {
        match way {
            Way::Out => &mut self.acceptor,
            Way::Back => &mut self.opener,
        }
    }

    /// What reads the commands in the bytes that reach the acceptor.
    pub fn parser(&mut self) -> &mut RequestParser {
        self.parser.get_or_insert_default()
    }

    fn lane(&mut self, way: Way) -> &mut Lane {
        match way {
            Way::Out => &mut self.out,
            Way::Back => &mut self.back,
        }
    }

    /// The hosts this way leads from and to; none if a simulated client is at one end.
    fn path(&self, way: Way) -> Option<(usize, usize)> {
        let from = self.from?;
        Some(match way {
            Way::Out => (from, self.to),
            Way::Back => (self.to, from),
        })
    }
}

/// All connections, and the paths that are cut.
#[derive(Debug)]
pub struct Net {
    conns: Vec<Conn>,
    /// Numbers of refused dials.
    free: Vec<ConnId>,
    /// The connections between two hosts, at the place of the smaller and the larger.
    between: Vec<Vec<ConnId>>,
    /// How many cuts lie on the path from one host to another; row by row, for each service.
    cuts: [Vec<u16>; 2],
    /// Slow networks in force.
    slow: u32,
    shape: Network,
    /// What paths take longer than others, ns, row by row; empty if none does.
    uneven: Vec<u64>,
    hosts: usize,
    rng: Rng,
}

/// One us, ns.
const US: u64 = 1_000;
/// Most that a slow network adds, ns.
const SLOW_NS_SPREAD: u64 = 30 * MS;
/// What a slow network adds to what it has to send again, ns.
const STALL_NS: u64 = 100 * MS;
/// How much that is, percent.
const STALL_PERCENT: u64 = 1;
/// First pause before a request to connect is repeated, ns; it doubles.
const SYN_RETRY_NS: u64 = 1000 * MS;
/// Longest time from a heal to the retransmission of what waited, ns.
const RETRANSMIT_NS_MAX: u64 = 400 * MS;

impl Net {
    /// No connections yet, no cuts.
    pub fn new(hosts: usize, rng: Rng) -> Net {
        Net {
            conns: Vec::new(),
            free: Vec::new(),
            between: vec![Vec::new(); hosts * hosts],
            cuts: [vec![0; hosts * hosts], vec![0; hosts * hosts]],
            slow: 0,
            shape: Network::default(),
            uneven: Vec::new(),
            hosts,
            rng,
        }
    }

    /// The same in this shape; which paths are longer is drawn.
    pub fn shaped(self, shape: Network, mut rng: Rng) -> Net {
        let paths = match shape.uneven_us {
            0 => 0,
            _ => self.hosts * self.hosts,
        };
        let draw = |_| rng.below(shape.uneven_us * US + 1);
        Net {
            uneven: (0..paths).map(draw).collect(),
            shape,
            ..self
        }
    }

    /// A new connection, not accepted yet.
    pub fn open(
        &mut self,
        opener: End,
        from: Option<usize>,
        to: usize,
        service: Service,
    ) -> ConnId {
        let conn = Conn {
            opener,
            acceptor: End::Gone,
            from,
            to,
            service,
            tries: 0,
            parser: None,
            out: Lane::default(),
            back: Lane::default(),
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.conns[id] = conn;
                id
            }
            None => {
                self.conns.push(conn);
                self.conns.len() - 1
            }
        };
        if let Some(from) = from {
            let pair = self.pair(from, to);
            self.between[pair].push(id);
        }
        id
    }

    /// A dial was refused, and its opener knows. Its number is free, unless something is on its
    /// way there. Dead nodes are dialled ten times a second by everybody.
    pub fn forget(&mut self, id: ConnId) {
        let conn = &self.conns[id];
        let is_untouched = [&conn.out, &conn.back].iter().all(|lane| lane.last_at == 0);
        if let (Some(from), true) = (conn.from, is_untouched) {
            let pair = self.pair(from, conn.to);
            self.between[pair].retain(|kept| *kept != id);
            self.free.push(id);
        }
    }

    fn pair(&self, one: usize, other: usize) -> usize {
        one.min(other) * self.hosts + one.max(other)
    }

    /// A connection.
    pub fn conn(&mut self, id: ConnId) -> &mut Conn {
        &mut self.conns[id]
    }

    /// Time on the way of a connection, ns.
    pub fn latency_of(&mut self, id: ConnId, way: Way) -> u64 {
        let path = self.conns[id].path(way);
        let place = path.map(|(from, to)| from * self.hosts + to);
        let longer = place.and_then(|place| self.uneven.get(place)).copied();
        longer.unwrap_or(0) + self.latency()
    }

    /// Time on the way, ns, where no two nodes are concerned.
    pub fn latency(&mut self) -> u64 {
        let jitter_ns = (self.shape.jitter_us * US).max(1);
        let usual = self.shape.delay_us * US + self.rng.below(jitter_ns);
        match self.slow {
            0 => usual,
            1.. if self.rng.below(100) < STALL_PERCENT => usual + STALL_NS,
            1.. => usual + self.rng.below(SLOW_NS_SPREAD),
        }
    }

    /// The network becomes slow, once more.
    pub fn slow_down(&mut self) {
        self.slow += 1;
    }

    /// One slow network is over.
    pub fn speed_up(&mut self) {
        self.slow = self.slow.saturating_sub(1);
    }

    /// Loses all that is on its way on a connection.
    pub fn lose(&mut self, id: ConnId) {
        let conn = &mut self.conns[id];
        for lane in [&mut conn.out, &mut conn.back] {
            lane.clear();
            lane.stalled = 0;
        }
    }

    /// Pause before the next request to connect, ns.
    pub fn syn_pause(&mut self, id: ConnId) -> u64 {
        let conn = &mut self.conns[id];
        conn.tries += 1;
        SYN_RETRY_NS << conn.tries.min(6)
    }

    /// Puts something into a lane. Gives when it comes out; nothing while the lane is stalled.
    pub fn put(&mut self, id: ConnId, way: Way, payload: Payload, now: u64) -> Option<u64> {
        let at = now + self.latency_of(id, way);
        let lane = self.conns[id].lane(way);
        lane.push(payload);
        if lane.stalled > 0 {
            lane.stalled += 1;
            return None;
        }
        lane.last_at = lane.last_at.max(at);
        Some(lane.last_at)
    }

    /// Takes the next thing out of a lane, unless its path is cut: then it waits.
    pub fn take(&mut self, id: ConnId, way: Way) -> Option<Payload> {
        let is_cut = self.is_way_cut(id, way);
        let lane = self.conns[id].lane(way);
        if is_cut {
            lane.stalled += 1;
            return None;
        }
        lane.pop()
    }

    /// Whether a connection can be made: both ways are free.
    pub fn is_reachable(&self, id: ConnId) -> bool {
        !self.is_way_cut(id, Way::Out) && !self.is_way_cut(id, Way::Back)
    }

    fn is_way_cut(&self, id: ConnId, way: Way) -> bool {
        let path = self.conns[id].path(way);
        let cuts = &self.cuts[self.conns[id].service as usize];
        path.is_some_and(|(from, to)| cuts[from * self.hosts + to] > 0)
    }

    /// Cuts the path from one host to another for a service, once more.
    pub fn cut(&mut self, service: Service, from: usize, to: usize) {
        self.cuts[service as usize][from * self.hosts + to] += 1;
    }

    /// Undoes one cut. Gives what flows again: connection, way, time; one entry per waiting thing.
    pub fn mend(
        &mut self,
        service: Service,
        (from, to): (usize, usize),
        now: u64,
    ) -> Vec<(ConnId, Way, u64)> {
        let cuts = &mut self.cuts[service as usize][from * self.hosts + to];
        *cuts = cuts.saturating_sub(1);
        if *cuts > 0 {
            return Vec::new();
        }
        let mut flowing = Vec::new();
        for id in self.between[self.pair(from, to)].iter().copied() {
            for way in [Way::Out, Way::Back] {
                let conn = &mut self.conns[id];
                let is_freed = conn.service == service && conn.path(way) == Some((from, to));
                if !is_freed || conn.lane(way).stalled == 0 {
                    continue;
                }
                let at = now + self.rng.below(RETRANSMIT_NS_MAX);
                let lane = self.conns[id].lane(way);
                lane.last_at = lane.last_at.max(at);
                flowing.extend(std::iter::repeat_n((id, way, lane.last_at), lane.stalled));
                lane.stalled = 0;
            }
        }
        flowing
    }
}

#[cfg(test)]
mod tests;
