//! UP-12: who claims slots that another master owns at a larger configEpoch is told so.
//!
//! Judged where nothing can be in the way: the stale claim is a PONG on the hearer's own link to
//! its sender, over which the UPDATE goes back in the same turn. The hearer is the owner, by its
//! last header before, or somebody whom the owner's claim had reached. A kernel acknowledges for a
//! process what that process will never read, when it is just closing the link: so the hearer must
//! have used the link afterwards.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{finding, is_paused_within};
use super::heard_claims::{HeardClaims, OldClaim};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::ownership::Claim;
use crate::observation::{Bounds, NodeId, NodeName, Packet, PacketKind, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "UP-12",
    title: "stale claims are answered with an UPDATE",
    clauses: &["UP-12"],
    need: Need::WhenSlotsStay,
    evidence: Evidence::Cluster,
    help: "A master that was away still claims what another one owns by now. Whoever hears such \
           a claim and knows of a larger configEpoch answers it with an UPDATE about the owner. \
           Judged of owners, and of others whom the owner's claim had reached, that got the \
           stale one as the answer to their own PING, and sent more on that link later: it was \
           open, so the UPDATE must leave at once.",
    make: || Box::new(StaleClaimsAreAnswered::default()),
};

/// The checker of UP-12.
#[derive(Debug, Default)]
pub struct StaleClaimsAreAnswered {
    debts: Vec<Debt>,
    heard: HeardClaims,
    /// When each node last sent an UPDATE to another, ns.
    updates: BTreeMap<(NodeName, NodeName), Vec<u64>>,
    /// When the hearer of a debt last sent on the link it got it by, ns.
    last_sent: BTreeMap<Link, u64>,
}

/// The hearer's end of a link, and the far one.
type Link = (SocketAddrV4, SocketAddrV4);

impl Checker for StaleClaimsAreAnswered {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        let Happening::Packet(packet) = happening else {
            return;
        };
        self.heard.observe(packet, scene);
        if let Some(last) = self.last_sent.get_mut(&(packet.source, packet.target)) {
            *last = packet.time;
        }
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
            let is_answer =
                nodes.any(|node| node.name == debt.by && node.bus_port == debt.link.1.port());
            let until = debt.delivered + bounds.reading;
            let is_known = debt.known_for > bounds.reading;
            let was_open = self.last_sent.get(&debt.link).is_some_and(|at| *at > until);
            if !is_answer
                || !is_known
                || !was_open
                || !is_there(scene, &debt.hearer, debt.since, until)
                || is_stalled(scene, &debt.hearer, (debt.since, until), &bounds)
            {
                continue;
            }
            tally.examined += 1;
            let ends = (debt.hearer.clone(), debt.by.clone());
            let sent = self.updates.get(&ends);
            let mut sent = sent.into_iter().flatten();
            if sent.any(|at| (debt.sent..=until).contains(at)) {
                continue;
            }
            let what = format!(
                "hears {} claim slots at configEpoch {} which {} has at {}, and does not tell it",
                debt.by, debt.claimed_at, debt.owner, debt.owned_at
            );
            tally
                .findings
                .push(finding("UP-12", debt.delivered, &debt.hearer, what));
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
        let debt = |owner: String, owned_at: u64, known: Option<u64>| Debt {
            sent: packet.time,
            delivered,
            by: packet.from.clone(),
            link: (packet.target, packet.source),
            hearer: packet.to.clone(),
            owner,
            owned_at,
            since: known.unwrap_or(packet.time),
            known_for: known.map_or(u64::MAX, |known| delivered - known),
            claimed_at: header.config_epoch,
        };
        let owned = scene.ownership().holding(&packet.to);
        let is_newer = |owned: &&Claim| {
            owned.config_epoch > header.config_epoch && owned.slots.intersects(&header.slots)
        };
        if let Some(owned) = owned.filter(is_newer) {
            let found = debt(packet.to.to_string(), owned.config_epoch, None);
            self.owe(found);
            return;
        }
        // Whose last claim still stands owes nobody an answer: nearly always.
        let own = scene.ownership().holding(&packet.from);
        if own.is_some_and(|own| own.slots == header.slots) {
            return;
        }
        let since = scene.incarnations().life(&packet.to).since;
        let old = OldClaim {
            config_epoch: header.config_epoch,
            slots: &header.slots,
        };
        let claim = self.heard.newer(&packet.to, (since, delivered), old);
        let Some((claim, view)) = claim.zip(scene.view_of(&packet.to)) else {
            return;
        };
        let is_member = |id: &NodeId| {
            let entry = view.entry(id);
            entry.is_some_and(|entry| !entry.has_flag("handshake"))
        };
        if is_member(&claim.owner) && is_member(&header.sender) {
            let owner = claim.owner.to_string();
            let found = debt(owner, claim.config_epoch, Some(claim.delivered));
            self.owe(found);
        }
    }

    fn owe(&mut self, debt: Debt) {
        self.last_sent.entry(debt.link).or_insert(0);
        self.debts.push(debt);
    }
}

/// Whether a node ran all the time between these two.
fn is_there(scene: &Scene, node: &NodeName, from: u64, to: u64) -> bool {
    let mut outages = scene.timeline().outages.iter();
    let was_down = outages
        .any(|outage| outage.node == *node && outage.ended <= to && outage.restarted >= from);
    !was_down && !is_paused_within(scene, node, from, to)
}

/// Whether a slow disk may have kept a node from reading between these two: the last sync it began
/// may end up to 2 NT after the heal.
fn is_stalled(scene: &Scene, node: &NodeName, (from, to): (u64, u64), bounds: &Bounds) -> bool {
    let stalls = scene.timeline().stalls.get(node);
    let mut stalls = stalls.into_iter().flatten();
    stalls.any(|(begun, healed)| {
        let over = healed.saturating_add(2 * bounds.node_timeout + bounds.slack);
        *begun <= to && over >= from
    })
}

/// A stale claim that reached somebody who knew better.
#[derive(Debug)]
struct Debt {
    sent: u64,
    delivered: u64,
    by: NodeName,
    link: Link,
    hearer: NodeName,
    owner: String,
    owned_at: u64,
    /// From when on the hearer must have run.
    since: u64,
    /// How long it knew of the owner, ns.
    known_for: u64,
    claimed_at: u64,
}
