//! Who could spare a replica, and who has none left, in one node's own view.
//!
//! The premises of replica migration (RM-01 to RM-06), shared by the checkers that judge a move and
//! its absence. Nothing here judges.

use std::collections::BTreeMap;

use super::evidence::Seen;
use crate::observation::{NodeId, ViewEntry};

/// The replicas that a view lists for one master.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replicas {
    /// All.
    pub all: usize,
    /// Those that are not FAIL.
    pub working: usize,
    /// Those that are neither FAIL nor PFAIL.
    pub healthy: usize,
}

/// The replicas of each master in a table.
pub fn replicas(table: &[ViewEntry]) -> BTreeMap<&NodeId, Replicas> {
    let mut counts: BTreeMap<&NodeId, Replicas> = BTreeMap::new();
    for entry in table {
        if let Some(master) = &entry.master {
            let count = counts.entry(master).or_default();
            count.all += 1;
            count.working += usize::from(!entry.has_flag("fail"));
            count.healthy += usize::from(!entry.has_flag("fail") && !entry.has_flag("fail?"));
        }
    }
    counts
}

/// RM-02: a working master with slots whose replicas have all failed. One that has none at all may
/// never have had any (RM-09).
pub fn orphan(table: &[ViewEntry]) -> Option<&ViewEntry> {
    let counts = replicas(table);
    table.iter().find(|entry| {
        let count = counts.get(&entry.id).copied().unwrap_or_default();
        let is_working = entry.has_flag("master") && !entry.has_flag("fail");
        is_working && !entry.slots.is_empty() && count.all > 0 && count.working == 0
    })
}

/// RM-01, RM-03 to RM-05: whether the node of this view is the one to move, whoever needs it.
pub fn is_the_one_to_move(seen: &Seen) -> bool {
    let counts = replicas(&seen.table);
    let most = counts.values().map(|count| count.working).max();
    let most = most.unwrap_or(0);
    let is_full = |id: &NodeId| counts.get(id).is_some_and(|count| count.working == most);
    let mine = seen.my_master().and_then(|id| counts.get(id));
    let can_spare = mine.is_some_and(|mine| mine.working == most && mine.healthy > BARRIER);
    let of_full = seen.table.iter().filter(|entry| {
        let is_of_full = entry.master.as_ref().is_some_and(is_full);
        is_of_full && !entry.has_flag("fail")
    });
    let smallest = of_full.map(|entry| &entry.id).min();
    seen.state_ok && can_spare && most >= 2 && smallest == Some(&seen.id)
}

/// cluster-migration-barrier, as by default.
pub const BARRIER: usize = 1;
