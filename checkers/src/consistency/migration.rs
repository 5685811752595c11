//! The move of a slot between a write and the read that misses it: MG-01, MG-06.
//!
//! What was ordered about the slot stands in the fault log. The loss belongs to the move; whether a
//! node failed meanwhile decides which promise it breaks. Nothing here judges.

use std::collections::BTreeSet;
use std::fmt;

use crate::history::Operation;
use crate::observation::NodeName;
use crate::observation::bounds::seconds;
use crate::observation::slot_acts::{SlotAct, SlotWord};
use crate::scene::Scene;
use crate::witness::Witness;

/// A slot on its way from one master to another.
#[derive(Debug)]
pub struct Migration<'a> {
    slot: u16,
    acts: Vec<&'a SlotAct>,
    nodes: BTreeSet<&'a NodeName>,
    has_failed: bool,
}

impl<'a> Migration<'a> {
    /// What was ordered about the slot and done between the write and the read, if that moved it.
    pub fn of(
        slot: u16,
        write: &Operation,
        read: &Operation,
        scene: &'a Scene,
    ) -> Option<Migration<'a>> {
        let acts: Vec<&SlotAct> = scene.slot_acts().about(slot).collect();
        let is_between = |act: &&SlotAct| {
            act.answered >= write.invoked && act.asked <= read.completed.min(read.invoked)
        };
        let is_move = |act: &SlotAct| matches!(act.word, SlotWord::Node(_));
        if !acts.iter().any(|act| is_between(act) && is_move(act)) {
            return None;
        }
        let (first, last) = (acts.first()?.asked, acts.last()?.asked);
        let nodes: BTreeSet<&NodeName> = acts.iter().map(|act| &act.node).collect();
        let timeline = scene.timeline();
        let is_within = |begin: u64, end: u64| begin <= last && end >= first;
        let mut outages = timeline.outages.iter();
        let mut cuts = timeline.cuts.values();
        let has_failed = outages
            .any(|out| nodes.contains(&out.node) && is_within(out.ended, out.restarted))
            || cuts.any(|cut| {
                nodes.iter().any(|node| cut.touches(node)) && is_within(cut.begun, cut.healed)
            });
        Some(Migration {
            slot,
            acts,
            nodes,
            has_failed,
        })
    }

    /// The promise that the loss breaks.
    pub fn clause(&self) -> &'static str {
        match self.has_failed {
            true => "MG-06",
            false => "MG-01",
        }
    }

    /// The same story with what was ordered.
    pub fn tell(&self, witness: Witness) -> Witness {
        self.acts.iter().fold(witness, |witness, act| {
            let (slot, word) = (self.slot, &act.word);
            let what = match word {
                SlotWord::Migrating(_) => format!("is told that slot {slot} is to go"),
                SlotWord::Importing(_) => format!("is told that slot {slot} is to come"),
                SlotWord::Node(owner) => format!("is told that slot {slot} belongs to {owner}"),
                SlotWord::Stable => format!("is told that slot {slot} stays where it is"),
            };
            witness.step(act.asked, &act.node, what)
        })
    }
}

impl fmt::Display for Migration<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = self.acts.iter().map(|act| act.asked);
        let (first, last) = (times.clone().min(), times.max());
        let names = self.nodes.iter().map(ToString::to_string);
        write!(
            out,
            ", after slot {} was moved between {} and {} ({})",
            self.slot,
            seconds(first.unwrap_or(0)),
            seconds(last.unwrap_or(0)),
            names.collect::<Vec<_>>().join(", ")
        )
    }
}
