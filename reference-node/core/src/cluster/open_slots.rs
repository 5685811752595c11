//! Open slots outlive a failover: a master tells its replicas, and who takes over has them.
//!
//! DEVIATION(SM-20): Valkey 8 puts SETSLOT into the replication stream, to replicas of its own
//! make, and waits for them. Here the marks travel on the bus, as an extension of heartbeats, and
//! only to replicas whose headers announce that they keep them: no real server does, so none is
//! ever sent one, and a mixed shard works as it did. Replicas are told in the turn in which a slot
//! is opened or closed and with every heartbeat after it; nobody waits for them, so a master that
//! dies within that moment takes the mark with it, as upstream's always does (MG-05 of part C).

use super::members::MemberIndex;
use super::turn::Turn;
use super::{Cluster, Profile};
use crate::bus::packet::{Extension, OpenSlots};

impl Cluster {
    /// What a heartbeat to one of my replicas says about my open slots; nothing if there are none.
    pub(super) fn open_slots_for(&self, to: Option<MemberIndex>) -> Option<Extension> {
        if !self.is_to_be_told(to?) {
            return None;
        }
        let open = self.slots.open();
        (open != OpenSlots::default()).then_some(Extension::OpenSlots(open))
    }

    fn is_to_be_told(&self, node: MemberIndex) -> bool {
        let member = &self.members[node];
        let is_mine = member.master() == Some(self.members.my_index());
        is_mine && member.keeps_open_slots && self.profile == Profile::Reference
    }

    /// Slots were opened or closed: the replicas learn it at once.
    pub(super) fn tell_open_slots(&mut self, turn: &Turn) {
        let open = self.slots.open();
        if open == self.slots.told {
            return;
        }
        self.slots.told = open;
        let replicas: Vec<MemberIndex> = self
            .members
            .others()
            .filter(|(index, _)| self.is_to_be_told(*index))
            .map(|(index, _)| index)
            .collect();
        self.pong_to(&replicas, turn);
    }

    /// A heartbeat of my master tells its open slots; silence means none.
    pub(super) fn hear_open_slots(&mut self, sender: MemberIndex, open: Option<&OpenSlots>) {
        if self.members.me().master() == Some(sender) && self.profile == Profile::Reference {
            self.slots.of_master = open.cloned().unwrap_or_default();
        }
    }

    /// This node took over, and with the slots what was under way with them.
    pub(super) fn inherit_open_slots(&mut self) {
        let me = self.members.my_index();
        let OpenSlots {
            migrating,
            importing,
        } = std::mem::take(&mut self.slots.of_master);
        let is_mine = |slot| self.slots.owner(slot) == Some(me);
        let is_known = |peer| self.members.find(peer).is_some_and(|peer| peer != me);
        let (mut leaving, mut coming) = (migrating, importing);
        leaving.retain(|slot, peer| is_mine(*slot) && is_known(*peer));
        coming.retain(|slot, peer| !is_mine(*slot) && is_known(*peer));
        self.slots.migrating.append(&mut leaving);
        self.slots.importing.append(&mut coming);
        self.pending.tell_open_slots = true;
    }
}
