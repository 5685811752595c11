//! Expiry: keys written once with a time to live and read until long after it.
//!
//! A key must be there until its time has come, and must not be after. Times to live are from a
//! few ms to some seconds.

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
const READ_PERCENT: u64 = 75;
/// How many keys are read at a time: the oldest gives way to each new one.
const READ_AT_A_TIME: usize = 32;
/// Shortest and longest time to live, ms.
const TTL_MS: (u64, u64) = (20, 4000);

/// The workload.
#[derive(Debug)]
pub struct Expiry {
    keys: Keys,
    written: Elements,
    read: VecDeque<Key>,
}

impl Expiry {
    /// The workload under this load: it says how many hash tags there are.
    pub fn new(load: &Load) -> Expiry {
        Expiry {
            keys: Keys::new("e", Spread::even(1), load),
            written: Elements::default(),
            read: VecDeque::new(),
        }
    }
}

impl Workload for Expiry {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        if rng.chance(READ_PERCENT) && !self.read.is_empty() {
            let at = rng.below(self.read.len() as u64) as usize;
            return Op::read(self.read[at].clone(), Shape::Register);
        }
        let value = self.written.fresh();
        let key = self.keys.name(value.unsigned_abs(), value);
        if self.read.len() == READ_AT_A_TIME {
            self.read.pop_front();
        }
        self.read.push_back(key.clone());
        let ttl_ms = rng.within(TTL_MS.0, TTL_MS.1) as i64;
        let value = Value::List(vec![Value::Int(value), Value::Int(ttl_ms)]);
        Op::on(Shape::Register, key, Function::WriteExpiring, value)
    }

    fn final_reads(&self) -> Vec<Op> {
        let reads = self.read.iter();
        reads
            .map(|key| Op::read(key.clone(), Shape::Register).at_the_end())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn writes_each_key_once_and_reads_it_many_times() {
        let (mut expiry, mut rng) = (Expiry::new(&Load::default()), Rng::new(1));
        let ops: Vec<Op> = (0..4000).map(|_| expiry.next(0, &mut rng)).collect();
        let (writes, reads): (Vec<&Op>, Vec<&Op>) =
            ops.iter().partition(|op| op.f == Function::WriteExpiring);
        let keys: BTreeSet<&Key> = writes.iter().map(|op| &op.key).collect();
        assert_eq!(keys.len(), writes.len());
        assert!(reads.len() > 2 * writes.len());
        assert!(reads.iter().all(|read| keys.contains(&read.key)));
    }
}
