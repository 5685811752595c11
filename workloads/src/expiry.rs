//! Expiry: keys written once with a time to live and read until long after it.
//!
//! A key must be there until its time has come, and must not be after. Times to live are from a
//! few ms to some seconds, and now and then longer than any run. Keys share a few slots, so that a
//! slot that moves has some whose time is running; one in four is read again until the end.

use std::collections::VecDeque;

use slotquake_checkers::history::{Function, Key, Process, Value};

use crate::keys::{Elements, Keys, Spread};
use crate::load::Load;
use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "expiry",
    help: "keys written once with a time to live, and read until long after it",
    is_default: false,
    make: |load| Box::new(Expiry::new(load)),
};

/// Share of reads, percent.
const READ_PERCENT: u64 = 65;
/// How many keys are read while they are new: the oldest gives way to each fresh one.
const NEW_AT_A_TIME: usize = 32;
/// Share of keys that are read until the end, percent, unless others take their place.
const KEPT_PERCENT: u64 = 25;
/// Most keys that are read until the end.
const KEPT_MAX: usize = 64;
/// Share of reads of those, percent.
const KEPT_READ_PERCENT: u64 = 30;
/// Tags that the keys share, if the load has none.
const HASH_TAGS: u64 = 8;
/// Shortest and longest of the short times to live, ms.
const SHORT_MS: (u64, u64) = (20, 4_000);
/// The same of the longer ones: a slot may move, or fail over, meanwhile.
const LONGER_MS: (u64, u64) = (2_000, 12_000);
/// Longer than any run, ms.
const LONG_MS: u64 = 24 * 3_600_000;

/// The workload.
#[derive(Debug)]
pub struct Expiry {
    keys: Keys,
    written: Elements,
    new: VecDeque<Key>,
    kept: Vec<Key>,
}

impl Expiry {
    /// The workload under this load: it says how many hash tags there are.
    pub fn new(load: &Load) -> Expiry {
        let hash_tags = match load.hash_tags {
            0 => HASH_TAGS,
            given => given,
        };
        let load = Load { hash_tags, ..*load };
        Expiry {
            keys: Keys::new("e", Spread::even(1), &load),
            written: Elements::default(),
            new: VecDeque::new(),
            kept: Vec::new(),
        }
    }

    fn remember(&mut self, key: &Key, rng: &mut Rng) {
        if self.new.len() == NEW_AT_A_TIME {
            self.new.pop_front();
        }
        self.new.push_back(key.clone());
        if !rng.chance(KEPT_PERCENT) {
            return;
        }
        match self.kept.len() < KEPT_MAX {
            true => self.kept.push(key.clone()),
            false => self.kept[rng.below(KEPT_MAX as u64) as usize] = key.clone(),
        }
    }

    fn known(&self, rng: &mut Rng) -> Option<Key> {
        let is_kept = !self.kept.is_empty() && rng.chance(KEPT_READ_PERCENT);
        match is_kept {
            true => rng.pick(&self.kept).cloned(),
            false if self.new.is_empty() => None,
            false => Some(self.new[rng.below(self.new.len() as u64) as usize].clone()),
        }
    }
}

fn time_to_live_ms(rng: &mut Rng) -> u64 {
    match rng.below(10) {
        0..6 => rng.within(SHORT_MS.0, SHORT_MS.1),
        6..9 => rng.within(LONGER_MS.0, LONGER_MS.1),
        _ => LONG_MS,
    }
}

impl Workload for Expiry {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let read = match rng.chance(READ_PERCENT) {
            true => self.known(rng),
            false => None,
        };
        if let Some(key) = read {
            return Op::read(key, Shape::Register);
        }
        let value = self.written.fresh();
        let key = self.keys.name(value.unsigned_abs(), value);
        self.remember(&key, rng);
        let ttl_ms = time_to_live_ms(rng) as i64;
        let value = Value::List(vec![Value::Int(value), Value::Int(ttl_ms)]);
        Op::on(Shape::Register, key, Function::WriteExpiring, value)
    }

    fn final_reads(&self) -> Vec<Op> {
        let new = self.new.iter();
        let kept = self.kept.iter().filter(|key| !self.new.contains(key));
        new.chain(kept)
            .map(|key| Op::read(key.clone(), Shape::Register).at_the_end())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use slotquake_checkers::observation::slots::slot_of_key;

    use super::*;

    fn drawn(expiry: &mut Expiry) -> (Vec<Op>, Vec<Op>) {
        let mut rng = Rng::new(1);
        let ops = (0..4000).map(|_| expiry.next(0, &mut rng));
        ops.partition(|op| op.f == Function::WriteExpiring)
    }

    #[test]
    fn writes_each_key_once_and_reads_it_many_times() {
        let (writes, reads) = drawn(&mut Expiry::new(&Load::default()));
        let keys: BTreeSet<&Key> = writes.iter().map(|op| &op.key).collect();
        assert_eq!(keys.len(), writes.len());
        assert!(2 * reads.len() > 3 * writes.len());
        assert!(reads.iter().all(|read| keys.contains(&read.key)));
        let slots = keys.iter().map(|key| slot_of_key(key.as_bytes()));
        assert_eq!(slots.collect::<BTreeSet<u16>>().len(), HASH_TAGS as usize);
    }

    #[test]
    fn some_keys_outlive_the_run_and_some_of_all_are_read_at_the_end() {
        let mut expiry = Expiry::new(&Load::default());
        let (writes, _) = drawn(&mut expiry);
        let outlives = |op: &&Op| match &op.value {
            Value::List(parts) => parts.last() == Some(&Value::Int(LONG_MS as i64)),
            Value::Nil | Value::Int(_) | Value::Text(_) => false,
        };
        assert!(writes.iter().filter(outlives).count() > 50);
        let last: BTreeSet<Key> = expiry.final_reads().into_iter().map(|op| op.key).collect();
        assert!((KEPT_MAX..=KEPT_MAX + NEW_AT_A_TIME).contains(&last.len()));
        let early = writes[..writes.len() * 3 / 4].iter();
        assert!(early.filter(|op| last.contains(&op.key)).count() > 5);
    }
}
