//! VT-11: a replica stands only once its master failed, half a second later, and a second more for
//! each sibling with newer data.
//!
//! Judged is the first failure of a master that a replica learns of in its life: later ones may
//! find an election that was planned before. It learns it by a FAIL message it sends or gets.

use std::collections::{BTreeMap, BTreeSet};

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use super::links::ByPair;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{
    Bounds, NodeId, NodeName, Packet, PacketKind, Setting, View, bounds::CRON, bounds::MILLISECOND,
    bounds::seconds,
};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation};

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "VT-11",
    title: "elections begin after their delay",
    clauses: &["VT-11"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A replica may ask for votes 500 ms after it learned that its master is FAIL, and 1 s \
           later for each sibling whose offset, as delivered to it before that, is ahead of its \
           own. A replica that asks without having learned of a failure at all is a violation \
           as well.",
    make: || Box::new(ElectionsWait::default()),
};

/// The checker of VT-11.
#[derive(Debug, Default)]
pub struct ElectionsWait {
    /// Replicas as others last heard of them: master and offset.
    offsets: ByPair<Told>,
    judged: BTreeSet<(NodeName, u32, NodeId)>,
    /// When a replica last showed, in this life, that its master had not failed.
    alive: BTreeMap<(NodeName, u32, NodeId), u64>,
    /// Who asked too soon, how long after its restart, ns.
    early: Vec<(u64, Violation)>,
    tally: Tally,
}

impl Checker for ElectionsWait {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::View]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => {
                if packet.kind == PacketKind::AuthRequest {
                    self.judge(packet, scene);
                }
                self.note_offset(packet, scene);
            }
            Happening::View(view) => self.note_alive(view, scene),
            Happening::Op(_) | Happening::Fault(_) | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        // nodes.conf may have remembered a failure, and that planned an election.
        let planned = Bounds::of(setting).retry();
        let early = std::mem::take(&mut self.early).into_iter();
        for (_, violation) in early.filter(|(age, _)| *age > planned) {
            self.tally.findings.push(violation);
        }
        self.tally.conclude(
            setting,
            Completeness::Proving,
            "no replica stood for election",
        )
    }
}

impl ElectionsWait {
    fn note_alive(&mut self, view: &View, scene: &Scene) {
        let Some(seen) = scene.view_of(&view.node) else {
            return;
        };
        if let Some(master) = seen.my_master()
            && seen.is_failed(master) == Some(false)
        {
            let key = (view.node.clone(), seen.incarnation, master.clone());
            self.alive.insert(key, seen.time);
        }
    }

    fn note_offset(&mut self, packet: &Packet, scene: &Scene) {
        let Some(delivered) = packet.delivered else {
            return;
        };
        let Some(master) = &packet.header.master else {
            // It was a replica, and is nobody's sibling any more.
            self.offsets.remove(scene.pair());
            return;
        };
        // UPDATE and the like tell the receiver nothing of the sender's role.
        if !packet.kind.is_heartbeat() {
            return;
        }
        let offset = packet.header.offset;
        let repeats = |told: &Told| told.master == *master && told.offset == offset;
        if self.offsets.get(scene.pair()).is_some_and(repeats) {
            return;
        }
        let told = Told {
            to: packet.to.clone(),
            delivered,
            master: master.clone(),
            offset,
        };
        self.offsets.insert(scene.pair(), told);
    }

    fn judge(&mut self, request: &Packet, scene: &Scene) {
        let header = &request.header;
        let (Some(master), false) = (&header.master, header.has_force_ack()) else {
            return;
        };
        let life = scene.incarnations().life(&request.from);
        let key = (request.from.clone(), life.incarnation, master.clone());
        if !self.judged.insert(key.clone()) {
            return;
        }
        // A failure that nodes.conf remembered, or an earlier one, may have planned an election.
        let Some(alive) = self.alive.get(&key).copied() else {
            return;
        };
        let seen = scene.view_of(&request.from);
        let words = scene.fail_words();
        let first = words.first(&request.from, master, life.since, request.time);
        let first = first.map(|word| word.sent);
        let knew = seen.and_then(|seen| seen.is_failed(master));
        let what = match (first, knew) {
            (None, Some(false)) => "asks for votes although its master did not fail".to_string(),
            (Some(first), Some(_)) if first >= alive => {
                let rank = self.rank(request, master, first);
                let wait = (500 + 1000 * rank) * MILLISECOND;
                // The candidate counts from when it marked or read; a tick is allowed for that.
                if request.time - first + CRON >= wait {
                    self.tally.examined += 1;
                    return;
                }
                format!(
                    "asks for votes {} after it learned of the failure; with {rank} siblings ahead \
                     of it {} are due",
                    seconds(request.time - first),
                    seconds(wait)
                )
            }
            (_, _) => return,
        };
        self.tally.examined += 1;
        let age = match life.incarnation {
            1 => u64::MAX,
            _ => request.time - life.since.min(request.time),
        };
        let found = finding("VT-11", request.time, &request.from, what);
        self.early.push((age, found));
    }

    /// Siblings that were ahead, as far as the candidate was told before this time.
    fn rank(&self, request: &Packet, master: &NodeId, before: u64) -> u64 {
        let told = self.offsets.values();
        let to_me = told.filter(|told| told.to == request.from);
        let ahead = to_me.filter(|told| {
            told.master == *master && told.delivered < before && told.offset > request.header.offset
        });
        ahead.count() as u64
    }
}

/// What a replica said of itself to another node, and when first.
#[derive(Debug)]
struct Told {
    to: NodeName,
    delivered: u64,
    master: NodeId,
    offset: u64,
}
