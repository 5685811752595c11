//! CE-01: currentEpoch never decreases within an incarnation.
//!
//! Judged per link on the bus, where order is certain, and per node over its views. A restart is a
//! new incarnation (R6): epochs merely learned need not be on disk.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, conclude};
use super::links::Link;
use crate::checker::{Checker, Entry, Evidence, Happening, Need};
use crate::observation::{Incarnations, NodeName, Packet, Setting, View};
use crate::verdict::{Findings, Verdict, Violation};
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
    incarnations: Incarnations,
    on_links: BTreeMap<Link, (u64, u64)>,
    in_views: BTreeMap<(NodeName, u32), (u64, u64)>,
    examined: u64,
    findings: Findings,
}

impl Checker for CurrentEpochNeverDecreases {
    fn observe(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Packet(packet) => self.judge_packet(packet),
            Happening::View(view) => self.judge_view(view),
            Happening::Lifecycle(lifecycle) => self.incarnations.observe(lifecycle),
            Happening::Op(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting) -> Verdict {
        let findings = std::mem::take(&mut self.findings);
        let nothing = "no two packets of one link were seen";
        conclude(
            setting,
            Completeness::Helpful,
            self.examined,
            findings,
            nothing,
        )
    }
}

impl CurrentEpochNeverDecreases {
    fn judge_packet(&mut self, packet: &Packet) {
        let now = (packet.time, packet.header.current_epoch);
        let link = Link::of(packet, &self.incarnations);
        let Some(before) = self.on_links.insert(link, now) else {
            return;
        };
        self.examined += 1;
        if now.1 < before.1 {
            let whom = format!("{} (to {})", packet.from, packet.to);
            self.report(&packet.from, &whom, before, now);
        }
    }

    fn judge_view(&mut self, view: &View) {
        let life = self.incarnations.life(&view.node);
        // R1: a poll that spans a restart belongs to no incarnation.
        if view.asked < life.since || life.ended.is_some() {
            return;
        }
        let now = (view.time, view.current_epoch);
        let key = (view.node.clone(), life.incarnation);
        if let Some(before) = self.in_views.insert(key, now) {
            self.examined += 1;
            if now.1 < before.1 {
                self.report(&view.node, &format!("{} (asked)", view.node), before, now);
            }
        }
    }

    fn report(&mut self, node: &NodeName, whom: &str, before: (u64, u64), now: (u64, u64)) {
        self.findings.push(Violation {
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
