//! UP-13: a configEpoch that an UPDATE told is not forgotten for an older one.
//!
//! Several nodes may answer one stale claim, each by what it knows. Whoever was told that a master
//! has some configEpoch must not show it with a smaller one later in the same life.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{finding, is_paused_within};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Body, Bounds, NodeId, NodeName, Packet, Setting, View};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation};

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "UP-13",
    title: "old UPDATEs change nothing",
    clauses: &["UP-13", "EP-02"],
    need: Need::WhenSlotsStay,
    evidence: Evidence::Cluster,
    help: "An UPDATE counts only if its configEpoch is above the one the hearer knows of that \
           node. Judged of UPDATEs that reached a node which knew both their sender and their \
           subject: its later views must not show that subject as a master with a smaller \
           configEpoch than it was told.",
    make: || Box::new(ToldEpochsAreKept::default()),
};

/// The checker of UP-13.
#[derive(Debug, Default)]
pub struct ToldEpochsAreKept {
    /// The largest configEpoch of others that an UPDATE told, by the name of its hearer.
    told: BTreeMap<NodeName, BTreeMap<NodeId, Told>>,
    /// Views below what was told, and how long after, ns: the latest of each hearer.
    suspects: BTreeMap<(NodeName, NodeId), (u64, Violation)>,
    tally: Tally,
}

/// What an UPDATE told.
#[derive(Debug)]
struct Told {
    config_epoch: u64,
    /// When it was delivered, ns.
    at: u64,
}

impl Checker for ToldEpochsAreKept {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Message, Sort::View, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => self.note(packet, scene),
            Happening::View(view) => self.look(view, scene),
            Happening::Lifecycle(lifecycle) => {
                self.told.remove(&lifecycle.node);
            }
            Happening::Op(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let reading = Bounds::of(setting).reading;
        for (after, found) in std::mem::take(&mut self.suspects).into_values() {
            if after > reading {
                self.tally.findings.push(found);
            }
        }
        let nothing = "nobody was sent an UPDATE";
        self.tally.conclude(setting, Completeness::Helpful, nothing)
    }
}

impl ToldEpochsAreKept {
    fn note(&mut self, packet: &Packet, scene: &Scene) {
        let Body::Owner {
            id, config_epoch, ..
        } = &packet.body
        else {
            return;
        };
        let Some(at) = packet.delivered else {
            return;
        };
        let view = scene.view_of(&packet.to);
        let is_known = |id: &NodeId| match view.map(|view| view.entry(id)) {
            Some(entry) => entry.is_some_and(|entry| !entry.has_flag("handshake")),
            // Who was just started again knows the members from its disk.
            None => scene.incarnations().life(&packet.to).incarnation > 1,
        };
        let is_about_hearer = scene.node_of(id) == Some(&packet.to);
        if is_about_hearer || !is_known(id) || !is_known(&packet.header.sender) {
            return;
        }
        self.tally.examined += 1;
        let hearer = self.told.entry(packet.to.clone()).or_default();
        let told = hearer.get(id);
        if told.is_none_or(|told| told.config_epoch < *config_epoch) {
            let config_epoch = *config_epoch;
            hearer.insert(id.clone(), Told { config_epoch, at });
        }
    }

    fn look(&mut self, view: &View, scene: &Scene) {
        let Some(told) = self.told.get(&view.node) else {
            return;
        };
        for (id, told) in told.iter().filter(|(_, told)| told.at < view.asked) {
            let entry = view.table.iter().find(|entry| entry.id == *id);
            // The line of a replica may show its master's epoch.
            let shown = entry.filter(|entry| entry.has_flag("master"));
            let Some(shown) = shown.filter(|it| it.config_epoch < told.config_epoch) else {
                continue;
            };
            if is_paused_within(scene, &view.node, told.at, view.time) {
                continue;
            }
            let what = format!(
                "shows {id} at configEpoch {} after an UPDATE told it of {}",
                shown.config_epoch, told.config_epoch
            );
            let found = finding("UP-13", view.time, &view.node, what);
            let after = view.asked - told.at;
            let key = (view.node.clone(), id.clone());
            self.suspects.insert(key, (after, found));
        }
    }
}
