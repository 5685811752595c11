//! Contended registers: everybody compares and sets the same two keys at once.
//!
//! Clients that meet between WATCH and EXEC are rare in [`crate::register`]; here most do. Of all
//! who expect one value, one may win (HI-01): values are unique, and a key is retired after a
//! while, which keeps the search of a linearizability checker short.

use std::collections::BTreeMap;

use slotquake_checkers::history::{EventKind, Function, Key, Process, Value};

use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Done, Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "cas",
    help: "compare-and-set of two registers by all clients at once",
    is_default: false,
    make: |_| Box::new(Cas::default()),
};

/// Keys in use at a time.
const KEYS: u64 = 2;
/// Operations on a key before a fresh one takes its place.
const OPS_PER_KEY_MAX: u64 = 120;
/// Share of reads, percent.
const READ_PERCENT: u64 = 25;

/// The workload.
#[derive(Debug, Default)]
pub struct Cas {
    issued: u64,
    last_seen: BTreeMap<Key, i64>,
    value_last: i64,
}

impl Cas {
    fn key_of(number: u64) -> Key {
        let generation = number / (KEYS * OPS_PER_KEY_MAX);
        format!("cas{}-{generation}", number % KEYS).into()
    }
}

impl Workload for Cas {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let key = Cas::key_of(self.issued);
        self.issued += 1;
        if rng.chance(READ_PERCENT) {
            return Op::read(key, Shape::Register);
        }
        self.value_last += 1;
        match self.last_seen.get(&key) {
            Some(expected) => Op::cas(key, *expected, self.value_last),
            None => Op::write(key, self.value_last),
        }
    }

    fn done(&mut self, _process: Process, op: &Op, done: Done<'_>) {
        if done.kind != EventKind::Ok {
            return;
        }
        let seen = match (op.f, &op.value) {
            (Function::Read, _) => done.value.as_int(),
            (Function::Cas, Value::List(pair)) => pair.get(1).and_then(Value::as_int),
            (_, value) => value.as_int(),
        };
        if let Some(seen) = seen {
            self.last_seen.insert(op.key.clone(), seen);
        }
    }

    fn final_reads(&self) -> Vec<Op> {
        let firsts = (0..self.issued).filter(|number| number % (KEYS * OPS_PER_KEY_MAX) < KEYS);
        let keys = firsts.map(Cas::key_of);
        keys.map(|key| Op::read(key, Shape::Register).at_the_end())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_expect_the_value_that_was_seen_last() {
        let (mut load, mut rng) = (Cas::default(), Rng::named(1, "cas"));
        let mut compared = 0;
        for process in 0..400 {
            let op = load.next(process, &mut rng);
            if let (Function::Cas, Value::List(pair)) = (op.f, &op.value) {
                assert_eq!(pair[0].as_int(), load.last_seen.get(&op.key).copied());
                compared += 1;
            }
            let value = op.value.clone();
            let kind = EventKind::Ok;
            load.done(
                process,
                &op,
                Done {
                    kind,
                    value: &value,
                    node: None,
                    hops: 0,
                },
            );
        }
        assert!(compared > 200, "{compared}");
        let keys: Vec<Key> = load.final_reads().into_iter().map(|op| op.key).collect();
        assert_eq!(keys.len(), 4, "{keys:?}");
    }
}
