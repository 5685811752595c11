//! VT-05: a vote is given only against a master that the voter holds for FAIL, or when forced.
//!
//! A node's FAIL of another begins with a FAIL message that it sends or gets. If its last view
//! before the request shows none, and no such message came or went since, there was none.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeId, NodeName, Packet, PacketKind, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "VT-05",
    title: "votes go against failed masters only",
    clauses: &["VT-05"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "Without the force flag of a manual failover a voter helps a replica only if the \
           replica's master is FAIL in its own view. Its view is known from its last answer \
           before the request reached it, and from the FAIL messages it sent or got since then.",
    make: || Box::new(VotesAgainstFailedMasters::default()),
};

/// The checker of VT-05.
#[derive(Debug, Default)]
pub struct VotesAgainstFailedMasters {
    requests: BTreeMap<(NodeName, NodeName), Request>,
    tally: Tally,
}

impl Checker for VotesAgainstFailedMasters {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => {
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
        self.tally.conclude(
            setting,
            Completeness::Proving,
            "no vote without force was cast",
        )
    }
}

impl VotesAgainstFailedMasters {
    fn note_request(&mut self, packet: &Packet, scene: &Scene) {
        let ends = (packet.from.clone(), packet.to.clone());
        self.requests.remove(&ends);
        let master = packet.header.master.clone();
        let seen = scene.view_of(&packet.to);
        if let (Some(master), Some(seen), false) = (master, seen, packet.header.has_force_ack())
            && let Some(is_failed) = seen.is_failed(&master)
        {
            // VO-04: what counts is whose replica it is in the voter's table, which may be behind.
            let candidate = seen.entry(&packet.header.sender);
            let known_master = candidate.and_then(|candidate| candidate.master.as_ref());
            let known_failed = known_master.and_then(|known| seen.is_failed(known));
            let request = Request {
                master,
                is_failed: is_failed || known_failed == Some(true),
                since: seen.asked,
            };
            self.requests.insert(ends, request);
        }
    }

    fn judge(&mut self, ack: &Packet, scene: &Scene) {
        let Some(request) = self.requests.get(&(ack.to.clone(), ack.from.clone())) else {
            return;
        };
        self.tally.examined += 1;
        let words = scene.fail_words();
        let told = words.first(&ack.from, &request.master, request.since, ack.time);
        if request.is_failed || told.is_some() {
            return;
        }
        let what = format!(
            "votes for {} although its master {} did not fail in its view",
            ack.to, request.master
        );
        self.tally
            .findings
            .push(finding("VT-05", ack.time, &ack.from, what));
    }
}

/// A request for votes, and what its receiver had said of the master.
#[derive(Debug)]
struct Request {
    master: NodeId,
    is_failed: bool,
    /// When the receiver was asked for its view, ns.
    since: u64,
}
