//! VT-01: at most one AUTH_ACK per voter per epoch, over all its incarnations.
//!
//! The capture hands over each packet once (retransmitted segments are one packet), so two
//! AUTH_ACKs of one voter with one epoch are two votes, also when a restart lies between them:
//! that is where real bugs hide.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeId, NodeName, Packet, PacketKind, Setting};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "VT-01",
    title: "at most one vote per voter per epoch",
    clauses: &["VT-01"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "A master votes at most once in an epoch, also across restarts: two votes could elect \
           two owners of the same slots. Each AUTH_ACK seen on the bus is one vote; its header \
           names the voter and the epoch.",
    make: || Box::new(OneVotePerEpoch::default()),
};

/// The checker of VT-01.
#[derive(Debug, Default)]
pub struct OneVotePerEpoch {
    votes: BTreeMap<(NodeId, u64), (u64, NodeName)>,
    tally: Tally,
}

impl Checker for OneVotePerEpoch {
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
            .conclude(setting, Completeness::Needed, "no vote was cast")
    }
}

impl OneVotePerEpoch {
    fn judge(&mut self, vote: &Packet) {
        self.tally.examined += 1;
        let epoch = vote.header.current_epoch;
        let key = (vote.header.sender.clone(), epoch);
        let Some((time, candidate)) = self.votes.get(&key) else {
            self.votes.insert(key, (vote.time, vote.to.clone()));
            return;
        };
        let voter = &vote.from;
        let message = match *candidate == vote.to {
            true => format!("{voter} voted twice for {candidate} in epoch {epoch}"),
            false => format!(
                "{voter} voted for {candidate} and for {} in epoch {epoch}",
                vote.to
            ),
        };
        self.tally.findings.push(Violation {
            clause: "VT-01".into(),
            time: vote.time,
            message,
            witness: Witness::default()
                .step(
                    *time,
                    voter,
                    format!("votes for {candidate} in epoch {epoch}"),
                )
                .step(
                    vote.time,
                    voter,
                    format!("votes for {} in epoch {epoch}", vote.to),
                ),
            known: None,
        });
    }
}
