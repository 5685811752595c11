//! RP-04: what replicas answer may be old, but on one connection it does not go backwards.
//!
//! A read of a replica (`replica-read`) may show a value that was overwritten long ago: how many
//! do and by how much is told, and how many miss a write of their own client; neither is promised.
//! Going back is a violation: a client that reads a value at a node and later, at the same node,
//! one that was surely written before it, or nothing; a set or list that has lost an element
//! likewise. Not so where the node was restarted in between, an operator moved things, or the
//! slot failed over or its master was restarted, and replicas get to know what that has left. That
//! no value is invented is the business of HI-09.

use std::collections::{BTreeMap, BTreeSet};

use super::windows::Windows;
use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::docket::Uses;
use crate::history::operation::short;
use crate::history::{Function, Key, Operation, Outcome, Process, Value};
use crate::observation::bounds::seconds;
use crate::observation::slots::slot_of_key;
use crate::observation::{NodeName, Setting};
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RP-04",
    title: "reads of one replica on one connection never go backwards",
    clauses: &["RP-04"],
    need: Need::WhenItHappens,
    evidence: Evidence::History,
    help: "A replica applies its master's writes in their order, so a client that stays with one \
           replica sees values in that order too: never one that was surely overwritten by \
           another it has seen, never a set or list without an element it has seen. Restarts of \
           the node and failovers of the slot begin anew. How old the answers were (how long ago \
           the value was overwritten by an acknowledged write) and how many missed a write of \
           the same client is counted; Redis promises nothing about that.",
    make: || Box::new(ReplicaReads::default()),
};

/// The checker of RP-04.
#[derive(Debug, Default)]
pub struct ReplicaReads {
    keys: BTreeMap<Key, Seen>,
    expiring: BTreeSet<Key>,
    tally: Tally,
}

/// Writes and replica reads of one key.
#[derive(Debug, Default)]
struct Seen {
    writes: Vec<Operation>,
    reads: Vec<Operation>,
}

impl OfOperations for ReplicaReads {
    fn concerns(&self, key: Uses, _all: Uses) -> bool {
        key.has(&[Function::ReplicaRead])
    }

    fn keep(&mut self, operation: &Operation) {
        // What expires goes back to nothing by itself.
        if operation.f == Function::WriteExpiring {
            self.expiring.insert(operation.key.clone());
        }
        let is_read = operation.f == Function::ReplicaRead && operation.outcome == Outcome::Ok;
        let is_write = operation.outcome != Outcome::Fail && operation.written().is_some();
        if is_read || is_write {
            let seen = self.keys.entry(operation.key.clone()).or_default();
            match is_read {
                true => seen.reads.push(operation.clone()),
                false => seen.writes.push(operation.clone()),
            }
        }
    }

    fn judge(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let windows = Windows::new(scene.timeline(), setting);
        let mut findings = Findings::default();
        let lasting = self.keys.iter();
        let lasting = lasting.filter(|(key, _)| !self.expiring.contains(*key));
        for (key, seen) in lasting.filter(|(_, seen)| !seen.reads.is_empty()) {
            let versions = Versions::of(&seen.writes);
            for read in &seen.reads {
                self.tally.note(&versions, seen, read);
            }
            for (before, after) in seen.steps_back(&versions) {
                match is_excused(&windows, scene, key, before, after) {
                    true => self.tally.excused += 1,
                    false => findings.push(violation(key, before, after)),
                }
            }
        }
        let verdict = findings.conclude(self.tally.reads, "no replica was read");
        match self.tally.reads {
            0 => verdict,
            _ => verdict.with_remark(self.tally.told()),
        }
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("replica_reads", self.tally.reads),
            ("stale_reads", self.tally.stale),
            ("stalest_read_ms", self.tally.age_max / 1_000_000),
        ]
    }
}

/// Which writes came surely before which.
struct Versions<'a> {
    writers: BTreeMap<&'a Value, &'a Operation>,
    /// Invocations of acknowledged writes, ascending, and the earliest completion from there on.
    later: Vec<(u64, u64)>,
}

impl<'a> Versions<'a> {
    fn of(writes: &'a [Operation]) -> Versions<'a> {
        let acknowledged = writes.iter().filter(|write| write.outcome == Outcome::Ok);
        let mut later: Vec<(u64, u64)> = acknowledged
            .map(|write| (write.invoked, write.completed))
            .collect();
        later.sort_unstable();
        let mut earliest = u64::MAX;
        for (_, completed) in later.iter_mut().rev() {
            earliest = earliest.min(*completed);
            *completed = earliest;
        }
        let written = writes
            .iter()
            .filter_map(|write| Some((write.written()?, write)));
        Versions {
            writers: written.collect(),
            later,
        }
    }

    /// Since when a later write had surely replaced this value, ns.
    fn replaced_at(&self, value: &Value) -> Option<u64> {
        let over = match self.writers.get(value) {
            Some(writer) => writer.completed,
            None if *value == Value::Nil => 0,
            None => return None,
        };
        let first = self.later.partition_point(|(invoked, _)| *invoked <= over);
        self.later.get(first).map(|(_, completed)| *completed)
    }

    /// Whether one value was surely replaced before the write of the other began.
    fn is_older(&self, one: &Value, other: &Value) -> bool {
        match (self.writers.get(one), self.writers.get(other)) {
            (Some(one), Some(other)) => one.completed < other.invoked,
            (None, Some(_)) => *one == Value::Nil,
            (_, None) => false,
        }
    }
}

impl Seen {
    /// Pairs of reads of one client at one node, the second of which shows less than the first.
    fn steps_back(&self, versions: &Versions<'_>) -> Vec<(&Operation, &Operation)> {
        let mut newest: BTreeMap<(Process, &NodeName), &Operation> = BTreeMap::new();
        let mut steps = Vec::new();
        for read in &self.reads {
            let Some(node) = &read.node else {
                continue;
            };
            let known = newest.entry((read.process, node)).or_insert(read);
            match shows_less(versions, &read.result, &known.result) {
                true => steps.push((*known, read)),
                false if shows_less(versions, &known.result, &read.result) => *known = read,
                false => {}
            }
        }
        steps
    }
}

fn shows_less(versions: &Versions<'_>, one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => {
            let one: BTreeSet<&Value> = one.iter().collect();
            other.iter().any(|item| !one.contains(item))
        }
        (one, other) => versions.is_older(one, other),
    }
}

fn is_excused(
    windows: &Windows<'_>,
    scene: &Scene,
    key: &Key,
    before: &Operation,
    after: &Operation,
) -> bool {
    let span = before.invoked..=after.completed;
    let mut unsettled = windows.unsettled_at_replicas(slot_of_key(key.as_bytes()));
    let outages = &scene.timeline().outages;
    let is_restart = outages.iter().any(|outage| {
        Some(&outage.node) == after.node.as_ref()
            && outage.ended <= *span.end()
            && outage.restarted >= *span.start()
    });
    // R8: moved slots leave replicas without their keys before the owner changes.
    scene.is_attended()
        || is_restart
        || unsettled.any(|gap| gap.begin <= *span.end() && gap.end >= *span.start())
}

#[derive(Debug, Default)]
struct Tally {
    reads: u64,
    stale: u64,
    age_max: u64,
    own_missed: u64,
    excused: u64,
}

impl Tally {
    fn note(&mut self, versions: &Versions<'_>, seen: &Seen, read: &Operation) {
        self.reads += 1;
        let replaced = versions.replaced_at(&read.result);
        if let Some(replaced) = replaced.filter(|replaced| *replaced < read.invoked) {
            self.stale += 1;
            self.age_max = self.age_max.max(read.invoked - replaced);
        }
        let own = seen.writes.iter().filter(|write| {
            write.process == read.process
                && write.outcome == Outcome::Ok
                && write.completed <= read.invoked
        });
        let own = own.max_by_key(|write| write.invoked);
        let missed = own
            .and_then(Operation::written)
            .is_some_and(|own| versions.is_older(&read.result, own));
        self.own_missed += u64::from(missed);
    }

    fn told(&self) -> String {
        let mut told = format!(
            "{} reads of replicas, {} of them stale",
            self.reads, self.stale
        );
        if self.stale > 0 {
            told.push_str(&format!(", by {} at the most", seconds(self.age_max)));
        }
        if self.own_missed > 0 {
            told.push_str(&format!(
                "; {} missed a write of their own client",
                self.own_missed
            ));
        }
        if self.excused > 0 {
            told.push_str(&format!(
                "; {} went back over a restart, a failover or an act of an operator",
                self.excused
            ));
        }
        told
    }
}

fn violation(key: &Key, before: &Operation, after: &Operation) -> Violation {
    let client = format!("client {}", after.process);
    let node = after.node.as_ref().map_or("a node", |node| &node.0);
    Violation {
        clause: "RP-04".into(),
        time: after.completed,
        message: format!(
            "{key}: client {} read {} at {node}, and later {} there, which is older",
            after.process,
            short(&before.result),
            short(&after.result)
        ),
        witness: Witness::default()
            .step(before.completed, &client, before.told())
            .step(after.completed, &client, after.told()),
        known: None,
    }
}
