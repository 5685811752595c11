//! MF-08: the replica of a manual failover stands only once it has all of its master's data.
//!
//! After MFSTART the master's headers say PAUSED and show its final offset. The request for votes
//! must show exactly that offset; before any such header there must be none.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::bounds::MILLISECOND;
use crate::observation::{NodeName, Packet, PacketKind, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "MF-08",
    title: "a manual failover begins at its master's offset",
    clauses: &["MF-08", "MF-01"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "CLUSTER FAILOVER makes the master pause and tell its final offset; the replica asks \
           for votes when it has processed exactly as much. A request for votes that shows \
           another offset than the PAUSED headers since its MFSTART, or that comes before the \
           first of them, gives away the writes in between.",
    make: || Box::new(CatchesUpFirst::default()),
};

/// The checker of MF-08.
#[derive(Debug, Default)]
pub struct CatchesUpFirst {
    /// Replicas that asked their master to pause.
    waiting: BTreeMap<NodeName, Waiting>,
    /// When a master last said PAUSED to a replica, ns.
    paused: BTreeMap<(NodeName, NodeName), u64>,
    tally: Tally,
}

impl Checker for CatchesUpFirst {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::Packet(packet) => self.note(packet),
            Happening::Lifecycle(lifecycle) => {
                self.waiting.remove(&lifecycle.node);
            }
            Happening::Op(_) | Happening::View(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Proving,
            "no manual failover came to a request for votes",
        )
    }
}

impl CatchesUpFirst {
    fn note(&mut self, packet: &Packet) {
        if packet.kind == PacketKind::MfStart {
            let pair = (packet.to.clone(), packet.from.clone());
            let paused_at = self.paused.get(&pair).copied();
            // A header of an earlier pause may still be on its way.
            let may_be_told = paused_at.is_some_and(|at| packet.time < at + UNDER_WAY);
            let waiting = Waiting {
                master: packet.to.clone(),
                offsets: Vec::new(),
                may_be_told,
            };
            self.waiting.insert(packet.from.clone(), waiting);
            return;
        }
        if packet.header.is_paused() {
            let pair = (packet.from.clone(), packet.to.clone());
            self.paused.insert(pair, packet.time);
        }
        if self.waiting.is_empty() {
            return;
        }
        if let Some(waiting) = self.waiting.get_mut(&packet.to) {
            let is_told = packet.header.is_paused() && waiting.master == packet.from;
            let is_news = waiting.offsets.last() != Some(&packet.header.offset);
            waiting.may_be_told |= is_told;
            if is_told && is_news && packet.delivered.is_some() {
                waiting.offsets.push(packet.header.offset);
            }
        }
        if packet.kind == PacketKind::AuthRequest {
            self.judge(packet);
        }
    }

    fn judge(&mut self, request: &Packet) {
        let Some(waiting) = self.waiting.get(&request.from) else {
            return;
        };
        // An automatic election waits for nobody, and of an answer that was not seen to arrive
        // nothing is known.
        let first = waiting.offsets.first();
        if !request.header.has_force_ack() || (first.is_none() && waiting.may_be_told) {
            return;
        }
        self.tally.examined += 1;
        let (offset, master) = (request.header.offset, &waiting.master);
        let what = match first {
            Some(_) if waiting.offsets.contains(&offset) => return,
            Some(first) => format!(
                "asks for votes at offset {offset}, while its master {master} paused at {first}"
            ),
            None => format!("asks for votes before its master {master} says that it paused"),
        };
        let finding = finding("MF-08", request.time, &request.from, what);
        self.tally.findings.push(finding);
        self.waiting.remove(&request.from);
    }
}

/// A replica that waits for its master's final offset.
#[derive(Debug)]
struct Waiting {
    master: NodeName,
    /// Offsets that PAUSED headers told it.
    offsets: Vec<u64>,
    /// Whether a PAUSED header was sent to it that it can have by now.
    may_be_told: bool,
}

/// No header is on its way for longer, ns.
const UNDER_WAY: u64 = 30_000 * MILLISECOND;
