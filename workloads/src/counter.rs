//! Counters: INCRBY of small summands, up and down, and reads.
//!
//! Every read must lie between what was surely counted and what may have been.

use slotquake_checkers::history::{Function, Process, Value};

use crate::keys::{Keys, Spread};
use crate::load::Load;
use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "counter",
    help: "counters over all slots, counted up and down and read",
    is_default: false,
    make: |load| Box::new(Counter::new(load)),
};

const SPREAD: Spread = Spread {
    keys: 16,
    hot: 1,
    hot_percent: 30,
};
/// Share of reads, percent.
const READ_PERCENT: u64 = 30;
/// Share of decrements among the rest, percent.
const DOWN_PERCENT: u64 = 30;
/// Largest summand.
const SUMMAND_MAX: u64 = 9;

/// The workload.
#[derive(Debug)]
pub struct Counter {
    keys: Keys,
}

impl Counter {
    /// The workload under this load.
    pub fn new(load: &Load) -> Counter {
        Counter {
            keys: Keys::new("c", SPREAD, load),
        }
    }
}

impl Workload for Counter {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let key = self.keys.draw(rng);
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

    fn final_reads(&self) -> Vec<Op> {
        self.keys.final_reads(Shape::Counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_up_and_down_and_reads_every_counter_at_the_end() {
        let (mut counter, mut rng) = (Counter::new(&Load::default()), Rng::new(1));
        let ops: Vec<Op> = (0..1000).map(|_| counter.next(0, &mut rng)).collect();
        let summands: Vec<i64> = ops.iter().filter_map(|op| op.value.as_int()).collect();
        assert!(summands.iter().any(|summand| *summand < 0));
        assert!(summands.iter().filter(|summand| **summand > 0).count() > 300);
        assert_eq!(counter.final_reads().len(), SPREAD.keys as usize);
    }
}
