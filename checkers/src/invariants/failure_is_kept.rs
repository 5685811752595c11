//! FD-05: FAIL of a master with slots stays for two node timeouts, even if it answers.
//!
//! The mark is as old as the first FAIL message that the node sent or got since a view without it.
//! Masters that lost their slots, and replicas, are cleared at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{Seen, finding};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Bounds, NodeId, NodeName, Setting, View, bounds::seconds};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "FD-05",
    title: "FAIL of a master with slots is kept for a while",
    clauses: &["FD-05"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A failed master that answers again may have been replaced meanwhile: as long as it \
           has slots it stays FAIL for two node timeouts. Judged where a node's view shows FAIL \
           and its next one, still with the same slots, does not.",
    make: || Box::new(FailureIsKept::default()),
};

/// The checker of FD-05.
#[derive(Debug, Default)]
pub struct FailureIsKept {
    /// Since when a node holds another for failed.
    since: BTreeMap<(NodeName, NodeId), u64>,
    clears: Vec<(u64, NodeName, NodeId, u64)>,
    tally: Tally,
}

impl Checker for FailureIsKept {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::View(view) => match scene.view_before() {
                Some(before) => self.judge(before, view, scene),
                None => self.since.retain(|(node, _), _| *node != view.node),
            },
            Happening::Packet(_)
            | Happening::Op(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let kept_for = 2 * Bounds::of(setting).node_timeout;
        for (time, node, about, since) in std::mem::take(&mut self.clears) {
            if time - since < kept_for {
                let what = format!(
                    "holds {about}, a master with slots, for working {} after it failed",
                    seconds(time - since)
                );
                self.tally
                    .findings
                    .push(finding("FD-05", time, &node, what));
            }
        }
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no failed master came back with its slots",
        )
    }
}

impl FailureIsKept {
    fn judge(&mut self, before: &Seen, view: &View, scene: &Scene) {
        if Arc::ptr_eq(&before.table, &view.table) {
            return;
        }
        for entry in view.table.iter() {
            let key = (view.node.clone(), entry.id.clone());
            let was_failed = before.is_failed(&entry.id) == Some(true);
            match (was_failed, entry.has_flag("fail")) {
                (false, true) => {
                    let words = scene.fail_words();
                    let first = words.first(&key.0, &key.1, before.asked, view.time);
                    let since = first.map_or(before.asked, |word| word.sent);
                    self.since.insert(key, since);
                }
                (true, false) => {
                    let Some(since) = self.since.remove(&key) else {
                        continue;
                    };
                    let old = before.entry(&entry.id);
                    let has_kept = old.is_some_and(|old| old.slots == entry.slots);
                    if has_kept && !entry.slots.is_empty() {
                        self.tally.examined += 1;
                        self.clears.push((view.time, key.0, key.1, since));
                    }
                }
                (true, true) | (false, false) => {}
            }
        }
    }
}
