//! Roles: who is master, who copies whom; for others and for this node.
//!
//! This node's own changes of role end every election and manual failover it was in, so that no
//! vote is counted twice. Replication follows the role through [`Effect::Follow`] and
//! [`Effect::Lead`]. Clauses: GO-19 to GO-21, RM-08, RP-03 to RP-06, EL-20, EL-27, VT-08 of part C.

use std::net::IpAddr;

use super::election::Election;
use super::manual_failover::ManualFailover;
use super::members::{MemberIndex, Role};
use super::turn::Turn;
use super::{Cluster, Effect, Profile};
use crate::bus::packet::{Header, OpenSlots};
use crate::mutants::Mutant;
use crate::output::Durability;
use crate::slot::SlotSet;

/// What replication was last told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Following {
    /// Be a master.
    Nobody,
    /// Copy from there; none if the address is unknown.
    Address(Option<(IpAddr, u16)>),
}

impl Cluster {
    /// GO-19 to GO-21: takes in the role that a header tells.
    pub(super) fn hear_role(&mut self, sender: MemberIndex, header: &Header) {
        let Some(master) = header.master else {
            if !self.members[sender].is_master() {
                self.set_as_master(sender);
                self.pending.save(Durability::Buffered);
            }
            return;
        };
        if !self.members[sender].is_replica() {
            self.hand_over_slots(sender, header);
            let member = &mut self.members[sender];
            member.role = Role::Replica { of: None };
            member.is_migration_target = false;
            self.pending.evaluate_state = true;
            self.pending.save(Durability::Buffered);
        }
        // GO-21: an unknown master leaves the old one in place.
        if let Some(master) = self.members.find(master) {
            self.set_master_of(sender, master);
        }
    }

    /// GO-20: a master that became a replica has no slots of its own.
    fn hand_over_slots(&mut self, sender: MemberIndex, header: &Header) {
        let heir = self.heir_of(sender, header);
        if let Some(heir) = heir {
            self.set_as_master(heir);
            let epoch = &mut self.members[heir].config_epoch;
            *epoch = (*epoch).max(header.config_epoch);
            self.pending.save(Durability::Synced);
        }
        let slots = self.members[sender].slots.clone();
        for slot in slots.iter() {
            match heir.filter(|_| header.slots.contains(slot)) {
                Some(heir) => self.slots.bind(&mut self.members, slot, heir),
                None => self.slots.unbind(&mut self.members, slot),
            }
        }
        if let Some(heir) = heir {
            self.hand_over_marks(sender, heir);
        }
        self.clockwork.slots_changed |= !slots.is_empty();
    }

    /// DEVIATION(SM-21): as in Valkey 8, the marks of open slots follow the failover of the other
    /// end: who lost its last slot to its heir is no source and no target any more.
    pub(super) fn hand_over_marks(&mut self, old: MemberIndex, heir: MemberIndex) {
        let is_replaced = old != heir && self.members[old].slot_count == 0;
        let is_other = heir != self.members.my_index();
        if is_replaced && is_other && self.profile == Profile::Reference {
            let (old, heir) = (self.members[old].id, self.members[heir].id);
            self.slots.rename_peer(old, heir);
        }
    }

    /// DEVIATION(GO-20): as in Redis 8, the slots go to the replica that took over, instead of to
    /// nobody until its own claim arrives, which would turn the state to fail (KW-10).
    fn heir_of(&self, sender: MemberIndex, header: &Header) -> Option<MemberIndex> {
        let heir = header.master.and_then(|master| self.members.find(master))?;
        let is_of_shard = self.members[heir].master() == Some(sender);
        let is_newer = header.config_epoch >= self.members[sender].config_epoch;
        let is_other = heir != self.members.my_index();
        let follows_redis8 = self.profile == Profile::Reference;
        (is_of_shard && is_newer && is_other && follows_redis8).then_some(heir)
    }

    /// Makes a node a master in this node's table (GO-19, UP-13).
    pub(super) fn set_as_master(&mut self, index: MemberIndex) {
        let was_replica = self.leave_master(index);
        let member = &mut self.members[index];
        member.role = Role::Master;
        // RM-08: a promoted replica leaves a shard that had replicas.
        if was_replica && index != self.members.my_index() {
            self.members[index].is_migration_target = true;
        }
        self.pending.evaluate_state = true;
    }

    /// Points a replica to its master.
    fn set_master_of(&mut self, replica: MemberIndex, master: MemberIndex) {
        if self.members[replica].master() == Some(master) || replica == master {
            return;
        }
        self.leave_master(replica);
        self.members[replica].role = Role::Replica { of: Some(master) };
        self.members[master].is_migration_target = true;
        self.pending.save(Durability::Buffered);
    }

    /// RM-08: whose last replica leaves is no migration target any more.
    fn leave_master(&mut self, replica: MemberIndex) -> bool {
        let Some(master) = self.members[replica].master() else {
            return false;
        };
        self.members[replica].role = Role::Replica { of: None };
        if self.members.replicas_of(master).next().is_none() {
            self.members[master].is_migration_target = false;
        }
        true
    }

    /// This node becomes a replica, or one of another master (RP-02, UP-08, RM-07).
    pub(super) fn become_replica_of(&mut self, master: MemberIndex, turn: &mut Turn) {
        let me = self.members.my_index();
        assert!(master != me, "a node cannot replicate itself");
        if self.members[me].is_master() {
            // SM-18: a replica has no open slots.
            self.slots.close_all();
            self.slots.unbind_all(&mut self.members, me);
            self.members.me_mut().is_migration_target = false;
        }
        self.slots.of_master = OpenSlots::default();
        self.leave_master(me);
        self.members.me_mut().role = Role::Replica { of: Some(master) };
        self.members[master].is_migration_target = true;
        // MF-10: clients held back by the pause are let go, to be sent to the new master.
        self.end_manual_failover(turn);
        self.forget_election();
        self.clockwork.slots_changed = true;
        self.pending.evaluate_state = true;
        self.retarget_replication(turn.fx);
    }

    /// The same in another shard, by order or of its own accord (RP-02, RM-07).
    pub(super) fn change_shard(&mut self, master: MemberIndex, turn: &mut Turn) {
        let is_news = self.members.me().master() != Some(master);
        self.become_replica_of(master, turn);
        // DEVIATION(EL-02): upstream counts the age from the end of the old link, so that a replica
        // can win an election with the data of the shard it left.
        if is_news && Profile::of(turn.config) == Profile::Reference {
            turn.fx.push(Effect::ForeignData);
        }
    }

    /// EL-20: this node takes over from its master; its configEpoch is set by the caller.
    pub(super) fn take_over(&mut self, turn: &mut Turn) {
        let me = self.members.my_index();
        let Some(old) = self.members.me().master() else {
            return;
        };
        self.leave_master(me);
        self.members.me_mut().role = Role::Master;
        let mut slots = SlotSet::clone(&self.members[old].slots);
        if let Some(first) = slots
            .first()
            .filter(|_| self.mutant.is(Mutant::SlotLeftBehind))
        {
            slots.remove(first);
        }
        self.slots.bind_all(&mut self.members, &slots, me);
        self.inherit_open_slots();
        self.lead(turn);
        self.clockwork.slots_changed = true;
        self.pending.evaluate_state = true;
        if !self.mutant.is(Mutant::PromotionNotSaved) {
            self.pending.save(Durability::Synced);
        }
        // EL-21: everybody knows the new owner by this PONG.
        if !self.mutant.is(Mutant::VictoryNotTold) {
            self.broadcast_pong(turn);
        }
        self.end_manual_failover(turn);
        self.forget_election();
    }

    /// Replication has no master any more (RP-06).
    pub(super) fn lead(&mut self, turn: &mut Turn) {
        self.following = Following::Nobody;
        turn.fx.push(Effect::Lead);
    }

    /// DEVIATION(EL-06, EL-14): votes and schedule end with every promotion and every change of
    /// master (EL-27), so that old votes never promote twice (VT-08, part C.1).
    fn forget_election(&mut self) {
        if self.profile == Profile::Reference && !self.mutant.is(Mutant::VotesKept) {
            self.election = Election::default();
        }
    }

    /// Ends a manual failover, letting paused clients go (MF-11).
    pub(super) fn end_manual_failover(&mut self, turn: &mut Turn) {
        if let ManualFailover::Pausing { .. } = self.manual
            && !self.mutant.is(Mutant::PauseNotEnded)
        {
            turn.fx.push(Effect::ResumeWrites);
        }
        self.manual = ManualFailover::None;
    }

    /// RP-04, RP-05: tells replication where the master is, when that is news.
    pub(super) fn retarget_replication(&mut self, fx: &mut Vec<Effect>) {
        let Some(master) = self.members.me().master() else {
            return;
        };
        let address = self.members[master].address;
        let target = address
            .ip
            .filter(|_| address.port != 0)
            .map(|ip| (ip, address.port));
        let wanted = Following::Address(target);
        // A master whose address was lost is kept on: the connection may well be alive.
        let is_kept = target.is_none() && matches!(self.following, Following::Address(Some(_)));
        if wanted == self.following || (is_kept && self.members[master].is_without_address) {
            return;
        }
        self.following = wanted;
        fx.push(Effect::Follow(target));
    }
}
