//! What writes and reads of registers say about the order of transactions.
//!
//! Values are unique for each key, so a read names its writer (`wr`). Which version follows which
//! is known less often than for lists: nil comes before all that was written; who reads a version
//! and writes the key replaced it; and in real time, what one transaction left behind is not newer
//! than what a later one finds. The last is taken only where real time counts.

use std::collections::BTreeMap;

use super::anomaly::Order;
use super::demand::Beginning;
use super::graph::{EdgeKind, Edges};
use super::ingest::{ElementId, KeyId, NONE, Transactions, TxnId, What};
use crate::history::Outcome;
use crate::history::compact::Atom;

/// Edges to transactions that no order tells apart; more of them would say nothing new.
const FAN_MAX: usize = 8;

/// What one transaction found and left of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// Of which key.
    pub key: KeyId,
    /// Who.
    pub id: TxnId,
    /// What it read before it wrote, or [`NONE`].
    pub read: ElementId,
    /// What it wrote last, or [`NONE`].
    pub written: ElementId,
}

impl Access {
    /// Whether it read the key and then wrote it.
    pub fn is_update(&self) -> bool {
        self.read != NONE && self.written != NONE
    }
}

/// The versions of each register, as far as their order is known.
#[derive(Debug)]
pub struct Versions {
    /// Accesses, by key and then by invocation.
    pub accesses: Vec<Access>,
    /// A version and one that replaced it, in order; without keys whose versions form a circle.
    successors: Vec<(ElementId, ElementId)>,
    /// Readers of each version, by version.
    readers: Vec<(ElementId, TxnId)>,
    /// Keys whose versions form a circle.
    pub cyclic: Vec<KeyId>,
    /// Whether keys held anything before.
    pub beginning: Beginning,
    seen: Vec<bool>,
}

impl Versions {
    /// The versions in these transactions.
    pub fn new(transactions: &Transactions, beginning: Beginning) -> Versions {
        let mut versions = Versions {
            accesses: Vec::new(),
            successors: Vec::new(),
            readers: Vec::new(),
            cyclic: Vec::new(),
            beginning,
            seen: vec![false; transactions.elements.len()],
        };
        for (id, txn) in transactions.txns.iter().enumerate() {
            if txn.outcome != Outcome::Fail {
                versions.take(transactions, id as TxnId);
            }
        }
        versions.readers.sort_unstable();
        versions.readers.dedup();
        versions.accesses.sort_unstable();
        let updates = versions.accesses.iter();
        versions.successors = updates
            .filter(|access| access.is_update() && access.read != access.written)
            .map(|access| (access.read, access.written))
            .collect();
        versions.successors.sort_unstable();
        versions.successors.dedup();
        versions.drop_circles(transactions);
        versions
    }

    fn take(&mut self, transactions: &Transactions, id: TxnId) {
        let steps = transactions.steps_of(id);
        for (at, step) in steps.iter().enumerate() {
            if let What::ReadValue(element) = step.what {
                self.readers.push((element, id));
                self.seen[element as usize] = true;
            }
            if steps[..at].iter().any(|before| before.key == step.key) {
                continue;
            }
            let read = match step.what {
                What::ReadValue(element) => element,
                What::Wrote(_) | What::ReadFirst(_) | What::ReadOdd(_) | What::Unread => NONE,
            };
            let last = steps.iter().rev().find_map(|later| match later.what {
                What::Wrote(element) if later.key == step.key => Some(element),
                _ => None,
            });
            self.accesses.push(Access {
                key: step.key,
                id,
                read,
                written: last.unwrap_or(NONE),
            });
        }
    }

    /// Versions that can be put in no order.
    fn drop_circles(&mut self, transactions: &Transactions) {
        let mut before = vec![0_u32; transactions.elements.len()];
        for (_, later) in &self.successors {
            before[*later as usize] += 1;
        }
        let first = self.successors.iter().map(|(version, _)| *version);
        let mut free: Vec<ElementId> = first.filter(|at| before[*at as usize] == 0).collect();
        free.dedup();
        while let Some(version) = free.pop() {
            for (_, later) in self.successors_of(version) {
                before[*later as usize] -= 1;
                if before[*later as usize] == 0 {
                    free.push(*later);
                }
            }
        }
        let stuck = (0..before.len()).filter(|element| before[*element] > 0);
        self.cyclic = stuck.map(|at| transactions.elements[at].key).collect();
        self.cyclic.sort_unstable();
        self.cyclic.dedup();
        let cyclic = &self.cyclic;
        self.successors.retain(|(version, _)| {
            let key = transactions.elements[*version as usize].key;
            cyclic.binary_search(&key).is_err()
        });
    }

    fn successors_of(&self, version: ElementId) -> &[(ElementId, ElementId)] {
        range_of(&self.successors, version)
    }

    fn readers_of(&self, version: ElementId) -> &[(ElementId, TxnId)] {
        range_of(&self.readers, version)
    }

    fn committed_writer(&self, transactions: &Transactions, element: ElementId) -> Option<TxnId> {
        let writer = transactions.elements[element as usize].writer;
        if writer == NONE {
            return None;
        }
        match transactions.txns[writer as usize].outcome {
            Outcome::Ok => Some(writer),
            Outcome::Unknown => Some(writer).filter(|_| self.seen[element as usize]),
            Outcome::Fail => None,
        }
    }
}

fn range_of(pairs: &[(u32, u32)], first: u32) -> &[(u32, u32)] {
    let begin = pairs.partition_point(|pair| pair.0 < first);
    let end = begin + pairs[begin..].partition_point(|pair| pair.0 == first);
    &pairs[begin..end]
}

/// The edges between these transactions.
pub fn edges(transactions: &Transactions, versions: &Versions, order: Order) -> Edges {
    let mut weaver = Weaver {
        transactions,
        versions,
        edges: Edges::between(transactions.txns.len()),
    };
    for (element, reader) in &versions.readers {
        if let Some(writer) = versions.committed_writer(transactions, *element) {
            weaver.edges.add(writer, *reader, EdgeKind::Wr);
        }
    }
    for group in versions.successors.chunk_by(|one, other| one.0 == other.0) {
        for (version, next) in group.iter().take(FAN_MAX) {
            weaver.replace(*version, *next);
        }
    }
    for group in versions
        .accesses
        .chunk_by(|one, other| one.key == other.key)
    {
        if versions.cyclic.binary_search(&group[0].key).is_ok() {
            continue;
        }
        if versions.beginning == Beginning::Empty {
            weaver.nil_comes_first(group);
        }
        if order == Order::Realtime {
            weaver.follow_time(group);
        }
    }
    weaver.edges
}

struct Weaver<'a> {
    transactions: &'a Transactions,
    versions: &'a Versions,
    edges: Edges,
}

impl Weaver<'_> {
    /// One version was replaced by the next.
    fn replace(&mut self, version: ElementId, next: ElementId) {
        let writer = |element| self.versions.committed_writer(self.transactions, element);
        if let (Some(writer), Some(replacer)) = (writer(version), writer(next)) {
            self.edges.add(writer, replacer, EdgeKind::Ww);
        }
        self.outdate(version, next, EdgeKind::Rw);
    }

    /// Who read one version comes before who wrote a later one.
    fn outdate(&mut self, version: ElementId, later: ElementId, kind: EdgeKind) {
        let writer = self.versions.committed_writer(self.transactions, later);
        let readers = self.versions.readers_of(version);
        if let Some(writer) = writer {
            for (_, reader) in readers {
                self.edges.add(*reader, writer, kind);
            }
        }
    }

    /// Who read nil comes before those who wrote first.
    fn nil_comes_first(&mut self, group: &[Access]) {
        let nil = self.transactions.find_element(group[0].key, Atom::NIL);
        let Some(nil) = nil else {
            return;
        };
        let mut later: Vec<ElementId> = Vec::new();
        for access in group.iter().filter(|access| access.read != nil) {
            let replaced = self.versions.successors_of(access.read);
            later.extend(replaced.iter().map(|(_, next)| *next));
        }
        later.sort_unstable();
        let is_first = |element: &ElementId| later.binary_search(element).is_err();
        let written = group.iter().map(|access| access.written);
        let first = written.filter(|element| *element != NONE && is_first(element));
        let writer = |element| self.versions.committed_writer(self.transactions, element);
        let mut writers: Vec<TxnId> = first.filter_map(writer).collect();
        writers.sort_unstable();
        if writers.is_empty() {
            return;
        }
        let joint = self.edges.joint();
        for writer in &writers {
            self.edges.add(joint, *writer, EdgeKind::Passage);
        }
        for (_, reader) in self.versions.readers_of(nil) {
            if writers.binary_search(reader).is_err() {
                self.edges.add(*reader, joint, EdgeKind::Rw);
                continue;
            }
            // It would come back to itself through the joint.
            let others = writers.iter().filter(|writer| *writer != reader);
            for writer in others.take(FAN_MAX) {
                self.edges.add(*reader, *writer, EdgeKind::Rw);
            }
        }
    }

    /// What one transaction left is not newer than what a later one found.
    fn follow_time(&mut self, group: &[Access]) {
        let mut frontier: Vec<Access> = Vec::new();
        let mut pairs: BTreeMap<(ElementId, ElementId), ()> = BTreeMap::new();
        for access in group {
            let found = match access.read {
                NONE => access.written,
                read => read,
            };
            let phase = self.transactions.txns[access.id as usize].phase;
            let after = |other: &Access| self.transactions.txns[other.id as usize].after;
            let over: Vec<Access> = frontier
                .iter()
                .filter(|earlier| after(earlier) <= phase)
                .copied()
                .collect();
            // Only the last that were over say something new.
            let is_last = |earlier: &Access| {
                let mut others = over.iter();
                !others
                    .any(|other| after(earlier) <= self.transactions.txns[other.id as usize].phase)
            };
            frontier.retain(|earlier| after(earlier) > phase || is_last(earlier));
            for earlier in over.iter().filter(|earlier| is_last(earlier)) {
                let left = match earlier.written {
                    NONE => earlier.read,
                    written => written,
                };
                if left != found && left != NONE && found != NONE {
                    pairs.insert((left, found), ());
                }
            }
            frontier.push(*access);
        }
        for (left, found) in pairs.into_keys() {
            self.outdate(left, found, EdgeKind::TimedRw);
        }
    }
}
