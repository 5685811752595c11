//! Counters: INCRBY of small summands, up and down, and reads.
//!
//! Every read must lie between what was surely counted and what may have been.

use std::collections::BTreeSet;

use slotquake_checkers::history::{Function, Key, Process, Value};

use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Done, Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "counter",
    help: "counters over all slots, counted up and down and read",
    is_default: false,
    make: || Box::new(Counter::default()),
};

/// Number of counters.
const COUNTERS: u64 = 16;
/// Share of operations on the hot one, percent.
const HOT_PERCENT: u64 = 25;
/// Share of reads, percent.
const READ_PERCENT: u64 = 30;
/// Share of decrements among the rest, percent.
const DOWN_PERCENT: u64 = 30;
/// Largest summand.
const SUMMAND_MAX: u64 = 9;

/// The workload.
#[derive(Debug, Default)]
pub struct Counter {
    used: BTreeSet<u64>,
}

fn key_of(number: u64) -> Key {
    format!("c{number}").into()
}

impl Workload for Counter {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let number = match rng.chance(HOT_PERCENT) {
            true => 0,
            false => rng.below(COUNTERS),
        };
        self.used.insert(number);
        let key = key_of(number);
        if rng.chance(READ_PERCENT) {
            return Op::read(key, Shape::Counter);
        }
        let summand = rng.within(1, SUMMAND_MAX) as i64;
        let summand = match rng.chance(DOWN_PERCENT) {
            true => -summand,
            false => summand,
        };
        Op::on(
            Shape::Counter,
            key,
            Function::Increment,
            Value::Int(summand),
        )
    }

    fn done(&mut self, _process: Process, _op: &Op, _done: Done<'_>) {}

    fn final_reads(&self) -> Vec<Op> {
        let numbers = self.used.iter();
        numbers
            .map(|number| Op::read(key_of(*number), Shape::Counter).at_the_end())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_up_and_down_and_reads_every_counter_at_the_end() {
        let (mut counter, mut rng) = (Counter::default(), Rng::new(1));
        let ops: Vec<Op> = (0..1000).map(|_| counter.next(0, &mut rng)).collect();
        let summands: Vec<i64> = ops.iter().filter_map(|op| op.value.as_int()).collect();
        assert!(summands.iter().any(|summand| *summand < 0));
        assert!(summands.iter().filter(|summand| **summand > 0).count() > 300);
        assert_eq!(counter.final_reads().len(), COUNTERS as usize);
    }
}
