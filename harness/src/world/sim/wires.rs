//! Connections of simulated clients: requests go out in order, replies come back in order.
//!
//! A request whose replies do not come in time breaks the connection, and with it every request
//! behind it. What that means for an operation is decided by its session, not here.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use slotquake_checkers::history::Process;
use slotquake_workloads::client::{Breakage, RespParser, RespValue, action};

use super::net::{ConnId, End, Payload, Service, Way};
use super::queue::Event;
use super::{MS, SimWorld};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A process of the run.
    Session(Process),
    /// A client of several processes, which share its connections.
    Client(u32),
    /// The same, with a connection that serves one subscription.
    Subscriber(Process),
    /// The harness itself.
    Observer,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An operation of this process.
    Operation(Process),
    /// A view of this host, asked for at this time, ns.
    Look {
        /// The host.
        host: usize,
        /// When.
        asked: u64,
    },
    /// A question of the director.
    Ask {
        /// Its tag.
        tag: u64,
    },
}

/// Whether a connection is open yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Open,
}

#[derive(Debug)]
struct Wire {
    owner: Owner,
    host: usize,
    stage: Stage,
    parser: RespParser,
    requests: VecDeque<Request>,
}

#[derive(Debug)]
struct Request {
    id: u64,
    purpose: Purpose,
    commands: Vec<Vec<Bytes>>,
    due: Due,
    replies: Vec<RespValue>,
}

/// What a request waits for.
#[derive(Debug)]
enum Due {
    /// So many replies.
    Replies(usize),
    /// The end of a subscription.
    End {
        /// How long to listen, ms.
        listen_ms: u64,
        /// What ends it.
        end: Vec<Bytes>,
    },
}

/// A subscription that a client asks for.
#[derive(Debug)]
pub struct Subscription {
    /// The command that begins it.
    pub begin: Vec<Bytes>,
    /// How long to listen, ms.
    pub listen_ms: u64,
    /// The command that ends it.
    pub end: Vec<Bytes>,
}

/// All connections of simulated clients.
#[derive(Debug, Default)]
pub struct Wires {
    wires: BTreeMap<ConnId, Wire>,
    by_owner: BTreeMap<(Owner, usize), ConnId>,
    requests_made: u64,
}

impl Wires {
    /// The owner's connection to a host, if there is one.
    pub fn of(&self, owner: Owner, host: usize) -> Option<ConnId> {
        self.by_owner.get(&(owner, host)).copied()
    }

    /// All connections of an owner.
    pub fn all_of(&self, owner: Owner) -> Vec<ConnId> {
        let range = (owner, 0)..=(owner, usize::MAX);
        self.by_owner.range(range).map(|(_, conn)| *conn).collect()
    }

    fn remove(&mut self, conn: ConnId) -> Option<Wire> {
        let wire = self.wires.remove(&conn)?;
        self.by_owner.remove(&(wire.owner, wire.host));
        Some(wire)
    }
}

impl SimWorld {
    /// Sends commands on the owner's connection to a host; opens it if there is none.
    pub(super) fn call(
        &mut self,
        owner: Owner,
        host: usize,
        commands: Vec<Vec<Bytes>>,
        purpose: Purpose,
    ) {
        let due = Due::Replies(commands.len());
        self.request(owner, host, commands, (purpose, due));
    }

    /// Subscribes on a connection of its own.
    pub(super) fn subscribe(&mut self, process: Process, host: usize, asked: Subscription) {
        let due = Due::End {
            listen_ms: asked.listen_ms,
            end: asked.end,
        };
        let purpose = Purpose::Operation(process);
        let owner = Owner::Subscriber(process);
        self.request(owner, host, vec![asked.begin], (purpose, due));
    }

    fn request(
        &mut self,
        owner: Owner,
        host: usize,
        commands: Vec<Vec<Bytes>>,
        (purpose, awaited): (Purpose, Due),
    ) {
        let patience_ms = self.callers.patience_ms(&purpose);
        let conn = match self.callers.wires.of(owner, host) {
            Some(conn) => conn,
            None => self.open_wire(owner, host),
        };
        let wires = &mut self.callers.wires;
        wires.requests_made += 1;
        let id = wires.requests_made;
        let wire = wires
            .wires
            .get_mut(&conn)
            .expect("found or opened just now");
        let due = self.now + patience_ms * MS;
        let (kept, sent) = match wire.stage {
            Stage::Opening => (commands, None),
            Stage::Open => (Vec::new(), Some(commands)),
        };
        wire.requests.push_back(Request {
            id,
            purpose,
            commands: kept,
            due: awaited,
            replies: Vec::new(),
        });
        if let Some(commands) = sent {
            self.put(conn, Way::Out, Payload::Commands(commands));
        }
        self.queue.push(due, Event::ReplyDue { conn, request: id });
    }

    fn open_wire(&mut self, owner: Owner, host: usize) -> ConnId {
        let conn = self.net.open(End::Caller, None, host, Service::Clients);
        let at = self.now + self.net.latency();
        self.queue.push(at, Event::Syn { conn });
        let wire = Wire {
            owner,
            host,
            stage: Stage::Opening,
            parser: RespParser::default(),
            requests: VecDeque::new(),
        };
        self.callers.wires.wires.insert(conn, wire);
        self.callers.wires.by_owner.insert((owner, host), conn);
        conn
    }

    pub(super) fn on_wire_open(&mut self, conn: ConnId) {
        let Some(wire) = self.callers.wires.wires.get_mut(&conn) else {
            return;
        };
        wire.stage = Stage::Open;
        let requests = wire.requests.iter_mut();
        let waiting: Vec<_> = requests
            .map(|request| std::mem::take(&mut request.commands))
            .collect();
        for commands in waiting {
            self.put(conn, Way::Out, Payload::Commands(commands));
        }
    }

    pub(super) fn on_wire_bytes(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(wire) = self.callers.wires.wires.get_mut(&conn) else {
            return;
        };
        wire.parser.feed(bytes);
        while let Some(wire) = self.callers.wires.wires.get_mut(&conn) {
            match wire.parser.next_reply() {
                Ok(Some(reply)) => self.on_wire_reply(conn, reply),
                Ok(None) => return,
                Err(_) => return self.hang_up_wire(conn, Breakage::Lost),
            }
        }
    }

    pub(super) fn on_wire_replies(&mut self, conn: ConnId, replies: Vec<RespValue>) {
        for reply in replies {
            self.on_wire_reply(conn, reply);
        }
    }

    /// One reply; nobody reads it if its wire broke meanwhile.
    fn on_wire_reply(&mut self, conn: ConnId, reply: RespValue) {
        let Some(wire) = self.callers.wires.wires.get_mut(&conn) else {
            return;
        };
        let Some(request) = wire.requests.front_mut() else {
            return self.hang_up_wire(conn, Breakage::Lost);
        };
        let is_last = match request.due {
            Due::Replies(count) => request.replies.len() + 1 >= count,
            Due::End { listen_ms, .. } => {
                let is_first = request.replies.is_empty();
                if is_first && !action::ends(&reply) {
                    let over = self.now + listen_ms * MS;
                    let request = request.id;
                    self.queue.push(over, Event::Listened { conn, request });
                }
                action::ends(&reply)
            }
        };
        request.replies.push(reply);
        if !is_last {
            return;
        }
        let done = wire.requests.pop_front();
        if matches!(wire.owner, Owner::Subscriber(_)) {
            self.hang_up_wire(conn, Breakage::Lost);
        }
        if let Some(Request {
            purpose, replies, ..
        }) = done
        {
            self.on_answered(purpose, replies);
        }
    }

    pub(super) fn on_listened(&mut self, conn: ConnId, request: u64) {
        let Some(wire) = self.callers.wires.wires.get(&conn) else {
            return;
        };
        let waiting = wire.requests.iter().find(|waiting| waiting.id == request);
        if let Some(Due::End { end, .. }) = waiting.map(|waiting| &waiting.due) {
            let commands = vec![end.clone()];
            self.put(conn, Way::Out, Payload::Commands(commands));
        }
    }

    /// The peer closed the connection, or it could not be opened.
    pub(super) fn on_wire_closed(&mut self, conn: ConnId) {
        self.net.conn(conn).opener = End::Gone;
        self.break_wire(conn, Breakage::Lost);
    }

    pub(super) fn on_reply_due(&mut self, conn: ConnId, request: u64) {
        let Some(wire) = self.callers.wires.wires.get(&conn) else {
            return;
        };
        if wire.requests.iter().any(|waiting| waiting.id == request) {
            self.hang_up_wire(conn, Breakage::TimedOut);
        }
    }

    /// Closes a connection from the client's side.
    pub(super) fn hang_up_wire(&mut self, conn: ConnId, breakage: Breakage) {
        self.net.conn(conn).opener = End::Gone;
        self.put(conn, Way::Out, Payload::Close);
        self.break_wire(conn, breakage);
    }

    fn break_wire(&mut self, conn: ConnId, breakage: Breakage) {
        let Some(wire) = self.callers.wires.remove(conn) else {
            return;
        };
        let breakage = match wire.stage {
            Stage::Opening => Breakage::NotSent,
            Stage::Open => breakage,
        };
        for request in wire.requests {
            self.on_unanswered(request.purpose, breakage);
        }
    }
}
