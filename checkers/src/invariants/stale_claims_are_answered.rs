//! UP-12: who claims slots that another master owns at a larger configEpoch is told so.
//!
//! Judged where nothing can be in the way: the stale claim is a PONG on the owner's own link to its
//! sender, over which the UPDATE goes back in the same turn. The owner's claim is that of its last
//! header before.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{finding, is_paused_within};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Bounds, NodeName, Packet, PacketKind, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "UP-12",
    title: "stale claims are answered with an UPDATE",
    clauses: &["UP-12"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A master that was away still claims what another one owns by now. Whoever hears such \
           a claim and knows of a larger configEpoch answers it with an UPDATE about the owner. \
           Judged of owners that got the claim as the answer to their own PING: their link to \
           the sender was open, so the UPDATE must leave at once.",
    make: || Box::new(StaleClaimsAreAnswered::default()),
};

/// The checker of UP-12.
#[derive(Debug, Default)]
pub struct StaleClaimsAreAnswered {
    debts: Vec<Debt>,
    /// When each node last sent an UPDATE to another, ns.
    updates: BTreeMap<(NodeName, NodeName), Vec<u64>>,
}

impl Checker for StaleClaimsAreAnswered {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        let Happening::Packet(packet) = happening else {
            return;
        };
        if packet.kind == PacketKind::Update {
            let ends = (packet.from.clone(), packet.to.clone());
            self.updates.entry(ends).or_default().push(packet.time);
        } else if packet.kind == PacketKind::Pong && packet.header.claims_slots() {
            self.note(packet, scene);
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let bounds = Bounds::of(setting);
        let mut tally = Tally::default();
        for debt in std::mem::take(&mut self.debts) {
            // The answer to a PING comes from the port of the bus.
            let mut nodes = setting.nodes.iter();
            let is_answer = nodes.any(|node| node.name == debt.by && node.bus_port == debt.port);
            let until = debt.delivered + bounds.reading;
            if !is_answer || !is_there(scene, &debt.owner, debt.sent, until) {
                continue;
            }
            tally.examined += 1;
            let ends = (debt.owner.clone(), debt.by.clone());
            let sent = self.updates.get(&ends);
            let mut sent = sent.into_iter().flatten();
            if sent.any(|at| (debt.sent..=until).contains(at)) {
                continue;
            }
            let what = format!(
                "owns slots at configEpoch {} which {} claims at {}, and does not tell it",
                debt.owned_at, debt.by, debt.claimed_at
            );
            tally
                .findings
                .push(finding("UP-12", debt.delivered, &debt.owner, what));
        }
        let nothing = "nobody made a stale claim";
        tally.conclude(setting, Completeness::Proving, nothing)
    }
}

impl StaleClaimsAreAnswered {
    fn note(&mut self, packet: &Packet, scene: &Scene) {
        let (header, Some(delivered)) = (&packet.header, packet.delivered) else {
            return;
        };
        let Some(owned) = scene.ownership().holding(&packet.to) else {
            return;
        };
        let is_stale =
            owned.config_epoch > header.config_epoch && owned.slots.intersects(&header.slots);
        if is_stale {
            self.debts.push(Debt {
                sent: packet.time,
                delivered,
                by: packet.from.clone(),
                port: packet.source.port(),
                owner: packet.to.clone(),
                owned_at: owned.config_epoch,
                claimed_at: header.config_epoch,
            });
        }
    }
}

/// Whether a node ran all the time between these two.
fn is_there(scene: &Scene, node: &NodeName, from: u64, to: u64) -> bool {
    let mut outages = scene.timeline().outages.iter();
    let was_down = outages
        .any(|outage| outage.node == *node && outage.ended <= to && outage.restarted >= from);
    !was_down && !is_paused_within(scene, node, from, to)
}

/// A stale claim that reached the owner.
#[derive(Debug)]
struct Debt {
    sent: u64,
    delivered: u64,
    by: NodeName,
    port: u16,
    owner: NodeName,
    owned_at: u64,
    claimed_at: u64,
}
