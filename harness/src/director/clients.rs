//! The clients of a run: who does what when, and the history they leave.
//!
//! Each client is one logical thread: one operation at a time, at an even pace, whatever the
//! answers take (a late one makes the next due at once, never two). Each has its own random stream.
//! Those of one pipeline share a connection, which is the world's to know.
//! A client whose operation ended in `info` goes on under a fresh process number; its position is
//! the process number modulo the number of clients.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddrV4;

use slotquake_checkers::history::{Event, EventKind, Events, Process};
use slotquake_checkers::observation::slots::{SLOT_COUNT, slot_of_key};
use slotquake_checkers::observation::{NodeName, NodeSetting};
use slotquake_checkers::recording::READY_MAX;
use slotquake_workloads::client::Outcome;
use slotquake_workloads::load::{Arrival, Load};
use slotquake_workloads::rng::Rng;
use slotquake_workloads::workload::{Done, Op, Workload};

use crate::plan::{Plan, WorldKind};

/// How many operations count as the last ones.
const SLOTS_RECENT_MAX: usize = 200;
/// How often a final read that fails is done again.
const FINAL_ATTEMPTS_MAX: u32 = 40;

/// From an operation that failed to the next of its process in a closed loop, ns.
const AFTER_FAILURE_NS: u64 = 100_000;

/// All clients.
pub struct Clients {
    clients: Vec<Client>,
    workloads: Vec<Box<dyn Workload>>,
    names: BTreeMap<SocketAddrV4, NodeName>,
    period_ns: u64,
    load: Load,
    /// Whether a key of this slot was used so far.
    slots: Vec<bool>,
    /// Those of the last operations.
    slots_recent: VecDeque<u16>,
    /// Final reads not begun, with how often each was tried.
    reads: VecDeque<(Op, u32)>,
    /// What they did so far.
    pub events: Events,
    /// Operations that ended ok, fail, info.
    pub tally: [u64; 3],
    /// Client and number of each operation that was begun, final reads apart.
    pub begun: Vec<(u32, u64)>,
    listing: Listing,
    /// The only ones that are; none: all.
    only: Option<BTreeSet<(u32, u64)>>,
}

struct Client {
    process: Process,
    workload: usize,
    rng: Rng,
    busy: Option<(Op, u32)>,
    due: u64,
    /// Operations drawn so far.
    drawn: u64,
}

/// Whether the operations that are begun are listed, so that a run can be made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listing {
    Kept,
    Left,
}

/// How the clients are to work.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Root of their random streams.
    pub seed: u64,
    /// How many processes work at once.
    pub clients: u32,
    /// Operations per second, all together.
    pub rate: u64,
    /// When they begin, ns.
    pub begin: u64,
    /// What is asked of their workloads.
    pub load: Load,
}

impl Pace {
    /// Nobody works.
    pub fn idle() -> Pace {
        Pace {
            seed: 0,
            clients: 0,
            rate: 0,
            begin: 0,
            load: Load::default(),
        }
    }
}

/// An operation to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    /// Who.
    pub process: Process,
    /// What.
    pub op: Op,
}

/// What a client does when its time has come.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// It begins this.
    Begun(Begun),
    /// It passes an operation over, and may begin the next at this time, ns.
    Passed {
        /// When.
        due: u64,
    },
    /// It is still at work.
    Busy,
}

impl Clients {
    /// Clients that do these workloads, dealt out in turn.
    pub fn new(pace: Pace, workloads: Vec<Box<dyn Workload>>, nodes: &[NodeSetting]) -> Clients {
        let count = match pace.rate == 0 || workloads.is_empty() {
            true => 0,
            false => u64::from(pace.clients),
        };
        let period_ns = (1_000_000_000 * count)
            .checked_div(pace.rate)
            .unwrap_or(0)
            .max(1);
        let client = |position: u64| Client {
            process: position as Process,
            workload: position as usize % workloads.len(),
            rng: Rng::named(pace.seed, &format!("client {position}")),
            busy: None,
            due: pace.begin + position * period_ns / count,
            drawn: 0,
        };
        Clients {
            clients: (0..count).map(client).collect(),
            names: nodes
                .iter()
                .map(|node| (node.address, node.name.clone()))
                .collect(),
            workloads,
            period_ns,
            load: pace.load,
            slots: vec![false; usize::from(SLOT_COUNT)],
            slots_recent: VecDeque::new(),
            reads: VecDeque::new(),
            events: Events::default(),
            tally: [0; 3],
            begun: Vec::new(),
            listing: Listing::Kept,
            only: None,
        }
    }

    /// The same for this plan: it may want but some of the operations; and of real processes it
    /// may bring millions, which nobody will make less, so that their events are packed.
    pub fn under(mut self, plan: &Plan) -> Clients {
        if let Some(operations) = &plan.operations {
            self.carry_out_only(operations);
        }
        if plan.world != WorldKind::Sim {
            self.listing = Listing::Left;
            self.events = Events::packing_beyond(READY_MAX);
        }
        self
    }

    /// Passes over all operations but these (client and number, from 0); they are drawn all the
    /// same, so that each stays what it is.
    pub fn carry_out_only(&mut self, operations: &[(u32, u64)]) {
        self.only = Some(operations.iter().copied().collect());
    }

    /// The slots of all keys used so far, in order; those of the last operations again for each of
    /// them, so that a slot drawn from the list is often one that is asked for now.
    pub fn slots_used(&self) -> Vec<u16> {
        let used = (0..SLOT_COUNT).filter(|slot| self.slots[usize::from(*slot)]);
        let mut slots: Vec<u16> = used.chain(self.slots_recent.iter().copied()).collect();
        slots.sort_unstable();
        slots
    }

    /// When each client may begin its first operation, by position.
    pub fn first_dues(&self) -> Vec<u64> {
        self.clients.iter().map(|client| client.due).collect()
    }

    /// Whether no operation is on its way.
    pub fn is_idle(&self) -> bool {
        self.clients.iter().all(|client| client.busy.is_none())
    }

    /// Whether the reading at the end is over.
    pub fn has_read_all(&self) -> bool {
        self.reads.is_empty() && self.is_idle()
    }

    /// Begins this client's next operation of its workload, if it is free.
    pub fn begin(&mut self, position: usize, now: u64) -> Turn {
        let Some(client) = self.clients.get_mut(position) else {
            return Turn::Busy;
        };
        if client.busy.is_some() {
            return Turn::Busy;
        }
        let workload = &mut self.workloads[client.workload];
        let op = workload.next(client.process, &mut client.rng);
        let op = self.load.dress(op, &mut client.rng);
        let jitter = client.rng.below(self.period_ns / 2 + 1);
        let next = client.due + self.period_ns * 3 / 4 + jitter;
        client.due = match self.load.arrival {
            Arrival::Paced => next.max(now),
            Arrival::Open => next,
            Arrival::Closed => now,
        };
        let number = (position as u32, client.drawn);
        client.drawn += 1;
        if self
            .only
            .as_ref()
            .is_some_and(|only| !only.contains(&number))
        {
            return Turn::Passed { due: client.due };
        }
        if self.listing == Listing::Kept {
            self.begun.push(number);
        }
        Turn::Begun(self.invoke(position, op, 0, now))
    }

    /// Makes the final reads due.
    pub fn begin_reading(&mut self) {
        let reads = self
            .workloads
            .iter()
            .flat_map(|workload| workload.final_reads());
        self.reads = reads.map(|op| (op, 0)).collect();
    }

    /// Begins a final read, if this client is free and one is left.
    pub fn read(&mut self, position: usize, now: u64) -> Option<Begun> {
        if self.clients.get(position)?.busy.is_some() {
            return None;
        }
        let (op, attempts) = self.reads.pop_front()?;
        Some(self.invoke(position, op, attempts, now))
    }

    fn invoke(&mut self, position: usize, op: Op, attempts: u32, now: u64) -> Begun {
        let client = &mut self.clients[position];
        let process = client.process;
        client.busy = Some((op.clone(), attempts));
        let slot = slot_of_key(op.key.as_bytes());
        self.slots[usize::from(slot)] = true;
        self.slots_recent.truncate(SLOTS_RECENT_MAX - 1);
        self.slots_recent.push_front(slot);
        self.events.push(Event {
            index: self.events.len() as u64,
            time: now,
            process,
            kind: EventKind::Invoke,
            f: op.f,
            key: Some(op.key.clone()),
            value: op.value.clone(),
            node: None,
            hops: Vec::new(),
            error: None,
            replicas: None,
            final_read: op.final_read,
        });
        Begun { process, op }
    }

    /// An operation ended. Gives the client's position, and when it may begin the next.
    pub fn end(&mut self, process: Process, outcome: Outcome, now: u64) -> Option<(usize, u64)> {
        let count = self.clients.len();
        let position = process as usize % count.max(1);
        let client = self.clients.get_mut(position)?;
        assert_eq!(
            client.process, process,
            "an answer for a process that is no more"
        );
        let (op, attempts) = client.busy.take()?;
        let done = Done {
            kind: outcome.kind,
            value: &outcome.value,
            node: outcome.node,
            hops: outcome.hops.len(),
        };
        self.workloads[client.workload].done(process, &op, done);
        let is_ok = outcome.kind == EventKind::Ok;
        if op.final_read && !is_ok && attempts < FINAL_ATTEMPTS_MAX {
            self.reads.push_back((op.clone(), attempts + 1));
            client.due = now + 100_000_000;
        }
        if outcome.kind == EventKind::Info {
            client.process += count as Process;
        }
        if self.load.arrival == Arrival::Closed && !is_ok {
            client.due = client.due.max(now + AFTER_FAILURE_NS);
        }
        let due = client.due.max(now);
        self.record_end(process, &op, outcome, now);
        Some((position, due))
    }

    fn record_end(&mut self, process: Process, op: &Op, outcome: Outcome, now: u64) {
        let tally = match outcome.kind {
            EventKind::Ok | EventKind::Invoke => 0,
            EventKind::Fail => 1,
            EventKind::Info => 2,
        };
        self.tally[tally] += 1;
        let hops = outcome
            .hops
            .iter()
            .filter_map(|hop| self.names.get(hop).cloned());
        let value = match outcome.kind {
            EventKind::Ok => outcome.value,
            EventKind::Invoke | EventKind::Fail | EventKind::Info => op.value.clone(),
        };
        self.events.push(Event {
            index: self.events.len() as u64,
            time: now,
            process,
            kind: outcome.kind,
            f: op.f,
            key: Some(op.key.clone()),
            value,
            node: outcome.node.and_then(|node| self.names.get(&node).cloned()),
            hops: hops.collect(),
            error: outcome.error.map(Into::into),
            replicas: outcome.replicas,
            final_read: op.final_read,
        });
    }

    /// Number of clients.
    pub fn count(&self) -> usize {
        self.clients.len()
    }
}
