//! VT-06: a voter helps no second replica of one master within two node timeouts.
//!
//! The master is the one that the candidate's own request names. A restart of the voter clears what
//! it remembers, so votes of different lives are not compared.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use super::promotions::Vote;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{
    Bounds, NodeId, NodeName, Packet, PacketKind, Setting, bounds::CRON, bounds::seconds,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "VT-06",
    title: "votes for one shard are two node timeouts apart",
    clauses: &["VT-06"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A master that has just voted for a replica waits 2 x NT before it votes for another \
           one of the same master, so that the winner can tell the others. Compared are the \
           AUTH_ACKs of one voter, within one life, for candidates whose requests name the same \
           master; a tenth of a second is allowed for the tick.",
    make: || Box::new(VotesAreSpaced::default()),
};

/// The checker of VT-06.
#[derive(Debug, Default)]
pub struct VotesAreSpaced {
    masters: BTreeMap<NodeName, NodeId>,
    last: BTreeMap<(NodeName, u32, NodeId), Vote>,
    /// Votes with the one before.
    pairs: Vec<(Vote, Vote)>,
    tally: Tally,
}

impl Checker for VotesAreSpaced {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) if packet.kind == PacketKind::AuthRequest => {
                if let Some(master) = &packet.header.master {
                    self.masters.insert(packet.from.clone(), master.clone());
                }
            }
            Happening::Packet(packet) if packet.kind == PacketKind::AuthAck => {
                self.note(packet, scene);
            }
            Happening::Packet(_)
            | Happening::Op(_)
            | Happening::View(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let spacing = 2 * Bounds::of(setting).node_timeout - CRON;
        for (before, vote) in std::mem::take(&mut self.pairs) {
            if vote.time.saturating_sub(before.time) < spacing {
                let what = format!(
                    "votes for {} {} after it voted for {}, a replica of the same master",
                    vote.candidate,
                    seconds(vote.time - before.time),
                    before.candidate
                );
                self.tally
                    .findings
                    .push(finding("VT-06", vote.time, &vote.voter, what));
            }
        }
        self.tally
            .conclude(setting, Completeness::Helpful, "no vote was cast")
    }
}

impl VotesAreSpaced {
    fn note(&mut self, ack: &Packet, scene: &Scene) {
        self.tally.examined += 1;
        let Some(master) = self.masters.get(&ack.to) else {
            return;
        };
        let incarnation = scene.incarnations().life(&ack.from).incarnation;
        let key = (ack.from.clone(), incarnation, master.clone());
        let vote = Vote {
            time: ack.time,
            voter: ack.from.clone(),
            candidate: ack.to.clone(),
            epoch: ack.header.current_epoch,
        };
        if let Some(before) = self.last.insert(key, vote.clone())
            && (before.epoch, &before.candidate) != (vote.epoch, &vote.candidate)
        {
            self.pairs.push((before, vote));
        }
    }
}
