//! CE-04: no configEpoch is above the currentEpoch that goes with it.
//!
//! Judged in each bus header and in each view. CLUSTER INFO and CLUSTER NODES are two commands: the
//! table of a view is held against the currentEpoch of the node's next view, which is later for
//! certain; the node's own epoch comes from the same answer and is compared at once.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeId, NodeName, Packet, Setting, View};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CE-04",
    title: "configEpoch is never above currentEpoch",
    clauses: &["CE-04"],
    need: Need::Essential,
    evidence: Evidence::Cluster,
    help: "A new configEpoch is always a raised currentEpoch, so no node may show one that is \
           above the other. Judged in every packet's header, in every view for the node itself, \
           and for its node table against its next view.",
    make: || Box::new(ConfigEpochNeverAboveCurrent::default()),
};

/// The checker of CE-04.
#[derive(Debug, Default)]
pub struct ConfigEpochNeverAboveCurrent {
    /// The last table of each node: its incarnation, the time, the largest configEpoch in it. By
    /// id: RESET HARD makes a node somebody else, who has seen no epoch yet (RS-08).
    tables: BTreeMap<NodeId, (u32, u64, u64)>,
    tally: Tally,
}

impl Checker for ConfigEpochNeverAboveCurrent {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::View]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => self.judge_packet(packet),
            Happening::View(view) => self.judge_view(view, scene),
            Happening::Lifecycle(_) | Happening::Op(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no packet and no view was seen",
        )
    }
}

impl ConfigEpochNeverAboveCurrent {
    fn judge_packet(&mut self, packet: &Packet) {
        self.tally.examined += 1;
        let header = &packet.header;
        if header.config_epoch > header.current_epoch {
            let what = format!(
                "sends a {:?} to {} with configEpoch {} and currentEpoch {}",
                packet.kind, packet.to, header.config_epoch, header.current_epoch
            );
            self.report(packet.time, &packet.from, what);
        }
    }

    fn judge_view(&mut self, view: &View, scene: &Scene) {
        self.tally.examined += 1;
        if view.my_epoch > view.current_epoch {
            let what = format!(
                "answers that its configEpoch is {} and its currentEpoch {}",
                view.my_epoch, view.current_epoch
            );
            self.report(view.time, &view.node, what);
        }
        let life = scene.incarnations().life(&view.node);
        if view.asked < life.since || life.ended.is_some() {
            return;
        }
        let largest = view.table.iter().map(|entry| entry.config_epoch).max();
        let now = (life.incarnation, view.time, largest.unwrap_or(0));
        let Some(last) = self.tables.get_mut(&view.id) else {
            self.tables.insert(view.id.clone(), now);
            return;
        };
        let (incarnation, time, table) = std::mem::replace(last, now);
        if incarnation == life.incarnation && table > view.current_epoch {
            let what = format!(
                "lists a node with configEpoch {table}, and later answers that its currentEpoch \
                 is {}",
                view.current_epoch
            );
            self.report(time, &view.node, what);
        }
    }

    fn report(&mut self, time: u64, node: &NodeName, what: String) {
        self.tally.findings.push(Violation {
            clause: "CE-04".into(),
            time,
            message: format!("{node} {what}"),
            witness: Witness::default().step(time, node, what),
            known: None,
        });
    }
}
