//! VT-09: in each epoch at most one candidate gets the votes of a majority.
//!
//! Derived from the votes themselves, not from the rule that a voter has one vote (VT-01): the
//! votes of each epoch are counted by candidate. The majority is that of the greater of what the
//! bus and the candidate's view show, for too small a quorum would make winners of losers.

use std::collections::{BTreeMap, BTreeSet};

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeName, PacketKind, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "VT-09",
    title: "an epoch has one winner",
    clauses: &["VT-09"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "Two candidates that both have the votes of a majority of the masters in one epoch \
           would both become masters with that configEpoch. The votes (AUTH_ACK) of each epoch \
           are counted by candidate, each voter once. The majority is that of the masters with \
           slots that the bus and the candidate's last view showed, whichever are more.",
    make: || Box::new(OneWinnerPerEpoch::default()),
};

/// The checker of VT-09.
#[derive(Debug, Default)]
pub struct OneWinnerPerEpoch {
    elections: BTreeMap<u64, Election>,
    tally: Tally,
}

/// The votes of an epoch.
#[derive(Debug, Default)]
struct Election {
    voters: BTreeMap<NodeName, BTreeSet<NodeName>>,
    /// Who has the votes of a majority.
    winners: Vec<NodeName>,
}

impl Checker for OneWinnerPerEpoch {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        let Happening::Packet(packet) = happening else {
            return;
        };
        if packet.kind != PacketKind::AuthAck {
            return;
        }
        let candidate = &packet.to;
        let seen = scene.view_of(candidate).map_or(0, |seen| seen.size);
        let majority = scene.voters_before().max(seen) / 2 + 1;
        let epoch = packet.header.current_epoch;
        let election = self.elections.entry(epoch).or_default();
        let voters = election.voters.entry(candidate.clone()).or_default();
        voters.insert(packet.from.clone());
        if voters.len() < majority || election.winners.contains(candidate) {
            return;
        }
        self.tally.examined += 1;
        if let Some(winner) = election.winners.first() {
            let what =
                format!("has {majority} votes in epoch {epoch}, a majority, and so has {winner}");
            let found = finding("VT-09", packet.time, candidate, what);
            self.tally.findings.push(found);
        }
        election.winners.push(candidate.clone());
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let nothing = "no candidate got the votes of a majority";
        self.tally.conclude(setting, Completeness::Needed, nothing)
    }
}
