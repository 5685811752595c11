//! What must come before what: transactions, and edges between them.
//!
//! Edges of the data are stored, eight bytes each while they are gathered and four afterwards.
//! Those of time are not: a chain of *barriers*, one a phase, stands for them, so their number is
//! linear however many transactions run at once. *Joints* stand between many readers and many
//! writers in the same way; passing barriers and joints costs nothing.

use super::ingest::{NONE, Transactions, TxnId};
use crate::history::Outcome;

/// A transaction, a joint or a barrier.
pub type Vertex = u32;

/// Why one transaction comes before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeKind {
    /// It wrote a version, the other the next one.
    Ww,
    /// It wrote what the other read.
    Wr,
    /// It read a version that the other replaced.
    Rw,
    /// As `Rw`, where the order of the versions follows from real time.
    TimedRw,
    /// The same process did it before.
    Process,
    /// It was over before the other began.
    Realtime,
    /// Out of a joint, or between barriers.
    Passage,
}

impl EdgeKind {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            EdgeKind::Ww => "ww",
            EdgeKind::Wr => "wr",
            EdgeKind::Rw | EdgeKind::TimedRw => "rw",
            EdgeKind::Process => "process",
            EdgeKind::Realtime => "realtime",
            EdgeKind::Passage => "",
        }
    }

    /// Whether it is an anti-dependency.
    pub fn is_rw(self) -> bool {
        matches!(self, EdgeKind::Rw | EdgeKind::TimedRw)
    }

    fn stored(code: u32) -> EdgeKind {
        match code {
            0 => EdgeKind::Ww,
            1 => EdgeKind::Wr,
            2 => EdgeKind::Rw,
            3 => EdgeKind::TimedRw,
            _ => EdgeKind::Passage,
        }
    }

    fn code(self) -> u32 {
        match self {
            EdgeKind::Ww => 0,
            EdgeKind::Wr => 1,
            EdgeKind::Rw => 2,
            EdgeKind::TimedRw => 3,
            EdgeKind::Process | EdgeKind::Realtime | EdgeKind::Passage => 4,
        }
    }
}

/// A set of kinds of edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// These, and passages.
    pub const fn of(kinds: &[EdgeKind]) -> Kinds {
        let mut bits = 1 << EdgeKind::Passage as u16;
        let mut at = 0;
        while at < kinds.len() {
            bits |= 1 << kinds[at] as u16;
            at += 1;
        }
        Kinds(bits)
    }

    /// Whether this kind is among them.
    pub fn has(self, kind: EdgeKind) -> bool {
        self.0 & (1 << kind as u16) != 0
    }

    /// What is in either.
    pub const fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }
}

/// Edges as they are gathered.
#[derive(Debug, Default)]
pub struct Edges {
    list: Vec<(Vertex, u32)>,
    joints: u32,
    first_joint: Vertex,
}

const TARGET_BITS: u32 = 29;

impl Edges {
    /// None, between so many transactions.
    pub fn between(transactions: usize) -> Edges {
        Edges {
            list: Vec::new(),
            joints: 0,
            first_joint: transactions as Vertex,
        }
    }

    /// Adds an edge, unless it leads back to where it starts.
    pub fn add(&mut self, from: Vertex, to: Vertex, kind: EdgeKind) {
        debug_assert!(to < 1 << TARGET_BITS, "transactions are counted when read");
        if from != to {
            self.list.push((from, kind.code() << TARGET_BITS | to));
        }
    }

    /// A new joint.
    pub fn joint(&mut self) -> Vertex {
        self.joints += 1;
        self.first_joint + self.joints - 1
    }
}

/// The graph.
#[derive(Debug)]
pub struct Graph {
    offsets: Vec<u32>,
    targets: Vec<u32>,
    next_of_process: Vec<TxnId>,
    after: Vec<u32>,
    phase_begins: Vec<TxnId>,
    txns: u32,
    first_barrier: Vertex,
}

impl Graph {
    /// The graph of these edges, and of time.
    pub fn new(transactions: &Transactions, edges: Edges) -> Graph {
        let txns = transactions.txns.len();
        let stored = txns + edges.joints as usize;
        let mut offsets = vec![0_u32; stored + 1];
        for (from, _) in &edges.list {
            offsets[*from as usize + 1] += 1;
        }
        for at in 0..stored {
            offsets[at + 1] += offsets[at];
        }
        let mut cursor = offsets.clone();
        let mut targets = vec![0; edges.list.len()];
        for (from, target) in edges.list {
            let at = &mut cursor[from as usize];
            targets[*at as usize] = target;
            *at += 1;
        }
        let is_part = |id: usize| transactions.txns[id].outcome == Outcome::Ok;
        let after = (0..txns).map(|id| match is_part(id) {
            true => transactions.txns[id].after,
            false => NONE,
        });
        Graph {
            offsets,
            targets,
            next_of_process: next_of_process(transactions),
            after: after.collect(),
            phase_begins: transactions.phase_begins.clone(),
            txns: txns as u32,
            first_barrier: stored as Vertex,
        }
    }

    /// Number of vertices.
    pub fn len(&self) -> usize {
        self.first_barrier as usize + self.phase_begins.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.txns == 0
    }

    /// Whether the vertex is a transaction.
    pub fn is_txn(&self, vertex: Vertex) -> bool {
        vertex < self.txns
    }

    /// Whether one transaction was over before the other began.
    pub fn precedes(&self, first: TxnId, second: TxnId) -> bool {
        let phase = self.after[first as usize];
        let begins = self.phase_begins.get(phase as usize);
        begins.is_some_and(|begin| *begin <= second)
    }

    /// The next edge out of a vertex, if it is of one of these kinds; `cursor` begins at 0 and
    /// moves on. The outer `None` is the end.
    pub fn step(
        &self,
        vertex: Vertex,
        cursor: &mut u32,
        kinds: Kinds,
    ) -> Option<Option<(Vertex, EdgeKind)>> {
        let at = *cursor;
        *cursor += 1;
        let found = if vertex < self.first_barrier {
            let begin = self.offsets[vertex as usize];
            let degree = self.offsets[vertex as usize + 1] - begin;
            match at.checked_sub(degree) {
                None => {
                    let target = self.targets[(begin + at) as usize];
                    let kind = EdgeKind::stored(target >> TARGET_BITS);
                    Some((target & ((1 << TARGET_BITS) - 1), kind))
                }
                Some(_) if !self.is_txn(vertex) => return None,
                Some(0) => {
                    let next = self.next_of_process[vertex as usize];
                    (next != NONE).then_some((next, EdgeKind::Process))
                }
                Some(1) => self.barrier_after(vertex),
                Some(_) => return None,
            }
        } else {
            Some(self.step_of_barrier(vertex, at)?)
        };
        Some(found.filter(|(_, kind)| kinds.has(*kind)))
    }

    fn barrier_after(&self, txn: TxnId) -> Option<(Vertex, EdgeKind)> {
        let phase = self.after[txn as usize];
        let is_there = (phase as usize) < self.phase_begins.len();
        is_there.then(|| (self.first_barrier + phase, EdgeKind::Realtime))
    }

    fn step_of_barrier(&self, barrier: Vertex, at: u32) -> Option<(Vertex, EdgeKind)> {
        let phase = (barrier - self.first_barrier) as usize;
        let begin = self.phase_begins[phase];
        let end = *self.phase_begins.get(phase + 1).unwrap_or(&self.txns);
        if at < end - begin {
            return Some((begin + at, EdgeKind::Passage));
        }
        let is_next = at == end - begin && phase + 1 < self.phase_begins.len();
        is_next.then_some((barrier + 1, EdgeKind::Passage))
    }
}

fn next_of_process(transactions: &Transactions) -> Vec<TxnId> {
    let mut next = vec![NONE; transactions.txns.len()];
    let mut order: Vec<(u32, TxnId)> = Vec::new();
    for (id, txn) in transactions.txns.iter().enumerate() {
        // What failed is no part of the history; nothing of a process follows what is unknown.
        if txn.outcome != Outcome::Fail {
            order.push((txn.process, id as TxnId));
        }
    }
    order.sort_unstable();
    for pair in order.windows(2) {
        let [(one, first), (other, second)] = [pair[0], pair[1]];
        if one == other && transactions.txns[first as usize].outcome == Outcome::Ok {
            next[first as usize] = second;
        }
    }
    next
}
