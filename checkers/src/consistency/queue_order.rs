//! HI-01 for queues: elements come out in the order in which they were put in.
//!
//! If one element was surely put in before another, and the other was surely taken out before
//! anybody began to take the first, the queue has changed their order. Elements whose time in the
//! queue touches an unsettled time of the slot are left out, and so are those that a consumer group
//! delivered anew (a dequeue with an argument): they come late by design.

use std::collections::BTreeMap;

use super::windows::Windows;
use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::docket::Uses;
use crate::history::operation::short;
use crate::history::{Function, Key, Operation, Outcome, Value};
use crate::observation::Setting;
use crate::observation::slots::slot_of_key;
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-01/queue",
    title: "queues keep the order of their elements while their slot does not fail over",
    clauses: &["HI-01"],
    need: Need::WhenItHappens,
    evidence: Evidence::History,
    help: "First in, first out: an element that was put in after another was, and taken out \
           before anybody began to take that one, has overtaken it. Lists (RPUSH, LPOP) and \
           consumer groups of streams keep the order; elements that were pending and claimed, \
           and those that a failover may have lost or brought back, are not judged.",
    make: || Box::new(QueueOrder::default()),
};

/// The checker of the order of queues.
#[derive(Debug, Default)]
pub struct QueueOrder {
    queues: BTreeMap<Key, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    enqueues: BTreeMap<Value, Operation>,
    dequeues: BTreeMap<Value, Vec<Operation>>,
}

impl OfOperations for QueueOrder {
    fn concerns(&self, key: Uses, _all: Uses) -> bool {
        key.has(&[Function::Enqueue, Function::Dequeue])
    }

    fn keep(&mut self, operation: &Operation) {
        if operation.outcome != Outcome::Ok {
            return;
        }
        let queue = || operation.key.clone();
        if operation.f == Function::Enqueue {
            let queue = self.queues.entry(queue()).or_default();
            let element = operation.argument.clone();
            queue.enqueues.insert(element, operation.clone());
        } else if operation.f == Function::Dequeue && operation.result != Value::Nil {
            let queue = self.queues.entry(queue()).or_default();
            let dequeues = queue.dequeues.entry(operation.result.clone()).or_default();
            dequeues.push(operation.clone());
        }
    }

    fn judge(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let windows = Windows::new(scene.timeline(), setting);
        let mut findings = Findings::default();
        let mut examined = 0;
        for (key, queue) in &self.queues {
            let unsettled = windows.unsettled(slot_of_key(key.as_bytes()));
            let stays = queue.stays();
            let first_out = Overtakers::of(&stays);
            for stay in stays.iter().filter(|stay| stay.is_in_turn()) {
                let is_settled = unsettled
                    .iter()
                    .all(|gap| gap.end < stay.put.invoked || gap.begin > stay.taken.completed);
                if !is_settled {
                    continue;
                }
                examined += 1;
                if let Some(other) = first_out.of_stay(stay) {
                    findings.push(violation(key, stay, other));
                }
            }
        }
        findings.conclude(examined, "no queue gave an element in a settled time")
    }
}

/// An element's time in the queue.
#[derive(Debug, Clone, Copy)]
struct Stay<'a> {
    put: &'a Operation,
    taken: &'a Operation,
}

impl Stay<'_> {
    fn is_in_turn(&self) -> bool {
        self.taken.argument == Value::Nil
    }
}

impl Queue {
    /// Elements that were put in and taken out once, in the order in which they were put in.
    fn stays(&self) -> Vec<Stay<'_>> {
        let once = |element: &Value| match self.dequeues.get(element).map(Vec::as_slice) {
            Some([taken]) => Some(taken),
            Some(_) | None => None,
        };
        let enqueues = self.enqueues.iter();
        let stays = enqueues.filter_map(|(element, put)| {
            let taken = once(element)?;
            Some(Stay { put, taken })
        });
        let mut stays: Vec<Stay<'_>> = stays.collect();
        stays.sort_by_key(|stay| stay.put.invoked);
        stays
    }
}

/// Of the elements put in from some time on, the one that was out first.
struct Overtakers<'a> {
    /// In order of when they were put in.
    first_out: Vec<Stay<'a>>,
    put: Vec<u64>,
}

impl<'a> Overtakers<'a> {
    fn of(stays: &[Stay<'a>]) -> Overtakers<'a> {
        let mut first_out = stays.to_vec();
        for at in (1..first_out.len()).rev() {
            if first_out[at].taken.completed < first_out[at - 1].taken.completed {
                first_out[at - 1] = first_out[at];
            }
        }
        Overtakers {
            put: stays.iter().map(|stay| stay.put.invoked).collect(),
            first_out,
        }
    }

    /// One that was put in after this one was, and out before anybody began to take this one.
    fn of_stay(&self, stay: &Stay<'_>) -> Option<&Stay<'a>> {
        let later = self.put.partition_point(|put| *put <= stay.put.completed);
        let other = self.first_out.get(later)?;
        (other.taken.completed < stay.taken.invoked).then_some(other)
    }
}

fn violation(key: &Key, stay: &Stay<'_>, other: &Stay<'_>) -> Violation {
    let mut steps = [other.put, other.taken, stay.put, stay.taken];
    steps.sort_by_key(|operation| operation.invoked);
    let mut witness = Witness::default();
    for operation in steps {
        let client = format!("client {}", operation.process);
        witness = witness.step(operation.invoked, client, operation.told());
    }
    Violation {
        clause: "HI-01".into(),
        time: other.taken.completed,
        message: format!(
            "queue {key}: {} was put in after {} and came out before it",
            short(&other.put.argument),
            short(&stay.put.argument)
        ),
        witness,
        known: None,
    }
}
