//! CF-04: in a node's table a slot changes its owner only for a larger configEpoch.
//!
//! Judged in each pair of successive views of a node: what moved from one owner to another must
//! have moved to one whose configEpoch in the second view is above that of the old owner in the
//! first. Epochs in a table only grow, so whatever happened in between shows there. Free are slots
//! that their old owner had stopped claiming (as a replica it claims none).

use std::sync::Arc;

use super::bus_evidence::{Completeness, NOT_CAPTURED, Tally};
use super::evidence::{Seen, finding};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeId, Setting, SlotSet, View, ViewEntry};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CF-04",
    title: "a slot moves only by a newer claim",
    clauses: &["CF-04"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A node gives a slot of one master to another only if that one claims it with a larger \
           configEpoch (rule 2 of the slot table), by its own header or in an UPDATE. Judged by \
           what successive views of the node show. A slot that its owner stopped claiming at \
           some time of the run is anybody's and not judged, nor are runs in which an operator \
           moved slots.",
    make: || Box::new(SlotsMoveByNewerClaims::default()),
};

/// The checker of CF-04.
#[derive(Debug, Default)]
pub struct SlotsMoveByNewerClaims {
    tally: Tally,
}

impl Checker for SlotsMoveByNewerClaims {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        if let Happening::View(view) = happening
            && let Some(before) = scene.view_before()
            && !Arc::ptr_eq(&before.table, &view.table)
        {
            self.judge(before, view, scene);
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        // Only the bus tells of every claim that was given up.
        if !setting.bus_captured {
            return Verdict::undecided(0, NOT_CAPTURED);
        }
        let nothing = "no slot changed its owner in any view";
        self.tally.conclude(setting, Completeness::Proving, nothing)
    }
}

impl SlotsMoveByNewerClaims {
    fn judge(&mut self, before: &Seen, view: &View, scene: &Scene) {
        for new in view.table.iter().filter(|new| !new.slots.is_empty()) {
            let had = before.entry(&new.id).map(|entry| &entry.slots);
            if had == Some(&new.slots) {
                continue;
            }
            for old in before.table.iter().filter(|old| old.id != new.id) {
                let moved = moved(old, new, had);
                if moved.is_empty() {
                    continue;
                }
                self.tally.examined += 1;
                let is_newer = new.config_epoch > old.config_epoch;
                if is_newer || has_renounced(&old.id, &moved, scene) {
                    continue;
                }
                let what = format!(
                    "gives slots {moved} of {}, with configEpoch {}, to {}, which has {}",
                    old.id, old.config_epoch, new.id, new.config_epoch
                );
                let found = finding("CF-04", view.time, &view.node, what);
                self.tally.findings.push(found);
            }
        }
    }
}

/// What one node owned in the first view and another one owns in the second only.
fn moved(old: &ViewEntry, new: &ViewEntry, had: Option<&SlotSet>) -> SlotSet {
    if old.slots.is_empty() {
        return SlotSet::default();
    }
    let mut moved = old.slots.intersection(&new.slots);
    if let Some(had) = had {
        moved.remove_all(had);
    }
    moved
}

/// Whether the old owner ever stopped claiming some of these slots, after it had claimed them.
fn has_renounced(id: &NodeId, moved: &SlotSet, scene: &Scene) -> bool {
    let claims = scene.ownership().claims().iter();
    let mut own = claims.filter(|claim| claim.id == *id).peekable();
    let claims_all = |slots: &SlotSet| slots.intersection(moved).len() == moved.len();
    own.peek().is_none() || own.any(|claim| !claims_all(&claim.slots))
}
