//! HI-09: no read shows a value that nobody wrote, or whose write definitely failed.
//!
//! Holds always, across failovers too. A value counts as written from the invocation of its write
//! on, unless that write failed. In a set an element must also appear at most once.

use std::collections::{BTreeMap, BTreeSet};

use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::compact::{Atom, KeyId, Op};
use crate::history::docket::{Docket, Kept, Place, Uses};
use crate::history::operation::short;
use crate::history::{Function, Key, Object, Operation, Outcome, Value};
use crate::observation::Setting;
use crate::scene::Scene;
use crate::table::{IndexTable, Mix};
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

impl Written {
    const NEVER: Written = Written {
        first: u64::MAX,
        failed: None,
    };

    fn note(&mut self, outcome: Outcome, invoked: u64, index: u64) {
        match outcome {
            Outcome::Ok | Outcome::Unknown => self.first = self.first.min(invoked),
            Outcome::Fail => self.failed = Some(index),
        }
    }
}

/// What plain registers are used for.
const REGISTER: &[Function] = &[
    Function::Read,
    Function::ReplicaRead,
    Function::Write,
    Function::WriteExpiring,
    Function::Cas,
];

impl OfOperations for InventedValues {
    fn concerns(&self, key: Uses, all: Uses) -> bool {
        // Plain registers are judged where they stand; transactions work on keys of all kinds.
        let is_plain = key.has_only(REGISTER) && !key.shows_lists_anywhere();
        !is_plain || all.has(&[Function::Txn])
    }

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
        let written = values.entry(value.clone()).or_insert(Written::NEVER);
        written.note(operation.outcome, operation.invoked, operation.index);
    }

    fn judge(&mut self, _setting: &Setting, scene: &Scene) -> Verdict {
        let mut findings = Findings::default();
        let docket = scene.docket();
        let mut examined = 0;
        for (key, uses) in docket.keys() {
            if !self.concerns(uses, docket.all_uses()) {
                examined += judge_plain(docket, key, &mut findings);
            }
        }
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
        findings.conclude(examined + self.reads.len() as u64, "nothing was read")
    }
}

impl InventedValues {
    fn judge_value(&self, read: &Operation, value: &Value, findings: &mut Findings) {
        let written = self
            .written
            .get(&read.key)
            .and_then(|values| values.get(value));
        if let Some(how) = how(written, read.completed) {
            let failed = written.and_then(|written| written.failed);
            findings.push(violation(read, value, how, failed));
        }
    }
}

/// How a value comes to be read too early, if it does.
fn how(written: Option<&Written>, read_at: u64) -> Option<&'static str> {
    match written {
        Some(written) if written.first <= read_at => None,
        Some(written) if written.first < u64::MAX => Some("before it was written"),
        Some(_) => Some("though its write failed"),
        None => Some("though nobody wrote it"),
    }
}

/// Judges a key of the docket that is a register and nothing else; gives the number of its reads.
fn judge_plain(docket: &Docket, key: KeyId, findings: &mut Findings) -> u64 {
    let atoms = &docket.log().atoms;
    let mut written: Vec<(Atom, Written)> = Vec::new();
    let mut table = IndexTable::default();
    // Reads whose value nobody is known to have written by then; it may still be seen.
    let mut doubtful: Vec<(Place, Op)> = Vec::new();
    let mut examined = 0;
    for (place, Kept { op, .. }) in docket.of_key(key) {
        let is_read = !op.f.is_write();
        let sought = match is_read {
            true => Some(op.result),
            false => atoms.written(op),
        };
        let Some(atom) = sought.filter(|_| !is_read || op.outcome == Outcome::Ok) else {
            continue;
        };
        examined += u64::from(is_read);
        if is_read && atom == Atom::NIL {
            continue;
        }
        let hash = Mix::of(&atom.word());
        let known = table.find(hash, |at| written[at as usize].0 == atom);
        match (known, is_read) {
            (Some(at), true) if written[at as usize].1.first <= op.completed => {}
            (_, true) => doubtful.push((place, *op)),
            (Some(at), false) => written[at as usize]
                .1
                .note(op.outcome, op.invoked, op.index),
            (None, false) => {
                table.insert(hash, written.len() as u32);
                let mut fresh = Written::NEVER;
                fresh.note(op.outcome, op.invoked, op.index);
                written.push((atom, fresh));
            }
        }
    }
    for (place, op) in doubtful {
        let is_it = |at: u32| written[at as usize].0 == op.result;
        let found = table.find(Mix::of(&op.result.word()), is_it);
        let found = found.map(|at| &written[at as usize].1);
        if let Some(how) = how(found, op.completed) {
            let read = docket.operation(place);
            let failed = found.and_then(|written| written.failed);
            findings.push(violation(&read, &read.result, how, failed));
        }
    }
    examined
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
