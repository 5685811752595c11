//! Transactions over lists: appends and reads of lists that share a slot, by MULTI … EXEC.
//!
//! Each *store* is a hash tag with a few lists of its own, one of them hot; elements are unique in
//! the run, and a list that has had its share gives way to a fresh one. The order of the elements
//! shows which transaction came before which.

use std::collections::BTreeMap;

use slotquake_checkers::history::{Function, Key, Process, Value};

use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "list-append",
    help: "transactions that append to lists of one slot and read them",
    is_default: false,
    make: |_| Box::new(Transactions::new(Shape::Lists)),
};

/// Stores, each in a slot of its own.
const STORES: u64 = 12;
/// Keys of a store in use at a time.
const KEYS: u64 = 4;
/// Share of micro-operations on the hot key, percent.
const HOT_PERCENT: u64 = 40;
/// Micro-operations of a transaction.
const MICROS_MAX: u64 = 4;
/// Writes to a key before a fresh one takes its place.
const WRITES_PER_KEY_MAX: u64 = 48;
/// Keys that one transaction reads at the end.
const FINAL_KEYS_MAX: usize = 8;

/// The workload, over lists or over registers.
#[derive(Debug)]
pub struct Transactions {
    shape: Shape,
    /// Writes to each position of each store, over all its generations.
    written: BTreeMap<(u64, u64), u64>,
    element_last: i64,
}

impl Transactions {
    /// Transactions on keys of this shape.
    pub fn new(shape: Shape) -> Transactions {
        Transactions {
            shape,
            written: BTreeMap::new(),
            element_last: 0,
        }
    }

    /// What the workload writes is called, and its stores are named after.
    fn words(&self) -> (&'static str, &'static str) {
        match self.shape {
            Shape::Registers => ("w", "rw"),
            Shape::Register
            | Shape::Set
            | Shape::List
            | Shape::Stream
            | Shape::Channel(_)
            | Shape::Counter
            | Shape::Bank { .. }
            | Shape::Lists => ("append", "la"),
        }
    }

    fn store(&self, number: u64) -> String {
        format!("{{{}{number}}}", self.words().1)
    }

    fn key(&self, store: u64, position: u64, generation: u64) -> Value {
        let store = self.store(store);
        Value::Text(format!("{store}{position}-{generation}").into())
    }

    fn micro(&mut self, store: u64, rng: &mut Rng) -> Value {
        let position = match rng.chance(HOT_PERCENT) {
            true => 0,
            false => rng.below(KEYS),
        };
        let written = self.written.entry((store, position)).or_default();
        let generation = *written / WRITES_PER_KEY_MAX;
        let is_write = rng.chance(50);
        *written += u64::from(is_write);
        let key = self.key(store, position, generation);
        let (kind, value) = match is_write {
            true => {
                self.element_last += 1;
                (self.words().0, Value::Int(self.element_last))
            }
            false => ("r", Value::Nil),
        };
        Value::List(vec![Value::Text(kind.into()), key, value])
    }

    fn op(&self, store: u64, micros: Vec<Value>) -> Op {
        let key: Key = self.store(store).into();
        Op::on(self.shape, key, Function::Txn, Value::List(micros))
    }
}

impl Workload for Transactions {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let store = rng.below(STORES);
        let count = rng.within(1, MICROS_MAX);
        let micros = (0..count).map(|_| self.micro(store, rng)).collect();
        self.op(store, micros)
    }

    fn final_reads(&self) -> Vec<Op> {
        let mut reads = Vec::new();
        for store in 0..STORES {
            let used = self.written.range((store, 0)..(store + 1, 0));
            let generations = used.flat_map(|((_, position), written)| {
                (0..=*written / WRITES_PER_KEY_MAX).map(|generation| (*position, generation))
            });
            let micros: Vec<Value> = generations
                .map(|(position, generation)| {
                    let key = self.key(store, position, generation);
                    Value::List(vec![Value::Text("r".into()), key, Value::Nil])
                })
                .collect();
            let parts = micros.chunks(FINAL_KEYS_MAX);
            reads.extend(parts.map(|part| self.op(store, part.to_vec()).at_the_end()));
        }
        reads
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use slotquake_checkers::observation::slots::slot_of_key;

    use super::*;

    fn micros(op: &Op) -> Vec<(String, String, Value)> {
        let Value::List(micros) = &op.value else {
            panic!("a list of micro-operations");
        };
        let parts = micros.iter().map(|micro| match micro {
            Value::List(parts) => match parts.as_slice() {
                [Value::Text(kind), Value::Text(key), value] => {
                    (kind.to_string(), key.to_string(), value.clone())
                }
                _ => panic!("{micro:?}"),
            },
            _ => panic!("{micro:?}"),
        });
        parts.collect()
    }

    #[test]
    fn keys_of_a_transaction_share_a_slot_and_elements_are_unique() {
        for shape in [Shape::Lists, Shape::Registers] {
            let (mut workload, mut rng) = (Transactions::new(shape), Rng::new(5));
            let mut written: Vec<Value> = Vec::new();
            let mut keys: BTreeSet<String> = BTreeSet::new();
            for _ in 0..3000 {
                let op = workload.next(0, &mut rng);
                for (kind, key, value) in micros(&op) {
                    let slot = slot_of_key(op.key.as_bytes());
                    assert_eq!(slot_of_key(key.as_bytes()), slot);
                    if kind != "r" {
                        written.push(value);
                        keys.insert(key);
                    }
                }
            }
            let distinct: BTreeSet<&Value> = written.iter().collect();
            assert_eq!(distinct.len(), written.len());
            let reads = workload.final_reads();
            let read: BTreeSet<String> = reads
                .iter()
                .flat_map(micros)
                .map(|(_, key, _)| key)
                .collect();
            assert!(keys.is_subset(&read), "each key written is read at the end");
        }
    }
}
