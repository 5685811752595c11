//! Queues: unique elements put in with RPUSH and taken out with LPOP; what is left is read at the
//! end.

use std::collections::BTreeSet;

use slotquake_checkers::history::{Function, Key, Process, Value};

use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Done, Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "queue",
    help: "queues over all slots: unique elements put in and taken out, the rest read at the end",
    is_default: false,
    make: || Box::new(Queue::default()),
};

/// Number of queues.
const QUEUES: u64 = 12;
/// Share of operations on the hot one, percent.
const HOT_PERCENT: u64 = 25;
/// Share of dequeues, percent: queues grow slowly.
const DEQUEUE_PERCENT: u64 = 45;

/// The workload.
#[derive(Debug, Default)]
pub struct Queue {
    used: BTreeSet<u64>,
    element_last: i64,
}

fn key_of(number: u64) -> Key {
    format!("q{number}").into()
}

impl Workload for Queue {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let number = match rng.chance(HOT_PERCENT) {
            true => 0,
            false => rng.below(QUEUES),
        };
        self.used.insert(number);
        let key = key_of(number);
        if rng.chance(DEQUEUE_PERCENT) {
            return Op::on(Shape::List, key, Function::Dequeue, Value::Nil);
        }
        self.element_last += 1;
        let element = Value::Int(self.element_last);
        Op::on(Shape::List, key, Function::Enqueue, element)
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
    fn puts_in_each_element_once_and_takes_fewer_out() {
        let (mut queue, mut rng) = (Queue::default(), Rng::new(1));
        let ops: Vec<Op> = (0..1000).map(|_| queue.next(0, &mut rng)).collect();
        let put: Vec<i64> = ops.iter().filter_map(|op| op.value.as_int()).collect();
        let distinct: BTreeSet<i64> = put.iter().copied().collect();
        assert_eq!(distinct.len(), put.len());
        let taken = ops.iter().filter(|op| op.f == Function::Dequeue).count();
        assert!(taken > 300 && taken < put.len(), "{taken} of {}", put.len());
    }
}
