//! FD-04: who marks FAIL tells everybody, and who is told believes it.
//!
//! A node's FAIL begins with a FAIL message that it sends or gets. It ends only at a PONG of the
//! failed node, so without any packet from there the next view must show it. A node that was cut
//! off may have had no links to tell anybody, and is left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{Seen, finding, is_paused_within};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{
    Bounds, Damage, Fault, NetTrouble, NodeName, Setting, View, ViewEntry, bounds::CRON,
    bounds::MILLISECOND,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "FD-04",
    title: "FAIL spreads by FAIL messages",
    clauses: &["FD-04"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "Judged in each pair of successive views of a node: a new FAIL without a FAIL message \
           sent or received in between was told to nobody; a FAIL message received in between, \
           with no packet of the failed node after it, must show in the second view.",
    make: || Box::new(FailureIsTold::default()),
};

/// The checker of FD-04.
#[derive(Debug, Default)]
pub struct FailureIsTold {
    /// Who broke the rule, when and how, unless it had no links.
    suspects: Vec<(NodeName, u64, String)>,
    /// When all links of a node were last reset, ns.
    resets: BTreeMap<NodeName, u64>,
    tally: Tally,
}

impl Checker for FailureIsTold {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Fault]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::View(view) => {
                if let Some(before) = scene.view_before() {
                    self.judge(before, view, scene);
                }
            }
            Happening::Fault(fault) => self.note_reset(fault),
            Happening::Packet(_) | Happening::Op(_) | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let links_are_back_after = 2 * Bounds::of(setting).node_timeout + 1000 * MILLISECOND;
        let cuts = &scene.timeline().cuts;
        for (node, time, what) in std::mem::take(&mut self.suspects) {
            let is_cut_off = cuts.values().any(|cut| {
                let end = cut.healed.saturating_add(links_are_back_after);
                cut.touches(&node) && (cut.begun..=end).contains(&time)
            });
            if !is_cut_off {
                self.tally
                    .findings
                    .push(finding("FD-04", time, &node, what));
            }
        }
        self.tally
            .conclude(setting, Completeness::Proving, "no FAIL message was seen")
    }
}

impl FailureIsTold {
    fn note_reset(&mut self, fault: &Fault) {
        if fault.kind.damage() == Some(Damage::Net(NetTrouble::Reset)) {
            let nodes = fault.targets.iter().cloned();
            self.resets.extend(nodes.map(|node| (node, fault.time)));
        }
    }

    /// Whether the links of a node were reset so shortly before this time that it may have none.
    fn is_without_links(&self, node: &NodeName, since: u64) -> bool {
        let reset = self.resets.get(node);
        reset.is_some_and(|reset| *reset + LINKED_AGAIN >= since)
    }

    fn judge(&mut self, before: &Seen, view: &View, scene: &Scene) {
        let words = scene.fail_words();
        let is_same = Arc::ptr_eq(&before.table, &view.table);
        if is_same && !words.is_told_since(&view.node, before.asked) {
            return;
        }
        if is_paused_within(scene, &view.node, before.asked, view.time) {
            return;
        }
        for entry in view.table.iter().filter(|entry| entry.id != view.id) {
            let Some(was_failed) = before.is_failed(&entry.id) else {
                continue;
            };
            let is_failed = entry.has_flag("fail");
            let word = words.first(&view.node, &entry.id, before.asked, view.time);
            let what = match (was_failed, is_failed, word) {
                (false, true, None) if self.is_without_links(&view.node, before.asked) => continue,
                (false, true, None) => {
                    format!("marks {} as FAIL and tells nobody", entry.id)
                }
                (_, false, Some(word))
                    if word.arrived + CRON / 2 < view.asked
                        && !has_heard(scene, view, entry, word.sent) =>
                {
                    format!("was told that {} failed and does not say so", entry.id)
                }
                (_, _, None) => continue,
                (_, _, Some(_)) => {
                    self.tally.examined += 1;
                    continue;
                }
            };
            self.tally.examined += 1;
            self.suspects.push((view.node.clone(), view.time, what));
        }
    }
}

/// By then a node has links again, if nothing else is wrong, ns.
const LINKED_AGAIN: u64 = 1000 * MILLISECOND;

/// Whether the node may have had an answer of the other one since then.
fn has_heard(scene: &Scene, view: &View, entry: &ViewEntry, since: u64) -> bool {
    let Some(name) = scene.node_of(&entry.id) else {
        return true;
    };
    let heard = scene.hearing().between(&view.node, name);
    heard.is_some_and(|heard| heard.last + CRON / 2 >= since)
}
