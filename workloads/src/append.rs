//! Lists that only grow: unique elements appended with RPUSH, read whole now and then and at the
//! end.
//!
//! What is acknowledged must be there at the end, unless it fell into a documented loss window, and
//! what a failover dropped must not come back.

use std::collections::BTreeSet;

use slotquake_checkers::history::{Function, Key, Process, Value};

use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Done, Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "append",
    help: "unique elements appended to lists over all slots, read on the way and at the end",
    is_default: false,
    make: || Box::new(Append::default()),
};

/// Number of lists.
const LISTS: u64 = 24;
/// How many of them are hot.
const LISTS_HOT: u64 = 3;
/// Share of operations on hot lists, percent.
const HOT_PERCENT: u64 = 40;
/// Share of reads on the way, percent.
const READ_PERCENT: u64 = 10;

/// The workload.
#[derive(Debug, Default)]
pub struct Append {
    used: BTreeSet<u64>,
    element_last: i64,
}

fn key_of(number: u64) -> Key {
    format!("a{number}").into()
}

impl Workload for Append {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let number = match rng.chance(HOT_PERCENT) {
            true => rng.below(LISTS_HOT),
            false => LISTS_HOT + rng.below(LISTS - LISTS_HOT),
        };
        self.used.insert(number);
        let key = key_of(number);
        if rng.chance(READ_PERCENT) {
            return Op::read(key, Shape::List);
        }
        self.element_last += 1;
        let element = Value::Int(self.element_last);
        Op::on(Shape::List, key, Function::Append, element)
    }

    fn done(&mut self, _process: Process, _op: &Op, _done: Done<'_>) {}

    fn final_reads(&self) -> Vec<Op> {
        let numbers = self.used.iter();
        numbers
            .map(|number| Op::read(key_of(*number), Shape::List).at_the_end())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_each_element_once_and_reads_every_list_at_the_end() {
        let (mut append, mut rng) = (Append::default(), Rng::new(1));
        let ops: Vec<Op> = (0..2000).map(|_| append.next(0, &mut rng)).collect();
        let appended: Vec<i64> = ops.iter().filter_map(|op| op.value.as_int()).collect();
        let distinct: BTreeSet<i64> = appended.iter().copied().collect();
        assert_eq!(distinct.len(), appended.len());
        assert_eq!(append.final_reads().len(), LISTS as usize);
    }
}
