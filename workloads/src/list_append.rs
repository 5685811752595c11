//! Transactions over lists: appends and reads of lists that share a slot, by MULTI … EXEC.
//!
//! Each *store* is a hash tag with a few lists of its own, one of them hot; elements are unique in
//! the run, and a list that has had its share gives way to a fresh one. The order of the elements
//! shows which transaction came before which. `--keys` is the number of lists of all stores,
//! `--hash-tags` that of the stores, and both are drawn by `--skew`.

use std::collections::BTreeMap;

use slotquake_checkers::history::{Function, Key, Process, Value};

use crate::keys::{Elements, Keys, Spread};
use crate::load::Load;
use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "list-append",
    help: "transactions that append to lists of one slot and read them",
    is_default: false,
    make: |load| Box::new(Transactions::new(Shape::Lists, load)),
};

/// Stores, each in a slot of its own.
const STORES: u64 = 12;
/// How micro-operations spread over the keys of a store that are in use at a time.
const SPREAD: Spread = Spread {
    keys: 4,
    hot: 1,
    hot_percent: 50,
};
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
    stores: Keys,
    keys: Keys,
    /// Writes to each position of each store, over all its generations.
    written: BTreeMap<(u64, u64), u64>,
    elements: Elements,
}

impl Transactions {
    /// Transactions on keys of this shape under this load.
    pub fn new(shape: Shape, load: &Load) -> Transactions {
        let keys = load.keys.unwrap_or(STORES * SPREAD.keys);
        let stores = match load.hash_tags {
            0 => STORES.min(keys.div_ceil(SPREAD.keys)),
            tags => tags.min(keys),
        };
        // A store is a hash tag already.
        let load = |keys: u64| Load {
            keys: Some(keys),
            hash_tags: 0,
            ..*load
        };
        Transactions {
            shape,
            stores: Keys::new("", Spread::even(stores), &load(stores)),
            keys: Keys::new("", SPREAD, &load(keys.div_ceil(stores))),
            written: BTreeMap::new(),
            elements: Elements::default(),
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
            | Shape::Pair
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
        let position = self.keys.position(rng);
        let written = self.written.entry((store, position)).or_default();
        let generation = *written / WRITES_PER_KEY_MAX;
        let is_write = rng.chance(50);
        *written += u64::from(is_write);
        let key = self.key(store, position, generation);
        let (kind, value) = match is_write {
            true => (self.words().0, self.elements.value()),
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
        let store = self.stores.position(rng);
        let count = rng.within(1, MICROS_MAX);
        let micros = (0..count).map(|_| self.micro(store, rng)).collect();
        self.op(store, micros)
    }

    fn final_reads(&self) -> Vec<Op> {
        let mut reads = Vec::new();
        for store in self.stores.used() {
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
    use crate::load::Skew;

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
            let (mut workload, mut rng) = (Transactions::new(shape, &Load::default()), Rng::new(5));
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

    /// The share of the micro-operations on each key, without its generation, percent.
    fn shares(load: &Load) -> BTreeMap<String, usize> {
        let (mut workload, mut rng) = (Transactions::new(Shape::Lists, load), Rng::new(5));
        let ops = (0..4000).flat_map(|_| micros(&workload.next(0, &mut rng)));
        let mut counts = BTreeMap::new();
        for (_, key, _) in ops {
            let (place, _) = key.rsplit_once('-').expect("a generation");
            *counts.entry(place.to_string()).or_default() += 1;
        }
        let all: usize = counts.values().sum();
        counts
            .values_mut()
            .for_each(|count| *count = *count * 100 / all);
        counts
    }

    #[test]
    fn a_load_says_how_many_lists_in_how_many_slots() {
        for (keys, hash_tags, stores) in [(None, 0, 12), (Some(1), 0, 1), (Some(30), 5, 5)] {
            let load = Load {
                keys,
                hash_tags,
                ..Load::default()
            };
            let shares = shares(&load);
            assert_eq!(shares.len() as u64, keys.unwrap_or(48));
            let slots: BTreeSet<u16> = shares
                .keys()
                .map(|key| slot_of_key(key.as_bytes()))
                .collect();
            assert_eq!(slots.len(), stores, "{keys:?} keys");
        }
    }

    #[test]
    fn a_skew_reaches_stores_and_their_lists() {
        let load = |skew| Load {
            keys: Some(16),
            hash_tags: 4,
            skew,
            ..Load::default()
        };
        let even = shares(&load(Skew::Uniform));
        assert!(
            even.values().all(|share| (5..=7).contains(share)),
            "{even:?}"
        );
        // 1/1 of the first store and of its first list, of 25/12 each.
        let zipf = shares(&load(Skew::Zipf));
        assert!((20..=26).contains(&zipf["{la0}0"]), "{zipf:?}");
        assert!((10..=13).contains(&zipf["{la0}1"]), "{zipf:?}");
        assert!((10..=13).contains(&zipf["{la1}0"]), "{zipf:?}");
    }
}
