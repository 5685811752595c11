//! HI-09: no read shows a value that nobody wrote, or whose write definitely failed.
//!
//! Holds always, across failovers too. A value counts as written from the invocation of its write
//! on, unless that write failed. In a set an element must also appear at most once.

use std::collections::{BTreeMap, BTreeSet};

use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::operation::short;
use crate::history::{Function, Key, Object, Operation, Outcome, Value};
use crate::observation::Setting;
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-09",
    title: "no read shows a value nobody wrote",
    clauses: &["HI-09"],
    need: Need::WhenItHappens,
    evidence: Evidence::History,
    help: "Whatever a failover loses, it invents nothing: each value read, of a register or in \
           a set, list or queue, was written to that key by an operation that was invoked \
           before the read \
           ended and did not definitely fail. Elements of a set or a list appear once.",
    make: || Box::new(InventedValues::default()),
};

/// The checker of HI-09.
#[derive(Debug, Default)]
pub struct InventedValues {
    /// By key and value: when a write of it was first invoked that did not fail.
    written: BTreeMap<Key, BTreeMap<Value, Written>>,
    reads: Vec<Operation>,
    /// Keys whose content is computed, not written.
    derived: BTreeSet<Key>,
}

#[derive(Debug, Clone, Copy)]
struct Written {
    /// First invocation, ns; `u64::MAX` if all failed.
    first: u64,
    /// Index of a write that failed.
    failed: Option<u64>,
}

impl OfOperations for InventedValues {
    fn keep(&mut self, operation: &Operation) {
        for part in operation.parts() {
            self.keep(&part);
        }
        let value = match operation.f.object() {
            None => {
                if operation.outcome == Outcome::Ok {
                    self.reads.push(operation.clone());
                }
                return;
            }
            Some(Object::Set | Object::List | Object::Queue | Object::Stack) => {
                Some(&operation.argument)
                    .filter(|value| **value != Value::Nil && operation.f != Function::Dequeue)
            }
            Some(Object::Register | Object::Lease) => operation.written(),
            // Messages have a judge of their own.
            Some(Object::Channel) => return,
            // What these hold is no value that somebody wrote.
            Some(Object::Counter | Object::Lock | Object::Bank | Object::Store) => {
                self.derived.insert(operation.key.clone());
                return;
            }
        };
        let Some(value) = value else {
            return;
        };
        let values = self.written.entry(operation.key.clone()).or_default();
        let written = values.entry(value.clone()).or_insert(Written {
            first: u64::MAX,
            failed: None,
        });
        match operation.outcome {
            Outcome::Ok | Outcome::Unknown => written.first = written.first.min(operation.invoked),
            Outcome::Fail => written.failed = Some(operation.index),
        }
    }

    fn judge(&mut self, _setting: &Setting, _scene: &Scene) -> Verdict {
        let mut findings = Findings::default();
        let derived = &self.derived;
        self.reads.retain(|read| !derived.contains(&read.key));
        for read in &self.reads {
            match &read.result {
                Value::Nil => {}
                Value::List(elements) => {
                    // Nil is what was never written, as an account of a bank may be.
                    let present = elements.iter().filter(|element| **element != Value::Nil);
                    let mut sorted: Vec<&Value> = present.collect();
                    sorted.sort_unstable();
                    for pair in sorted.windows(2).filter(|pair| pair[0] == pair[1]) {
                        findings.push(violation(read, pair[0], "twice", None));
                    }
                    sorted.dedup();
                    for element in sorted {
                        self.judge_value(read, element, &mut findings);
                    }
                }
                value @ (Value::Int(_) | Value::Text(_)) => {
                    self.judge_value(read, value, &mut findings)
                }
            }
        }
        findings.conclude(self.reads.len() as u64, "nothing was read")
    }
}

impl InventedValues {
    fn judge_value(&self, read: &Operation, value: &Value, findings: &mut Findings) {
        let written = self
            .written
            .get(&read.key)
            .and_then(|values| values.get(value));
        let how = match written {
            Some(written) if written.first <= read.completed => return,
            Some(written) if written.first < u64::MAX => "before it was written",
            Some(_) => "though its write failed",
            None => "though nobody wrote it",
        };
        findings.push(violation(
            read,
            value,
            how,
            written.and_then(|written| written.failed),
        ));
    }
}

fn violation(read: &Operation, value: &Value, how: &str, failed: Option<u64>) -> Violation {
    let message = format!("a read of {} shows {} {how}", read.key, short(value));
    let client = format!("client {}", read.process);
    let mut witness = Witness::default();
    if let Some(index) = failed {
        witness = witness.step(read.invoked, &client, format!("op {index} had failed"));
    }
    Violation {
        clause: "HI-09".into(),
        time: read.completed,
        witness: witness.step(read.completed, &client, read.told()),
        message,
        known: None,
    }
}
