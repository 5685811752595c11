//! UPDATE: a third party says who owns slots by now (UP-13 to UP-15).

use super::Cluster;
use super::claims::Claim;
use super::members::MemberIndex;
use super::turn::Turn;
use crate::epoch::ConfigEpoch;
use crate::ids::NodeId;
use crate::output::Durability;
use crate::rules::{Rule, first_objection};
use crate::slot::SlotSet;

/// What is weighed before an UPDATE is believed.
struct UpdateFacts {
    is_about_me: bool,
    known_epoch: ConfigEpoch,
    told_epoch: ConfigEpoch,
}

/// Why an UPDATE is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ignored {
    AboutMe,
    NotNewer,
}

const UPDATE_RULES: &[Rule<UpdateFacts, Ignored>] = &[
    Rule {
        clause: "UP-14",
        objects: |facts| facts.is_about_me.then_some(Ignored::AboutMe),
    },
    Rule {
        clause: "UP-13",
        objects: |facts| (facts.known_epoch >= facts.told_epoch).then_some(Ignored::NotNewer),
    },
];

impl Cluster {
    /// UP-13, UP-15: any known node may tell; an unknown owner is no news.
    pub(super) fn hear_update(
        &mut self,
        owner: Option<NodeId>,
        epoch: ConfigEpoch,
        slots: &SlotSet,
        turn: &mut Turn,
    ) {
        let Some(owner) = owner.and_then(|id| self.members.find(id)) else {
            return;
        };
        let facts = UpdateFacts {
            is_about_me: owner == self.members.my_index(),
            known_epoch: self.members[owner].config_epoch,
            told_epoch: epoch,
        };
        if first_objection(UPDATE_RULES, &facts, self.mutant).is_some() {
            return;
        }
        self.accept_update(owner, epoch, slots, turn);
    }

    fn accept_update(
        &mut self,
        owner: MemberIndex,
        epoch: ConfigEpoch,
        slots: &SlotSet,
        turn: &mut Turn,
    ) {
        if !self.members[owner].is_master() {
            self.set_as_master(owner);
        }
        self.members[owner].config_epoch = epoch;
        self.pending.save(Durability::Synced);
        self.weigh_claim(
            &Claim {
                by: owner,
                epoch,
                slots,
            },
            turn,
        );
    }
}
