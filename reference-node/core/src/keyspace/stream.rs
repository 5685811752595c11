//! Streams: entries by id, and the groups of consumers that read them.
//!
//! Entries are one ordered map. Beside it stands how upstream would have packed them into nodes,
//! because approximate trimming takes whole nodes and clients can see it. Counters (entries added,
//! greatest deleted id, entries read) are those of 7.0. Nothing here knows time or arguments.

use std::collections::BTreeMap;

use bytes::Bytes;

pub mod group;
pub mod id;

pub use group::{Consumer, Created, Group, Pending};
pub use id::StreamId;

/// Fields and values of one entry, in the order in which they were given.
pub type Fields = Vec<(Bytes, Bytes)>;

/// A stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stream {
    entries: BTreeMap<StreamId, Fields>,
    nodes: BTreeMap<StreamId, Node>,
    /// The greatest id ever given.
    pub last_id: StreamId,
    /// The greatest id ever deleted by XDEL; zero if none was.
    pub max_deleted_id: StreamId,
    /// Number of entries ever added.
    pub entries_added: u64,
    /// Consumer groups, by name.
    pub groups: BTreeMap<Bytes, Group>,
}

/// How full a packed node is; deleted entries keep their room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Node {
    entries: u64,
    size_bytes: u64,
}

/// When a packed node is full; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeLimits {
    /// stream-node-max-entries.
    pub entries: u64,
    /// stream-node-max-bytes.
    pub size_bytes: u64,
}

impl NodeLimits {
    /// Upstream's defaults.
    pub const DEFAULT: NodeLimits = NodeLimits {
        entries: 100,
        size_bytes: 4096,
    };
}

/// What a trim leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrimTo {
    /// At most so many entries.
    Length(u64),
    /// No entry before this id.
    MinId(StreamId),
}

/// How exactly to trim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrimKind {
    /// To the entry.
    Exact,
    /// Whole nodes only, and at most so many entries (0: any number).
    Nodes(u64),
}

impl Stream {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no entry; such a key may stay.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Id of the first entry, zero if there is none.
    pub fn first_id(&self) -> StreamId {
        let first = self.entries.first_key_value();
        first.map_or(StreamId::MIN, |(id, _)| *id)
    }

    /// Id of the last entry that is there, zero if there is none.
    pub fn last_entry_id(&self) -> StreamId {
        let last = self.entries.last_key_value();
        last.map_or(StreamId::MIN, |(id, _)| *id)
    }

    /// An entry.
    pub fn entry(&self, id: StreamId) -> Option<&Fields> {
        self.entries.get(&id)
    }

    /// Entries from one id to another, both included.
    pub fn range(
        &self,
        from: StreamId,
        to: StreamId,
    ) -> impl DoubleEndedIterator<Item = (StreamId, &Fields)> {
        let is_sound = from <= to;
        let entries = is_sound.then(|| self.entries.range(from..=to));
        entries
            .into_iter()
            .flatten()
            .map(|(id, fields)| (*id, fields))
    }

    /// Rough memory of the content in bytes.
    pub fn size_bytes(&self) -> usize {
        let nodes: u64 = self.nodes.values().map(|node| node.size_bytes).sum();
        nodes as usize + self.entries.len() * 16
    }

    /// Number of packed nodes (XINFO's radix-tree-keys).
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The packed nodes that have entries, each with its entries.
    pub fn packed(&self) -> impl Iterator<Item = (StreamId, Vec<(StreamId, &Fields)>)> {
        self.nodes.keys().map(|master| {
            let entries = self.range(*master, self.node_end(*master));
            (*master, entries.collect())
        })
    }

    /// Adds an entry behind all others; its id must be greater than the last.
    pub fn append(&mut self, id: StreamId, fields: Fields, limits: NodeLimits) {
        assert!(id > self.last_id, "ids only grow: {id:?}");
        let texts = fields
            .iter()
            .map(|(field, value)| field.len() + value.len() + 4);
        let size_bytes = texts.sum::<usize>() as u64 + ENTRY_OVERHEAD_BYTES;
        let is_full = |node: &Node| {
            let is_long = limits.entries > 0 && node.entries >= limits.entries;
            let limit = limits.size_bytes;
            is_long || (limit > 0 && node.size_bytes + size_bytes >= limit)
        };
        let has_room = self.nodes.last_entry().filter(|last| !is_full(last.get()));
        match has_room {
            Some(mut last) => {
                last.get_mut().entries += 1;
                last.get_mut().size_bytes += size_bytes;
            }
            None => {
                let entries = 1;
                self.nodes.insert(
                    id,
                    Node {
                        entries,
                        size_bytes,
                    },
                );
            }
        }
        self.entries.insert(id, fields);
        self.last_id = id;
        self.entries_added += 1;
    }

    /// Puts a node of entries back as it was saved; false if ids do not grow.
    pub fn restore_node(&mut self, master: StreamId, entries: Vec<(StreamId, Fields)>) -> bool {
        let before = self.entries.last_key_value().map(|(id, _)| *id);
        let mut last = before;
        let mut size_bytes = 0;
        let count = entries.len() as u64;
        for (id, fields) in entries {
            if id < master || last.is_some_and(|last| id <= last) {
                return false;
            }
            let texts = fields
                .iter()
                .map(|(field, value)| field.len() + value.len() + 4);
            size_bytes += texts.sum::<usize>() as u64 + ENTRY_OVERHEAD_BYTES;
            last = Some(id);
            self.entries.insert(id, fields);
        }
        if count == 0 || before.is_some_and(|before| master <= before) {
            return count == 0;
        }
        self.nodes.insert(
            master,
            Node {
                entries: count,
                size_bytes,
            },
        );
        true
    }

    /// Deletes an entry (XDEL); false if it is not there.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let was_there = self.take_out(id);
        if was_there {
            self.max_deleted_id = self.max_deleted_id.max(id);
        }
        was_there
    }

    /// Takes entries out at the front; gives how many.
    pub fn trim(&mut self, to: TrimTo, kind: TrimKind) -> u64 {
        let mut deleted = 0;
        while let Some((master, _)) = self.nodes.first_key_value() {
            let master = *master;
            let ids: Vec<StreamId> = self
                .range(master, self.node_end(master))
                .map(|(id, _)| id)
                .collect();
            let (length, size) = (self.len() as u64, ids.len() as u64);
            if matches!(to, TrimTo::Length(wanted) if length <= wanted) {
                break;
            }
            if matches!(kind, TrimKind::Nodes(limit) if limit > 0 && deleted + size > limit) {
                break;
            }
            let takes_all = match to {
                TrimTo::Length(wanted) => length - size >= wanted,
                TrimTo::MinId(id) => ids.last().is_none_or(|last| *last < id),
            };
            if !takes_all && kind != TrimKind::Exact {
                break;
            }
            let wanted = match to {
                TrimTo::Length(wanted) => ids.len().min((length - wanted) as usize),
                TrimTo::MinId(id) => ids.partition_point(|entry| *entry < id),
            };
            for id in &ids[..wanted] {
                self.take_out(*id);
            }
            deleted += wanted as u64;
            if !takes_all {
                break;
            }
        }
        deleted
    }

    /// How far behind a group is, if that can be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        let added = self.entries_added as i64;
        match group.entries_read {
            Some(read) if !self.has_deleted_from(group.last_id) => Some(added.wrapping_sub(read)),
            Some(_) | None => {
                let read = self.entries_read_up_to(group.last_id)?;
                Some(added.wrapping_sub(read))
            }
        }
    }

    /// The number of entries read after this one is delivered to the group.
    pub fn entries_read_after(&self, group: &Group, id: StreamId) -> Option<i64> {
        match group.entries_read {
            Some(read) if !self.has_deleted_from(id) => Some(read.wrapping_add(1)),
            read if self.entries_added == 0 => read,
            Some(_) | None => self.entries_read_up_to(id),
        }
    }

    // Whether an id from this one on may have been deleted.
    fn has_deleted_from(&self, start: StreamId) -> bool {
        let has_none = self.is_empty() || self.max_deleted_id == StreamId::MIN;
        !has_none && self.first_id() <= self.max_deleted_id && start <= self.max_deleted_id
    }

    /// How many entries were ever added up to this id, where that can be told.
    pub fn entries_read_up_to(&self, id: StreamId) -> Option<i64> {
        let added = self.entries_added as i64;
        if self.entries_added == 0 {
            return Some(0);
        }
        if (self.is_empty() && id <= self.last_id) || id == self.last_id {
            return Some(added);
        }
        let first = self.first_id();
        let is_whole = self.max_deleted_id == StreamId::MIN || self.max_deleted_id < first;
        if id > self.last_id || !is_whole {
            return None;
        }
        let ahead = added.wrapping_sub(self.len() as i64);
        match id.cmp(&first) {
            std::cmp::Ordering::Less => Some(ahead),
            std::cmp::Ordering::Equal => Some(ahead.wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }

    fn take_out(&mut self, id: StreamId) -> bool {
        if self.entries.remove(&id).is_none() {
            return false;
        }
        let node = self
            .nodes
            .range(..=id)
            .next_back()
            .map(|(master, _)| *master);
        if let Some(master) = node {
            let is_left = self.range(master, self.node_end(master)).next().is_some();
            if !is_left {
                self.nodes.remove(&master);
            }
        }
        true
    }

    fn node_end(&self, master: StreamId) -> StreamId {
        let after = master
            .next()
            .and_then(|next| self.nodes.range(next..).next());
        let end = after.and_then(|(next, _)| next.previous());
        end.unwrap_or(StreamId::MAX)
    }
}

// Flags, differences of the id and back lengths, roughly.
const ENTRY_OVERHEAD_BYTES: u64 = 8;

#[cfg(test)]
mod tests;
