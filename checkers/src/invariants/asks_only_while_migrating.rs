//! RD-04: ASK comes only from the owner of a slot that migrates, and names the target.
//!
//! Known are the words of a redirection at which an operation ended. They are held against the
//! node's last view before the operation and its first one after it: if neither shows the slot open
//! towards that address, the owner is the same by the same claim, and the fault log has no order
//! about that slot which the node may have carried out in between, then it was not.

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{claim_in, client_address, finding};
use super::redirections::{Redirections, Told};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeId, NodeName, Setting, View, ViewEntry};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RD-04",
    title: "ASK comes only from the owner of a migrating slot",
    clauses: &["RD-04"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "ASK sends a client to the target of a migration for one command. It is for keys of a \
           slot that the node has marked as migrating, and names that target. Judged from \
           operations that ended at an ASK: one of the node's views right before and after must \
           show the mark, unless an operator's order about the slot, which the fault log has, \
           may have set and cleared it in between.",
    make: || Box::new(AsksOnlyWhileMigrating::default()),
};

/// The checker of RD-04.
#[derive(Debug)]
pub struct AsksOnlyWhileMigrating {
    asked: Redirections<Before>,
    /// Those without a mark on either side; orders that were under way are known at the end.
    unmarked: Vec<Unmarked>,
    tally: Tally,
}

impl Default for AsksOnlyWhileMigrating {
    fn default() -> Self {
        Self {
            asked: Redirections::new("ASK"),
            unmarked: Vec::new(),
            tally: Tally::default(),
        }
    }
}

/// The view before an ASK.
#[derive(Debug)]
struct Before {
    /// When the question for it left, ns.
    asked: u64,
    claim: Option<(NodeId, u64)>,
    was_marked: bool,
}

/// An ASK that no view explains.
#[derive(Debug)]
struct Unmarked {
    node: NodeName,
    told: Told<Before>,
    /// When the answer for the view after was complete, ns.
    seen_until: u64,
}

impl Checker for AsksOnlyWhileMigrating {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Op, Sort::View, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Op(event) => self.asked.note(event, scene, |seen, slot, address| {
                Some(Before {
                    asked: seen.asked,
                    claim: claim_in(&seen.table, slot),
                    was_marked: is_marked(&seen.table, &seen.id, slot, address),
                })
            }),
            Happening::View(view) => self.judge(view),
            Happening::Lifecycle(lifecycle) => self.asked.forget(lifecycle),
            Happening::Packet(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let acts = scene.slot_acts();
        for Unmarked {
            node,
            told,
            seen_until,
        } in self.unmarked.drain(..)
        {
            if acts.touch(&node, told.slot, told.before.asked, seen_until) {
                continue;
            }
            self.tally.examined += 1;
            let what = format!(
                "answers ASK {} {}, and the slot does not migrate there",
                told.slot, told.address
            );
            let found = finding("RD-04", told.time, &node, what);
            self.tally.findings.push(found);
        }
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no operation ended at an ASK between two views of its node",
        )
    }
}

impl AsksOnlyWhileMigrating {
    fn judge(&mut self, view: &View) {
        for told in self.asked.settled_by(view) {
            if told.before.was_marked || is_marked(&view.table, &view.id, told.slot, &told.address)
            {
                self.tally.examined += 1;
            } else if claim_in(&view.table, told.slot) == told.before.claim {
                self.unmarked.push(Unmarked {
                    node: view.node.clone(),
                    told,
                    seen_until: view.time,
                });
            }
        }
    }
}

/// Whether the node marks the slot as migrating to who has this address. A target whose address is
/// not known may have any.
fn is_marked(table: &[ViewEntry], own: &NodeId, slot: u16, address: &str) -> bool {
    let Some(own) = table.iter().find(|entry| entry.id == *own) else {
        return false;
    };
    let mut targets = own.open_slots.iter().filter_map(|mark| {
        let (marked, target) = mark.split_once("->-")?;
        (marked.parse() == Ok(slot)).then_some(target)
    });
    targets.any(|target| {
        let entry = table.iter().find(|entry| *entry.id.0 == *target);
        let known = entry.and_then(client_address);
        known.is_none_or(|known| known == address)
    })
}
