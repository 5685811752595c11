//! Consumer groups: what was delivered to whom and is not yet acknowledged.
//!
//! The pending entries are kept once, by id; each consumer has the set of its ids besides. Both
//! always tell the same.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::StreamId;
use crate::time::Millis;

/// A consumer group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// The last id delivered.
    pub last_id: StreamId,
    /// How many entries were delivered, if that is known.
    pub entries_read: Option<i64>,
    pending: BTreeMap<StreamId, Pending>,
    consumers: BTreeMap<Bytes, Consumer>,
}

/// An entry delivered and not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// To whom.
    pub consumer: Bytes,
    /// When last.
    pub delivered: Millis,
    /// How often.
    pub deliveries: i64,
}

/// A consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consumer {
    /// When it last asked for something.
    pub seen: Millis,
    /// What is pending with it.
    pub pending: BTreeSet<StreamId>,
}

/// Whether something had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    Yes,
    /// It was there.
    No,
}

impl Group {
    /// A group that begins behind an id.
    pub fn new(last_id: StreamId, entries_read: Option<i64>) -> Group {
        Group {
            last_id,
            entries_read,
            ..Group::default()
        }
    }

    /// All pending entries, by id.
    pub fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    /// All consumers, by name.
    pub fn consumers(&self) -> &BTreeMap<Bytes, Consumer> {
        &self.consumers
    }

    /// Notes that a consumer was seen; it is created if it is new.
    pub fn see(&mut self, consumer: &Bytes, now: Millis) -> Created {
        let is_new = !self.consumers.contains_key(consumer);
        self.consumers.entry(consumer.clone()).or_default().seen = now;
        if is_new { Created::Yes } else { Created::No }
    }

    /// Creates a consumer, if there is none of that name.
    pub fn create_consumer(&mut self, consumer: &Bytes, now: Millis) -> Created {
        if self.consumers.contains_key(consumer) {
            return Created::No;
        }
        self.see(consumer, now)
    }

    /// Deletes a consumer with what is pending with it; gives how much that was.
    pub fn delete_consumer(&mut self, consumer: &[u8]) -> Option<usize> {
        let gone = self.consumers.remove(consumer)?;
        for id in &gone.pending {
            self.pending.remove(id);
        }
        Some(gone.pending.len())
    }

    /// Makes an entry pending with a consumer, whoever had it before.
    pub fn assign(&mut self, id: StreamId, pending: Pending) {
        let owner = self.consumers.entry(pending.consumer.clone()).or_default();
        owner.pending.insert(id);
        let consumer = pending.consumer.clone();
        let old = self.pending.insert(id, pending);
        let former = old.map(|old| old.consumer).filter(|old| *old != consumer);
        if let Some(former) = former.and_then(|name| self.consumers.get_mut(&name)) {
            former.pending.remove(&id);
        }
    }

    /// Notes another delivery of a pending entry to its consumer.
    pub fn deliver_again(&mut self, id: StreamId, now: Millis) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.delivered = now;
            pending.deliveries = pending.deliveries.saturating_add(1);
        }
    }

    /// An entry is no longer pending; gives what it was.
    pub fn acknowledge(&mut self, id: StreamId) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        if let Some(consumer) = self.consumers.get_mut(&pending.consumer) {
            consumer.pending.remove(&id);
        }
        Some(pending)
    }
}
