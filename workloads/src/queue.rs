//! Queues: unique elements put in with RPUSH and taken out with LPOP; what is left is read at the
//! end.

use slotquake_checkers::history::{Function, Process, Value};

use crate::keys::{Elements, Keys, Spread};
use crate::load::Load;
use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "queue",
    help: "queues over all slots: unique elements put in and taken out, the rest read at the end",
    is_default: false,
    make: |load| Box::new(Queue::new(load)),
};

const SPREAD: Spread = Spread {
    keys: 12,
    hot: 1,
    hot_percent: 30,
};
/// Share of dequeues, percent: queues grow slowly.
const DEQUEUE_PERCENT: u64 = 45;

/// The workload.
#[derive(Debug)]
pub struct Queue {
    keys: Keys,
    elements: Elements,
}

impl Queue {
    /// The workload under this load.
    pub fn new(load: &Load) -> Queue {
        Queue {
            keys: Keys::new("q", SPREAD, load),
            elements: Elements::default(),
        }
    }
}

impl Workload for Queue {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let key = self.keys.draw(rng);
        if rng.chance(DEQUEUE_PERCENT) {
            return Op::on(Shape::List, key, Function::Dequeue, Value::Nil);
        }
        let element = self.elements.value();
        Op::on(Shape::List, key, Function::Enqueue, element)
    }

    fn final_reads(&self) -> Vec<Op> {
        self.keys.final_reads(Shape::List)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn puts_in_each_element_once_and_takes_fewer_out() {
        let (mut queue, mut rng) = (Queue::new(&Load::default()), Rng::new(1));
        let ops: Vec<Op> = (0..1000).map(|_| queue.next(0, &mut rng)).collect();
        let put: Vec<i64> = ops.iter().filter_map(|op| op.value.as_int()).collect();
        let distinct: BTreeSet<i64> = put.iter().copied().collect();
        assert_eq!(distinct.len(), put.len());
        let taken = ops.iter().filter(|op| op.f == Function::Dequeue).count();
        assert!(taken > 300 && taken < put.len(), "{taken} of {}", put.len());
    }
}
