//! The lost-write ledger: each acknowledged write that the final reads do not have.
//!
//! Made from unique adds to sets, whose loss is certain. It shows; the checkers judge.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use slotquake_checkers::history::{EventKind, Function, Key, Value};

use super::bands::{Band, Certainty};
use super::evidence::{Evidence, NS_PER_TICK, Operation};

/// One acknowledged and missing write.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Loss {
    /// Index of the invocation in the history.
    pub index: u64,
    /// Key.
    pub key: String,
    /// Slot of the key.
    pub slot: u16,
    /// Value.
    pub value: String,
    /// The node that acknowledged it.
    pub node: String,
    /// When it was invoked, ns.
    pub invoked: u64,
    /// When it was acknowledged, ns.
    pub acknowledged: u64,
    /// What was going on: the fault nearest to the acknowledgement.
    pub near: String,
}

/// What the final reads say about acknowledged adds.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Ledger {
    /// Acknowledged adds whose key was read at the end.
    pub examined: u64,
    /// The missing ones, in order of acknowledgement.
    pub losses: Vec<Loss>,
}

/// Compares acknowledged adds with the last final read of their key.
pub fn ledger(evidence: &Evidence<'_>, operations: &[Operation<'_>], bands: &[Band]) -> Ledger {
    let finals = final_sets(operations);
    let mut ledger = Ledger::default();
    for operation in operations {
        let invoke = operation.invoke;
        let (Some(key), Some(done)) = (&invoke.key, operation.completion) else {
            continue;
        };
        let Some(present) = finals.get(key).filter(|_| invoke.f == Function::Add) else {
            continue;
        };
        if done.kind != EventKind::Ok {
            continue;
        }
        ledger.examined += 1;
        if present.contains(&invoke.value) {
            continue;
        }
        let node = done
            .node
            .as_ref()
            .map_or("?".to_string(), ToString::to_string);
        ledger.losses.push(Loss {
            index: invoke.index,
            key: key.to_string(),
            slot: slotquake_checkers::observation::slots::slot_of_key(key.as_bytes()),
            value: text_of(&invoke.value),
            near: near(bands, evidence, done.time, &node),
            node,
            invoked: invoke.time,
            acknowledged: done.time,
        });
    }
    ledger
        .losses
        .sort_by_key(|loss| (loss.acknowledged, loss.index));
    ledger
}

/// The value as a person would write it.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Nil => "nil".to_string(),
        Value::Int(value) => value.to_string(),
        Value::Text(text) => text.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(text_of).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

fn final_sets(operations: &[Operation<'_>]) -> BTreeMap<Key, BTreeSet<Value>> {
    let mut finals = BTreeMap::new();
    for operation in operations {
        let (Some(key), Some(done)) = (&operation.invoke.key, operation.completion) else {
            continue;
        };
        let is_final = operation.invoke.final_read || done.final_read;
        if !is_final || done.kind != EventKind::Ok || done.f != Function::Read {
            continue;
        }
        match &done.value {
            Value::List(items) => finals.insert(key.clone(), items.iter().cloned().collect()),
            Value::Nil => finals.insert(key.clone(), BTreeSet::new()),
            Value::Int(_) | Value::Text(_) => None,
        };
    }
    finals
}

/// The fault on the acknowledging node that was in force, or the next one to come.
fn near(bands: &[Band], evidence: &Evidence<'_>, at: u64, node: &str) -> String {
    let position = evidence
        .setting
        .nodes
        .iter()
        .position(|setting| &*setting.name.0 == node);
    let tick = at / NS_PER_TICK;
    let aimed = bands.iter().filter(|band| {
        band.certainty != Certainty::Skipped
            && position.is_some_and(|position| band.nodes.contains(&position))
            && band.to.0 + NEAR_TICKS >= tick
            && band.from.0 <= tick + NEAR_TICKS
    });
    let nearest = aimed.min_by_key(|band| {
        let before = band.from.0.saturating_sub(tick);
        let after = tick.saturating_sub(band.to.0);
        before.max(after)
    });
    match nearest {
        None => "no fault near".to_string(),
        Some(band) if band.from.0 > tick => {
            format!("{} ms before “{}”", (band.from.0 - tick) / 10, band.note)
        }
        Some(band) if band.to.0 < tick => {
            format!(
                "{} ms after the end of “{}”",
                (tick - band.to.0) / 10,
                band.note
            )
        }
        Some(band) => format!("{} ms into “{}”", (tick - band.from.0) / 10, band.note),
    }
}

/// Ten seconds.
const NEAR_TICKS: u64 = 100_000;
