//! FD-01: a node is suspected only after a node timeout without data from it.
//!
//! Between two views of one node, the first without and the second with the suspicion, the silence
//! was at most the time from the last data before the first view to the second.

use std::sync::Arc;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{Seen, finding, is_paused_within};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Bounds, NodeName, Setting, View, bounds::seconds};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "FD-01",
    title: "PFAIL needs a node timeout of silence",
    clauses: &["FD-01"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A node marks another as PFAIL when it got no data from it for longer than the node \
           timeout. Judged where a node's view shows a new suspicion: data that was delivered \
           to it less than a node timeout before that view, and before the view without the \
           suspicion, proves it wrong. Nodes that stood still meanwhile are left out.",
    make: || Box::new(SuspicionNeedsSilence::default()),
};

/// The checker of FD-01.
#[derive(Debug, Default)]
pub struct SuspicionNeedsSilence {
    /// New suspicions: when, by whom, of whom, and the longest possible silence.
    suspicions: Vec<(u64, NodeName, NodeName, u64)>,
    tally: Tally,
}

impl Checker for SuspicionNeedsSilence {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::View(view) => {
                if let Some(before) = scene.view_before() {
                    self.judge(before, view, scene);
                }
            }
            Happening::Packet(_)
            | Happening::Op(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let timeout = Bounds::of(setting).node_timeout;
        for (time, by, of, silence) in std::mem::take(&mut self.suspicions) {
            if silence < timeout {
                let what = format!(
                    "suspects {of} although it had data from it {} before",
                    seconds(silence)
                );
                self.tally.findings.push(finding("FD-01", time, &by, what));
            }
        }
        self.tally
            .conclude(setting, Completeness::Helpful, "nobody was suspected")
    }
}

impl SuspicionNeedsSilence {
    fn judge(&mut self, before: &Seen, view: &View, scene: &Scene) {
        if Arc::ptr_eq(&before.table, &view.table) {
            return;
        }
        for entry in view.table.iter().filter(|entry| entry.has_flag("fail?")) {
            let was_alive = before
                .entry(&entry.id)
                .is_some_and(|entry| !entry.has_flag("fail?") && !entry.has_flag("fail"));
            let Some(of) = scene.node_of(&entry.id).filter(|_| was_alive) else {
                continue;
            };
            let Some(heard) = scene.hearing().between(&view.node, of) else {
                continue;
            };
            // Data after the first view may have come before or after the mark.
            let is_paused = is_paused_within(scene, &view.node, heard.last, view.time);
            if heard.last > before.asked || is_paused {
                continue;
            }
            self.tally.examined += 1;
            let silence = view.time - heard.last_sent;
            let names = (view.node.clone(), of.clone());
            self.suspicions.push((view.time, names.0, names.1, silence));
        }
    }
}
