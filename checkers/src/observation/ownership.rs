//! Who owned which slots over time, as the owners themselves said on the bus.
//!
//! A master's header is a claim: its id, its configEpoch, its bitmap. The claim with the larger
//! configEpoch wins a slot (rule 2), so the first packet in which another master claims it with a
//! larger one is a *takeover*. A replica's header repeats its master's slots and claims nothing
//! (BUS-12). Views stand in for a node from which no packet was captured.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{NodeId, NodeName};
use super::packet::Packet;
use super::slots::SlotSet;
use super::view::View;

/// What a node says it owns, from this time until its next claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// When it was first seen, ns.
    pub time: u64,
    /// Whose process.
    pub name: NodeName,
    /// Its id.
    pub id: NodeId,
    /// Its configEpoch.
    pub config_epoch: u64,
    /// Its slots; none once it is a replica.
    pub slots: SlotSet,
}

/// Slots that changed owner at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Takeover {
    /// When the new owner's claim was first seen, ns.
    pub time: u64,
    /// The owner before.
    pub from: NodeId,
    /// The owner after.
    pub to: NodeId,
    /// configEpoch of the new claim.
    pub config_epoch: u64,
    /// The slots.
    pub slots: SlotSet,
}

/// The claims and takeovers of a run.
#[derive(Debug, Clone, Default)]
pub struct Ownership {
    current: BTreeMap<NodeId, usize>,
    on_bus: BTreeSet<NodeId>,
    names: BTreeMap<NodeId, NodeName>,
    claims: Vec<Claim>,
    takeovers: Vec<Takeover>,
    /// The claims (by index) that own slots, and which.
    held: Vec<(usize, SlotSet)>,
    voters: BTreeSet<NodeId>,
}

impl Ownership {
    /// Takes in a packet; says whether it changed what its sender claims.
    pub fn observe_packet(&mut self, packet: &Packet) -> bool {
        let header = &packet.header;
        if !self.on_bus.contains(&header.sender) {
            self.on_bus.insert(header.sender.clone());
        }
        // CF-01: a node that is a replica, or says it is none, claims nothing.
        if header.claims_slots() {
            self.claim(
                packet.time,
                &packet.from,
                &header.sender,
                header.config_epoch,
                &header.slots,
            )
        } else {
            self.renounce(packet.time, &header.sender)
        }
    }

    /// Takes in a view, unless the node asked is heard on the bus.
    pub fn observe_view(&mut self, view: &View) -> bool {
        if self.on_bus.contains(&view.id) {
            return false;
        }
        let Some(own) = view.table.iter().find(|entry| entry.id == view.id) else {
            return false;
        };
        match own.has_flag("master") {
            true => self.claim(
                view.time,
                &view.node,
                &view.id,
                own.config_epoch,
                &own.slots,
            ),
            false => self.renounce(view.time, &view.id),
        }
    }

    /// Every change of a claim, in order of time.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Every takeover, in order of time.
    pub fn takeovers(&self) -> &[Takeover] {
        &self.takeovers
    }

    /// Number of masters that own at least one slot now: the voters.
    pub fn voters(&self) -> usize {
        self.voters.len()
    }

    /// Whether this node ever claimed a slot.
    pub fn has_claimed(&self, name: &NodeName) -> bool {
        self.claims.iter().any(|claim| claim.name == *name)
    }

    /// Harness's name of a node that claimed slots.
    pub fn name(&self, id: &NodeId) -> Option<&NodeName> {
        self.names.get(id)
    }

    fn claim(
        &mut self,
        time: u64,
        name: &NodeName,
        id: &NodeId,
        config_epoch: u64,
        slots: &SlotSet,
    ) -> bool {
        if let Some(position) = self.current.get(id) {
            let last = &self.claims[*position];
            if last.config_epoch == config_epoch && last.slots == *slots {
                return false;
            }
        } else if slots.is_empty() {
            return false;
        }
        let claim = Claim {
            time,
            name: name.clone(),
            id: id.clone(),
            config_epoch,
            slots: slots.clone(),
        };
        self.names.insert(id.clone(), name.clone());
        self.current.insert(id.clone(), self.claims.len());
        self.settle_owners(&claim);
        self.claims.push(claim);
        let owning = self
            .held
            .iter()
            .map(|(claim, _)| self.claims[*claim].id.clone());
        self.voters = owning.collect();
        true
    }

    fn renounce(&mut self, time: u64, id: &NodeId) -> bool {
        let Some(position) = self.current.get(id) else {
            return false;
        };
        let last = &self.claims[*position];
        if last.slots.is_empty() {
            return false;
        }
        let claim = Claim {
            time,
            slots: SlotSet::default(),
            ..last.clone()
        };
        self.current.insert(id.clone(), self.claims.len());
        self.claims.push(claim);
        true
    }

    fn settle_owners(&mut self, claim: &Claim) {
        let mut won = claim.slots.clone();
        let mut taken: BTreeMap<NodeId, SlotSet> = BTreeMap::new();
        for (held, slots) in &mut self.held {
            let both = slots.intersection(&claim.slots);
            if both.is_empty() {
                continue;
            }
            let held = &self.claims[*held];
            // Rule 2: only a larger configEpoch takes a slot from its owner.
            if held.id != claim.id && held.config_epoch >= claim.config_epoch {
                won.remove_all(&both);
                continue;
            }
            slots.remove_all(&both);
            if held.id != claim.id {
                taken.entry(held.id.clone()).or_default().insert_all(&both);
            }
        }
        self.held.retain(|(_, slots)| !slots.is_empty());
        if !won.is_empty() {
            self.held.push((self.claims.len(), won));
        }
        for (from, slots) in taken {
            self.takeovers.push(Takeover {
                time: claim.time,
                from,
                to: claim.id.clone(),
                config_epoch: claim.config_epoch,
                slots,
            });
        }
    }
}
