//! Slot claims: what a master says it owns, against what this node believes.
//!
//! Accepting a claim on one slot is a rule table. After all slots of a claim are weighed, this node
//! may find itself without slots and follow the claimant (UP-08). A claim by the slots of a replica
//! is never one (BUS-12, GO-22). Clauses: UP-01 to UP-12, UP-18.

use std::collections::BTreeSet;

use super::Cluster;
use super::members::MemberIndex;
use super::turn::Turn;
use super::{Effect, Profile};
use crate::bus::packet::{Body, Header};
use crate::epoch::ConfigEpoch;
use crate::mutants::Mutant;
use crate::output::{Durability, LogLevel};
use crate::rules::{Rule, first_objection};
use crate::slot::{Slot, SlotSet};

/// What is weighed before a claimed slot is rebound.
pub(super) struct ClaimFacts {
    pub is_being_imported: bool,
    /// The owner's configEpoch; none if nobody owns the slot or its owner stopped claiming it.
    pub owner_epoch: Option<ConfigEpoch>,
    pub claimed_epoch: ConfigEpoch,
}

/// Why a claim on a slot is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotRebound {
    BeingImported,
    OwnerIsAsNew,
}

/// Accepting a claim on a slot that is not bound to the claimant.
pub(super) const CLAIM_RULES: &[Rule<ClaimFacts, NotRebound>] = &[
    Rule {
        clause: "UP-03",
        objects: |facts| facts.is_being_imported.then_some(NotRebound::BeingImported),
    },
    Rule {
        // UP-04, UP-05: only a strictly newer claim takes a slot; nobody's slot is free (UP-06).
        clause: "UP-05",
        objects: |facts| {
            let owner_epoch = facts.owner_epoch?;
            (owner_epoch >= facts.claimed_epoch).then_some(NotRebound::OwnerIsAsNew)
        },
    },
];

/// A claim: who, at which version, what.
pub(super) struct Claim<'a> {
    pub by: MemberIndex,
    pub epoch: ConfigEpoch,
    pub slots: &'a SlotSet,
}

/// What a claim took from this node's shard.
#[derive(Default)]
struct Losses {
    of_my_shard: usize,
    mine_with_keys: Vec<Slot>,
}

impl Cluster {
    /// UP-01: weighs a claim slot by slot, then what it means for this node. RP-11: a replica too
    /// learns owners here, not from its master's stream.
    pub(super) fn weigh_claim(&mut self, claim: &Claim, turn: &mut Turn) {
        if claim.by == self.members.my_index() {
            return;
        }
        let shard_master = self.members.my_shard_master();
        let bound = self.members[claim.by].slots.clone();
        // UP-02: claimed and bound already. UP-06: bound, but no longer claimed.
        let kept = bound.intersection(claim.slots);
        self.slots.unclaimed.remove_all(&kept);
        self.slots
            .unclaimed
            .insert_all(&bound.difference(claim.slots));
        let mut losses = Losses::default();
        let mut losers = BTreeSet::new();
        let mut rebound = 0;
        let news = claim.slots.difference(&bound);
        for part in self.slots.alike(&self.members, &news) {
            let Some(slot) = part.first() else {
                continue;
            };
            // What holds for one slot of the part holds for all.
            if first_objection(CLAIM_RULES, &self.claim_facts(slot, claim), self.mutant).is_some() {
                continue;
            }
            self.note_loss(&part, shard_master, turn, &mut losses);
            losers.extend(self.slots.owner(slot));
            self.slots.bind_all(&mut self.members, &part, claim.by);
            rebound += part.len();
        }
        losses.mine_with_keys.sort_unstable();
        for loser in losers {
            self.hand_over_marks(loser, claim.by);
        }
        if rebound > 0 {
            self.clockwork.slots_changed = true;
            self.pending.evaluate_state = true;
            self.pending.save(Durability::Synced);
        }
        self.after_claim(claim, shard_master, losses, turn);
    }

    fn claim_facts(&self, slot: Slot, claim: &Claim) -> ClaimFacts {
        let owner = self
            .slots
            .owner(slot)
            .filter(|_| self.slots.is_claimed(slot));
        ClaimFacts {
            // DEVIATION(UP-03): as in Valkey 8, an importing node follows the slot's owner, or it
            // would be the only one not to learn of a failover of the source (CF-01 of part C).
            is_being_imported: self.profile == Profile::Upstream70
                && self.slots.importing.contains_key(&slot),
            owner_epoch: owner.map(|owner| self.members[owner].config_epoch),
            claimed_epoch: claim.epoch,
        }
    }

    /// Notes slots of one owner that are about to be rebound.
    fn note_loss(
        &self,
        part: &SlotSet,
        shard_master: MemberIndex,
        turn: &Turn,
        losses: &mut Losses,
    ) {
        let owner = part.first().and_then(|slot| self.slots.owner(slot));
        if owner == Some(shard_master) {
            losses.of_my_shard += part.len();
        }
        if owner == Some(self.members.my_index()) {
            let with_keys = turn.keys.occupied_among(part);
            losses.mine_with_keys.extend(with_keys);
        }
    }

    /// UP-07, UP-08, UP-10: demotion, a detour in the chain of masters, or keys to delete.
    fn after_claim(
        &mut self,
        claim: &Claim,
        shard_master: MemberIndex,
        losses: Losses,
        turn: &mut Turn,
    ) {
        let is_emptied = losses.of_my_shard > 0 && self.members[shard_master].slot_count == 0;
        let may_follow =
            turn.config.cluster_allow_replica_migration || claim.slots.len() == losses.of_my_shard;
        let stays = match self.is_replica() {
            true => self.mutant.is(Mutant::ReplicaStaysBehind),
            false => self.mutant.is(Mutant::NotDemoted),
        };
        if stays {
            return;
        }
        // UP-08, UP-11: who took the last slot of the shard is its master now; where that is not
        // allowed, a master stays one without slots.
        if is_emptied && may_follow {
            let id = self.members[claim.by].id;
            turn.log(
                LogLevel::Notice,
                format!("Configuration change detected. Reconfiguring myself as a replica of {id}"),
            );
            self.become_replica_of(claim.by, turn);
            self.pending.save(Durability::Synced);
            return;
        }
        if self.skip_sub_replica(turn) {
            return;
        }
        // UP-07: keys of slots that are another node's now.
        for slot in losses.mine_with_keys {
            turn.fx.push(Effect::DeleteSlot(slot));
        }
    }

    /// UP-10: a replica of a replica moves up to the latter's master.
    pub(super) fn skip_sub_replica(&mut self, turn: &mut Turn) -> bool {
        let grand_master = self
            .members
            .me()
            .master()
            .and_then(|master| self.members[master].master())
            .filter(|grand_master| *grand_master != self.members.my_index());
        let Some(grand_master) = grand_master else {
            return false;
        };
        self.become_replica_of(grand_master, turn);
        self.pending.save(Durability::Synced);
        true
    }

    /// UP-12: tells a sender about owners that claim what it claims, at a newer version.
    pub(super) fn answer_stale_claim(&mut self, sender: MemberIndex, header: &Header, turn: &Turn) {
        let others = self
            .slots
            .owners_of(&self.members, &header.slots)
            .into_iter();
        let others = others.filter(|index| *index != sender);
        let others = others.map(|index| (index, &self.members[index]));
        let newer = others.filter(|(_, member)| member.config_epoch > header.config_epoch);
        let claimed = newer.filter_map(|(index, member)| {
            let both = member.slots.intersection(&header.slots);
            Some((both.difference(&self.slots.unclaimed).first()?, index))
        });
        let mut owners: Vec<(Slot, MemberIndex)> = claimed.collect();
        owners.sort_unstable();
        // DEVIATION(UP-12): one UPDATE for each owner, not one per packet (KW-05).
        if self.profile == Profile::Upstream70 {
            owners.truncate(1);
        }
        if self.mutant.is(Mutant::UpdateNotSent) {
            return;
        }
        for (_, owner) in owners {
            let update = self.update_about(owner);
            self.send_to(sender, update, turn);
        }
    }

    /// An UPDATE about a node, without the slots it stopped claiming (UP-06).
    pub(super) fn update_about(&self, owner: MemberIndex) -> Body {
        let member = &self.members[owner];
        Body::Update {
            owner: Some(member.id),
            config_epoch: match self.mutant.is(Mutant::UpdateWithMyEpoch) {
                true => self.config_epoch(),
                false => member.config_epoch,
            },
            slots: std::sync::Arc::new(member.slots.difference(&self.slots.unclaimed)),
        }
    }
}
