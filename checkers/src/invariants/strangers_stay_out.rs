//! CF-11: a node table holds nobody but the nodes of the cluster.
//!
//! Whoever stands in a view's table, handshakes aside, must have shown that id as its own, in a
//! header or an answer, at some time of the run. Ids that were never anybody's came from outside or
//! were made up.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use super::links::ByLink;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeId, NodeName, Setting, View, ViewEntry};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CF-11",
    title: "no stranger gets into a node table",
    clauses: &["CF-11"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "A node learns of others by CLUSTER MEET or by gossip of a node it knows, and until \
           the other one has said who it is, the entry is a handshake. So each other id in a \
           CLUSTER NODES is one that some node of the run showed as its own, in a bus header or \
           in an answer; any other is a stranger, or a provisional id that stayed.",
    make: || Box::new(StrangersStayOut::default()),
};

/// The checker of CF-11.
#[derive(Debug, Default)]
pub struct StrangersStayOut {
    /// Links whose sender is noted: a new id makes a new link.
    known: ByLink<()>,
    /// Each id, whether its owner was seen, and by whom it was shown first.
    ids: BTreeMap<NodeId, Shown>,
    /// The last table of each node.
    tables: BTreeMap<NodeName, Arc<Vec<ViewEntry>>>,
    tally: Tally,
}

/// Where an id was seen.
#[derive(Debug)]
enum Shown {
    /// At its owner.
    ByItself,
    /// In the table of a node, first at this time.
    InTable(u64, NodeName),
}

impl Checker for StrangersStayOut {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::View]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => {
                if self.known.get(scene.link()).is_none() {
                    self.known.insert(scene.link(), ());
                    let sender = packet.header.sender.clone();
                    self.ids.insert(sender, Shown::ByItself);
                }
            }
            Happening::View(view) => self.note_view(view),
            Happening::Op(_) | Happening::Fault(_) | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let nodes = setting.nodes.iter();
        let mut silent = nodes.filter(|node| !self.tables.contains_key(&node.name));
        if let Some(node) = silent.next() {
            return Verdict::undecided(0, format!("{} never said who it is", node.name));
        }
        // CLUSTER RESET HARD gives ids that only the bus shows for certain.
        if scene.is_attended() && (!setting.bus_captured || setting.bus_packets_lost > 0) {
            return Verdict::undecided(0, "an operator acted while the bus was not seen whole");
        }
        for (id, shown) in std::mem::take(&mut self.ids) {
            self.tally.examined += 1;
            if let Shown::InTable(time, by) = shown {
                let what = format!("knows {id}, which is the id of no node");
                self.tally.findings.push(finding("CF-11", time, &by, what));
            }
        }
        self.tally
            .conclude(setting, Completeness::Helpful, "no node table was seen")
    }
}

impl StrangersStayOut {
    fn note_view(&mut self, view: &View) {
        let last = self.tables.get(&view.node);
        if last.is_some_and(|last| Arc::ptr_eq(last, &view.table)) {
            return;
        }
        self.tables
            .insert(view.node.clone(), Arc::clone(&view.table));
        self.ids.insert(view.id.clone(), Shown::ByItself);
        for entry in view.table.iter().filter(|entry| entry.id != view.id) {
            if !entry.has_flag("handshake") && !self.ids.contains_key(&entry.id) {
                let shown = Shown::InTable(view.time, view.node.clone());
                self.ids.insert(entry.id.clone(), shown);
            }
        }
    }
}
