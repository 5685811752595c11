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
    nodes: BTreeMap<NodeId, Known>,
    names: BTreeMap<NodeId, NodeName>,
    claimants: BTreeSet<NodeName>,
    claims: Vec<Claim>,
    takeovers: Vec<Takeover>,
    /// The claims (by index) that own slots, and which.
    held: Vec<(usize, SlotSet)>,
    voters: BTreeSet<NodeId>,
}

/// A node that was heard of.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// Its last claim.
    claim: Option<usize>,
    is_on_bus: bool,
}

impl Ownership {
    /// Takes in a packet; says whether it changed what its sender claims.
    pub fn observe_packet(&mut self, packet: &Packet) -> bool {
        let header = &packet.header;
        let known = match self.nodes.get_mut(&header.sender) {
            Some(known) => known,
            None => self.nodes.entry(header.sender.clone()).or_default(),
        };
        known.is_on_bus = true;
        let last = known.claim;
        // CF-01: a node that is a replica, or says it is none, claims nothing.
        if !header.claims_slots() {
            return self.renounce(packet.time, last);
        }
        let is_news = self.is_news(last, header.config_epoch, &header.slots);
        if is_news {
            self.claim(Claim {
                time: packet.time,
                name: packet.from.clone(),
                id: header.sender.clone(),
                config_epoch: header.config_epoch,
                slots: header.slots.clone(),
            });
        }
        is_news
    }

    /// Takes in a view, unless the node asked is heard on the bus.
    pub fn observe_view(&mut self, view: &View) -> bool {
        let known = self.nodes.get(&view.id).copied().unwrap_or_default();
        if known.is_on_bus {
            return false;
        }
        let Some(own) = view.table.iter().find(|entry| entry.id == view.id) else {
            return false;
        };
        if !own.has_flag("master") {
            return self.renounce(view.time, known.claim);
        }
        let is_news = self.is_news(known.claim, own.config_epoch, &own.slots);
        if is_news {
            self.claim(Claim {
                time: view.time,
                name: view.node.clone(),
                id: view.id.clone(),
                config_epoch: own.config_epoch,
                slots: own.slots.clone(),
            });
        }
        is_news
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
        self.claimants.contains(name)
    }

    /// The claim by which a node owns slots now, if it does.
    pub fn holding(&self, name: &NodeName) -> Option<&Claim> {
        let mut held = self.held.iter().map(|(claim, _)| &self.claims[*claim]);
        held.find(|claim| claim.name == *name)
    }

    /// Harness's name of a node that claimed slots.
    pub fn name(&self, id: &NodeId) -> Option<&NodeName> {
        self.names.get(id)
    }

    /// Whether a claim differs from the node's last one.
    fn is_news(&self, last: Option<usize>, config_epoch: u64, slots: &SlotSet) -> bool {
        match last.map(|position| &self.claims[position]) {
            Some(last) => last.config_epoch != config_epoch || last.slots != *slots,
            None => !slots.is_empty(),
        }
    }

    fn claim(&mut self, claim: Claim) {
        self.names.insert(claim.id.clone(), claim.name.clone());
        self.claimants.insert(claim.name.clone());
        self.settle_owners(&claim);
        self.keep(claim);
        let owning = self
            .held
            .iter()
            .map(|(claim, _)| self.claims[*claim].id.clone());
        self.voters = owning.collect();
    }

    fn renounce(&mut self, time: u64, last: Option<usize>) -> bool {
        let last = last.map(|position| &self.claims[position]);
        let Some(last) = last.filter(|last| !last.slots.is_empty()) else {
            return false;
        };
        let claim = Claim {
            time,
            slots: SlotSet::default(),
            ..last.clone()
        };
        self.keep(claim);
        true
    }

    fn keep(&mut self, claim: Claim) {
        let known = self.nodes.entry(claim.id.clone()).or_default();
        known.claim = Some(self.claims.len());
        self.claims.push(claim);
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
