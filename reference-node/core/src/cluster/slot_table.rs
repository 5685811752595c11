//! Who owns which slot, which slots are open, and which their owner no longer claims.
//!
//! The owner table and the slot sets of the members are changed together, here only. Whether a
//! change is right is decided by the callers (claims, commands, promotion).
//! Clauses: UP-06, UP-19, SM-01, SM-15, SM-18, SM-19, KW-08.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::members::{MemberIndex, Members};
use crate::bus::packet::OpenSlots;
use crate::ids::NodeId;
use crate::slot::{SLOT_COUNT, Slot, SlotSet};

const NOBODY: u16 = u16::MAX;

/// The slots, from this node's point of view.
#[derive(Debug, Clone)]
pub struct SlotTable {
    owners: Vec<u16>,
    assigned: usize,
    /// Bound to a node that does not claim them any more (UP-06).
    pub unclaimed: SlotSet,
    /// Slots of mine on their way to another node.
    pub migrating: BTreeMap<Slot, NodeId>,
    /// Slots of another node on their way to me.
    pub importing: BTreeMap<Slot, NodeId>,
    /// The open slots of my master, as it told me (SM-20).
    pub of_master: OpenSlots,
    /// What my replicas were told last.
    pub told: OpenSlots,
    /// Slots I gave to a node that has not claimed them yet (KW-08).
    pub given: BTreeMap<Slot, NodeId>,
}

impl Default for SlotTable {
    fn default() -> Self {
        SlotTable {
            owners: vec![NOBODY; SLOT_COUNT],
            assigned: 0,
            unclaimed: SlotSet::default(),
            migrating: BTreeMap::new(),
            importing: BTreeMap::new(),
            of_master: OpenSlots::default(),
            told: OpenSlots::default(),
            given: BTreeMap::new(),
        }
    }
}

impl SlotTable {
    /// Who owns a slot.
    pub fn owner(&self, slot: Slot) -> Option<MemberIndex> {
        let number = self.owners[slot.index()];
        (number != NOBODY).then(|| MemberIndex::from_number(number))
    }

    /// Number of slots that have an owner.
    pub fn assigned(&self) -> usize {
        self.assigned
    }

    /// Gives a slot to a node, taking it from its owner.
    pub fn bind(&mut self, members: &mut Members, slot: Slot, owner: MemberIndex) {
        if self.owner(slot) == Some(owner) {
            self.unclaimed.remove(slot);
            return;
        }
        self.unbind(members, slot);
        self.owners[slot.index()] = owner.number();
        self.assigned += 1;
        let is_first = members[owner].slot_count == 0;
        // UP-19: in a cluster with replicas an owner of slots should have one too.
        let becomes_target = is_first && members.masters_have_replicas();
        let member = &mut members[owner];
        Arc::make_mut(&mut member.slots).insert(slot);
        member.slot_count += 1;
        member.is_migration_target |= becomes_target;
    }

    /// Takes a slot from its owner.
    pub fn unbind(&mut self, members: &mut Members, slot: Slot) {
        let Some(owner) = self.owner(slot) else {
            return;
        };
        self.owners[slot.index()] = NOBODY;
        self.assigned -= 1;
        self.unclaimed.remove(slot);
        let member = &mut members[owner];
        assert!(
            member.slots.contains(slot),
            "the owner table and the owner's set agree"
        );
        Arc::make_mut(&mut member.slots).remove(slot);
        member.slot_count -= 1;
    }

    /// Takes all slots from a node; tells how many.
    pub fn unbind_all(&mut self, members: &mut Members, owner: MemberIndex) -> usize {
        let slots = members[owner].slots.clone();
        let count = members[owner].slot_count;
        for slot in slots.iter() {
            self.unbind(members, slot);
        }
        count
    }

    /// Whether a slot is bound to an owner that still claims it (UP-06).
    pub fn is_claimed(&self, slot: Slot) -> bool {
        self.owner(slot).is_some() && !self.unclaimed.contains(slot)
    }

    /// Clears all open-slot marks (SM-18).
    pub fn close_all(&mut self) {
        self.migrating.clear();
        self.importing.clear();
        self.given.clear();
    }

    /// The open slots of this node.
    pub fn open(&self) -> OpenSlots {
        OpenSlots {
            migrating: self.migrating.clone(),
            importing: self.importing.clone(),
        }
    }

    /// Lets the marks that name a node name another one (SM-21).
    pub fn rename_peer(&mut self, old: NodeId, new: NodeId) {
        let own = [&mut self.migrating, &mut self.importing];
        let copied = [&mut self.of_master.migrating, &mut self.of_master.importing];
        let marks = own.into_iter().chain(copied);
        let marks = marks.flat_map(|marks| marks.values_mut());
        for peer in marks.filter(|peer| **peer == old) {
            *peer = new;
        }
    }

    /// Clears the marks that name a node (SM-18).
    pub fn close_towards(&mut self, node: NodeId) {
        self.migrating.retain(|_, peer| *peer != node);
        self.importing.retain(|_, peer| *peer != node);
    }
}
