//! HI-13: with min-replicas-to-write, a master without enough replicas acknowledges no write.
//!
//! A replica counts as long as the master heard of it within min-replicas-max-lag. Not heard of is
//! one that was down, stood still, or was cut off from the master all the time; every node that
//! was the master's replica at any time of the run is taken for one all the time. A server counts
//! its replicas once a second, so lag and count may each be a second old.

use std::collections::{BTreeMap, BTreeSet};

use super::bus_evidence::{Completeness, Tally};
use super::data_cuts::DataCuts;
use super::evidence::{finding, is_paused_within};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Operation, Outcome};
use crate::observation::bounds::{MILLISECOND, seconds};
use crate::observation::{Bounds, NodeId, NodeName, Setting, View};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-13",
    title: "writes wait for enough replicas where that is configured",
    clauses: &["HI-13", "CF-20"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "With min-replicas-to-write and min-replicas-max-lag (option --config), a master that \
           has not heard of so many replicas for the lag, 2 s and the slack answers NOREPLICAS to \
           writes. Judged from acknowledged writes of masters whose replicas were killed, paused \
           or cut off from them; a master that stood still lately is not judged. What is lost by \
           failovers is bounded by that time (HI-05).",
    make: || Box::new(WritesNeedReplicas::default()),
};

/// The checker of HI-13.
#[derive(Debug, Default)]
pub struct WritesNeedReplicas {
    cuts: DataCuts,
    /// Who said, in any view, that it is a replica of whom.
    replicas: BTreeMap<NodeId, BTreeSet<NodeName>>,
    /// One acknowledged write of each node in each tenth of a second.
    writes: Vec<Write>,
    /// When the last one of each node was.
    last: BTreeMap<NodeName, u64>,
}

/// An acknowledged write.
#[derive(Debug)]
struct Write {
    node: NodeName,
    id: NodeId,
    invoked: u64,
    completed: u64,
}

impl Checker for WritesNeedReplicas {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Op, Sort::View, Sort::Fault]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Op(_) => {
                if let Some(operation) = scene.operation() {
                    self.note(operation, scene);
                }
            }
            Happening::View(view) => self.note_role(view),
            Happening::Fault(fault) => self.cuts.observe(fault),
            Happening::Packet(_) | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let wanted = setting.config.number("min-replicas-to-write", 0);
        let lag = setting.config.number("min-replicas-max-lag", 10);
        // CF-20: 0 of either switches it off.
        if wanted == 0 || lag == 0 {
            return Verdict::undecided(0, "no replica is asked for: min-replicas-to-write is 0");
        }
        let slack = Bounds::of(setting).slack;
        let silence_max = lag.saturating_mul(1000 * MILLISECOND) + 2000 * MILLISECOND + slack;
        let mut tally = Tally::default();
        for write in std::mem::take(&mut self.writes) {
            tally.examined += 1;
            let silences = self.silences(&write, scene);
            let near = silences.iter().filter(|silence| **silence <= silence_max);
            if (near.count() as u64) < wanted {
                let longest = silences.into_iter().max().map_or_else(
                    || "it never had a replica".into(),
                    |silence| format!("the last one is silent for {}", seconds(silence)),
                );
                let what = format!(
                    "acknowledges a write though it cannot have {wanted} replicas within a lag of \
                     {lag} s (min-replicas-to-write): {longest}"
                );
                let found = finding("HI-13", write.completed, &write.node, what);
                tally.findings.push(found);
            }
        }
        let nothing = "no write was acknowledged";
        tally.conclude(setting, Completeness::Helpful, nothing)
    }
}

impl WritesNeedReplicas {
    fn note_role(&mut self, view: &View) {
        let mut own = view.table.iter().filter(|entry| entry.id == view.id);
        if let Some(master) = own.next().and_then(|own| own.master.as_ref()) {
            let known = self.replicas.get_mut(master);
            match known {
                Some(known) if known.contains(&view.node) => {}
                Some(known) => {
                    known.insert(view.node.clone());
                }
                None => {
                    let first = BTreeSet::from([view.node.clone()]);
                    self.replicas.insert(master.clone(), first);
                }
            }
        }
    }

    fn note(&mut self, operation: &Operation, scene: &Scene) {
        let is_acknowledged = operation.outcome == Outcome::Ok && operation.f.surely_writes();
        let (Some(node), true) = (&operation.node, is_acknowledged) else {
            return;
        };
        let last = self.last.get(node).copied().unwrap_or_default();
        let is_due = last == 0 || operation.completed >= last + SAMPLE;
        let lately = operation.invoked.saturating_sub(SETTLED);
        if !is_due || is_paused_within(scene, node, lately, operation.completed) {
            return;
        }
        if let Some(seen) = scene.view_of(node) {
            self.last.insert(node.clone(), operation.completed);
            self.writes.push(Write {
                node: node.clone(),
                id: seen.id.clone(),
                invoked: operation.invoked,
                completed: operation.completed,
            });
        }
    }

    /// For how long each replica can have told the master nothing when the write was sent, ns.
    fn silences(&self, write: &Write, scene: &Scene) -> Vec<u64> {
        let followers = scene.timeline().followers(&write.id);
        let mut names: BTreeSet<&NodeName> = followers.filter_map(|id| scene.node_of(id)).collect();
        names.extend(self.replicas.get(&write.id).into_iter().flatten());
        let since = |replica: &NodeName| {
            self.cuts
                .silent_since(replica, &write.node, write.completed, scene)
        };
        let silences = names.into_iter().map(since);
        silences
            .map(|since| write.invoked.saturating_sub(since))
            .collect()
    }
}

/// From one write of a node that is judged to the next, ns.
const SAMPLE: u64 = 100 * MILLISECOND;
/// How long after a pause a server has counted its replicas again, ns.
const SETTLED: u64 = 3000 * MILLISECOND;
