//! RP-02: a master whose replicas have all failed gets one that another master can spare.
//!
//! Judged by the views of the one replica that has to move (RM-05): as long as each of its views
//! says that it is the one, that its state is ok and that there is an orphan, its patience of 5 s
//! runs; at its end it must have moved.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::by_table::ByTable;
use super::evidence::{finding, is_paused_within};
use super::spare_replicas::{is_the_one_to_move, orphan};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Bounds, NodeId, NodeName, Setting, View};
use crate::observation::{bounds::MILLISECOND, bounds::seconds};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RP-02",
    title: "orphaned masters get a spare replica",
    clauses: &["RP-02", "RM-01", "RM-02", "RM-05"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "When all replicas of a working master have failed, the replica with the smallest id \
           of the master that has most of them, and two healthy ones at least, moves to it after \
           5 s. A replica whose own views say for 5 s and a node timeout without a break that it \
           is the one to move, and to whom, and which stays, breaks the promise.",
    make: || Box::new(OrphansGetReplicas::default()),
};

/// The checker of RP-02.
#[derive(Debug, Default)]
pub struct OrphansGetReplicas {
    orphans: ByTable<Option<NodeId>>,
    called: BTreeMap<NodeName, Call>,
    /// The longest that each replica was called without moving.
    longest: BTreeMap<NodeName, (u64, Call)>,
}

impl Checker for OrphansGetReplicas {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::View(view) => self.note(view, scene),
            Happening::Lifecycle(lifecycle) => {
                self.called.remove(&lifecycle.node);
            }
            Happening::Packet(_) | Happening::Op(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let bounds = Bounds::of(setting);
        let due = 5000 * MILLISECOND + bounds.node_timeout + bounds.slack;
        let mut tally = Tally::default();
        for (node, (until, call)) in std::mem::take(&mut self.longest) {
            tally.examined += 1;
            if until - call.since <= due || is_paused_within(scene, &node, call.since, until) {
                continue;
            }
            let what = format!(
                "does not move to {}, which has no working replica, for {}",
                call.orphan,
                seconds(until - call.since)
            );
            tally.findings.push(finding("RP-02", until, &node, what));
        }
        let nothing = "no master lost all of its replicas while another one could spare one";
        tally.conclude(setting, Completeness::Helpful, nothing)
    }
}

impl OrphansGetReplicas {
    fn note(&mut self, view: &View, scene: &Scene) {
        let seen = scene.view_of(&view.node);
        let orphan = seen.and_then(|seen| {
            let orphaned = |table: &[_]| orphan(table).map(|entry| entry.id.clone());
            self.orphans.of(&view.node, &seen.table, orphaned).as_ref()
        });
        let orphan = orphan
            .filter(|_| seen.is_some_and(is_the_one_to_move))
            .cloned();
        let Some(orphan) = orphan else {
            self.called.remove(&view.node);
            return;
        };
        let known = self.called.get(&view.node);
        let call = match known.filter(|call| call.orphan == orphan) {
            Some(call) => call.clone(),
            None => Call {
                since: view.time,
                orphan,
            },
        };
        let longest = self.longest.get(&view.node);
        if longest
            .is_none_or(|(until, old)| until - old.since < view.asked.saturating_sub(call.since))
        {
            let entry = (view.asked.max(call.since), call.clone());
            self.longest.insert(view.node.clone(), entry);
        }
        self.called.insert(view.node.clone(), call);
    }
}

/// Since when a replica's views call it to a master.
#[derive(Debug, Clone)]
struct Call {
    since: u64,
    orphan: NodeId,
}
