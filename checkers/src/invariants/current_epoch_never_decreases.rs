//! CE-01: currentEpoch never decreases within an incarnation.
//!
//! Judged per link on the bus, where order is certain, and per node over its views. A restart is a
//! new incarnation (R6): epochs merely learned need not be on disk.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::links::ByLink;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeId, NodeName, Packet, Setting, View};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CE-01",
    title: "currentEpoch never decreases within an incarnation",
    clauses: &["CE-01"],
    need: Need::Essential,
    evidence: Evidence::Cluster,
    help: "currentEpoch is the logical clock of the cluster: each node raises it to the largest \
           it has seen. Compared are the headers of successive packets of one link, and \
           successive answers of one process. A restart begins anew.",
    make: || Box::new(CurrentEpochNeverDecreases::default()),
};

/// The checker of CE-01.
#[derive(Debug, Default)]
pub struct CurrentEpochNeverDecreases {
    on_links: ByLink<(u64, u64)>,
    /// The last answer of each node, and of which incarnation it was. By id: RESET HARD makes a
    /// node somebody else, who has seen no epoch yet (RS-08).
    in_views: BTreeMap<NodeId, (u32, (u64, u64))>,
    tally: Tally,
}

impl Checker for CurrentEpochNeverDecreases {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::View]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => self.judge_packet(packet, scene),
            Happening::View(view) => self.judge_view(view, scene),
            Happening::Lifecycle(_) | Happening::Op(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no two packets of one link were seen",
        )
    }
}

impl CurrentEpochNeverDecreases {
    fn judge_packet(&mut self, packet: &Packet, scene: &Scene) {
        let now = (packet.time, packet.header.current_epoch);
        let Some(before) = self.on_links.insert(scene.link(), now) else {
            return;
        };
        self.tally.examined += 1;
        if now.1 < before.1 {
            let whom = format!("{} (to {})", packet.from, packet.to);
            self.report(&packet.from, &whom, before, now);
        }
    }

    fn judge_view(&mut self, view: &View, scene: &Scene) {
        let life = scene.incarnations().life(&view.node);
        // R1: a poll that spans a restart belongs to no incarnation.
        if view.asked < life.since || life.ended.is_some() {
            return;
        }
        let now = (view.time, view.current_epoch);
        let answer = (life.incarnation, now);
        let Some(last) = self.in_views.get_mut(&view.id) else {
            self.in_views.insert(view.id.clone(), answer);
            return;
        };
        let (incarnation, before) = std::mem::replace(last, answer);
        if incarnation == life.incarnation {
            self.tally.examined += 1;
            if now.1 < before.1 {
                self.report(&view.node, &format!("{} (asked)", view.node), before, now);
            }
        }
    }

    fn report(&mut self, node: &NodeName, whom: &str, before: (u64, u64), now: (u64, u64)) {
        self.tally.findings.push(Violation {
            clause: "CE-01".into(),
            time: now.0,
            message: format!("currentEpoch of {whom} fell from {} to {}", before.1, now.1),
            witness: Witness::default()
                .step(before.0, node, format!("shows currentEpoch {}", before.1))
                .step(now.0, node, format!("shows currentEpoch {}", now.1)),
            known: None,
        });
    }
}
