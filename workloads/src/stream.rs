//! Streams with a consumer group as queues: unique elements added, delivered, acknowledged and
//! removed; what is left is read at the end.
//!
//! An element counts as taken when its acknowledgement succeeded. One that was delivered and not
//! acknowledged stays pending, and some dequeues claim those.

use slotquake_checkers::history::{Function, Process, Value};

use crate::keys::{Elements, Keys, Spread};
use crate::load::Load;
use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "stream",
    help: "streams with a consumer group as queues: elements added, delivered and acknowledged, \
           pending ones claimed, the rest read at the end",
    is_default: false,
    make: |load| Box::new(Stream::new(load)),
};

const SPREAD: Spread = Spread {
    keys: 12,
    hot: 1,
    hot_percent: 30,
};
/// Share of dequeues, percent: streams grow slowly.
const DEQUEUE_PERCENT: u64 = 45;
/// Share of claims among them, percent.
const CLAIM_PERCENT: u64 = 10;
/// What was pending for so long may be claimed, ms.
const IDLE_MS: i64 = 1500;

/// The workload.
#[derive(Debug)]
pub struct Stream {
    keys: Keys,
    elements: Elements,
}

impl Stream {
    /// The workload under this load.
    pub fn new(load: &Load) -> Stream {
        Stream {
            keys: Keys::new("x", SPREAD, load),
            elements: Elements::default(),
        }
    }
}

impl Workload for Stream {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let key = self.keys.draw(rng);
        if !rng.chance(DEQUEUE_PERCENT) {
            let element = self.elements.value();
            return Op::on(Shape::Stream, key, Function::Enqueue, element);
        }
        let idle = match rng.chance(CLAIM_PERCENT) {
            true => Value::Int(IDLE_MS),
            false => Value::Nil,
        };
        Op::on(Shape::Stream, key, Function::Dequeue, idle)
    }

    fn final_reads(&self) -> Vec<Op> {
        self.keys.final_reads(Shape::Stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_more_than_it_takes_and_claims_some() {
        let (mut stream, mut rng) = (Stream::new(&Load::default()), Rng::new(1));
        let ops: Vec<Op> = (0..2000).map(|_| stream.next(0, &mut rng)).collect();
        let count = |f, is_nil| {
            let of = |op: &&Op| op.f == f && (op.value == Value::Nil) == is_nil;
            ops.iter().filter(of).count()
        };
        let claims = count(Function::Dequeue, false);
        let taken = claims + count(Function::Dequeue, true);
        assert!(claims > 50, "{claims}");
        assert!(taken < count(Function::Enqueue, false), "{taken}");
    }
}
