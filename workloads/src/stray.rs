//! Strays: registers read by clients that ask whoever comes next, as one without a map does.
//!
//! The right node serves, any other must redirect or refuse. Half of the stray reads follow where
//! they are sent (MOVED, and now and then ASK after it), the others end with the first answer, so
//! that the history holds the words of the redirection; half of those say READONLY before, and any
//! replica of the owner may answer them. Some reads are for keys that nobody writes: while a slot
//! migrates they go to its target from the first moment on. Whose read was sent on reads there
//! straight the next time: that is right after MOVED, and refused after ASK. Writes take the usual
//! way.

use std::collections::BTreeMap;

use slotquake_checkers::history::{EventKind, Function, Key, Process};

use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Aim, Done, Op, Shape, Workload};

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
    /// What each process that was sent on asks next.
    next: BTreeMap<Process, Op>,
}

/// The key of this position, from 0 to 3, in this generation, from 0.
pub fn key(position: u64, generation: u64) -> Key {
    format!("y{position}-{generation}").into()
}

/// A key of the same slot that nobody writes.
fn absent(key: &Key) -> Key {
    format!("{{{key}}}absent").into()
}

impl Workload for Stray {
    fn next(&mut self, process: Process, rng: &mut Rng) -> Op {
        if let Some(op) = self.next.remove(&process) {
            return op;
        }
        let key = key(rng.below(KEYS), self.issued / OPS_PER_GENERATION);
        self.issued += 1;
        let (f, key, aim) = match rng.below(8) {
            0 | 1 => {
                self.value_last += 1;
                return Op::write(key, self.value_last);
            }
            2 => (Function::Read, key, Aim::Owner),
            3 => (Function::Read, absent(&key), Aim::Owner),
            4 | 5 => (Function::Read, key, Aim::Anyone),
            6 => (Function::Read, key, Aim::AnyoneOnly),
            _ => (Function::ReplicaRead, key, Aim::AnyoneOnly),
        };
        Op {
            f,
            aim,
            ..Op::read(key, Shape::Register)
        }
    }

    fn done(&mut self, process: Process, op: &Op, done: Done<'_>) {
        let was_sent_on = done.kind == EventKind::Ok && done.hops > 0;
        let is_read = op.f == Function::Read && !op.final_read;
        let there = done.node.filter(|_| was_sent_on && is_read);
        if let Some(node) = there {
            let straight = Op {
                aim: Aim::Node(node),
                ..Op::read(op.key.clone(), Shape::Register)
            };
            self.next.insert(process, straight);
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
    use std::net::SocketAddrV4;

    use slotquake_checkers::history::Value;
    use slotquake_checkers::observation::slots::slot_of_key;

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
        let of_replicas = ops.iter().filter(|op| op.f == Function::ReplicaRead);
        assert!(of_replicas.count() > 20);
    }

    #[test]
    fn keys_that_nobody_writes_share_the_slots_of_the_others() {
        let key = key(3, 1);
        assert_ne!(absent(&key), key);
        let slot = |key: &Key| slot_of_key(key.as_bytes());
        assert_eq!(slot(&absent(&key)), slot(&key));
    }

    #[test]
    fn who_was_sent_on_asks_there_next() {
        let (mut load, mut rng) = (Stray::default(), Rng::named(1, "stray"));
        let node = Some(SocketAddrV4::new([127, 0, 0, 1].into(), 7));
        let op = Op::read(key(0, 0), Shape::Register);
        for (hops, is_sent_on) in [(0, false), (1, true)] {
            let done = Done {
                kind: EventKind::Ok,
                value: &Value::Nil,
                node,
                hops,
            };
            load.done(5, &op, done);
            let next = load.next(5, &mut rng);
            let is_there = next.key == op.key && Some(next.aim) == node.map(Aim::Node);
            assert_eq!(is_there, is_sent_on);
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
