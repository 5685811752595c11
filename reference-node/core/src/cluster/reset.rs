//! CLUSTER FORGET and CLUSTER RESET: letting go of one node, or of all.
//!
//! Clauses: RS-01, RS-03, RS-07 to RS-11, HS-20.

use super::members::{MemberIndex, Role};
use super::turn::Turn;
use super::{Cluster, Effect};
use crate::bus::packet::OpenSlots;
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::output::Durability;
use crate::resp::Reply;

use super::blacklist::FORGET_FOR;
use super::commands::{error, unknown_node};

/// How much of itself a node gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResetForm {
    /// Keeps its id and epochs.
    Soft,
    /// Starts as somebody else.
    Hard,
}

impl Cluster {
    /// CLUSTER FORGET (RS-01, RS-03).
    pub(super) fn forget(&mut self, name: &[u8], turn: &mut Turn) -> Reply {
        let id = NodeId::parse(name);
        let Some(index) = id.and_then(|id| self.members.find(id)) else {
            let is_forgotten = id.is_some_and(|id| self.blacklist.contains(id, turn.now));
            return if is_forgotten {
                Reply::OK
            } else {
                unknown_node(name)
            };
        };
        if index == self.members.my_index() {
            return error("I tried hard but I can't forget myself...");
        }
        if self.members.me().master() == Some(index) {
            return error("Can't forget my master!");
        }
        let id = self.members[index].id;
        self.blacklist.add(id, turn.now + FORGET_FOR, turn.now);
        self.remove_member(index, turn);
        self.pending.evaluate_state = true;
        self.pending.save(Durability::Buffered);
        Reply::OK
    }

    /// CLUSTER RESET (RS-07 to RS-10).
    pub(super) fn reset(&mut self, form: ResetForm, turn: &mut Turn) -> Reply {
        // RS-09: data is not thrown away.
        if self.members.me().is_master() && !turn.keys.has_no_keys() {
            return error("CLUSTER RESET can't be called with master nodes containing keys");
        }
        let me = self.members.my_index();
        if self.is_replica() {
            self.set_as_master(me);
            self.lead(turn);
            turn.fx.push(Effect::FlushAll);
        }
        self.end_manual_failover(turn);
        self.election = super::election::Election::default();
        self.slots.close_all();
        self.slots.of_master = OpenSlots::default();
        self.slots.unbind_all(&mut self.members, me);
        let others: Vec<MemberIndex> = self.members.others().map(|(index, _)| index).collect();
        for index in others {
            self.remove_member(index, turn);
        }
        self.blacklist.clear();
        let myself = self.members.me_mut();
        myself.role = Role::Master;
        myself.is_migration_target = false;
        if form == ResetForm::Hard {
            self.reset_identity();
        }
        self.clockwork.slots_changed = true;
        self.pending.evaluate_state = true;
        self.pending.save(Durability::Synced);
        Reply::OK
    }

    /// RS-08: a new id, and no history.
    fn reset_identity(&mut self) {
        let id = NodeId::random(&mut self.rng);
        let me = self.members.my_index();
        self.members.rename(me, id);
        self.members.me_mut().shard = None;
        self.members.me_mut().config_epoch = ConfigEpoch(0);
        self.current_epoch = CurrentEpoch(0);
        self.last_vote_epoch = CurrentEpoch(0);
    }
}
