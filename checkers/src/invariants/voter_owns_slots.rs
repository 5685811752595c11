//! VT-04: a voter is a master with at least one slot in its own view.
//!
//! The header of an AUTH_ACK is of the instant it was sent, so the check is exact.

use super::bus_evidence::{Completeness, Tally};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Packet, PacketKind, Setting};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "VT-04",
    title: "only masters with slots vote",
    clauses: &["VT-04"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "Only masters that own at least one slot may vote: the majority is counted among \
           them. The header of each AUTH_ACK shows what its sender was when it voted.",
    make: || Box::new(VoterOwnsSlots::default()),
};

/// The checker of VT-04.
#[derive(Debug, Default)]
pub struct VoterOwnsSlots {
    tally: Tally,
}

impl Checker for VoterOwnsSlots {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::Packet(packet) if packet.kind == PacketKind::AuthAck => self.judge(packet),
            Happening::Packet(_)
            | Happening::Op(_)
            | Happening::View(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally
            .conclude(setting, Completeness::Helpful, "no vote was cast")
    }
}

impl VoterOwnsSlots {
    fn judge(&mut self, vote: &Packet) {
        self.tally.examined += 1;
        if vote.header.claims_slots() {
            return;
        }
        let what = match vote.header.is_master() {
            true => "a master without slots",
            false => "a replica",
        };
        let epoch = vote.header.current_epoch;
        let message = format!(
            "{} voted for {} in epoch {epoch} as {what}",
            vote.from, vote.to
        );
        self.tally.findings.push(Violation {
            clause: "VT-04".into(),
            time: vote.time,
            witness: Witness::default().step(vote.time, &vote.from, message.clone()),
            message,
            known: None,
        });
    }
}
