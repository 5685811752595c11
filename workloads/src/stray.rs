//! Strays: registers read by clients that ask whoever comes next, as one without a map does.
//!
//! The right node serves, any other must redirect or refuse. Half of the stray reads follow where
//! they are sent (MOVED, and now and then ASK after it), half end with the first answer, so that
//! the history holds the words of the redirection. Writes take the usual way.

use slotquake_checkers::history::{Key, Process};

use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Aim, Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "stray",
    help: "registers read at any node, which must redirect or refuse what is not its own",
    is_default: false,
    make: |_| Box::new(Stray::default()),
};

/// Keys in use at a time.
const KEYS: u64 = 4;
/// Operations on all keys before fresh ones take their place.
const OPS_PER_GENERATION: u64 = KEYS * 200;

/// The workload.
#[derive(Debug, Default)]
pub struct Stray {
    issued: u64,
    value_last: i64,
}

/// The key of this position, from 0 to 3, in this generation, from 0.
pub fn key(position: u64, generation: u64) -> Key {
    format!("y{position}-{generation}").into()
}

impl Workload for Stray {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let key = key(rng.below(KEYS), self.issued / OPS_PER_GENERATION);
        self.issued += 1;
        let aim = match rng.below(4) {
            0 => {
                self.value_last += 1;
                return Op::write(key, self.value_last);
            }
            1 => Aim::Owner,
            2 => Aim::Anyone,
            _ => Aim::AnyoneOnly,
        };
        Op {
            aim,
            ..Op::read(key, Shape::Register)
        }
    }

    fn final_reads(&self) -> Vec<Op> {
        let generations = self.issued.div_ceil(OPS_PER_GENERATION);
        let keys = (0..generations)
            .flat_map(|generation| (0..KEYS).map(move |position| key(position, generation)));
        keys.map(|key| Op::read(key, Shape::Register).at_the_end())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_go_astray() {
        let (mut load, mut rng) = (Stray::default(), Rng::named(1, "stray"));
        let ops: Vec<Op> = (0..400)
            .map(|process| load.next(process, &mut rng))
            .collect();
        let writes = ops.iter().filter(|op| op.f.is_write());
        assert!(writes.clone().count() > 50);
        assert!(writes.clone().all(|op| op.aim == Aim::Owner));
        for aim in [Aim::Anyone, Aim::AnyoneOnly] {
            assert!(ops.iter().filter(|op| op.aim == aim).count() > 50);
        }
    }

    #[test]
    fn the_final_reads_take_the_usual_way_to_each_key() {
        let (mut load, mut rng) = (Stray::default(), Rng::named(1, "stray"));
        for process in 0..10 {
            load.next(process, &mut rng);
        }
        let reads = load.final_reads();
        assert_eq!(reads.len(), KEYS as usize);
        assert!(reads.iter().all(|op| op.final_read && op.aim == Aim::Owner));
    }
}
