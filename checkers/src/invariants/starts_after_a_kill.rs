//! DU-01: a node that was killed at whatever moment starts again.
//!
//! A process that is started again after a kill, and ends by itself before it said or answered
//! anything, did not come up from what its predecessor had left on disk. Nodes whose disk was full
//! are left out.

use std::collections::{BTreeMap, BTreeSet};

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::fault::Damage;
use crate::observation::{Lifecycle, LifecycleKind, NodeName, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "DU-01",
    title: "a killed node can be started again",
    clauses: &["DU-01"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "nodes.conf must be readable after SIGKILL at any instant. A process that was started \
           on the files of a killed one and ended by itself before it sent a packet or answered \
           a question refused them. That it comes back with its id is CF-09, with its epochs and \
           its role DU-02. A disk that was full, or lost what was synced, is no excuse for any \
           other node.",
    make: || Box::new(StartsAfterAKill::default()),
};

/// The checker of DU-01.
#[derive(Debug, Default)]
pub struct StartsAfterAKill {
    last: BTreeMap<NodeName, LifecycleKind>,
    /// Nodes that were started after a kill and were not heard of since.
    starting: BTreeSet<NodeName>,
    had_no_room: BTreeSet<NodeName>,
    tally: Tally,
}

impl Checker for StartsAfterAKill {
    fn looks_at(&self) -> &'static [Sort] {
        &[
            Sort::Heartbeat,
            Sort::Message,
            Sort::View,
            Sort::Fault,
            Sort::Lifecycle,
        ]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::Lifecycle(lifecycle) => self.note(lifecycle),
            Happening::Packet(packet) => self.hear(&packet.from),
            Happening::View(view) => self.hear(&view.node),
            Happening::Fault(fault) => {
                if let Some(Damage::Disk(_)) = fault.kind.damage() {
                    self.had_no_room.extend(fault.targets.iter().cloned());
                }
            }
            Happening::Op(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally
            .conclude(setting, Completeness::Helpful, "no node was killed")
    }
}

impl StartsAfterAKill {
    fn hear(&mut self, node: &NodeName) {
        if !self.starting.is_empty() && self.starting.remove(node) {
            self.tally.examined += 1;
        }
    }

    fn note(&mut self, lifecycle: &Lifecycle) {
        let node = &lifecycle.node;
        let before = self.last.insert(node.clone(), lifecycle.what);
        match lifecycle.what {
            LifecycleKind::Started if before == Some(LifecycleKind::Killed) => {
                self.starting.insert(node.clone());
            }
            LifecycleKind::Died if self.starting.remove(node) => {
                self.tally.examined += 1;
                if !self.had_no_room.contains(node) {
                    let what = format!(
                        "does not start from the files of a killed process: {}",
                        lifecycle.detail
                    );
                    let found = finding("DU-01", lifecycle.time, node, what);
                    self.tally.findings.push(found);
                }
            }
            LifecycleKind::Started | LifecycleKind::Died => {}
            LifecycleKind::Killed => {
                self.starting.remove(node);
            }
        }
    }
}
