//! MG-07: commands of several keys see all of them or none, also while their slot moves.
//!
//! Judged from pairs: two keys that are only ever written together, as a number and its negative. A
//! read of both that is answered must give numbers with the sum zero, or nothing twice. A failover
//! of a node that has or gets the slot may lose one half, and a restart without data too (HI-04,
//! HI-07): what is read after one is left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::docket::Uses;
use crate::history::{Function, Key, Operation, Outcome, Value};
use crate::observation::slot_acts::SlotAct;
use crate::observation::slots::slot_of_key;
use crate::observation::{NodeName, Setting};
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "MG-07",
    title: "commands of several keys are whole, also while the slot moves",
    clauses: &["MG-07"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "In a slot that is on its way some keys are at the source and some at the target. A \
           command of several keys gets TRYAGAIN then, or is sent on, or finds all of them: it \
           is never answered from one half. The workload `pairs` writes two keys with MSET, a \
           number and its negative, and reads them with MGET; each answered read must have the \
           sum zero. Reads after a failover or a restart of a node that had the slot are left out.",
    make: || Box::new(PairsAreWhole::default()),
};

/// The checker of MG-07.
#[derive(Debug, Default)]
pub struct PairsAreWhole {
    /// Pairs that were written, and how many reads found them whole.
    whole: BTreeMap<(Key, Key), u64>,
    /// Keys that were written alone or otherwise: they are of no pair.
    loose: BTreeSet<Key>,
    /// Reads that found a half.
    halves: Vec<((Key, Key), Operation)>,
}

impl OfOperations for PairsAreWhole {
    fn concerns(&self, key: Uses, _all: Uses) -> bool {
        key.has(&[Function::Txn])
    }

    fn keep(&mut self, operation: &Operation) {
        if operation.f != Function::Txn || operation.outcome == Outcome::Fail {
            return;
        }
        let parts = operation.parts();
        let ([one, other], true) = (parts.as_slice(), parts.len() == 2) else {
            return self.note_loose(&parts);
        };
        let pair = (one.key.clone(), other.key.clone());
        match (one.f, other.f) {
            (Function::Write, Function::Write) if adds_up(&one.argument, &other.argument) => {
                self.whole.entry(pair).or_default();
            }
            (Function::Read, Function::Read) if operation.outcome == Outcome::Ok => {
                let is_absent = one.result == Value::Nil && other.result == Value::Nil;
                match is_absent || adds_up(&one.result, &other.result) {
                    true => {
                        if let Some(reads) = self.whole.get_mut(&pair) {
                            *reads += 1;
                        }
                    }
                    false => self.halves.push((pair, operation.clone())),
                }
            }
            (_, _) => self.note_loose(&parts),
        }
    }

    fn judge(&mut self, _setting: &Setting, scene: &Scene) -> Verdict {
        let loose = &self.loose;
        self.whole
            .retain(|(one, other), _| !loose.contains(one) && !loose.contains(other));
        let mut examined = self.whole.values().sum();
        let mut findings = Findings::default();
        for (pair, read) in &self.halves {
            let slot = slot_of_key(pair.0.as_bytes());
            if !self.whole.contains_key(pair) || may_have_lost_half(slot, read, scene) {
                continue;
            }
            examined += 1;
            findings.push(violation(read));
        }
        findings.conclude(examined, "no pair of keys was written and read together")
    }
}

impl PairsAreWhole {
    fn note_loose(&mut self, parts: &[Operation]) {
        let written = parts.iter().filter(|part| part.f.is_write());
        self.loose.extend(written.map(|part| part.key.clone()));
    }
}

fn adds_up(one: &Value, other: &Value) -> bool {
    let both = one.as_int().zip(other.as_int());
    both.is_some_and(|(one, other)| one.checked_add(other) == Some(0))
}

/// Whether a node that had the slot, or was to get it, failed over or came back before the read.
fn may_have_lost_half(slot: u16, read: &Operation, scene: &Scene) -> bool {
    let ownership = scene.ownership();
    let owners = ownership.claims().iter();
    let owners = owners.filter(|claim| claim.slots.contains(slot));
    let ordered = scene.slot_acts().about(slot).map(SlotAct::node);
    let holders: BTreeSet<&NodeName> = owners.map(|claim| &claim.name).chain(ordered).collect();
    let is_holder = |id| {
        ownership
            .name(id)
            .is_some_and(|name| holders.contains(name))
    };
    let promotions = scene.promotions().promotions();
    let mut takeovers = ownership.takeovers().iter();
    let mut outages = scene.timeline().outages.iter();
    outages.any(|out| holders.contains(&out.node) && out.ended <= read.completed)
        || takeovers.any(|takeover| {
            let mut promotions = promotions.iter();
            takeover.time <= read.completed
                && is_holder(&takeover.from)
                && promotions.any(|promotion| promotion.id == takeover.to)
        })
}

fn violation(read: &Operation) -> Violation {
    let client = format!("client {}", read.process);
    Violation {
        clause: "MG-07".into(),
        time: read.completed,
        message: format!("half of a pair is read: {}", told(read)),
        witness: Witness::default()
            .step(read.invoked, &client, "asks for both halves of a pair")
            .step(read.completed, &client, format!("gets {}", told(read))),
        known: None,
    }
}

fn told(read: &Operation) -> String {
    let parts = read.parts();
    let halves = parts.iter().map(|part| {
        let value = part.result.as_int().map(|value| value.to_string());
        format!("{} = {}", part.key, value.unwrap_or_else(|| "nil".into()))
    });
    halves.collect::<Vec<_>>().join(", ")
}
