//! The seams of the cluster room: what it reads of the rest of the node, what it asks of it.

use std::net::IpAddr;

use bytes::Bytes;

use crate::config::Config;
use crate::keyspace::Keyspace;
use crate::output::Output;
use crate::slot::{Slot, SlotSet};
use crate::time::Millis;

/// The data, as far as the cluster room looks at it.
pub trait KeysBySlot {
    /// Number of keys in a slot.
    fn count_in_slot(&self, slot: Slot) -> usize;
    /// At most `count` keys of a slot.
    fn keys_in_slot(&self, slot: Slot, count: usize) -> Vec<Bytes>;
    /// Whether there is no key at all.
    fn has_no_keys(&self) -> bool;
    /// Those of the slots that have keys, ascending.
    fn occupied_among(&self, slots: &SlotSet) -> Vec<Slot> {
        let slots = slots.iter();
        slots.filter(|slot| self.count_in_slot(*slot) > 0).collect()
    }
}

impl KeysBySlot for Keyspace {
    fn count_in_slot(&self, slot: Slot) -> usize {
        Keyspace::count_in_slot(self, slot)
    }

    fn keys_in_slot(&self, slot: Slot, count: usize) -> Vec<Bytes> {
        Keyspace::keys_in_slot(self, slot, count)
    }

    fn has_no_keys(&self) -> bool {
        self.is_empty()
    }

    // Few slots have keys, where a master may lose thousands at once.
    fn occupied_among(&self, slots: &SlotSet) -> Vec<Slot> {
        let occupied = self.occupied_slots().map(|(slot, _)| slot);
        occupied.filter(|slot| slots.contains(*slot)).collect()
    }
}

/// What the cluster room may read of the rest of the node.
pub struct Surroundings<'a> {
    /// Now.
    pub now: Millis,
    /// Settings.
    pub config: &'a Config,
    /// The data: counts and keys by slot.
    pub keyspace: &'a dyn KeysBySlot,
    /// Replication, in figures.
    pub replication: ReplicationFigures,
}

/// What replication looks like from the cluster room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicationFigures {
    /// Master: bytes of the stream so far; replica: bytes applied (RP-13); 0 if never synced.
    pub offset: u64,
    /// The link of a replica to its master.
    pub link: LinkFigures,
}

/// State of a replica's link to its master (EL-02).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkFigures {
    /// Connected and synced; when the last byte came.
    Up {
        /// Last byte.
        last_interaction: Millis,
    },
    /// Down since then; `Millis(0)` if it was never up (EL-04).
    Down {
        /// Since when.
        since: Millis,
    },
}

/// What the cluster room asks of the rest of the node, in order.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Do this: links, packets, nodes.conf, log lines.
    Do(Output),
    /// Be a replica of that address, or of another one than so far (RP-03, RP-05). `None`: the
    /// master has no address yet; stop the present link.
    Follow(Option<(IpAddr, u16)>),
    /// The data here are those of a shard that was left: until the first sync they are as old as
    /// can be (EL-04).
    ForeignData,
    /// Be a master: stop replicating, shift the replication id (RP-06).
    Lead,
    /// Delete all keys of a slot (UP-07).
    DeleteSlot(Slot),
    /// Delete all keys (RESET of a replica, RS-07).
    FlushAll,
    /// Hold back write commands until then (MF-05).
    PauseWrites(Millis),
    /// Let them run again (MF-11).
    ResumeWrites,
    /// Deliver a message that came over the bus to local subscribers (PU-03).
    Publish {
        /// Channel.
        channel: Bytes,
        /// Message.
        message: Bytes,
        /// SPUBLISH or PUBLISH.
        kind: PublishKind,
    },
    /// Slots or state changed: blocked clients and shard subscribers are to be looked at.
    SlotsChanged,
}

/// Which of the two kinds of publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishKind {
    /// PUBLISH: to every node.
    Global,
    /// SPUBLISH: within the shard.
    Sharded,
}
