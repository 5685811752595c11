//! VT-07: no vote for a request of an epoch that is over, nor for the heir of an outdated owner.
//!
//! A voter's clock never goes back, so what its headers showed before the request was delivered is
//! a lower bound of what it knew. Its slot table is that of its last view before, and has the
//! claims that reached it since.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{finding, is_paused_within};
use super::heard_claims::{HeardClaims, OldClaim};
use super::links::ByLife;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Bounds, NodeId, NodeName, Packet, PacketKind, Setting, SlotSet};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation};

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "VT-07",
    title: "no vote for stale epochs or stale claims",
    clauses: &["VT-07"],
    need: Need::WhenSlotsStay,
    evidence: Evidence::Cluster,
    help: "A request below the voter's currentEpoch, or whose configEpoch is below that of an \
           owner of the claimed slots, comes from a replica that missed what happened since. \
           The voter's clock is read from the headers it sent before the request reached it, \
           its table from its last view before and from the claims that reached it.",
    make: || Box::new(VotesAreForThePresent::default()),
};

/// The checker of VT-07.
#[derive(Debug, Default)]
pub struct VotesAreForThePresent {
    /// The largest currentEpoch in a node's headers and since when, oldest first.
    clocks: ByLife<Vec<(u64, u64)>>,
    requests: BTreeMap<(NodeName, NodeName), Request>,
    heard: HeardClaims,
    /// Votes against a claim that was delivered so many ns before the request.
    suspects: Vec<(u64, Violation)>,
    tally: Tally,
}

impl Checker for VotesAreForThePresent {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => {
                self.note_clock(packet, scene);
                self.heard.observe(packet, scene);
                if packet.kind == PacketKind::AuthRequest {
                    self.note_request(packet, scene);
                } else if packet.kind == PacketKind::AuthAck {
                    self.judge(packet, scene);
                }
            }
            Happening::View(_)
            | Happening::Op(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let reading = Bounds::of(setting).reading;
        for (before, found) in std::mem::take(&mut self.suspects) {
            if before > reading {
                self.tally.findings.push(found);
            }
        }
        self.tally
            .conclude(setting, Completeness::Helpful, "no vote was cast")
    }
}

impl VotesAreForThePresent {
    fn note_clock(&mut self, packet: &Packet, scene: &Scene) {
        let epoch = packet.header.current_epoch;
        let clock = self.clocks.entry(scene.life());
        if clock.last().is_none_or(|(_, last)| epoch > *last) {
            clock.push((packet.time, epoch));
        }
    }

    /// Keeps the last request, and what the voter's table said before it arrived.
    fn note_request(&mut self, packet: &Packet, scene: &Scene) {
        let Some(delivered) = packet.delivered else {
            return;
        };
        let seen = scene.view_of(&packet.to);
        let newer = seen.and_then(|seen| {
            let mut owners = seen.table.iter().filter(|entry| {
                entry.config_epoch > packet.header.config_epoch
                    && !entry.slots.intersection(&packet.header.slots).is_empty()
            });
            owners
                .next()
                .map(|entry| (entry.id.clone(), entry.config_epoch))
        });
        let request = Request {
            delivered,
            current_epoch: packet.header.current_epoch,
            config_epoch: packet.header.config_epoch,
            slots: packet.header.slots.clone(),
            newer,
        };
        let ends = (packet.from.clone(), packet.to.clone());
        self.requests.insert(ends, request);
    }

    fn judge(&mut self, ack: &Packet, scene: &Scene) {
        let Some(request) = self.requests.get(&(ack.to.clone(), ack.from.clone())) else {
            return;
        };
        if request.delivered > ack.time {
            return;
        }
        self.tally.examined += 1;
        let shown = self.clocks.get(scene.life()).into_iter().flatten();
        let known = shown
            .filter(|(time, _)| *time < request.delivered)
            .map(|(_, epoch)| *epoch);
        let what = match (known.max(), &request.newer) {
            (Some(known), _) if request.current_epoch < known => format!(
                "votes for {}, which asked in epoch {}, after it showed epoch {known}",
                ack.to, request.current_epoch
            ),
            (_, Some((owner, epoch))) => format!(
                "votes for {}, which claims slots at configEpoch {}, while its table has them with \
                 {owner} at {epoch}",
                ack.to, request.config_epoch
            ),
            (_, None) => {
                let suspect = self.heard_better(request, ack, scene);
                self.suspects.extend(suspect);
                return;
            }
        };
        self.tally
            .findings
            .push(finding("VT-07", ack.time, &ack.from, what));
    }

    /// Whether a newer claim had reached the voter: how long before the request, ns.
    fn heard_better(
        &self,
        request: &Request,
        ack: &Packet,
        scene: &Scene,
    ) -> Option<(u64, Violation)> {
        let voter = &ack.from;
        let since = scene.incarnations().life(voter).since;
        let old = OldClaim {
            config_epoch: request.config_epoch,
            slots: &request.slots,
        };
        let claim = self.heard.newer(voter, (since, request.delivered), old)?;
        let view = scene.view_of(voter)?;
        let is_known = view
            .entry(&claim.owner)
            .is_some_and(|owner| !owner.has_flag("handshake"));
        if !is_known || is_paused_within(scene, voter, claim.delivered, ack.time) {
            return None;
        }
        let what = format!(
            "votes for {}, which claims slots at configEpoch {}, after {} claimed them at {}",
            ack.to, request.config_epoch, claim.owner, claim.config_epoch
        );
        let found = finding("VT-07", ack.time, voter, what);
        Some((request.delivered - claim.delivered, found))
    }
}

/// A request for votes as it reached a voter.
#[derive(Debug)]
struct Request {
    delivered: u64,
    current_epoch: u64,
    config_epoch: u64,
    slots: SlotSet,
    /// An owner of its slots with a larger configEpoch, in the voter's table.
    newer: Option<(NodeId, u64)>,
}
