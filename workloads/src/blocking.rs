//! Queues whose takers wait: RPUSH and BLPOP on lists, XADD and XREADGROUP with BLOCK on streams,
//! which are empty most of the time.
//!
//! Who waits must be let go when the node can no longer serve it (RD-07): the slot has gone, the
//! cluster is down, the master was demoted. Some wait shortly, some for long.

use slotquake_checkers::history::{Function, Process, Value};

use crate::client::REPLY_TIMEOUT_MS;
use crate::keys::{Elements, Keys, Spread};
use crate::load::Load;
use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "blocking",
    help: "queues whose takers wait for elements with BLPOP, or XREADGROUP BLOCK of every second \
           one, the rest read at the end",
    is_default: false,
    make: |load| Box::new(Waiting::new(load)),
};

/// Share of dequeues, percent: queues are empty most of the time.
const DEQUEUE_PERCENT: u64 = 60;
/// How long takers wait, ms.
const WAITS_MS: [i64; 3] = [200, 2000, 4000];

/// The workload.
#[derive(Debug)]
pub struct Waiting {
    keys: Keys,
    elements: Elements,
}

impl Waiting {
    /// The workload under this load.
    pub fn new(load: &Load) -> Waiting {
        Waiting {
            keys: Keys::new("bq", Spread::even(10), load),
            elements: Elements::default(),
        }
    }
}

impl Workload for Waiting {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let position = self.keys.position(rng);
        let (shape, key) = (shape_of(position), self.keys.name(position, position));
        if !rng.chance(DEQUEUE_PERCENT) {
            return Op::on(shape, key, Function::Enqueue, self.elements.value());
        }
        let wait_ms = *rng.pick(&WAITS_MS).expect("the list is not empty");
        let wait = Value::List(vec![Value::Text("wait".into()), Value::Int(wait_ms)]);
        Op {
            patience_ms: wait_ms.unsigned_abs() + REPLY_TIMEOUT_MS,
            ..Op::on(shape, key, Function::Dequeue, wait)
        }
    }

    fn final_reads(&self) -> Vec<Op> {
        let read = |position| Op::read(self.keys.name(position, position), shape_of(position));
        let reads = self.keys.used().map(read);
        reads.map(Op::at_the_end).collect()
    }
}

/// Streams and lists take turns.
fn shape_of(position: u64) -> Shape {
    match position % 2 {
        0 => Shape::List,
        _ => Shape::Stream,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takers_have_more_patience_than_they_let_the_server_wait() {
        let (mut waiting, mut rng) = (Waiting::new(&Load::default()), Rng::new(1));
        let ops: Vec<Op> = (0..1000).map(|_| waiting.next(0, &mut rng)).collect();
        let takers: Vec<&Op> = ops.iter().filter(|op| op.f == Function::Dequeue).collect();
        assert!((500..700).contains(&takers.len()), "{}", takers.len());
        for op in takers {
            let wait_ms = op.value.wait_ms().expect("how long it waits");
            assert_eq!(op.patience_ms, wait_ms + REPLY_TIMEOUT_MS);
        }
    }

    #[test]
    fn a_queue_is_a_list_or_a_stream_from_its_first_element_to_its_last_read() {
        let (mut waiting, mut rng) = (Waiting::new(&Load::default()), Rng::new(1));
        let ops: Vec<Op> = (0..1000).map(|_| waiting.next(0, &mut rng)).collect();
        let reads = waiting.final_reads();
        assert_eq!(reads.len(), 10);
        for read in reads {
            let on_it = ops.iter().filter(|op| op.key == read.key);
            let shapes: Vec<Shape> = on_it.map(|op| op.shape).collect();
            assert!(shapes.iter().all(|shape| *shape == read.shape), "{read:?}");
        }
        let on_streams = ops.iter().filter(|op| op.shape == Shape::Stream).count();
        assert!((400..600).contains(&on_streams), "{on_streams}");
    }
}
