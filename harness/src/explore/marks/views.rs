//! Marks in what nodes say of the cluster when asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use slotquake_checkers::observation::{NodeName, View, ViewEntry};

use super::{Mark, Tally};

/// The last view of each node.
#[derive(Debug, Default)]
pub struct Views<'a> {
    last: BTreeMap<&'a NodeName, &'a View>,
}

impl<'a> Views<'a> {
    /// Takes in a view.
    pub fn observe(&mut self, view: &'a View, tally: &mut Tally) {
        let Some(before) = self.last.insert(&view.node, view) else {
            return;
        };
        if before.state_ok && !view.state_ok && is_serving_master(view) {
            let mut others = self.last.values();
            if others.any(|other| other.state_ok && other.node != view.node) {
                tally.see(Mark::MinorityStopped);
            }
        }
        if Arc::ptr_eq(&before.table, &view.table) {
            return;
        }
        let had_open = myself(before).is_some_and(|entry| !entry.open_slots.is_empty());
        if had_open && myself(view).is_some_and(|entry| entry.has_flag("slave")) {
            tally.see(Mark::OpenAtFailover);
        }
        let is_gone = |old: &&ViewEntry| {
            let mut now = view.table.iter();
            !old.has_flag("handshake") && now.all(|new| new.id != old.id)
        };
        for _ in before.table.iter().filter(is_gone) {
            tally.see(Mark::NodeForgotten);
        }
        for (old, new) in entries_of_both(before, view) {
            if new.has_flag("fail") || new.has_flag("fail?") {
                continue;
            }
            if old.has_flag("fail?") {
                tally.see(Mark::PfailWithdrawn);
            }
            if old.has_flag("fail") {
                tally.see(Mark::FailWithdrawn);
            }
            if old.open_slots.is_empty() && !new.open_slots.is_empty() {
                tally.see(Mark::SlotOpened);
            }
        }
    }

    /// Whether this node last said that it migrates this slot away.
    pub fn is_migrating(&self, node: &NodeName, slot: u16) -> bool {
        let open = self.last.get(node).and_then(|view| myself(view));
        let mut marks = open.iter().flat_map(|entry| &entry.open_slots);
        marks.any(|mark| {
            let parts = mark.split_once("->-");
            parts.is_some_and(|(number, _)| number.parse() == Ok(slot))
        })
    }
}

/// What two views of one node say of the same nodes; tables are in the order of ids.
fn entries_of_both<'a>(
    before: &'a View,
    after: &'a View,
) -> impl Iterator<Item = (&'a ViewEntry, &'a ViewEntry)> {
    after.table.iter().filter_map(|new| {
        let at = before.table.binary_search_by(|old| old.id.cmp(&new.id));
        Some((&before.table[at.ok()?], new))
    })
}

fn myself(view: &View) -> Option<&ViewEntry> {
    view.table.iter().find(|entry| entry.id == view.id)
}

fn is_serving_master(view: &View) -> bool {
    myself(view).is_some_and(|entry| entry.has_flag("master") && !entry.slots.is_empty())
}
