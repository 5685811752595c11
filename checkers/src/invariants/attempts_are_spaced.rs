//! VT-10: one replica's attempts to be elected are spaced.
//!
//! Compared are requests for votes of different epochs by one candidate in one life, for the same
//! master, neither of them forced; a manual failover begins anew, and so does a new master.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{
    Bounds, NodeId, NodeName, Packet, PacketKind, Setting, bounds::CRON, bounds::MILLISECOND,
    bounds::seconds,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "VT-10",
    title: "election attempts of a replica are spaced",
    clauses: &["VT-10"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A replica whose election failed waits max(4 NT, 4 s) before it raises the epoch \
           again, so that elections do not chase each other. Judged from its AUTH_REQUESTs, \
           less one tick.",
    make: || Box::new(AttemptsAreSpaced::default()),
};

/// The checker of VT-10.
#[derive(Debug, Default)]
pub struct AttemptsAreSpaced {
    last: BTreeMap<(NodeName, u32), Attempt>,
    attempts: Vec<(u64, Attempt)>,
    tally: Tally,
}

impl Checker for AttemptsAreSpaced {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) if packet.kind == PacketKind::AuthRequest => {
                self.note(packet, scene);
            }
            Happening::Packet(packet) if packet.header.claims_slots() => {
                self.last.retain(|(name, _), _| *name != packet.from);
            }
            Happening::Packet(_)
            | Happening::Op(_)
            | Happening::View(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let timeout = Bounds::of(setting).node_timeout;
        let spacing = (4 * timeout).max(4000 * MILLISECOND) - CRON;
        for (before, attempt) in std::mem::take(&mut self.attempts) {
            if attempt.time - before < spacing {
                let what = format!(
                    "asks for votes in epoch {} only {} after its last attempt",
                    attempt.epoch,
                    seconds(attempt.time - before)
                );
                let finding = finding("VT-10", attempt.time, &attempt.candidate, what);
                self.tally.findings.push(finding);
            }
        }
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no replica stood for election",
        )
    }
}

impl AttemptsAreSpaced {
    fn note(&mut self, packet: &Packet, scene: &Scene) {
        let header = &packet.header;
        let incarnation = scene.incarnations().life(&packet.from).incarnation;
        let key = (packet.from.clone(), incarnation);
        if header.has_force_ack() {
            self.last.remove(&key);
            return;
        }
        let attempt = Attempt {
            time: packet.time,
            candidate: packet.from.clone(),
            epoch: header.current_epoch,
            master: header.master.clone(),
        };
        match self.last.get(&key) {
            Some(last) if last.epoch == attempt.epoch => return,
            Some(last) if last.master == attempt.master => {
                self.attempts.push((last.time, attempt.clone()));
            }
            Some(_) | None => {}
        }
        self.tally.examined += 1;
        match is_hasty(&attempt, scene) {
            true => self.last.remove(&key),
            false => self.last.insert(key, attempt),
        };
    }
}

/// Whether an attempt follows a failure sooner than one that this failure planned: then an earlier
/// one had planned it, and from that time the next one counts (VT-11).
fn is_hasty(attempt: &Attempt, scene: &Scene) -> bool {
    let Some(master) = &attempt.master else {
        return false;
    };
    let since = attempt.time.saturating_sub(400 * MILLISECOND);
    let words = scene.fail_words();
    let word = words.first(&attempt.candidate, master, since, attempt.time);
    word.is_some()
}

/// A request for votes in a new epoch.
#[derive(Debug, Clone)]
struct Attempt {
    time: u64,
    candidate: NodeName,
    epoch: u64,
    master: Option<NodeId>,
}
