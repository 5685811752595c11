//! Nodes that were forgotten on purpose, for a while (RS-01 to RS-05, RS-10).

use std::collections::BTreeMap;

use crate::ids::NodeId;
use crate::time::Millis;

/// How long FORGET lasts (CF-22).
pub(super) const FORGET_FOR: Millis = Millis(60_000);

/// How many are remembered at most: a bound against hostile peers.
const ENTRIES_MAX: usize = 1024;

/// Ids that gossip must not bring back.
#[derive(Debug, Clone, Default)]
pub(super) struct Blacklist {
    until: BTreeMap<NodeId, Millis>,
}

impl Blacklist {
    /// Bans a node.
    pub fn add(&mut self, id: NodeId, until: Millis, now: Millis) {
        self.until.retain(|_, until| *until > now);
        if self.until.len() < ENTRIES_MAX {
            self.until.insert(id, until);
        }
    }

    /// Whether a node is banned (RS-02).
    pub fn contains(&self, id: NodeId, now: Millis) -> bool {
        self.until.get(&id).is_some_and(|until| *until > now)
    }

    /// All banned nodes, and for how long still (RS-04).
    pub fn entries(&self, now: Millis) -> impl Iterator<Item = (NodeId, Millis)> {
        let running = self.until.iter().filter(move |(_, until)| **until > now);
        running.map(move |(id, until)| (*id, until.since(now)))
    }

    /// Lifts all bans (RS-10).
    pub fn clear(&mut self) {
        self.until.clear();
    }
}
