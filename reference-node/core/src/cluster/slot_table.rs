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
/// About as many slots are looked up in the time that two sets of slots are compared in.
const SLOTS_PER_LOOK: usize = 16;

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

    /// Gives many slots to a node, as [`SlotTable::bind`] does with each.
    pub fn bind_all(&mut self, members: &mut Members, slots: &SlotSet, owner: MemberIndex) {
        let fresh = slots.difference(&members[owner].slots);
        if !self.unclaimed.is_empty() {
            self.unclaimed.remove_all(slots);
        }
        if fresh.is_empty() {
            return;
        }
        for index in self.owners_of(members, &fresh) {
            let member = &mut members[index];
            let rest = member.slots.difference(&fresh);
            let taken = member.slots.len() - rest.len();
            member.slots = Arc::new(rest);
            member.slot_count -= taken;
            self.assigned -= taken;
        }
        fresh.fill(&mut self.owners, owner.number());
        self.assigned += fresh.len();
        // UP-19: as in `bind`.
        let is_first = members[owner].slot_count == 0;
        let becomes_target = is_first && members.masters_have_replicas();
        let member = &mut members[owner];
        Arc::make_mut(&mut member.slots).insert_all(&fresh);
        member.slot_count += fresh.len();
        member.is_migration_target |= becomes_target;
    }

    /// Parts of a set that no rule about claims tells apart: of one owner, which claims them or
    /// does not, and all or none of them on their way here.
    pub fn alike(&self, members: &Members, slots: &SlotSet) -> Vec<SlotSet> {
        let mut rest = slots.clone();
        let mut parts = Vec::new();
        for index in self.owners_of(members, slots) {
            let owned = &members[index].slots;
            parts.push(rest.intersection(owned));
            rest.remove_all(owned);
        }
        parts.push(rest);
        let mut importing = SlotSet::default();
        for slot in self.importing.keys() {
            importing.insert(*slot);
        }
        for marked in [&self.unclaimed, &importing] {
            if !marked.is_empty() {
                let split = |part: SlotSet| [part.intersection(marked), part.difference(marked)];
                parts = parts.into_iter().flat_map(split).collect();
            }
        }
        parts.retain(|part| !part.is_empty());
        parts
    }

    /// Who owns slots of a set, in the order in which they became known.
    pub fn owners_of(&self, members: &Members, slots: &SlotSet) -> Vec<MemberIndex> {
        // A look at each slot, or at each owner: whichever is less.
        if slots.len() > members.len() * SLOTS_PER_LOOK {
            let owners = members
                .iter()
                .filter(|(_, member)| member.slot_count > 0 && !member.slots.is_disjoint(slots));
            return owners.map(|(index, _)| index).collect();
        }
        let mut owners: Vec<MemberIndex> = Vec::new();
        for owner in slots.iter().filter_map(|slot| self.owner(slot)) {
            if owners.last() != Some(&owner) && !owners.contains(&owner) {
                owners.push(owner);
            }
        }
        if owners.len() > 1 {
            let order = members.order().iter().copied();
            return order.filter(|index| owners.contains(index)).collect();
        }
        owners
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
        let member = &mut members[owner];
        let slots = std::mem::take(Arc::make_mut(&mut member.slots));
        let count = std::mem::take(&mut member.slot_count);
        slots.fill(&mut self.owners, NOBODY);
        self.assigned -= count;
        self.unclaimed.remove_all(&slots);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cluster::members::{Member, Role};
    use crate::rng::Rng;
    use crate::time::Millis;

    fn members(count: usize) -> (Members, Vec<MemberIndex>) {
        let rng = &mut Rng::new(1);
        let mut member = || {
            let id = NodeId::random(rng);
            Member::new(id, Role::Master, Millis(0), Arc::default())
        };
        let mut members = Members::new(member());
        let mut indexes = vec![members.my_index()];
        for _ in 1..count {
            indexes.extend(members.add(member()));
        }
        (members, indexes)
    }

    fn set(slots: &[u64]) -> SlotSet {
        let mut set = SlotSet::default();
        slots
            .iter()
            .filter_map(|slot| Slot::new(*slot))
            .for_each(|slot| set.insert(slot));
        set
    }

    proptest! {
        #[test]
        fn slots_bound_at_once_are_bound_as_one_by_one(
            steps in prop::collection::vec(
                (0usize..4, prop::collection::vec(0u64..200, 0..60)), 0..12),
            unclaimed in prop::collection::vec(0u64..200, 0..60),
        ) {
            let (mut one, mut all) = (SlotTable::default(), SlotTable::default());
            let ((mut ones, indexes), (mut alls, _)) = (members(4), members(4));
            for (position, (owner, slots)) in steps.iter().enumerate() {
                let slots = set(slots);
                slots.iter().for_each(|slot| one.bind(&mut ones, slot, indexes[*owner]));
                all.bind_all(&mut alls, &slots, indexes[*owner]);
                if position == steps.len() / 2 {
                    for slot in set(&unclaimed).iter().filter(|slot| all.owner(*slot).is_some()) {
                        one.unclaimed.insert(slot);
                    }
                    all.unclaimed = one.unclaimed.clone();
                }
            }
            for slot in Slot::all() {
                prop_assert_eq!(one.owner(slot), all.owner(slot));
            }
            prop_assert_eq!(one.assigned(), all.assigned());
            prop_assert_eq!(&one.unclaimed, &all.unclaimed);
            for index in indexes {
                prop_assert_eq!(&ones[index].slots, &alls[index].slots);
                prop_assert_eq!(ones[index].slot_count, alls[index].slot_count);
                prop_assert_eq!(alls[index].slot_count, alls[index].slots.iter().count());
            }
        }

        #[test]
        fn parts_that_are_alike_make_up_the_whole_and_have_one_owner(
            steps in prop::collection::vec(
                (0usize..4, prop::collection::vec(0u64..200, 0..60)), 0..6),
            wanted in prop::collection::vec(0u64..220, 0..90),
            unclaimed in prop::collection::vec(0u64..200, 0..60),
            importing in prop::collection::vec(0u64..200, 0..4),
        ) {
            let (mut table, (mut members, indexes)) = (SlotTable::default(), members(4));
            for (owner, slots) in steps {
                table.bind_all(&mut members, &set(&slots), indexes[owner]);
            }
            table.unclaimed = set(&unclaimed);
            let peer = members.me().id;
            table.importing = set(&importing).iter().map(|slot| (slot, peer)).collect();
            let wanted = set(&wanted);
            let mut whole = SlotSet::default();
            for part in table.alike(&members, &wanted) {
                let first = part.first().expect("no part is empty");
                let facts = |slot| {
                    let is_imported = table.importing.contains_key(&slot);
                    (table.owner(slot), table.unclaimed.contains(slot), is_imported)
                };
                for slot in part.iter() {
                    prop_assert_eq!(facts(slot), facts(first));
                    prop_assert!(!whole.contains(slot));
                }
                whole.insert_all(&part);
            }
            prop_assert_eq!(whole, wanted);
        }
    }
}
