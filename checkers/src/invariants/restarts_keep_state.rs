//! DU-02: a restarted node says what it said before: currentEpoch of its votes, role, claims.
//!
//! Compared are the last header of one life and the first of the next. What the node may have
//! learned after that last header explains some changes; those are not judged: a master may turn
//! out demoted by a newer owner, and slots may have gone to one.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeId, NodeName, Packet, PacketKind, Setting, SlotSet};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "DU-02",
    title: "a restart keeps epochs, role and slots",
    clauses: &["DU-02", "DU-03", "CE-02"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "nodes.conf is written before what depends on it is said, so the first header after a \
           restart must not fall behind the last one before: not below the epoch of a vote or \
           an election it took part in (CE-02), no master that forgets its promotion (DU-03) or \
           its claim, no replica that forgets its master.",
    make: || Box::new(RestartsKeepState::default()),
};

/// The checker of DU-02.
#[derive(Debug, Default)]
pub struct RestartsKeepState {
    lives: BTreeMap<NodeName, Life>,
    tally: Tally,
}

impl Checker for RestartsKeepState {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => self.judge(packet, scene),
            Happening::Op(_)
            | Happening::View(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally
            .conclude(setting, Completeness::Helpful, "no node was restarted")
    }
}

impl RestartsKeepState {
    fn judge(&mut self, packet: &Packet, scene: &Scene) {
        let header = &packet.header;
        let incarnation = scene.incarnation();
        let fresh = || Life {
            incarnation,
            id: header.sender.clone(),
            engaged: 0,
            is_master: header.is_master(),
            config_epoch: header.config_epoch,
            slots: header.slots.clone(),
        };
        let life = self.lives.entry(packet.from.clone()).or_insert_with(fresh);
        if life.incarnation != incarnation && life.id == header.sender {
            self.tally.examined += 1;
            if let Some((clause, what)) = objection(life, packet, scene) {
                self.tally
                    .findings
                    .push(finding(clause, packet.time, &packet.from, what));
            }
        }
        let is_engaging = [PacketKind::AuthAck, PacketKind::AuthRequest].contains(&packet.kind);
        let engaged = match is_engaging {
            true => header.current_epoch,
            false => 0,
        };
        life.engaged = life.engaged.max(engaged);
        life.incarnation = incarnation;
        life.is_master = header.is_master();
        life.config_epoch = header.config_epoch;
        if life.id != header.sender {
            life.id = header.sender.clone();
        }
        if life.slots != header.slots {
            life.slots = header.slots.clone();
        }
    }
}

/// What a node said last.
#[derive(Debug)]
struct Life {
    incarnation: u32,
    id: NodeId,
    /// Largest epoch of its votes and elections.
    engaged: u64,
    is_master: bool,
    config_epoch: u64,
    slots: SlotSet,
}

fn objection(life: &Life, packet: &Packet, scene: &Scene) -> Option<(&'static str, String)> {
    let header = &packet.header;
    if header.current_epoch < life.engaged {
        let what = format!(
            "starts at currentEpoch {} after a vote or an election in epoch {}",
            header.current_epoch, life.engaged
        );
        return Some(("CE-02", what));
    }
    let was_owner = life.is_master && !life.slots.is_empty();
    if was_owner && !header.is_master() && header.config_epoch < life.config_epoch {
        let what = format!(
            "starts as a replica, at configEpoch {}, after it claimed slots at {}",
            header.config_epoch, life.config_epoch
        );
        return Some(("DU-03", what));
    }
    if was_owner && header.is_master() && header.config_epoch < life.config_epoch {
        let what = format!(
            "starts with configEpoch {} after it claimed slots at {}",
            header.config_epoch, life.config_epoch
        );
        return Some(("DU-02", what));
    }
    if !life.is_master && header.is_master() && header.slots.is_empty() {
        let what = "starts as a master without slots after it was a replica".into();
        return Some(("DU-02", what));
    }
    let mut lost = life.slots.clone();
    lost.remove_all(&header.slots);
    for claim in scene.ownership().claims() {
        if claim.id != life.id && claim.config_epoch > life.config_epoch {
            lost.remove_all(&claim.slots);
        }
    }
    let is_same_claim = was_owner && header.is_master();
    (is_same_claim && !lost.is_empty()).then(|| {
        let what = format!("starts without {lost}, which it owned and nobody took");
        ("DU-02", what)
    })
}
