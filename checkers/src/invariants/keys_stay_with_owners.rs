//! MG-02: at rest a master holds no keys of slots that another master owns.
//!
//! At the end of the run, when nobody writes any more, each master was asked for all its keys; the
//! recording has their slots. What a master holds outside its own slots was left there by a move of
//! the slot, or written to a node that must not serve it; if the owner holds keys of the slot as
//! well, the same key may be on two masters. Nothing is judged of slots that are still open, that
//! nobody owns, and of nodes at which an operator opened a slot and closed it again: what came in
//! between stays where it came to, and that is documented.

use std::collections::BTreeSet;

use super::convergence::Calm;
use super::evidence::{Seen, finding};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::bounds::MILLISECOND;
use crate::observation::{
    Bounds, Dataset, FaultKind, FaultPhase, NodeName, Setting, SlotSet, ViewEntry,
};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation};

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "MG-02",
    title: "at rest no key is on a master that does not own its slot",
    clauses: &["MG-02"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "When all faults are healed and clients have stopped, each master is asked for its keys \
           (SCAN). A key of a slot that another master owns is a leftover of a move or a write \
           to the wrong node: nobody will be sent there, and if the slot comes back it shows an \
           old value. Such keys are worst where the owner has keys of the slot too.",
    make: || Box::new(KeysStayWithOwners::default()),
};

/// The checker of MG-02.
#[derive(Debug, Default)]
pub struct KeysStayWithOwners {
    calm: Calm,
    /// Nodes at which an operator opened a slot.
    opened: BTreeSet<NodeName>,
}

impl Checker for KeysStayWithOwners {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::Fault(fault) => {
                let is_done = !matches!(fault.phase, FaultPhase::Skipped(_));
                if fault.kind == FaultKind::OpenSlot && is_done {
                    self.opened.extend(fault.targets.iter().cloned());
                }
                self.calm.observe(happening);
            }
            Happening::Lifecycle(_) => self.calm.observe(happening),
            Happening::Packet(_) | Happening::View(_) | Happening::Op(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let since = match self.calm.since(setting) {
            Ok(since) => since,
            Err(why) => return Verdict::undecided(0, why),
        };
        let takeovers = scene.ownership().takeovers();
        let last_takeover = takeovers.last().map_or(0, |last| last.time);
        // Who loses a slot deletes its keys at once.
        let since = since.max(last_takeover) + 1000 * MILLISECOND + Bounds::of(setting).slack;
        let (mut examined, mut found) = (0, Vec::new());
        for dataset in &setting.datasets {
            let Some(held) = &dataset.slots else {
                continue;
            };
            let seen = scene.view_of(&dataset.node);
            let masters = seen.filter(|seen| seen.my_master().is_none());
            let Some(seen) = masters.filter(|seen| seen.asked >= since) else {
                continue;
            };
            if dataset.time < since || self.opened.contains(&dataset.node) {
                continue;
            }
            examined += held.len() as u64;
            found.extend(strays(dataset, held, seen, &Among { setting, scene }));
        }
        match examined {
            0 => Verdict::undecided(0, "no master was asked for its keys at rest"),
            _ => Verdict::from_findings(examined, found, ""),
        }
    }
}

/// Where other nodes are looked up.
struct Among<'a> {
    setting: &'a Setting,
    scene: &'a Scene,
}

impl Among<'_> {
    /// What the node of a line holds.
    fn dataset_of(&self, entry: &ViewEntry) -> Option<&Dataset> {
        let name = self.scene.node_of(&entry.id)?;
        let mut datasets = self.setting.datasets.iter();
        datasets.find(|dataset| dataset.node == *name)
    }
}

/// One finding for each other master whose slots have keys here.
fn strays(dataset: &Dataset, held: &SlotSet, seen: &Seen, among: &Among<'_>) -> Vec<Violation> {
    let others = seen.table.iter().filter(|entry| entry.id != seen.id);
    let with_keys = others.filter_map(|owner| {
        let mut stray = held.intersection(&owner.slots);
        stray.remove_all(&open_slots(seen));
        (!stray.is_empty()).then_some((owner, stray))
    });
    let told = with_keys.map(|(owner, stray)| {
        let (name, theirs) = match among.dataset_of(owner) {
            Some(theirs) => (theirs.node.to_string(), theirs.slots.as_ref()),
            None => (owner.id.to_string(), None),
        };
        let twice = theirs.map(|theirs| theirs.intersection(&stray));
        let twice = match twice.filter(|twice| !twice.is_empty()) {
            Some(twice) => format!(", who holds keys of {twice} as well"),
            None => String::new(),
        };
        let what = format!("holds keys of the slots {stray}, which {name} owns{twice}");
        finding("MG-02", dataset.time, &dataset.node, what)
    });
    told.collect()
}

/// Slots that the node itself says are on their way: `[77->-id]`, `[77-<-id]`.
fn open_slots(seen: &Seen) -> SlotSet {
    let mut open = SlotSet::default();
    let marks = seen.table.iter().flat_map(|entry| &entry.open_slots);
    for mark in marks {
        let number = mark.split('-').next().and_then(|slot| slot.parse().ok());
        if let Some(slot) =
            number.filter(|slot: &u16| *slot < crate::observation::slots::SLOT_COUNT)
        {
            open.insert(slot);
        }
    }
    open
}
