//! HI-10: what a list ends as is the history of one master; two branches never mix.
//!
//! A failover may drop the end of a list, and the new master goes on from there. What a read saw
//! beyond the point where it parts from the final list is gone for good: an element of it that
//! comes back later means that two branches were merged, which no operation does.

use std::collections::BTreeMap;

use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::docket::Uses;
use crate::history::operation::short;
use crate::history::{Function, Key, Operation, Outcome, Value};
use crate::observation::Setting;
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-10",
    title: "a list ends as the history of one master: branches never mix",
    clauses: &["HI-10"],
    need: Need::WhenItHappens,
    evidence: Evidence::History,
    help: "Each read of an append-only list is held against the final read: they share a prefix, \
           and beyond it nothing of what was read may be in the final list. A failover drops \
           the end of a list, it does not merge two of them. Elements are unique.",
    make: || Box::new(Lineage::default()),
};

/// The checker of HI-10.
#[derive(Debug, Default)]
pub struct Lineage {
    lists: BTreeMap<Key, List>,
}

#[derive(Debug, Default)]
struct List {
    reads: Vec<Operation>,
    last: Option<Operation>,
    is_appended: bool,
}

impl OfOperations for Lineage {
    fn concerns(&self, key: Uses, all: Uses) -> bool {
        key.has(&[Function::Append]) || all.has(&[Function::Txn])
    }

    fn keep(&mut self, operation: &Operation) {
        for part in operation.parts() {
            self.keep(&part);
        }
        let is_list = matches!(operation.result, Value::List(_));
        let is_read = operation.f == Function::Read && is_list;
        if operation.f == Function::Append {
            let list = self.lists.entry(operation.key.clone()).or_default();
            list.is_appended = true;
        } else if is_read && operation.outcome == Outcome::Ok {
            let list = self.lists.entry(operation.key.clone()).or_default();
            let is_later = |last: &Operation| last.invoked <= operation.invoked;
            if operation.final_read && list.last.as_ref().is_none_or(is_later) {
                list.last = Some(operation.clone());
            }
            list.reads.push(operation.clone());
        }
    }

    fn judge(&mut self, _setting: &Setting, _scene: &Scene) -> Verdict {
        let mut findings = Findings::default();
        let mut examined = 0;
        for (key, list) in self.lists.iter().filter(|(_, list)| list.is_appended) {
            let Some(last) = &list.last else {
                continue;
            };
            let end = elements(last);
            let positions: BTreeMap<&Value, usize> = end.iter().zip(0..).collect();
            for read in &list.reads {
                examined += 1;
                let seen = elements(read);
                let both = seen.iter().zip(end);
                let shared = both.take_while(|(one, other)| one == other).count();
                let mut back = seen[shared..].iter();
                if let Some(element) = back.find(|element| positions.contains_key(element)) {
                    findings.push(violation(key, read, last, element));
                }
            }
        }
        findings.conclude(examined, "no list was read along the way and at the end")
    }
}

fn elements(read: &Operation) -> &[Value] {
    match &read.result {
        Value::List(elements) => elements,
        Value::Nil | Value::Int(_) | Value::Text(_) => &[],
    }
}

fn violation(key: &Key, read: &Operation, last: &Operation, element: &Value) -> Violation {
    let client = |operation: &Operation| format!("client {}", operation.process);
    Violation {
        clause: "HI-10".into(),
        time: last.completed,
        message: format!(
            "list {key}: a read (op {}) parts from the final list, and yet {} of what it saw \
             beyond is in both",
            read.index,
            short(element)
        ),
        witness: Witness::default()
            .step(read.completed, client(read), read.told())
            .step(last.completed, client(last), last.told()),
        known: None,
    }
}
