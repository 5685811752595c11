//! Replica migration: a spare replica moves to a master that has none.
//!
//! Clauses: RM-01 to RM-10.

use super::Cluster;
use super::members::{Health, Mark, Member, MemberIndex};
use super::turn::Turn;
use crate::ids::NodeId;
use crate::mutants::Mutant;
use crate::output::{Durability, LogLevel};
use crate::rules::{Rule, first_objection};
use crate::time::Millis;

/// How long a master must have been without replicas (RM-06).
const ORPHANED_FOR: Millis = Millis(5000);

/// What is weighed before this replica moves.
pub(super) struct MoveFacts {
    pub is_allowed: bool,
    pub state_is_ok: bool,
    pub healthy_siblings: u64,
    pub barrier: u64,
    pub most_replicas: usize,
    pub my_master_has_most: bool,
    pub is_smallest: bool,
    pub orphaned_for: Option<Millis>,
}

/// Why it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Staying {
    NotAllowed,
    StateIsFail,
    NeededHere,
    NoneToSpare,
    AnotherGoes,
    NobodyNeedsMe,
}

/// Moving to another master.
pub(super) const MOVE_RULES: &[Rule<MoveFacts, Staying>] = &[
    Rule {
        clause: "RM-01",
        objects: |facts| (!facts.is_allowed).then_some(Staying::NotAllowed),
    },
    Rule {
        clause: "RM-03",
        objects: |facts| (!facts.state_is_ok).then_some(Staying::StateIsFail),
    },
    Rule {
        clause: "RM-04",
        objects: |facts| (facts.healthy_siblings <= facts.barrier).then_some(Staying::NeededHere),
    },
    Rule {
        clause: "RM-01",
        objects: |facts| {
            let is_spare = facts.most_replicas >= 2 && facts.my_master_has_most;
            (!is_spare).then_some(Staying::NoneToSpare)
        },
    },
    Rule {
        clause: "RM-05",
        objects: |facts| (!facts.is_smallest).then_some(Staying::AnotherGoes),
    },
    Rule {
        clause: "RM-06",
        objects: |facts| {
            let is_needed = facts.orphaned_for.is_some_and(|span| span > ORPHANED_FOR);
            (!is_needed).then_some(Staying::NobodyNeedsMe)
        },
    },
];

impl Cluster {
    /// One look: notes who is orphaned since when, and moves if it is this node's turn.
    pub(super) fn migrate_replica(&mut self, turn: &mut Turn) {
        let target = self.track_orphans(turn.now);
        let Some(my_master) = self.members.me().master() else {
            return;
        };
        let Some(target) = target.filter(|_| !self.mutant.is(Mutant::NeverMoves)) else {
            return;
        };
        let facts = self.move_facts(my_master, target, turn);
        if first_objection(MOVE_RULES, &facts, self.mutant).is_some() {
            return;
        }
        let id = self.members[target].id;
        turn.log(
            LogLevel::Notice,
            format!("Migrating to orphaned master {id}"),
        );
        self.change_shard(target, turn);
        self.pending.save(Durability::Buffered);
    }

    fn move_facts(
        &mut self,
        my_master: MemberIndex,
        target: MemberIndex,
        turn: &Turn,
    ) -> MoveFacts {
        let roll = self.members.roll();
        let most = roll.working_replicas_max();
        let my_master_has_most = roll.working_replicas(my_master) == most;
        let spares_all = self.mutant.is(Mutant::LeavesNobody);
        let may_spare = most >= 2 || spares_all;
        let is_smallest = match (my_master_has_most && may_spare) || self.mutant.skips("RM-01") {
            true => self.smallest_spare(most) == Some(self.my_id()),
            // RM-01 objects before anybody asks.
            false => false,
        };
        let siblings = self.members.replicas_of(my_master);
        let healthy = siblings.filter(|(_, member)| is_healthy(member)).count() as u64;
        let orphaned_at = self.members[target].orphaned_at;
        MoveFacts {
            is_allowed: turn.config.cluster_allow_replica_migration,
            state_is_ok: self.is_ok(),
            healthy_siblings: if spares_all { u64::MAX } else { healthy },
            barrier: turn.config.cluster_migration_barrier,
            most_replicas: if spares_all { most.max(2) } else { most },
            my_master_has_most,
            is_smallest,
            orphaned_for: orphaned_at.map(|at| turn.now.since(at)),
        }
    }

    /// RM-05: the least id among the non-FAIL replicas of the masters with most of them.
    fn smallest_spare(&mut self, most: usize) -> Option<NodeId> {
        let order = self.members.order().to_vec();
        let roll = self.members.roll();
        let is_of_fullest = |index: &MemberIndex| {
            let master = roll.supported_by(*index);
            master.is_some_and(|master| roll.working_replicas(master) == most)
        };
        let of_fullest: Vec<MemberIndex> = order.into_iter().filter(is_of_fullest).collect();
        let ids = of_fullest.into_iter().map(|index| self.members[index].id);
        ids.min()
    }

    /// RM-02, RM-06: the first orphaned master, and since when each is.
    fn track_orphans(&mut self, now: Millis) -> Option<MemberIndex> {
        let roll = self.members.roll();
        if roll.count(Mark::Target) == 0 && roll.count(Mark::Orphaned) == 0 {
            return None;
        }
        let mut first = None;
        for place in 0..self.members.len() {
            let index = self.members.order()[place];
            let roll = self.members.roll();
            // RM-09: a master that never had a replica is no target.
            let is_orphan = roll.has(index, Mark::Target) && roll.working_replicas(index) == 0;
            if is_orphan {
                first = first.or(Some(index));
            }
            if is_orphan != roll.has(index, Mark::Orphaned) {
                self.members[index].orphaned_at = is_orphan.then_some(now);
            }
        }
        first
    }
}

fn is_healthy(member: &Member) -> bool {
    member.health == Health::Alive
}
