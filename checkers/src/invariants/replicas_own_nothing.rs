//! BUS-12, GO-22: the slots in a replica's header are its master's, nobody binds them to it.
//!
//! A replica that gains slots in another node's view, without having been a master in between, was
//! taken for a claimant.

use std::sync::Arc;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{Seen, finding};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeId, Setting, View};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "GO-22",
    title: "a replica's header claims nothing",
    clauses: &["GO-22", "CF-04"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A replica's headers repeat the slots and the configEpoch of its master. Whoever takes \
           that for a claim gives slots to a node that does not serve them. Judged in each \
           pair of successive views: a node that is a replica in both, and gained slots from the \
           first to the second, without a claim of its own in between, is a violation.",
    make: || Box::new(ReplicasOwnNothing::default()),
};

/// The checker of GO-22.
#[derive(Debug, Default)]
pub struct ReplicasOwnNothing {
    tally: Tally,
}

impl Checker for ReplicasOwnNothing {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        if let Happening::View(view) = happening
            && let Some(before) = scene.view_before()
            && !Arc::ptr_eq(&before.table, &view.table)
            && before.table != view.table
        {
            self.judge(before, view, scene);
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally
            .conclude(setting, Completeness::Helpful, "no view changed")
    }
}

impl ReplicasOwnNothing {
    fn judge(&mut self, before: &Seen, view: &View, scene: &Scene) {
        self.tally.examined += 1;
        let replicas = view.table.iter().filter(|entry| entry.master.is_some());
        for entry in replicas.filter(|entry| !entry.slots.is_empty()) {
            let old = before.entry(&entry.id).filter(|old| old.master.is_some());
            let Some(old) = old else {
                continue;
            };
            let mut gained = entry.slots.clone();
            gained.remove_all(&old.slots);
            if gained.is_empty() || has_claimed(&entry.id, before.asked, scene) {
                continue;
            }
            let what = format!("gives slots {gained} to {}, which is a replica", entry.id);
            self.tally
                .findings
                .push(finding("GO-22", view.time, &view.node, what));
        }
    }
}

/// Whether the node was a master with slots at some time since then, or shortly before.
fn has_claimed(id: &NodeId, since: u64, scene: &Scene) -> bool {
    let claims = scene.ownership().claims().iter().rev();
    let mut own = claims.filter(|claim| claim.id == *id);
    own.next()
        .is_some_and(|last| !last.slots.is_empty() || last.time >= since)
}
