//! CF-09: a node keeps its id over restarts, and no two nodes have the same one.
//!
//! An id is what a node's own headers and its own answers say. A node that comes back from a kill
//! with another one lost its nodes.conf (DU-01). Only CLUSTER RESET HARD gives a node a new id.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use super::links::ByLink;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Fault, FaultKind, FaultPhase, NodeId, NodeName, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CF-09",
    title: "ids are stable and unique",
    clauses: &["CF-09", "DU-01"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "A node draws its id once and keeps it in nodes.conf, so all its headers and answers \
           show one id, over restarts too: a node that comes back as somebody else has lost its \
           nodes.conf (DU-01). And no id belongs to two nodes. CLUSTER RESET HARD makes a node \
           somebody else, by order.",
    make: || Box::new(IdsAreStable::default()),
};

/// The checker of CF-09.
#[derive(Debug, Default)]
pub struct IdsAreStable {
    /// Links whose first packet was looked at: a new id makes a new link.
    known: ByLink<()>,
    ids: BTreeMap<NodeName, Named>,
    owners: BTreeMap<NodeId, NodeName>,
    changes: Vec<Change>,
    /// Who was told to become somebody else, and when that began.
    resets: Vec<(u64, NodeName)>,
    tally: Tally,
}

/// Who a node says it is.
#[derive(Debug)]
struct Named {
    id: NodeId,
    incarnation: u32,
}

/// A node shows another id than before.
#[derive(Debug)]
struct Change {
    time: u64,
    node: NodeName,
    clause: &'static str,
    what: String,
}

impl Checker for IdsAreStable {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::View, Sort::Fault]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => {
                if self.known.get(scene.link()).is_none() {
                    self.known.insert(scene.link(), ());
                    let incarnation = scene.incarnation();
                    self.note(
                        packet.time,
                        &packet.from,
                        &packet.header.sender,
                        incarnation,
                    );
                }
            }
            Happening::View(view) => {
                let incarnation = scene.incarnations().life(&view.node).incarnation;
                self.note(view.time, &view.node, &view.id, incarnation);
            }
            Happening::Fault(fault) => self.note_reset(fault),
            Happening::Op(_) | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        for change in std::mem::take(&mut self.changes) {
            // The order is on record only after it was carried out.
            let mut resets = self.resets.iter();
            let is_ordered =
                resets.any(|(begun, node)| *node == change.node && *begun <= change.time);
            if !is_ordered {
                let found = finding(change.clause, change.time, &change.node, change.what);
                self.tally.findings.push(found);
            }
        }
        self.tally
            .conclude(setting, Completeness::Helpful, "no node was restarted")
    }
}

impl IdsAreStable {
    fn note(&mut self, time: u64, node: &NodeName, id: &NodeId, incarnation: u32) {
        match self.ids.get_mut(node) {
            Some(named) if named.id == *id => {
                self.tally.examined += u64::from(named.incarnation < incarnation);
                named.incarnation = named.incarnation.max(incarnation);
                return;
            }
            Some(named) => {
                let is_restarted = named.incarnation < incarnation;
                let before = std::mem::replace(&mut named.id, id.clone());
                named.incarnation = incarnation;
                self.changes.push(Change {
                    time,
                    node: node.clone(),
                    clause: if is_restarted { "DU-01" } else { "CF-09" },
                    what: format!("is {id} now, and was {before}"),
                });
            }
            None => {
                let id = id.clone();
                self.ids.insert(node.clone(), Named { id, incarnation });
            }
        }
        self.tally.examined += 1;
        match self.owners.get(id) {
            Some(owner) if owner != node => {
                let what = format!("says that it is {id}, which is the id of {owner}");
                self.tally.findings.push(finding("CF-09", time, node, what));
            }
            Some(_) => {}
            None => {
                self.owners.insert(id.clone(), node.clone());
            }
        }
    }

    fn note_reset(&mut self, fault: &Fault) {
        let is_reset = matches!(fault.kind, FaultKind::Reset | FaultKind::ReplaceNode);
        if is_reset && !matches!(fault.phase, FaultPhase::Skipped(_)) {
            let targets = fault.targets.iter();
            self.resets
                .extend(targets.map(|node| (fault.begun, node.clone())));
        }
    }
}
