//! Sets: unique elements added to sets over all slots, read whole at the end.
//!
//! Every acknowledged element must be there after the heal, unless it fell into a documented loss
//! window, and nothing else may be. A few reads on the way show when an element was first seen.

use std::collections::BTreeSet;

use slotquake_checkers::history::{Key, Process};

use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Done, Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "set",
    help: "unique elements added to sets over all slots, and a final read of each set",
    is_default: true,
    make: || Box::new(Set::default()),
};

/// Number of sets.
const SETS: u64 = 24;
/// Share of reads on the way, percent.
const READ_PERCENT: u64 = 3;

/// The workload.
#[derive(Debug, Default)]
pub struct Set {
    used: BTreeSet<u64>,
    element_last: i64,
}

fn key_of(number: u64) -> Key {
    format!("s{number}").into()
}

impl Workload for Set {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let number = rng.below(SETS);
        self.used.insert(number);
        if rng.chance(READ_PERCENT) {
            return Op::read(key_of(number), Shape::Set);
        }
        self.element_last += 1;
        Op::add(key_of(number), self.element_last)
    }

    fn done(&mut self, _process: Process, _op: &Op, _done: Done<'_>) {}

    fn final_reads(&self) -> Vec<Op> {
        let numbers = self.used.iter();
        numbers
            .map(|number| Op::read(key_of(*number), Shape::Set).at_the_end())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_each_element_once_and_reads_every_set_at_the_end() {
        let (mut set, mut rng) = (Set::default(), Rng::new(1));
        let ops: Vec<Op> = (0..1000).map(|_| set.next(0, &mut rng)).collect();
        let added: Vec<i64> = ops.iter().filter_map(|op| op.value.as_int()).collect();
        let distinct: BTreeSet<i64> = added.iter().copied().collect();
        assert_eq!(distinct.len(), added.len());
        assert_eq!(set.final_reads().len(), SETS as usize);
        assert!(set.final_reads().iter().all(|op| op.final_read));
    }
}
