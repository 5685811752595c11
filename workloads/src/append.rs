//! Lists that only grow: unique elements appended with RPUSH, read whole now and then and at the
//! end.
//!
//! What is acknowledged must be there at the end, unless it fell into a documented loss window, and
//! what a failover dropped must not come back.

use slotquake_checkers::history::{Function, Process};

use crate::keys::{Elements, Keys, Spread};
use crate::load::Load;
use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "append",
    help: "unique elements appended to lists over all slots, read on the way and at the end",
    is_default: false,
    make: |load| Box::new(Append::new(load)),
};

const SPREAD: Spread = Spread {
    keys: 24,
    hot: 3,
    hot_percent: 40,
};
/// Share of reads on the way, percent.
const READ_PERCENT: u64 = 10;

/// The workload.
#[derive(Debug)]
pub struct Append {
    keys: Keys,
    elements: Elements,
}

impl Append {
    /// The workload under this load.
    pub fn new(load: &Load) -> Append {
        Append {
            keys: Keys::new("a", SPREAD, load),
            elements: Elements::default(),
        }
    }
}

impl Workload for Append {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let key = self.keys.draw(rng);
        if rng.chance(READ_PERCENT) {
            return Op::read(key, Shape::List);
        }
        let element = self.elements.value();
        Op::on(Shape::List, key, Function::Append, element)
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
    fn appends_each_element_once_and_reads_every_list_at_the_end() {
        let (mut append, mut rng) = (Append::new(&Load::default()), Rng::new(1));
        let ops: Vec<Op> = (0..2000).map(|_| append.next(0, &mut rng)).collect();
        let appended: Vec<i64> = ops.iter().filter_map(|op| op.value.as_int()).collect();
        let distinct: BTreeSet<i64> = appended.iter().copied().collect();
        assert_eq!(distinct.len(), appended.len());
        assert_eq!(append.final_reads().len(), SPREAD.keys as usize);
    }
}
