//! MG-04: who finishes an import takes the largest configEpoch, without asking anybody.
//!
//! Read from the fault log: a node that accepted IMPORTING and, in the same life and role, that the
//! slot is its own. The largest configEpoch in its view before is at most its currentEpoch then, so
//! its own must have come up to it in its first view afterwards. An equal one is a collision, which
//! the rule allows until it is resolved (CE-05).

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::slot_acts::{Exchange, Said, SlotAct, SlotWord};
use crate::observation::{NodeId, NodeName, Setting, View, ViewEntry};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "MG-04",
    title: "who has imported a slot has the largest configEpoch",
    clauses: &["MG-04"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "CLUSTER SETSLOT NODE at the importing node itself ends the import: it raises its \
           configEpoch above all it knows, unless it has the largest already, so that its claim \
           to the slot wins everywhere. Judged from the orders in the fault log and that node's \
           views before and after.",
    make: || Box::new(ImportsRaiseTheEpoch::default()),
};

/// The checker of MG-04.
#[derive(Debug, Default)]
pub struct ImportsRaiseTheEpoch {
    /// Since when a slot is open at a node, ns.
    importing: BTreeMap<(NodeName, u16), u64>,
    /// Imports that are finished and wait for the next view of their node.
    waiting: BTreeMap<NodeName, Finished>,
    tally: Tally,
}

/// An import that is finished.
#[derive(Debug)]
struct Finished {
    slot: u16,
    answered: u64,
    /// The node's id.
    id: NodeId,
    /// The largest configEpoch it knew before.
    largest: u64,
}

impl Checker for ImportsRaiseTheEpoch {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Fault, Sort::View, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Fault(fault) => {
                let act = Exchange::of(fault).and_then(|exchange| exchange.slot_act());
                if let Some(act) = act {
                    self.note(act, scene);
                }
            }
            Happening::View(view) => self.judge(view),
            Happening::Lifecycle(lifecycle) => {
                self.waiting.remove(&lifecycle.node);
                self.importing
                    .retain(|(node, _), _| *node != lifecycle.node);
            }
            Happening::Op(_) | Happening::Packet(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no import was finished between two views of its node",
        )
    }
}

impl ImportsRaiseTheEpoch {
    fn note(&mut self, act: SlotAct, scene: &Scene) {
        let place = (act.node.clone(), act.slot);
        match (&act.word, act.said) {
            (_, Said::No) | (SlotWord::Migrating(_), _) => {}
            (SlotWord::Importing(_), Said::Yes) => {
                self.importing.entry(place).or_insert(act.answered);
            }
            (SlotWord::Node(owner), Said::Yes) => {
                if let Some(since) = self.importing.remove(&place) {
                    let finished = finished(&act, owner, since, scene);
                    self.waiting
                        .extend(finished.map(|finished| (act.node, finished)));
                }
            }
            (SlotWord::Stable, Said::Yes) | (_, Said::Nothing) => {
                self.importing.remove(&place);
            }
        }
    }

    fn judge(&mut self, view: &View) {
        let waiting = self.waiting.get(&view.node);
        if waiting.is_none_or(|finished| view.asked < finished.answered) {
            return;
        }
        let Some(finished) = self.waiting.remove(&view.node) else {
            return;
        };
        let Some(own) = own_line(&view.table, &finished.id) else {
            return;
        };
        // Who was demoted, or lost the slot at once, has another's epoch, or any.
        if !own.has_flag("master") || !own.slots.contains(finished.slot) {
            return;
        }
        self.tally.examined += 1;
        if own.config_epoch < finished.largest {
            let what = format!(
                "finishes the import of slot {} with configEpoch {}, though it knew {}",
                finished.slot, own.config_epoch, finished.largest
            );
            let found = finding("MG-04", finished.answered, &view.node, what);
            self.tally.findings.push(found);
        }
    }
}

/// What is known of an import that this act finishes: that the node is who it was, and its view.
fn finished(act: &SlotAct, owner: &NodeId, since: u64, scene: &Scene) -> Option<Finished> {
    let seen = scene.view_of(&act.node)?;
    let is_own = seen.id == *owner && seen.time <= act.asked;
    let mut promotions = scene.promotions().promotions().iter().rev();
    let is_promoted = promotions.any(|it| it.name == act.node && it.time >= since);
    let own = own_line(&seen.table, &seen.id)?;
    let is_same = is_own && !is_promoted && own.has_flag("master");
    let largest = seen.table.iter().map(|entry| entry.config_epoch).max()?;
    is_same.then(|| Finished {
        slot: act.slot,
        answered: act.answered,
        id: seen.id.clone(),
        largest,
    })
}

fn own_line<'a>(table: &'a [ViewEntry], id: &NodeId) -> Option<&'a ViewEntry> {
    table.iter().find(|entry| entry.id == *id)
}
