//! Sets: unique elements added to sets over all slots, read whole at the end.
//!
//! Every acknowledged element must be there after the heal, unless it fell into a documented loss
//! window, and nothing else may be. A few reads on the way show when an element was first seen.

use slotquake_checkers::history::Process;

use crate::keys::{Elements, Keys, Spread};
use crate::load::Load;
use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "set",
    help: "unique elements added to sets over all slots, and a final read of each set",
    is_default: true,
    make: |load| Box::new(Set::new(load)),
};

/// Number of sets.
const SETS: u64 = 24;
/// Share of reads on the way, percent.
const READ_PERCENT: u64 = 3;

/// The workload.
#[derive(Debug)]
pub struct Set {
    keys: Keys,
    elements: Elements,
}

impl Set {
    /// The workload under this load.
    pub fn new(load: &Load) -> Set {
        Set {
            keys: Keys::new("s", Spread::even(SETS), load),
            elements: Elements::default(),
        }
    }
}

impl Workload for Set {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let key = self.keys.draw(rng);
        if rng.chance(READ_PERCENT) {
            return Op::read(key, Shape::Set);
        }
        Op::add(key, self.elements.fresh())
    }

    fn final_reads(&self) -> Vec<Op> {
        self.keys.final_reads(Shape::Set)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn adds_each_element_once_and_reads_every_set_at_the_end() {
        let (mut set, mut rng) = (Set::new(&Load::default()), Rng::new(1));
        let ops: Vec<Op> = (0..1000).map(|_| set.next(0, &mut rng)).collect();
        let added: Vec<i64> = ops.iter().filter_map(|op| op.value.as_int()).collect();
        let distinct: BTreeSet<i64> = added.iter().copied().collect();
        assert_eq!(distinct.len(), added.len());
        assert_eq!(set.final_reads().len(), SETS as usize);
        assert!(set.final_reads().iter().all(|op| op.final_read));
    }
}
