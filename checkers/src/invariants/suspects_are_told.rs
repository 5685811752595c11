//! FD-19, GO-09: every heartbeat names the nodes that its sender suspects.
//!
//! A suspicion that two successive views of a node show was there all the time in between: a
//! heartbeat from then must carry it. The tick that counts suspects is allowed for: until then a
//! new one may push out any other.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::by_table::ByTable;
use super::evidence::{Seen, finding};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{
    Body, Bounds, GossipEntry, NodeId, NodeName, Packet, Setting, View, ViewEntry, bounds::CRON,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "FD-19",
    title: "heartbeats name every suspect",
    clauses: &["FD-19", "GO-09"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "Failure detection works only if suspicions are told: besides a few random nodes, \
           each PING and PONG carries every node that its sender holds for PFAIL. Judged \
           between two views of the sender that both show the suspicion; heartbeats to the \
           suspect itself are left out, and those up to two ticks after a view with a new one.",
    make: || Box::new(SuspectsAreTold::default()),
};

/// The checker of FD-19.
#[derive(Debug, Default)]
pub struct SuspectsAreTold {
    /// Suspects of a node's last view, and since when no new one was among them.
    shown: BTreeMap<NodeName, Vec<Shown>>,
    is_one_shown: ByTable<bool>,
    silences: Vec<Silence>,
    tally: Tally,
}

impl Checker for SuspectsAreTold {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::View, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => {
                if let Body::Gossip(entries) = &packet.body {
                    self.judge(packet, entries);
                }
            }
            Happening::View(view) => self.note_view(view, scene),
            Happening::Lifecycle(lifecycle) => {
                self.shown.remove(&lifecycle.node);
            }
            Happening::Op(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let bounds = Bounds::of(setting);
        for silence in std::mem::take(&mut self.silences) {
            // A suspicion that ended and came back takes a node timeout.
            let is_steady = silence.gap < bounds.node_timeout;
            let counted = silence.since + 2 * CRON + bounds.reading;
            if is_steady && silence.time >= counted {
                let what = format!(
                    "suspects {} and sends {} a heartbeat that does not say so",
                    silence.suspect, silence.to
                );
                self.tally
                    .findings
                    .push(finding("FD-19", silence.time, &silence.by, what));
            }
        }
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "nobody was suspected for long",
        )
    }
}

impl SuspectsAreTold {
    fn judge(&mut self, packet: &Packet, entries: &[GossipEntry]) {
        if self.shown.is_empty() {
            return;
        }
        let Some(shown) = self.shown.get_mut(&packet.from) else {
            return;
        };
        for suspect in shown {
            let is_told = entries.iter().any(|entry| entry.id == suspect.id);
            if !is_told && suspect.name.as_ref() != Some(&packet.to) {
                suspect.untold.push((packet.time, packet.to.clone()));
            }
        }
    }

    fn note_view(&mut self, view: &View, scene: &Scene) {
        let is_one_shown = |table: &[ViewEntry]| table.iter().any(is_suspect);
        let is_one_shown = *self.is_one_shown.of(&view.node, &view.table, is_one_shown);
        let Some(before) = scene.view_before().filter(|_| is_one_shown) else {
            self.shown.remove(&view.node);
            return;
        };
        let earlier = self.shown.remove(&view.node).unwrap_or_default();
        let still = || view.table.iter().filter(|entry| is_suspect(entry));
        let known = |entry: &ViewEntry| earlier.iter().find(|known| known.id == entry.id);
        let is_one_new = still().any(|entry| known(entry).is_none());
        let mut shown = Vec::new();
        for entry in still() {
            let known = known(entry).filter(|_| !is_one_new);
            if let Some(known) = known {
                self.confirm(known, before, view);
            }
            shown.push(Shown {
                id: entry.id.clone(),
                name: scene.ownership().name(&entry.id).cloned(),
                since: known.map_or(view.time, |known| known.since),
                untold: Vec::new(),
            });
        }
        if !shown.is_empty() {
            self.shown.insert(view.node.clone(), shown);
        }
    }

    /// The suspicion held from the view before to this one.
    fn confirm(&mut self, known: &Shown, before: &Seen, view: &View) {
        self.tally.examined += 1;
        let silences = known.untold.iter().filter(|(time, _)| *time < view.asked);
        self.silences.extend(silences.map(|(time, to)| Silence {
            time: *time,
            by: view.node.clone(),
            to: to.clone(),
            suspect: known.id.clone(),
            since: known.since,
            gap: view.time - before.asked,
        }));
    }
}

/// GO-09: suspects without an address are not told.
fn is_suspect(entry: &ViewEntry) -> bool {
    entry.has_flag("fail?") && !entry.has_flag("noaddr") && !entry.has_flag("handshake")
}

/// A suspect in a node's last view.
#[derive(Debug)]
struct Shown {
    id: NodeId,
    /// Its name, if it is known.
    name: Option<NodeName>,
    since: u64,
    /// Heartbeats since the last view that did not name it.
    untold: Vec<(u64, NodeName)>,
}

/// A heartbeat that does not name a suspect.
#[derive(Debug)]
struct Silence {
    time: u64,
    by: NodeName,
    to: NodeName,
    suspect: NodeId,
    since: u64,
    /// Length of the time between the two views.
    gap: u64,
}
