//! MG-05: a restart keeps the marks of open slots.
//!
//! What nodes.conf held when the process ended stands in the recording, so that what had not been
//! synced is nobody's fault. The node's first view afterwards must show the same marks, unless an
//! operator's order about the slot may have been carried out since, the slot has another owner by
//! now, or the node is no master any more: replicas have none.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{claim_in, finding};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Lifecycle, LifecycleKind, NodeId, NodeName, Setting, View};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "MG-05",
    title: "a restart keeps open slots open",
    clauses: &["MG-05"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "A slot that is marked as migrating or importing is in nodes.conf, and so a master \
           that was killed comes back with it. Judged from the marks that nodes.conf held at the \
           kill and the node's first view after the restart. Not judged: slots that were ordered \
           about or changed owner in between, and nodes that came back as replicas.",
    make: || Box::new(OpenSlotsSurvive::default()),
};

/// The checker of MG-05.
#[derive(Debug, Default)]
pub struct OpenSlotsSurvive {
    /// What nodes that were killed had on disk, until they are seen again.
    stored: BTreeMap<NodeName, Stored>,
    /// Marks that are gone; orders that were under way are known at the end.
    gone: Vec<Gone>,
    tally: Tally,
}

/// The marks on the disk of a node that was killed.
#[derive(Debug)]
struct Stored {
    id: NodeId,
    /// When the question for its last view left, ns.
    seen_from: u64,
    marks: Vec<Mark>,
}

/// A mark as nodes.conf has it, `7->-abc`.
#[derive(Debug)]
struct Mark {
    text: String,
    slot: u16,
    /// The slot's owner in the last view, and its configEpoch.
    owner: Option<(NodeId, u64)>,
}

/// A mark that did not come back.
#[derive(Debug)]
struct Gone {
    node: NodeName,
    mark: String,
    slot: u16,
    seen_from: u64,
    seen_at: u64,
}

impl Checker for OpenSlotsSurvive {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Lifecycle, Sort::View]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Lifecycle(lifecycle) => self.note(lifecycle, scene),
            Happening::View(view) => self.judge(view, scene),
            Happening::Op(_) | Happening::Packet(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let acts = scene.slot_acts();
        for gone in self.gone.drain(..) {
            if acts.touch(&gone.node, gone.slot, gone.seen_from, gone.seen_at) {
                continue;
            }
            self.tally.examined += 1;
            let what = format!("starts without [{}], which its nodes.conf held", gone.mark);
            let found = finding("MG-05", gone.seen_at, &gone.node, what);
            self.tally.findings.push(found);
        }
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no master was killed while a slot was open there",
        )
    }
}

impl OpenSlotsSurvive {
    fn note(&mut self, lifecycle: &Lifecycle, scene: &Scene) {
        if lifecycle.what == LifecycleKind::Started {
            return;
        }
        self.stored.remove(&lifecycle.node);
        let mut marks = stored_marks(&lifecycle.detail).peekable();
        if marks.peek().is_none() {
            return;
        }
        let Some(seen) = scene.view_of(&lifecycle.node) else {
            return;
        };
        let marks = marks.map(|(text, slot)| Mark {
            text: text.into(),
            slot,
            owner: claim_in(&seen.table, slot),
        });
        let stored = Stored {
            id: seen.id.clone(),
            seen_from: seen.asked,
            marks: marks.collect(),
        };
        self.stored.insert(lifecycle.node.clone(), stored);
    }

    fn judge(&mut self, view: &View, scene: &Scene) {
        let life = scene.incarnations().life(&view.node);
        let is_of_this_life = life.ended.is_none() && view.asked >= life.since;
        if self.stored.is_empty() || !is_of_this_life {
            return;
        }
        let Some(stored) = self.stored.remove(&view.node) else {
            return;
        };
        let mut own = view.table.iter().filter(|entry| entry.id == stored.id);
        let own = own.next().filter(|own| own.has_flag("master"));
        let Some(own) = own.filter(|own| own.id == view.id) else {
            return;
        };
        for Mark { text, slot, owner } in stored.marks {
            let (end, peer) = text.split_at(end_of(&text));
            let is_known = view.table.iter().any(|entry| *entry.id.0 == *peer);
            if own.open_slots.iter().any(|open| open.starts_with(end)) {
                self.tally.examined += 1;
            } else if is_known && claim_in(&view.table, slot) == owner {
                self.gone.push(Gone {
                    node: view.node.clone(),
                    mark: text,
                    slot,
                    seen_from: stored.seen_from,
                    seen_at: view.time,
                });
            }
        }
    }
}

/// Where the peer begins in a mark. After a failover there it may be another one (SM-21).
fn end_of(mark: &str) -> usize {
    let arrow = mark.find("->-").or_else(|| mark.find("-<-"));
    arrow.map_or(mark.len(), |arrow| arrow + 3)
}

/// The marks in `vars currentEpoch 6 lastVoteEpoch 6 open 7->-abc 9-<-def`, with their slots.
fn stored_marks(line: &str) -> impl Iterator<Item = (&str, u16)> {
    let words = line.strip_prefix("vars ").unwrap_or_default().split(' ');
    let marks = words.skip_while(|word| *word != "open").skip(1);
    marks.filter_map(|mark| {
        let (slot, _) = mark.split_once("->-").or_else(|| mark.split_once("-<-"))?;
        Some((mark, slot.parse().ok()?))
    })
}
