//! Registers: reads, writes and compare-and-set on many keys over all slots.
//!
//! A few keys are hot, so that operations meet; the others spread over the slots. Each written
//! value is unique in the run, and a key is retired after a while: both keep the search of a
//! linearizability checker short. Expects of a compare-and-set what was last seen of its key.

use std::collections::BTreeMap;

use slotquake_checkers::history::{EventKind, Function, Key, Process, Value};

use crate::keys::{Elements, Keys, Spread};
use crate::load::Load;
use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Done, Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "register",
    help: "reads, writes and compare-and-set on many keys over all slots",
    is_default: true,
    make: |load| Box::new(Register::new(load)),
};

/// The same without compare-and-set, in the registry.
pub const PLAIN: Entry = Entry {
    name: "read-write",
    help: "reads and writes of many keys over all slots, each one command",
    is_default: false,
    make: |load| Box::new(Register::plain(load)),
};

/// Keys in use at a time.
const SPREAD: Spread = Spread {
    keys: 40,
    hot: 4,
    hot_percent: 40,
};
/// Operations on a key before a fresh one takes its place.
const OPS_PER_KEY_MAX: u64 = 240;

/// The workload.
#[derive(Debug)]
pub struct Register {
    keys: Keys,
    exchanges: Exchanges,
    /// What was issued on each position, up to the last that was used.
    issued: Vec<Option<Issued>>,
    /// What was last seen of a key.
    last_seen: BTreeMap<Key, i64>,
    values: Elements,
}

/// What was issued on a position.
#[derive(Debug)]
struct Issued {
    /// Operations, over all its generations.
    count: u64,
    /// The key of the last one.
    key: Key,
}

/// Whether values are compared and set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exchanges {
    Some,
    None,
}

impl Register {
    /// The workload under this load.
    pub fn new(load: &Load) -> Register {
        Register::named("r", Exchanges::Some, load)
    }

    /// The same without compare-and-set.
    pub fn plain(load: &Load) -> Register {
        Register::named("v", Exchanges::None, load)
    }

    fn named(prefix: &'static str, exchanges: Exchanges, load: &Load) -> Register {
        Register {
            keys: Keys::new(prefix, SPREAD, load),
            exchanges,
            issued: Vec::new(),
            last_seen: BTreeMap::new(),
            values: Elements::default(),
        }
    }

    fn next_key(&mut self, rng: &mut Rng) -> Key {
        let position = self.keys.position(rng);
        let at = position as usize;
        if at >= self.issued.len() {
            self.issued.resize_with(at + 1, || None);
        }
        let first = || Issued {
            count: 0,
            key: key_of(&self.keys, position, 0),
        };
        let issued = self.issued[at].get_or_insert_with(first);
        if issued.count > 0 && issued.count.is_multiple_of(OPS_PER_KEY_MAX) {
            issued.key = key_of(&self.keys, position, issued.count / OPS_PER_KEY_MAX);
        }
        issued.count += 1;
        issued.key.clone()
    }
}

fn key_of(keys: &Keys, position: u64, generation: u64) -> Key {
    let name = format!("{position}-{generation}");
    keys.name(position, name)
}

impl Workload for Register {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let key = self.next_key(rng);
        let dice = rng.below(100);
        let expected = match self.exchanges {
            Exchanges::Some => self.last_seen.get(&key).copied(),
            Exchanges::None => None,
        };
        match expected {
            _ if dice < 45 => Op::read(key, Shape::Register),
            Some(expected) if dice >= 75 => {
                let new = self.values.fresh();
                Op::cas(key, expected, new)
            }
            _ => {
                let value = self.values.fresh();
                Op::write(key, value)
            }
        }
    }

    fn done(&mut self, _process: Process, op: &Op, done: Done<'_>) {
        if done.kind != EventKind::Ok || self.exchanges == Exchanges::None {
            return;
        }
        let seen = match (op.f, &op.value) {
            (Function::Read | Function::ReplicaRead, _) => done.value.as_int(),
            (Function::Cas, Value::List(pair)) => pair.get(1).and_then(Value::as_int),
            (_, value) => value.as_int(),
        };
        if let Some(seen) = seen {
            self.last_seen.insert(op.key.clone(), seen);
        }
    }

    fn final_reads(&self) -> Vec<Op> {
        let mut reads = Vec::new();
        for (position, issued) in (0..).zip(&self.issued) {
            let Some(Issued { count, .. }) = issued else {
                continue;
            };
            for generation in 0..=(count - 1) / OPS_PER_KEY_MAX {
                let key = key_of(&self.keys, position, generation);
                reads.push(Op::read(key, Shape::Register).at_the_end());
            }
        }
        reads
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use slotquake_checkers::observation::slots::{SLOT_COUNT, slot_of_key};

    use super::*;

    fn ops(count: usize) -> (Register, Vec<Op>) {
        let (mut register, mut rng) = (Register::new(&Load::default()), Rng::new(3));
        let mut ops = Vec::new();
        for _ in 0..count {
            let op = register.next(0, &mut rng);
            let value = op.value.clone();
            let kind = EventKind::Ok;
            let done = Done {
                kind,
                value: &value,
                node: None,
                hops: 0,
            };
            register.done(0, &op, done);
            ops.push(op);
        }
        (register, ops)
    }

    #[test]
    fn never_writes_a_value_twice() {
        let written: Vec<i64> = ops(5000)
            .1
            .iter()
            .filter_map(|op| match &op.value {
                Value::Int(value) => Some(*value),
                Value::List(pair) => pair[1].as_int(),
                Value::Nil | Value::Text(_) => None,
            })
            .collect();
        let distinct: BTreeSet<i64> = written.iter().copied().collect();
        assert_eq!(distinct.len(), written.len());
    }

    #[test]
    fn does_all_three_functions_and_retires_keys() {
        let (register, ops) = ops(5000);
        for f in [Function::Read, Function::Write, Function::Cas] {
            assert!(ops.iter().filter(|op| op.f == f).count() > 500, "{f:?}");
        }
        let mut per_key: BTreeMap<Key, u64> = BTreeMap::new();
        for op in &ops {
            *per_key.entry(op.key.clone()).or_default() += 1;
        }
        assert!(per_key.values().all(|count| *count <= OPS_PER_KEY_MAX));
        assert_eq!(register.final_reads().len(), per_key.len());
    }

    #[test]
    fn reads_and_writes_alone_are_half_and_half() {
        let (mut plain, mut rng) = (Register::plain(&Load::default()), Rng::new(3));
        let ops: Vec<Op> = (0..2000).map(|_| plain.next(0, &mut rng)).collect();
        let reads = ops.iter().filter(|op| op.f == Function::Read).count();
        let writes = ops.iter().filter(|op| op.f == Function::Write).count();
        assert_eq!(reads + writes, ops.len());
        assert!((800..1000).contains(&reads), "{reads}");
    }

    #[test]
    fn keys_reach_every_third_of_the_slots() {
        let (register, _) = ops(2000);
        let thirds: BTreeSet<u16> = register
            .final_reads()
            .iter()
            .map(|op| slot_of_key(op.key.as_bytes()) / (SLOT_COUNT / 3 + 1))
            .collect();
        assert_eq!(thirds.len(), 3);
    }
}
