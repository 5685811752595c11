//! The data: one database, keys indexed by slot, with expiry times and watches.
//!
//! It knows no clock and no roles: whether a key that is due is deleted, hidden or still shown
//! is decided by the caller, who passes the time of view (`Millis(0)` shows everything). Order is
//! slot, then key bytes, everywhere: iteration, scans and random picks are deterministic.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::rng::Rng;
use crate::slot::Slot;
use crate::time::Millis;

pub mod stream;
pub mod value;
pub mod zset;

#[cfg(test)]
mod tests;

pub use stream::{Stream, StreamId};
pub use value::{Value, parse_integer};
pub use zset::{Score, Zset};

/// One key's value and when it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it holds.
    pub value: Value,
    /// When it expires, if ever.
    pub expires: Option<Millis>,
}

/// All keys of this node.
#[derive(Debug, Clone, Default)]
pub struct Keyspace {
    slots: BTreeMap<Slot, BTreeMap<Bytes, Entry>>,
    expiries: BTreeSet<(Millis, Bytes)>,
    watches: BTreeMap<Bytes, Watch>,
    changes: Option<Changes>,
    len: usize,
}

/// What changed while somebody wanted to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys, in order.
    pub keys: BTreeSet<Bytes>,
    /// Whether everything was deleted.
    pub is_flushed: bool,
}

/// A key that transactions watch: how many do, and how often it changed.
#[derive(Debug, Clone, Copy, Default)]
struct Watch {
    watchers: usize,
    version: u64,
}

impl Keyspace {
    /// Number of keys, due ones included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of keys with an expiry time.
    pub fn expiring_len(&self) -> usize {
        self.expiries.len()
    }

    /// Number of keys in a slot (CLUSTER COUNTKEYSINSLOT).
    pub fn count_in_slot(&self, slot: Slot) -> usize {
        self.slots.get(&slot).map_or(0, BTreeMap::len)
    }

    /// The first keys of a slot, in order (CLUSTER GETKEYSINSLOT).
    pub fn keys_in_slot(&self, slot: Slot, limit: usize) -> Vec<Bytes> {
        let keys = self.slots.get(&slot).into_iter().flat_map(BTreeMap::keys);
        keys.take(limit).cloned().collect()
    }

    /// Slots that have keys, ascending, each with its number of keys.
    pub fn occupied_slots(&self) -> impl Iterator<Item = (Slot, usize)> + '_ {
        self.slots.iter().map(|(slot, keys)| (*slot, keys.len()))
    }

    /// Every key with its entry, in order of slot, then key.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Entry)> {
        self.slots.values().flatten()
    }

    /// Keys and entries of the slots from this one on.
    pub fn iter_from(&self, slot: Slot) -> impl Iterator<Item = (Slot, &Bytes, &Entry)> {
        let slots = self.slots.range(slot..);
        slots.flat_map(|(slot, keys)| keys.iter().map(|(key, entry)| (*slot, key, entry)))
    }

    /// The entry of a key, due or not.
    pub fn entry(&self, key: &[u8]) -> Option<&Entry> {
        self.slots.get(&Slot::of_key(key))?.get(key)
    }

    /// The value of a key, unless it is due at this time.
    pub fn get(&self, key: &[u8], view: Millis) -> Option<&Value> {
        let entry = self.entry(key)?;
        (!is_due(entry.expires, view)).then_some(&entry.value)
    }

    /// Whether the key is there and not due; touches nothing (SM-10).
    pub fn contains(&self, key: &[u8], view: Millis) -> bool {
        self.get(key, view).is_some()
    }

    /// The value, to be changed in place. Call [`Keyspace::touch`] if it did change, and
    /// [`Keyspace::remove_if_empty`] after taking elements out.
    pub fn get_mut(&mut self, key: &[u8], view: Millis) -> Option<&mut Value> {
        let entry = self.slots.get_mut(&Slot::of_key(key))?.get_mut(key)?;
        (!is_due(entry.expires, view)).then_some(&mut entry.value)
    }

    /// Sets a key, without expiry.
    pub fn insert(&mut self, key: Bytes, value: Value) {
        self.insert_entry(
            key,
            Entry {
                value,
                expires: None,
            },
        );
    }

    /// Sets a key, value and expiry together (an RDB file, RESTORE).
    pub fn insert_entry(&mut self, key: Bytes, entry: Entry) {
        debug_assert!(
            !entry.value.is_empty_collection(),
            "an empty collection is no key"
        );
        self.touch(&key);
        let expires = entry.expires;
        let old = self
            .slots
            .entry(Slot::of_key(&key))
            .or_default()
            .insert(key.clone(), entry);
        match old.map(|old| old.expires) {
            Some(Some(at)) => drop(self.expiries.remove(&(at, key.clone()))),
            Some(None) => {}
            None => self.len += 1,
        }
        if let Some(at) = expires {
            self.expiries.insert((at, key));
        }
    }

    /// Sets a value and keeps the expiry time, if there is one (SET KEEPTTL, APPEND).
    pub fn replace(&mut self, key: Bytes, value: Value) {
        let expires = self.expiry(&key);
        self.insert_entry(key, Entry { value, expires });
    }

    /// Deletes a key; gives what it was.
    pub fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        let slot = Slot::of_key(key);
        let keys = self.slots.get_mut(&slot)?;
        let (name, entry) = keys.remove_entry(key)?;
        if keys.is_empty() {
            self.slots.remove(&slot);
        }
        self.len -= 1;
        self.touch(key);
        if let Some(at) = entry.expires {
            self.expiries.remove(&(at, name));
        }
        Some(entry)
    }

    /// Deletes the key if its collection has no element left.
    pub fn remove_if_empty(&mut self, key: &[u8]) -> bool {
        let is_empty = self
            .entry(key)
            .is_some_and(|entry| entry.value.is_empty_collection());
        if is_empty {
            self.remove(key);
        }
        is_empty
    }

    /// When a key expires.
    pub fn expiry(&self, key: &[u8]) -> Option<Millis> {
        self.entry(key)?.expires
    }

    /// Sets or clears the expiry time; false if there is no such key.
    pub fn set_expiry(&mut self, key: &[u8], expires: Option<Millis>) -> bool {
        let slot = Slot::of_key(key);
        let Some(keys) = self.slots.get_mut(&slot) else {
            return false;
        };
        let Some((name, _)) = keys.get_key_value(key) else {
            return false;
        };
        let name = name.clone();
        let Some(entry) = keys.get_mut(key) else {
            return false;
        };
        if let Some(at) = std::mem::replace(&mut entry.expires, expires) {
            self.expiries.remove(&(at, name.clone()));
        }
        if let Some(at) = expires {
            self.expiries.insert((at, name));
        }
        self.touch(key);
        true
    }

    /// When the next key becomes due.
    pub fn next_expiry(&self) -> Option<Millis> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// The first keys that are due at this time, earliest first.
    pub fn due(&self, now: Millis, limit: usize) -> Vec<Bytes> {
        let due = self.expiries.iter().take_while(|(at, _)| *at <= now);
        due.take(limit).map(|(_, key)| key.clone()).collect()
    }

    /// Deletes all keys of a slot; gives their names (UP-07).
    pub fn delete_slot(&mut self, slot: Slot) -> Vec<Bytes> {
        let keys = self.keys_in_slot(slot, usize::MAX);
        for key in &keys {
            self.remove(key);
        }
        assert_eq!(self.count_in_slot(slot), 0, "an emptied slot has no keys");
        keys
    }

    /// Deletes everything.
    pub fn flush(&mut self) {
        let watched: Vec<Bytes> = self.watches.keys().cloned().collect();
        for key in watched {
            if self.entry(&key).is_some() {
                self.touch(&key);
            }
        }
        self.slots.clear();
        self.expiries.clear();
        self.len = 0;
        if let Some(changes) = &mut self.changes {
            changes.is_flushed = true;
        }
    }

    /// Notes from now on what changes.
    pub fn note_changes(&mut self) {
        self.changes.get_or_insert_default();
    }

    /// Notes it no more.
    pub fn ignore_changes(&mut self) {
        self.changes = None;
    }

    /// Whether changes are noted.
    pub fn notes_changes(&self) -> bool {
        self.changes.is_some()
    }

    /// What changed since last asked; none if nothing did.
    pub fn take_changes(&mut self) -> Option<Changes> {
        let changes = self.changes.as_mut()?;
        let is_any = changes.is_flushed || !changes.keys.is_empty();
        is_any.then(|| std::mem::take(changes))
    }

    /// A key picked uniformly.
    pub fn random_key(&self, rng: &mut Rng) -> Option<&Bytes> {
        let mut left = rng.below(self.len as u64) as usize;
        for keys in self.slots.values() {
            if left < keys.len() {
                return keys.keys().nth(left);
            }
            left -= keys.len();
        }
        None
    }

    /// Watches a key; gives its version, to be compared at EXEC.
    pub fn watch(&mut self, key: &Bytes) -> u64 {
        let watch = self.watches.entry(key.clone()).or_default();
        watch.watchers += 1;
        watch.version
    }

    /// The version of a watched key.
    pub fn version(&self, key: &[u8]) -> u64 {
        self.watches.get(key).map_or(0, |watch| watch.version)
    }

    /// One watcher less.
    pub fn unwatch(&mut self, key: &[u8]) {
        if let Some(watch) = self.watches.get_mut(key) {
            watch.watchers -= 1;
            if watch.watchers == 0 {
                self.watches.remove(key);
            }
        }
    }

    /// Notes that a key changed, for those who watch it.
    pub fn touch(&mut self, key: &[u8]) {
        if let Some(watch) = self.watches.get_mut(key) {
            watch.version += 1;
        }
        if let Some(changes) = &mut self.changes {
            changes.keys.insert(Bytes::copy_from_slice(key));
        }
    }
}

/// Whether an expiry time has come. Upstream: strictly later than it.
pub fn is_due(expires: Option<Millis>, view: Millis) -> bool {
    expires.is_some_and(|at| view > at)
}
