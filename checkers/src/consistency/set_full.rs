//! What became of each element of a set: acknowledged, read at the end, lost.
//!
//! The `set` workload adds unique elements and reads each set at the end, after all faults were
//! healed. An element is lost if its add was acknowledged before the last final read of its set
//! began, and that read does not have it.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Function, Key, Operation, Outcome, Value};

/// The adds and the final read of one set.
#[derive(Debug, Default)]
pub struct SetHistory {
    acknowledged: Vec<Operation>,
    last_read: Option<Operation>,
}

/// All sets of a history.
#[derive(Debug, Default)]
pub struct Sets {
    sets: BTreeMap<Key, SetHistory>,
}

/// What final reads show of the acknowledged adds.
#[derive(Debug, Default)]
pub struct SetFindings<'a> {
    /// Adds that a final read could show.
    pub examined: u64,
    /// Those it does not, with the read.
    pub lost: Vec<(&'a Operation, &'a Operation)>,
    /// Sets with acknowledged adds that nobody read at the end.
    pub unread: Vec<&'a Key>,
}

impl Sets {
    /// Takes in an operation.
    pub fn keep(&mut self, operation: &Operation) {
        if operation.outcome != Outcome::Ok {
            return;
        }
        if matches!(operation.f, Function::Add | Function::Append) {
            let set = self.sets.entry(operation.key.clone()).or_default();
            set.acknowledged.push(operation.clone());
        } else if operation.f == Function::Read && operation.final_read {
            let set = self.sets.entry(operation.key.clone()).or_default();
            let last = set.last_read.as_ref().map_or(0, |read| read.invoked);
            if operation.invoked >= last {
                set.last_read = Some(operation.clone());
            }
        }
    }

    /// Number of acknowledged adds.
    pub fn acknowledged(&self) -> u64 {
        self.sets
            .values()
            .map(|set| set.acknowledged.len() as u64)
            .sum()
    }

    /// Holds the acknowledged adds against the final reads.
    pub fn findings(&self) -> SetFindings<'_> {
        let mut findings = SetFindings::default();
        for (key, set) in &self.sets {
            if set.acknowledged.is_empty() {
                continue;
            }
            let Some(read) = &set.last_read else {
                findings.unread.push(key);
                continue;
            };
            let elements: BTreeSet<&Value> = match &read.result {
                Value::List(elements) => elements.iter().collect(),
                Value::Nil | Value::Int(_) | Value::Text(_) => BTreeSet::new(),
            };
            for add in set
                .acknowledged
                .iter()
                .filter(|add| add.completed <= read.invoked)
            {
                findings.examined += 1;
                if !elements.contains(&add.argument) {
                    findings.lost.push((add, read));
                }
            }
        }
        findings
    }
}
