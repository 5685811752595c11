//! CF-05: after the heal the slot maps of all nodes become equal within H_map, and stay so.
//!
//! The clock runs from the last disturbance or the last takeover, whichever is later: a failover
//! that was under way at the heal spreads its own news. Nodes that are dead are not connected and
//! not compared. A run that ended before the bound with unequal maps is undecided.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::convergence::{Calm, Runs};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::bounds::{MILLISECOND, seconds};
use crate::observation::{Bounds, NodeId, NodeName, Ownership, Setting, SlotSet, View, ViewEntry};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation, Word};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CF-05",
    title: "all slot maps become equal after the heal",
    clauses: &["CF-05", "CF-02"],
    need: Need::Essential,
    evidence: Evidence::Cluster,
    help: "Within 2 NT + 2 s + slack after the last fault is healed (or after the last \
           failover, if that is later) all nodes show the same owner for every slot, and go on \
           to. The measured time is part of the verdict.",
    make: || Box::new(SlotMapsAgree::default()),
};

/// The checker of CF-05.
#[derive(Debug, Default)]
pub struct SlotMapsAgree {
    calm: Calm,
    /// The distinct maps seen; runs hold their numbers.
    maps: Vec<SlotMap>,
    /// The last table of each node, and the number of its map.
    last: BTreeMap<NodeName, (Arc<Vec<ViewEntry>>, usize)>,
    runs: Runs<usize>,
    converged_ms: Option<u64>,
}

type SlotMap = Vec<(NodeId, SlotSet)>;

/// Who showed another map too late.
struct Late<'a> {
    node: &'a NodeName,
    asked: u64,
    deadline: u64,
}

impl Checker for SlotMapsAgree {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::View(view) => {
                let map = self.number_of(view);
                self.runs.observe(view, map);
            }
            Happening::Fault(_) | Happening::Lifecycle(_) => self.calm.observe(happening),
            Happening::Op(_) | Happening::Packet(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let examined = self.runs.answers();
        let healed = match self.calm.since(setting) {
            Ok(since) => since,
            Err(why) => return Verdict::undecided(examined, why),
        };
        let takeovers = scene.ownership().takeovers();
        let last_takeover = takeovers.last().map_or(0, |last| last.time);
        let since = healed.max(last_takeover);
        let dead = self.calm.dead();
        let silent = self.runs.silent(setting, since);
        if let Some(node) = silent.iter().find(|node| !dead.contains_key(*node)) {
            let why = format!(
                "{node} was not asked for its slot map after {}",
                seconds(since)
            );
            return Verdict::undecided(examined, why);
        }
        let last = self.runs.last_since(since);
        let Some(wanted) = last
            .values()
            .max_by_key(|run| run.last_asked)
            .map(|run| run.answer)
        else {
            return Verdict::undecided(examined, "no slot map was seen after the heal");
        };
        let deadline = since + Bounds::of(setting).maps_equal();
        let unwanted = self.runs.last_unwanted(since, |map| *map == wanted);
        let settled = last.values().all(|run| run.answer == wanted);
        let late = unwanted.filter(|(_, asked)| *asked > deadline);
        let verdict = match (late, settled) {
            (Some((node, asked)), _) => {
                let late = Late {
                    node,
                    asked,
                    deadline,
                };
                self.violated(since, &late, wanted, scene.ownership())
            }
            (None, true) => Verdict::from_findings(examined, Vec::new(), ""),
            (None, false) => Verdict::undecided(
                examined,
                format!(
                    "maps differ, but the run ended before {}",
                    seconds(deadline)
                ),
            ),
        };
        self.converged_ms = (verdict.word == Word::Held)
            .then(|| unwanted.map_or(0, |(_, asked)| asked.saturating_sub(healed) / MILLISECOND));
        match (setting.too_slow_to_time(), verdict.word) {
            (Some(why), Word::Violated) => Verdict::undecided(examined, why),
            (Some(_) | None, _) => verdict,
        }
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        let figure = self
            .converged_ms
            .map(|time| ("maps_equal_after_heal_ms", time));
        figure.into_iter().collect()
    }
}

impl SlotMapsAgree {
    /// The number of the map that a view shows; views of an unchanged table share it.
    fn number_of(&mut self, view: &View) -> usize {
        let last = self.last.get(&view.node);
        if let Some((_, number)) = last.filter(|(table, _)| Arc::ptr_eq(table, &view.table)) {
            return *number;
        }
        let number = self.search(view);
        let last = (Arc::clone(&view.table), number);
        self.last.insert(view.node.clone(), last);
        number
    }

    fn search(&mut self, view: &View) -> usize {
        let shown = || view.table.iter().filter(|entry| !entry.slots.is_empty());
        let is_equal = |map: &SlotMap| {
            map.len() == shown().count()
                && map
                    .iter()
                    .zip(shown())
                    .all(|((id, slots), entry)| *id == entry.id && *slots == entry.slots)
        };
        if let Some(number) = self.maps.iter().rposition(is_equal) {
            return number;
        }
        let map = shown().map(|entry| (entry.id.clone(), entry.slots.clone()));
        self.maps.push(map.collect());
        self.maps.len() - 1
    }

    fn violated(
        &self,
        since: u64,
        late: &Late<'_>,
        wanted: usize,
        ownership: &Ownership,
    ) -> Verdict {
        let Late {
            node,
            asked,
            deadline,
        } = *late;
        let mut witness = Witness::default().step(since, "nemesis", "the last disturbance is over");
        for (other, run) in self.runs.last_since(since) {
            let what = match run.answer == wanted {
                true => "shows the map of the last view".to_string(),
                false => format!("shows {}", self.told(run.answer, ownership)),
            };
            witness = witness.step(run.first.max(since), other, what);
        }
        let message = format!(
            "{node} still had another slot map at {}; all were due to agree by {}",
            seconds(asked),
            seconds(deadline)
        );
        let violation = Violation {
            clause: "CF-05".into(),
            time: asked,
            message,
            witness: witness.step(asked, node, "was asked and differs"),
            known: None,
        };
        Verdict::from_findings(self.runs.answers(), vec![violation], "")
    }

    fn told(&self, map: usize, ownership: &Ownership) -> String {
        let name = |id: &NodeId| match ownership.name(id) {
            Some(name) => name.to_string(),
            None => id.to_string(),
        };
        let owners = self.maps[map]
            .iter()
            .map(|(id, slots)| format!("{}: {slots}", name(id)));
        owners.collect::<Vec<_>>().join(", ")
    }
}
