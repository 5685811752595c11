//! FD-07: after the heal nobody is PFAIL or FAIL any more.
//!
//! Judged in views asked for after H_state since the last disturbance. Nodes whose process is dead
//! are rightly marked; entries without an address or in handshake say nothing of a node's health.

use super::bus_evidence::{Completeness, Tally};
use super::by_table::ByTable;
use super::convergence::{Calm, Runs, Settled};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Bounds, NodeId, Setting, ViewEntry, bounds::seconds};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "FD-07",
    title: "marks of failure go after the heal",
    clauses: &["FD-07"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A node that answers again loses PFAIL at its first PONG, and FAIL at the latest two \
           node timeouts after it was set. So 4 NT + 7 s + slack after the last heal or restart \
           no view shows fail? or fail for a node that lives. Unlike ST-06 this sees marks of \
           replicas too, which cost no slot its owner.",
    make: || Box::new(FailureMarksGo::default()),
};

/// The checker of FD-07.
#[derive(Debug, Default)]
pub struct FailureMarksGo {
    calm: Calm,
    marked: ByTable<Vec<NodeId>>,
    /// Whom each node marks.
    runs: Runs<Vec<NodeId>>,
    tally: Tally,
}

impl Checker for FailureMarksGo {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::View(view) => {
                let marked = self.marked.of(&view.node, &view.table, marked);
                self.runs.observe(view, marked.clone());
            }
            Happening::Fault(_) | Happening::Lifecycle(_) => self.calm.observe(happening),
            Happening::Packet(_) | Happening::Op(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let healed = match self.calm.since(setting) {
            Ok(since) => since,
            Err(why) => return Verdict::undecided(0, why),
        };
        let deadline = healed + Bounds::of(setting).state_ok();
        let dead = self.calm.dead();
        let is_gone = |id: &NodeId| {
            scene
                .node_of(id)
                .is_some_and(|name| dead.contains_key(name))
        };
        let is_wanted = |marked: &Vec<NodeId>| marked.iter().all(is_gone);
        match self.runs.settled(healed, deadline, is_wanted) {
            Err(why) => return Verdict::undecided(0, why),
            Ok(Settled::InTime(nodes)) => self.tally.examined = nodes,
            Ok(Settled::Late(node, asked)) => {
                let what = format!(
                    "still marks a node as failing {} after the heal",
                    seconds(asked - healed)
                );
                let found = finding("FD-07", asked, node, what);
                self.tally.findings.push(found);
            }
        }
        match (setting.too_slow_to_time(), self.tally.findings.is_empty()) {
            (Some(why), false) => Verdict::undecided(1, why),
            (_, _) => self.tally.conclude(setting, Completeness::Helpful, ""),
        }
    }
}

fn marked(table: &[ViewEntry]) -> Vec<NodeId> {
    let marked = table.iter().filter(|entry| is_marked(entry));
    marked.map(|entry| entry.id.clone()).collect()
}

fn is_marked(entry: &ViewEntry) -> bool {
    let is_failing = entry.has_flag("fail") || entry.has_flag("fail?");
    is_failing && !entry.has_flag("noaddr") && !entry.has_flag("handshake")
}
