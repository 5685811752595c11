//! Replicas that became masters, and the elections that went before.
//!
//! A promotion is a change from replica to master within one link, where order is certain (R3).
//! Several links show the same one: a promotion is known by the node, its incarnation, the
//! configEpoch it claims, and the how-manieth it is with that epoch on the link. A node that
//! claims two promotions with one epoch did not win two elections. A link on which nothing was sent
//! at the time of the promotion may show a later epoch of the same reign first: that is no other
//! promotion.

use std::collections::BTreeMap;

use super::links::{ByLink, LinkNumber};
use crate::observation::{NodeId, NodeName, Packet, PacketKind};

/// A replica became a master that owns slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// When its first claim was seen, ns.
    pub time: u64,
    /// Whose process.
    pub name: NodeName,
    /// Its id.
    pub id: NodeId,
    /// configEpoch of the claim.
    pub epoch: u64,
    /// How many promotions of this node with this epoch went before.
    pub earlier: u32,
}

/// A candidate's request for votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// When it was first sent, ns.
    pub time: u64,
    /// Whether it is that of a manual failover.
    pub manual: bool,
}

/// A vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// When it was sent, ns.
    pub time: u64,
    /// Who voted.
    pub voter: NodeName,
    /// For whom.
    pub candidate: NodeName,
    /// In which epoch.
    pub epoch: u64,
}

/// Promotions, requests and votes of a run.
#[derive(Debug, Clone, Default)]
pub struct Promotions {
    roles: ByLink<LinkRole>,
    seen: BTreeMap<(NodeId, u32, u64, u32), ()>,
    requests: BTreeMap<(NodeId, u64), Request>,
    votes: Vec<Vote>,
    promotions: Vec<Promotion>,
    /// Nodes that showed themselves as masters with slots last, on any link, and the last promotion
    /// that this follows from.
    reigns: BTreeMap<(NodeId, u32), usize>,
}

#[derive(Debug, Clone, Default)]
struct LinkRole {
    was_replica: bool,
    /// Promotions seen on this link, by epoch.
    promoted: BTreeMap<u64, u32>,
}

impl Promotions {
    /// Takes in a packet of this link and life of its sender; gives the promotion that it is the
    /// first to show.
    pub fn observe(
        &mut self,
        packet: &Packet,
        link: LinkNumber,
        incarnation: u32,
    ) -> Option<&Promotion> {
        let header = &packet.header;
        match packet.kind {
            PacketKind::AuthRequest => {
                let request = Request {
                    time: packet.time,
                    manual: header.has_force_ack(),
                };
                let key = (header.sender.clone(), header.current_epoch);
                self.requests.entry(key).or_insert(request);
            }
            PacketKind::AuthAck => self.votes.push(Vote {
                time: packet.time,
                voter: packet.from.clone(),
                candidate: packet.to.clone(),
                epoch: header.current_epoch,
            }),
            PacketKind::Ping
            | PacketKind::Pong
            | PacketKind::Meet
            | PacketKind::Fail
            | PacketKind::Publish
            | PacketKind::Update
            | PacketKind::MfStart
            | PacketKind::Module
            | PacketKind::PublishShard
            | PacketKind::Unknown(_) => {}
        }
        self.observe_role(packet, link, incarnation)
    }

    fn observe_role(
        &mut self,
        packet: &Packet,
        link: LinkNumber,
        incarnation: u32,
    ) -> Option<&Promotion> {
        let header = &packet.header;
        let role = self.roles.entry(link);
        if !header.is_master() {
            role.was_replica = true;
            if !self.reigns.is_empty() {
                self.reigns.remove(&(header.sender.clone(), incarnation));
            }
            return None;
        }
        if !header.claims_slots() || !std::mem::take(&mut role.was_replica) {
            return None;
        }
        let reign = (header.sender.clone(), incarnation);
        let known = self.reigns.get(&reign).map(|at| &self.promotions[*at]);
        if known.is_some_and(|known| known.epoch < header.config_epoch) {
            return None;
        }
        let count = role.promoted.entry(header.config_epoch).or_insert(0);
        let earlier = *count;
        *count += 1;
        let key = (
            header.sender.clone(),
            incarnation,
            header.config_epoch,
            earlier,
        );
        if self.seen.insert(key, ()).is_some() {
            return None;
        }
        self.reigns.insert(reign, self.promotions.len());
        self.promotions.push(Promotion {
            time: packet.time,
            name: packet.from.clone(),
            id: header.sender.clone(),
            epoch: header.config_epoch,
            earlier,
        });
        self.promotions.last()
    }

    /// Every promotion, in order of time.
    pub fn promotions(&self) -> &[Promotion] {
        &self.promotions
    }

    /// Every vote, in order of time.
    pub fn votes(&self) -> &[Vote] {
        &self.votes
    }

    /// Number of elections: candidates and epochs for which votes were asked.
    pub fn elections(&self) -> usize {
        self.requests.len()
    }

    /// The node's first request for votes in this epoch.
    pub fn request(&self, id: &NodeId, epoch: u64) -> Option<Request> {
        self.requests.get(&(id.clone(), epoch)).copied()
    }

    /// The promotion of the same node with the same epoch before this one.
    pub fn before(&self, promotion: &Promotion) -> Option<&Promotion> {
        let wanted = promotion.earlier.checked_sub(1)?;
        self.promotions.iter().rfind(|other| {
            other.id == promotion.id
                && other.epoch == promotion.epoch
                && other.earlier == wanted
                && other.time <= promotion.time
        })
    }
}
