//! VT-02, VT-03: a vote, and the epoch of an election, are on disk before others see them.
//!
//! When a process is killed the harness reads the epochs in its nodes.conf. They must cover every
//! vote and every request for votes that the node ever sent, in this life or in one before.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{
    Fault, FaultKind, Lifecycle, LifecycleKind, NodeName, Packet, PacketKind, Setting,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "VT-02",
    title: "votes and elections are on disk before they are seen",
    clauses: &["VT-02", "VT-03", "CE-02"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "A vote is saved before it leaves, so lastVoteEpoch in the nodes.conf of a killed \
           node is not below the epoch of any vote that it ever sent (VT-02, VT-03), and \
           currentEpoch not below that of any election it took part in (CE-02). CLUSTER RESET \
           forgets both.",
    make: || Box::new(VotesAreDurable::default()),
};

/// The checker of VT-02.
#[derive(Debug, Default)]
pub struct VotesAreDurable {
    sent: BTreeMap<NodeName, Sent>,
    tally: Tally,
}

/// The largest epochs that a node showed.
#[derive(Debug, Default)]
struct Sent {
    /// Of its votes, in this life and in all before it.
    vote: u64,
    vote_before: u64,
    /// Of its requests for votes.
    request: u64,
}

impl Checker for VotesAreDurable {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Message, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::Packet(packet) => self.note(packet),
            Happening::Lifecycle(lifecycle) => self.judge(lifecycle),
            Happening::Fault(fault) => self.forget(fault),
            Happening::Op(_) | Happening::View(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no node that had voted or asked for votes was killed",
        )
    }
}

impl VotesAreDurable {
    fn note(&mut self, packet: &Packet) {
        let epoch = packet.header.current_epoch;
        let sent = |all: &mut BTreeMap<NodeName, Sent>| {
            let sent = all.entry(packet.from.clone()).or_default();
            match packet.kind == PacketKind::AuthAck {
                true => sent.vote = sent.vote.max(epoch),
                false => sent.request = sent.request.max(epoch),
            }
        };
        if [PacketKind::AuthAck, PacketKind::AuthRequest].contains(&packet.kind) {
            sent(&mut self.sent);
        }
    }

    fn judge(&mut self, lifecycle: &Lifecycle) {
        let Some(sent) = self.sent.get_mut(&lifecycle.node) else {
            return;
        };
        let (LifecycleKind::Killed, Some(stored)) = (lifecycle.what, stored(&lifecycle.detail))
        else {
            return;
        };
        self.tally.examined += 1;
        let current = stored.current.max(stored.last_vote);
        let vote = sent.vote.max(sent.vote_before);
        let objection = match (stored.last_vote < vote, current < sent.request.max(vote)) {
            (true, _) if sent.vote > stored.last_vote => Some("VT-02"),
            (true, _) => Some("VT-03"),
            (false, true) => Some("CE-02"),
            (false, false) => None,
        };
        if let Some(clause) = objection {
            let what = format!(
                "was killed with currentEpoch {} and lastVoteEpoch {} on disk, and had voted in \
                 epoch {vote} and asked for votes in epoch {}",
                stored.current, stored.last_vote, sent.request
            );
            let found = finding(clause, lifecycle.time, &lifecycle.node, what);
            self.tally.findings.push(found);
        }
        sent.vote_before = vote;
        sent.vote = 0;
    }

    fn forget(&mut self, fault: &Fault) {
        if fault.kind == FaultKind::Reset {
            for node in &fault.targets {
                self.sent.remove(node);
            }
        }
    }
}

/// The epochs of a nodes.conf.
#[derive(Debug, Clone, Copy)]
struct Stored {
    current: u64,
    last_vote: u64,
}

/// Reads `vars currentEpoch 6 lastVoteEpoch 6`.
fn stored(line: &str) -> Option<Stored> {
    let words: Vec<&str> = line.strip_prefix("vars ")?.split(' ').collect();
    let value_of = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.parse().ok()
    };
    Some(Stored {
        current: value_of("currentEpoch")?,
        last_vote: value_of("lastVoteEpoch")?,
    })
}
