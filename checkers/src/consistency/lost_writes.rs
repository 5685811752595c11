//! HI-03: no acknowledged write is lost, except inside the documented windows (HI-04 to HI-08).
//!
//! Sets: an acknowledged element that the final read does not have. Registers: the final read gives
//! a value that was surely overwritten by an acknowledged write, so that write is gone. Each loss
//! is held against the windows of its slot: inside one it is counted, timed and told in `why`;
//! outside all it is a violation, listed one by one.

use std::collections::{BTreeMap, BTreeSet};

use super::migration::Migration;
use super::set_full::Sets;
use super::windows::{Window, Windows};
use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::compact::KeyId;
use crate::history::docket::{Kept, Uses};
use crate::history::operation::short;
use crate::history::{Function, Key, Object, Operation, Outcome, Value};
use crate::observation::Setting;
use crate::observation::bounds::seconds;
use crate::observation::slots::slot_of_key;
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation, Word};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-03",
    title: "no acknowledged write is lost outside the documented windows",
    clauses: &[
        "HI-03", "HI-04", "HI-05", "HI-06", "HI-07", "HI-08", "HI-12", "DU-05", "MF-01", "MG-01",
        "MG-06",
    ],
    need: Need::WhenItHappens,
    evidence: Evidence::History,
    help: "Replication is asynchronous: a failover may lose writes that the failed master had \
           not passed on yet (HI-04, judged by the replication offsets on the bus), that a \
           master cut off acknowledged before it noticed (HI-05), or that a deposed master \
           acknowledged right after a heal (HI-06), after a restart without data (HI-07; no excuse \
           with appendfsync always, DU-05) or after a pause (HI-08). Those are counted and shown. \
           Any other lost write is a violation, and so is each one lost by a manual failover \
           (MF-01), and each one that all replicas of the master had acknowledged, as WAIT told, \
           if none of them was restarted (HI-12). If the slot was moved after the write, the \
           violation is named after that: \
           MG-01 if nothing else happened to the two shards meanwhile, MG-06 if a node failed. \
           Losses are told by how many replicas had acknowledged them.",
    make: || Box::new(LostWrites::default()),
};

/// The checker of HI-03.
#[derive(Debug, Default)]
pub struct LostWrites {
    sets: Sets,
    registers: BTreeMap<Key, Vec<Operation>>,
    counts: BTreeMap<&'static str, u64>,
}

impl OfOperations for LostWrites {
    fn concerns(&self, key: Uses, all: Uses) -> bool {
        // Plain registers are judged where they stand; transactions work on keys of all kinds.
        all.has(&[Function::Txn]) || key.has(&[Function::Add, Function::Append])
    }

    fn keep(&mut self, operation: &Operation) {
        for part in operation.parts() {
            self.keep(&part);
        }
        let is_list = matches!(operation.result, Value::List(_));
        self.sets.keep(operation);
        let is_register = match operation.f.object() {
            Some(object) => object == Object::Register && operation.outcome != Outcome::Fail,
            None => operation.final_read && operation.outcome == Outcome::Ok && !is_list,
        };
        if is_register {
            self.registers
                .entry(operation.key.clone())
                .or_default()
                .push(operation.clone());
        }
    }

    fn judge(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let timeline = scene.timeline();
        let windows = Windows::new(timeline, setting);
        let sets = self.sets.findings();
        let mut ledger = Ledger {
            examined: sets.examined,
            ..Ledger::default()
        };
        for (add, read) in &sets.lost {
            ledger.enter(&windows, scene, add, read);
        }
        for operations in self.registers.values() {
            ledger.judge_register(&windows, scene, operations);
        }
        let docket = scene.docket();
        for (key, uses) in docket.keys() {
            if !self.concerns(uses, docket.all_uses()) {
                ledger.judge_plain_register(&windows, scene, key);
            }
        }
        self.counts = ledger.counts();
        let nothing = "no acknowledged write could be held against a final read";
        let inside = ledger.told();
        let verdict = ledger.findings.conclude(ledger.examined, nothing);
        match (verdict.word, sets.unread.first()) {
            (Word::Held | Word::Undecided, Some(key)) => Verdict::undecided(
                self.sets.acknowledged(),
                format!(
                    "{} of the sets have no final read, {key} among them, so their \
                     acknowledged elements are unaccounted for",
                    sets.unread.len()
                ),
            ),
            (Word::Undecided, None) => verdict,
            (_, _) => verdict.with_remark(inside),
        }
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        self.counts
            .iter()
            .map(|(name, count)| (*name, *count))
            .collect()
    }
}

/// The losses of one window.
#[derive(Debug, Clone, Copy, Default)]
struct Losses {
    count: u64,
    first: u64,
    last: u64,
}

#[derive(Debug, Default)]
struct Ledger {
    examined: u64,
    inside: BTreeMap<Window, Losses>,
    outside: u64,
    /// How many replicas had acknowledged the lost writes that were followed by WAIT.
    levels: BTreeMap<u32, u64>,
    findings: Findings,
}

impl Ledger {
    fn enter(&mut self, windows: &Windows<'_>, scene: &Scene, write: &Operation, read: &Operation) {
        if let Some(level) = write.replicas {
            *self.levels.entry(level).or_default() += 1;
        }
        let Some(window) = windows.excuse(write) else {
            self.outside += 1;
            self.findings.push(violation(scene, write, read));
            return;
        };
        let losses = self.inside.entry(window).or_insert(Losses {
            first: write.completed,
            ..Losses::default()
        });
        losses.count += 1;
        losses.first = losses.first.min(write.completed);
        losses.last = losses.last.max(write.completed);
    }

    /// Registers: which acknowledged writes the last read shows to be gone.
    fn judge_register(&mut self, windows: &Windows<'_>, scene: &Scene, operations: &[Operation]) {
        let reads = operations
            .iter()
            .filter(|op| op.f == Function::Read && op.final_read);
        let Some(read) = reads.max_by_key(|read| read.invoked) else {
            return;
        };
        let written = |op: &Operation| op.written() == Some(&read.result);
        let writers = operations
            .iter()
            .filter(|op| op.f != Function::Read && written(op));
        // The value was surely in place by then; nobody wrote the initial one.
        let in_place = writers.map(|op| op.completed).max().unwrap_or(0);
        let acknowledged = operations
            .iter()
            .filter(|op| op.f != Function::Read && op.outcome == Outcome::Ok)
            .filter(|op| op.completed < read.invoked);
        for write in acknowledged {
            self.examined += 1;
            if write.invoked > in_place && !written(write) {
                self.enter(windows, scene, write, read);
            }
        }
    }

    /// The same of a key of the docket, on which nothing but registers can be.
    fn judge_plain_register(&mut self, windows: &Windows<'_>, scene: &Scene, key: KeyId) {
        let docket = scene.docket();
        let atoms = &docket.log().atoms;
        let is_read = |kept: &Kept| {
            let is_done = kept.op.outcome == Outcome::Ok && kept.final_read;
            is_done && kept.op.f == Function::Read && !atoms.is_list(kept.op.result)
        };
        let mut backwards = docket.of_key(key).rev();
        let Some((read_at, read)) = backwards.find(|(_, kept)| is_read(kept)) else {
            return;
        };
        let (result, read_from) = (read.op.result, read.op.invoked);
        // From the last one on, so that what is in place is found before most others are seen.
        let (mut in_place, mut later) = (0, Vec::new());
        for (place, Kept { op, .. }) in docket.of_key(key).rev() {
            if !matches!(op.f, Function::Write | Function::Cas) || op.outcome == Outcome::Fail {
                continue;
            }
            let is_acknowledged = op.outcome == Outcome::Ok && op.completed < read_from;
            self.examined += u64::from(is_acknowledged);
            if atoms.written(op) == Some(result) {
                in_place = in_place.max(op.completed);
            } else if is_acknowledged && op.invoked > in_place {
                later.push((place, op.invoked));
            }
        }
        for (place, _) in later.iter().rev().filter(|(_, at)| *at > in_place) {
            let [write, read] = [*place, read_at].map(|place| docket.operation(place));
            self.enter(windows, scene, &write, &read);
        }
    }

    fn counts(&self) -> BTreeMap<&'static str, u64> {
        let inside = self
            .inside
            .iter()
            .map(|(window, losses)| (window.clause(), losses.count));
        inside.chain([("HI-03", self.outside)]).collect()
    }

    fn told(&self) -> String {
        let told = self.inside.iter().map(|(window, losses)| {
            format!(
                "{} lost inside {} ({}), acknowledged between {} and {}",
                losses.count,
                window.clause(),
                window.name(),
                seconds(losses.first),
                seconds(losses.last)
            )
        });
        let levels = self.levels.iter().map(|(level, count)| {
            format!("{count} lost that {level} replicas had acknowledged (WAIT)")
        });
        told.chain(levels).collect::<Vec<_>>().join("; ")
    }
}

fn violation(scene: &Scene, write: &Operation, read: &Operation) -> Violation {
    let client = format!("client {}", write.process);
    let mut witness = Witness::default()
        .step(write.invoked, &client, format!("begins {}", write.told()))
        .step(write.completed, &client, "has the write acknowledged");
    let slot = slot_of_key(write.key.as_bytes());
    let ownership = scene.ownership();
    let name = |id| {
        ownership
            .name(id)
            .map_or_else(|| format!("{id}"), ToString::to_string)
    };
    let mut told = BTreeSet::new();
    for takeover in ownership
        .takeovers()
        .iter()
        .filter(|change| change.slots.contains(slot))
    {
        if told.insert((takeover.time, takeover.config_epoch)) {
            let what = format!(
                "takes slot {slot} over from {} with epoch {}",
                name(&takeover.from),
                takeover.config_epoch
            );
            witness = witness.step(takeover.time, name(&takeover.to), what);
        }
    }
    witness = witness.step(
        read.completed,
        format!("client {}", read.process),
        format!("reads {} without it: {}", read.key, short(&read.result)),
    );
    let migration = Migration::of(slot, write, read, scene);
    if let Some(migration) = &migration {
        witness = migration.tell(witness);
    }
    witness.steps.sort_by_key(|step| step.time);
    let node = write
        .node
        .as_ref()
        .map_or_else(|| "a node".into(), ToString::to_string);
    let clause = migration.as_ref().map_or("HI-03", Migration::clause);
    let moved = migration.map_or_else(String::new, |migration| migration.to_string());
    Violation {
        clause: clause.into(),
        time: write.completed,
        message: format!(
            "{} acknowledged {} of {} at {} (op {}), and it is gone{moved}; no documented \
             window allows that",
            node,
            short(&write.argument),
            write.key,
            seconds(write.completed),
            write.index
        ),
        witness,
        known: None,
    }
}
