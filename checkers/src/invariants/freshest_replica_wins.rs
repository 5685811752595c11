//! VT-13: how often the replica with the newest data won. A figure, not a promise.
//!
//! A replica waits a second for each sibling whose offset is ahead of its own, but masters do not
//! compare candidates: the freshest is only likely to win. Counted are promotions after an
//! automatic election; a sibling counts if it followed the same master and was heard of within the
//! last node timeout.

use super::bus_evidence::{Completeness, Tally};
use super::links::ByLife;
use super::promotions::Promotion;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Bounds, NodeId, Packet, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "VT-13",
    title: "how often the freshest replica was promoted",
    clauses: &["VT-13"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "Measured, never violated: of the automatic failovers with more than one replica at \
           hand, the share that was won by a replica whose offset no reachable sibling exceeded. \
           The rank delays a candidate by a second for each better sibling; nobody compares \
           them, so another one may still win.",
    make: || Box::new(FreshestReplicaWins::default()),
};

/// The figures of VT-13.
#[derive(Debug, Default)]
pub struct FreshestReplicaWins {
    /// Replicas, by life, as their last header showed them.
    shown: ByLife<Shown>,
    failovers: Vec<Failover>,
}

/// A replica's last header.
#[derive(Debug)]
struct Shown {
    id: NodeId,
    master: NodeId,
    offset: u64,
    time: u64,
}

/// A replica won an election.
#[derive(Debug)]
struct Failover {
    offset: u64,
    /// Its siblings: how far each was, and how long ago it was heard of, ns.
    siblings: Vec<(u64, u64)>,
}

impl Checker for FreshestReplicaWins {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        let Happening::Packet(packet) = happening else {
            return;
        };
        if let Some(promotion) = scene.new_promotion() {
            self.note_failover(promotion, scene);
        }
        self.note_header(packet, scene);
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let timeout = Bounds::of(setting).node_timeout;
        let mut tally = Tally::default();
        let mut best = 0;
        for failover in std::mem::take(&mut self.failovers) {
            let near = failover.siblings.iter();
            let mut near = near.filter(|(_, silent)| *silent <= timeout).peekable();
            if near.peek().is_some() {
                tally.examined += 1;
                best += u64::from(near.all(|(offset, _)| *offset <= failover.offset));
            }
        }
        let examined = tally.examined;
        let nothing = "no replica with siblings won an election";
        let verdict = tally.conclude(setting, Completeness::Helpful, nothing);
        match examined {
            0 => verdict,
            _ => verdict.with_remark(format!(
                "{best} of {examined} failovers were won by the freshest replica"
            )),
        }
    }
}

impl FreshestReplicaWins {
    fn note_header(&mut self, packet: &Packet, scene: &Scene) {
        let header = &packet.header;
        let Some(master) = &header.master else {
            return;
        };
        match self.shown.get_mut(scene.life()) {
            Some(shown) => {
                (shown.offset, shown.time) = (header.offset, packet.time);
                if shown.master != *master || shown.id != header.sender {
                    (shown.master, shown.id) = (master.clone(), header.sender.clone());
                }
            }
            None => {
                let shown = Shown {
                    id: header.sender.clone(),
                    master: master.clone(),
                    offset: header.offset,
                    time: packet.time,
                };
                self.shown.insert(scene.life(), shown);
            }
        }
    }

    fn note_failover(&mut self, promotion: &Promotion, scene: &Scene) {
        let promotions = scene.promotions();
        let request = promotions.request(&promotion.id, promotion.epoch);
        if request.is_none_or(|request| request.manual) {
            return;
        }
        // Its last header as a replica was that of the request or a later one.
        let Some(winner) = self.shown.get(scene.life()) else {
            return;
        };
        let siblings = self.shown.values().filter(|other| {
            other.master == winner.master && other.id != winner.id && other.time <= promotion.time
        });
        let siblings = siblings.map(|other| (other.offset, promotion.time - other.time));
        self.failovers.push(Failover {
            offset: winner.offset,
            siblings: siblings.collect(),
        });
    }
}
