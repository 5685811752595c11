//! Channels: numbered messages published, and subscribers that listen for a while at a time.
//!
//! `pubsub` publishes to the whole cluster, `sharded-pubsub` to the nodes of the channel's slot.
//! Every other operation publishes; the others subscribe, listen and unsubscribe.

use slotquake_checkers::history::{Function, Process, Value};

use crate::keys::{Elements, Keys, Spread};
use crate::load::Load;
use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Op, Reach, Shape, Workload};

/// The line of `pubsub` in the registry.
pub const PUBSUB: Entry = Entry {
    name: "pubsub",
    help: "numbered messages published to the whole cluster, and subscribers anywhere",
    is_default: false,
    make: |load| Box::new(PubSub::new(Reach::Cluster, load)),
};

/// The line of `sharded-pubsub` in the registry.
pub const SHARDED: Entry = Entry {
    name: "sharded-pubsub",
    help: "numbered messages published to a shard, and subscribers in it (redis from 7.0 on)",
    is_default: false,
    make: |load| Box::new(PubSub::new(Reach::Shard, load)),
};

/// Number of channels.
const CHANNELS: u64 = 6;
/// How long a subscriber listens, ms.
const LISTEN_MS: (u64, u64) = (200, 1500);

/// The workload.
#[derive(Debug)]
pub struct PubSub {
    reach: Reach,
    keys: Keys,
    messages: Elements,
    /// Operations drawn so far.
    turns: u64,
}

impl PubSub {
    /// The workload under this load.
    pub fn new(reach: Reach, load: &Load) -> PubSub {
        let prefix = match reach {
            Reach::Cluster => "p",
            Reach::Shard => "sp",
        };
        PubSub {
            reach,
            keys: Keys::new(prefix, Spread::even(CHANNELS), load),
            messages: Elements::default(),
            turns: 0,
        }
    }
}

impl Workload for PubSub {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let channel = self.keys.draw(rng);
        let shape = Shape::Channel(self.reach);
        self.turns += 1;
        // A subscriber is busy for long, so that publishers have most of the turns.
        if self.turns.is_multiple_of(2) {
            let listen_ms = rng.within(LISTEN_MS.0, LISTEN_MS.1) as i64;
            return Op::on(shape, channel, Function::Receive, Value::Int(listen_ms));
        }
        let message = self.messages.value();
        Op::on(shape, channel, Function::Publish, message)
    }

    fn final_reads(&self) -> Vec<Op> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishes_each_message_once_and_listens_as_often() {
        let (mut pubsub, mut rng) = (PubSub::new(Reach::Shard, &Load::default()), Rng::new(1));
        let ops: Vec<Op> = (0..100).map(|_| pubsub.next(0, &mut rng)).collect();
        let published: Vec<i64> = ops
            .iter()
            .filter(|op| op.f == Function::Publish)
            .filter_map(|op| op.value.as_int())
            .collect();
        assert_eq!(published, (1..=50).collect::<Vec<i64>>());
        assert!(ops.iter().filter(|op| op.f == Function::Receive).count() == 50);
    }
}
