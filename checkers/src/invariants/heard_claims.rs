//! Which claims reached which node, and when: what it must know of the owners of slots.
//!
//! A master that hears a claim with a larger configEpoch gives the slots to the claimant (UP-05),
//! so from then on it knows an owner at least as new, as long as nobody moves slots by hand. Only
//! heartbeats carry claims. Nothing here judges.

use std::collections::BTreeMap;

use super::links::{ByPair, PairNumber};
use crate::observation::{NodeId, NodeName, Packet, SlotSet};
use crate::scene::Scene;

/// The claims that were delivered so far.
#[derive(Debug, Default)]
pub struct HeardClaims {
    heard: ByPair<Heard>,
    /// Who heard whom, by the name of the hearer.
    pairs: BTreeMap<NodeName, Vec<PairNumber>>,
}

/// What one node heard of another.
#[derive(Debug, Default)]
struct Heard {
    /// The first header of each configEpoch in which slots were claimed, in order of sending.
    claims: Vec<HeardClaim>,
    /// The latest delivery of a header that claims nothing, ns.
    denied: Option<u64>,
}

/// A claim as it reached a node.
#[derive(Debug, Clone)]
pub struct HeardClaim {
    /// When it was delivered, ns.
    pub delivered: u64,
    /// The claimant.
    pub owner: NodeId,
    /// At this configEpoch.
    pub config_epoch: u64,
    slots: SlotSet,
}

/// A claim that is to be compared with what a node heard.
#[derive(Debug, Clone, Copy)]
pub struct OldClaim<'a> {
    /// Its configEpoch.
    pub config_epoch: u64,
    /// Its slots.
    pub slots: &'a SlotSet,
}

impl HeardClaims {
    /// Takes in a packet, the one at hand in the scene.
    pub fn observe(&mut self, packet: &Packet, scene: &Scene) {
        let (header, Some(delivered)) = (&packet.header, packet.delivered) else {
            return;
        };
        if !packet.kind.is_heartbeat() {
            return;
        }
        let pair = scene.pair();
        let is_new = self.heard.get(pair).is_none();
        let heard = self.heard.entry(pair);
        if is_new {
            let pairs = self.pairs.entry(packet.to.clone()).or_default();
            pairs.push(pair);
        }
        if !header.claims_slots() {
            heard.denied = heard.denied.max(Some(delivered));
            return;
        }
        let last = heard.claims.last();
        let is_known = last.is_some_and(|last| {
            last.config_epoch == header.config_epoch && last.owner == header.sender
        });
        if !is_known {
            heard.claims.push(HeardClaim {
                delivered,
                owner: header.sender.clone(),
                config_epoch: header.config_epoch,
                slots: header.slots.clone(),
            });
        }
    }

    /// A claim on the same slots at a larger configEpoch that reached a node between these times
    /// and that the claimant was not heard to take back.
    pub fn newer(
        &self,
        hearer: &NodeName,
        (from, to): (u64, u64),
        old: OldClaim<'_>,
    ) -> Option<&HeardClaim> {
        let pairs = self.pairs.get(hearer).into_iter().flatten();
        let mut heard = pairs.filter_map(|pair| self.heard.get(*pair));
        heard.find_map(|heard| {
            let claims = heard.claims.iter().rev();
            let mut in_time = claims.filter(|claim| claim.delivered <= to);
            let claim = in_time.next()?;
            let is_newer = claim.config_epoch > old.config_epoch
                && claim.delivered >= from
                && heard.denied.is_none_or(|denied| denied < claim.delivered)
                && claim.slots.intersects(old.slots);
            is_newer.then_some(claim)
        })
    }
}
