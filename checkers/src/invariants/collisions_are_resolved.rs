//! CE-05, CE-06: of two masters with one configEpoch the one with the smaller id takes a new one.
//!
//! The moment of decision is a heartbeat of the one that reaches the other. If the receiver has the
//! smaller id, no later header of it may show the old epoch. And a master changes its epoch outside
//! an election only if a master with a greater id shared it, or an operator ordered it.

use std::collections::{BTreeMap, BTreeSet};

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{finding, is_paused_within};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{
    Bounds, Fault, FaultKind, FaultPhase, NodeId, NodeName, Packet, PacketKind, Setting,
    bounds::MILLISECOND,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CE-06",
    title: "two masters with one configEpoch part, the smaller id moves",
    clauses: &["CE-05", "CE-06", "EP-20", "EP-22"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "BUMPEPOCH, TAKEOVER and reshards take epochs without asking anybody, so two masters \
           may have the same one. At the first heartbeat from the other the one with the smaller \
           id takes the next epoch (CE-05), and nobody else does (CE-06): if both moved they \
           would chase each other. Changes that an operator ordered are left out.",
    make: || Box::new(CollisionsAreResolved::default()),
};

/// The checker of CE-06.
#[derive(Debug, Default)]
pub struct CollisionsAreResolved {
    reigns: BTreeMap<NodeName, Reign>,
    /// Masters that ever showed an epoch.
    holders: BTreeMap<u64, BTreeSet<NodeId>>,
    /// Orders of an operator that change epochs: to whom, from and until when, how often at most.
    orders: Vec<(NodeName, u64, u64, u32)>,
    stays: Vec<Stay>,
    /// Changes that no collision explains: when, whose, and how told.
    changes: Vec<(u64, NodeName, String)>,
    tally: Tally,
}

impl Checker for CollisionsAreResolved {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => {
                self.note_sender(packet, scene);
                self.note_meeting(packet, scene);
            }
            Happening::Fault(fault) => self.note_order(fault),
            Happening::Lifecycle(lifecycle) => {
                self.reigns.remove(&lifecycle.node);
            }
            Happening::Op(_) | Happening::View(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let reading = Bounds::of(setting).reading;
        for stay in std::mem::take(&mut self.stays) {
            let is_paused = is_paused_within(scene, &stay.node, stay.met, stay.time);
            if is_paused || stay.met + reading >= stay.time {
                continue;
            }
            let what = format!(
                "keeps configEpoch {} after it heard the same from {}, whose id is greater",
                stay.epoch, stay.other
            );
            self.tally
                .findings
                .push(finding("CE-05", stay.time, &stay.node, what));
        }
        // An order is on record only after it was carried out.
        for (time, node, what) in std::mem::take(&mut self.changes) {
            if !self.is_ordered(time, &node) {
                self.tally
                    .findings
                    .push(finding("CE-06", time, &node, what));
            }
        }
        self.tally.conclude(
            setting,
            Completeness::Proving,
            "no two masters had one configEpoch",
        )
    }
}

impl CollisionsAreResolved {
    fn note_order(&mut self, fault: &Fault) {
        if !fault.kind.is_administrative() || fault.kind == FaultKind::Failover {
            return;
        }
        let changes_max = match fault.kind == FaultKind::BumpEpoch {
            true => 1,
            false => u32::MAX,
        };
        match &fault.phase {
            FaultPhase::Installed | FaultPhase::Indeterminate(_) => {
                for node in &fault.targets {
                    let until = u64::MAX;
                    let order = (node.clone(), fault.begun, until, changes_max);
                    self.orders.push(order);
                }
            }
            FaultPhase::Healed => {
                let until = fault.time + AFTERMATH;
                let same = |order: &&mut (NodeName, u64, u64, u32)| {
                    order.1 == fault.begun && fault.targets.contains(&order.0)
                };
                self.orders
                    .iter_mut()
                    .filter(same)
                    .for_each(|order| order.2 = until);
            }
            FaultPhase::Skipped(_) | FaultPhase::Answered(_) => {}
        }
    }

    /// What the sender's header shows of its own epoch.
    fn note_sender(&mut self, packet: &Packet, scene: &Scene) {
        let header = &packet.header;
        if !header.is_master() {
            self.reigns.remove(&packet.from);
            return;
        }
        let epoch = header.config_epoch;
        let known = self.reigns.get_mut(&packet.from);
        match known {
            Some(reign) if epoch == reign.epoch => {
                if let Some((other, met)) = reign.greater.take_if(|(_, met)| *met < packet.time) {
                    self.stays.push(Stay {
                        time: packet.time,
                        node: packet.from.clone(),
                        epoch,
                        other,
                        met,
                    });
                }
            }
            // R3: old content sent again.
            Some(reign) if epoch < reign.epoch => {}
            Some(reign) => {
                reign.greater = None;
                let old = std::mem::replace(&mut reign.epoch, epoch);
                self.hold(epoch, &header.sender);
                self.judge_change(packet, old, scene);
            }
            None => {
                let reign = Reign {
                    id: header.sender.clone(),
                    epoch,
                    greater: None,
                };
                self.reigns.insert(packet.from.clone(), reign);
                self.hold(epoch, &header.sender);
            }
        }
    }

    fn hold(&mut self, epoch: u64, id: &NodeId) {
        self.holders.entry(epoch).or_default().insert(id.clone());
    }

    fn judge_change(&mut self, packet: &Packet, old: u64, scene: &Scene) {
        let header = &packet.header;
        self.tally.examined += 1;
        let holders = self.holders.get(&old);
        let is_shared = holders.is_some_and(|ids| ids.iter().any(|id| *id > header.sender));
        let election = scene
            .promotions()
            .request(&header.sender, header.config_epoch);
        if is_shared || old == 0 || election.is_some() {
            return;
        }
        let what = format!(
            "changes its configEpoch from {old} to {}, but no master with a greater id had {old}",
            header.config_epoch
        );
        self.changes.push((packet.time, packet.from.clone(), what));
    }

    fn is_ordered(&mut self, time: u64, by: &NodeName) -> bool {
        let mut orders = self.orders.iter_mut();
        let order = orders.find(|(node, from, until, left)| {
            *node == *by && (*from..=*until).contains(&time) && *left > 0
        });
        if let Some(order) = order {
            order.3 = order.3.saturating_sub(1);
            return true;
        }
        false
    }

    /// A master's heartbeat on its way to another one with the same epoch and a smaller id.
    fn note_meeting(&mut self, packet: &Packet, scene: &Scene) {
        let header = &packet.header;
        let is_beat = packet.kind.is_heartbeat() && packet.kind != PacketKind::Meet;
        let Some(delivered) = packet.delivered.filter(|_| is_beat && header.is_master()) else {
            return;
        };
        let Some(reign) = self.reigns.get_mut(&packet.to) else {
            return;
        };
        let collides = reign.epoch == header.config_epoch && reign.id < header.sender;
        if !collides || reign.greater.is_some() || header.config_epoch == 0 {
            return;
        }
        // HS-15, EP-23: the receiver must know the sender, as a master.
        let seen = scene.view_of(&packet.to);
        let entry = seen.and_then(|seen| seen.entry(&header.sender));
        let is_known = entry.is_some_and(|entry| {
            entry.master.is_none() && entry.has_flag("master") && !entry.has_flag("handshake")
        });
        if is_known {
            self.tally.examined += 1;
            reign.greater = Some((header.sender.clone(), delivered));
        }
    }
}

/// A master, its epoch, and who with a greater id was heard to share it, when.
#[derive(Debug)]
struct Reign {
    id: NodeId,
    epoch: u64,
    greater: Option<(NodeId, u64)>,
}

/// A header that shows an epoch which its sender had to leave.
#[derive(Debug)]
struct Stay {
    time: u64,
    node: NodeName,
    epoch: u64,
    other: NodeId,
    met: u64,
}

/// How long after an act its effects may still show, ns.
const AFTERMATH: u64 = 1000 * MILLISECOND;
