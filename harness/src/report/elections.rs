//! Elections as the bus showed them: who asked, who granted, who was promoted.

use std::collections::BTreeMap;

use serde::Serialize;
use slotquake_checkers::observation::{Body, Packet, PacketKind};

use super::evidence::{Evidence, Tick};
use super::lanes::Lane;

/// One candidate's attempt in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Election {
    /// Position of the candidate.
    pub candidate: usize,
    /// The epoch it asked for.
    pub epoch: u64,
    /// Whether it asked by a manual failover (FORCEACK).
    pub forced: bool,
    /// First AUTH_REQUEST.
    pub asked: Tick,
    /// Votes granted: position of the voter and when.
    pub votes: Vec<(usize, Tick)>,
    /// First claim of slots by this epoch, if it won.
    pub promoted: Option<Tick>,
}

/// A master was declared failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Declaration {
    /// When.
    pub at: Tick,
    /// Position of the node that said so first.
    pub by: usize,
    /// Position of the failed node.
    pub failed: usize,
}

/// The elections, in order of their first request.
pub fn elections(evidence: &Evidence<'_>, lanes: &[Lane]) -> Vec<Election> {
    let index = evidence.node_index();
    let mut found: Vec<Election> = Vec::new();
    for packet in evidence.packets {
        let (Some(from), Some(to)) = (index.get(&packet.from), index.get(&packet.to)) else {
            continue;
        };
        if packet.kind == PacketKind::AuthRequest {
            ask(&mut found, *from, packet);
        } else if packet.kind == PacketKind::AuthAck {
            grant(&mut found, *from, *to, packet);
        }
    }
    for election in &mut found {
        let stances = lanes
            .get(election.candidate)
            .map_or(&[][..], |lane| &lane.stances[..]);
        election.promoted = stances
            .iter()
            .find(|stance| {
                !stance.slots.is_empty()
                    && stance.config_epoch == election.epoch
                    && stance.from >= election.asked
            })
            .map(|stance| stance.from);
    }
    found
}

fn ask(found: &mut Vec<Election>, candidate: usize, packet: &Packet) {
    let epoch = packet.header.current_epoch;
    let known =
        |election: &&mut Election| election.candidate == candidate && election.epoch == epoch;
    if found.iter_mut().find(known).is_none() {
        found.push(Election {
            candidate,
            epoch,
            forced: packet.header.has_force_ack(),
            asked: Tick::from_ns(packet.time),
            votes: Vec::new(),
            promoted: None,
        });
    }
}

/// An ACK belongs to the candidate's latest request of an epoch not above the ACK's.
fn grant(found: &mut [Election], voter: usize, candidate: usize, packet: &Packet) {
    let election = found.iter_mut().rev().find(|election| {
        election.candidate == candidate && election.epoch <= packet.header.current_epoch
    });
    let Some(election) = election else {
        return;
    };
    if election.votes.iter().all(|(known, _)| *known != voter) {
        election.votes.push((voter, Tick::from_ns(packet.time)));
    }
}

/// First FAIL packet of each sender's series about a node; repeats within one second are dropped.
pub fn declarations(evidence: &Evidence<'_>) -> Vec<Declaration> {
    let (index, ids) = (evidence.node_index(), evidence.id_index());
    let mut last: BTreeMap<usize, Tick> = BTreeMap::new();
    let mut found = Vec::new();
    for packet in evidence.packets {
        let Body::Failed(id) = &packet.body else {
            continue;
        };
        let (Some(by), Some(failed)) = (index.get(&packet.from), ids.get(id)) else {
            continue;
        };
        let at = Tick::from_ns(packet.time);
        let before = last.insert(*failed, at);
        if before.is_none_or(|before| at.0 > before.0 + REPEAT_TICKS) {
            found.push(Declaration {
                at,
                by: *by,
                failed: *failed,
            });
        }
    }
    found
}

/// One second.
const REPEAT_TICKS: u64 = 10_000;
