//! Replica migration: a spare replica moves to a master that has none.
//!
//! Clauses: RM-01 to RM-10.

use super::Cluster;
use super::members::{Health, Member, MemberIndex};
use super::turn::Turn;
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
        self.become_replica_of(target, turn);
        self.pending.save(Durability::Buffered);
    }

    fn move_facts(&self, my_master: MemberIndex, target: MemberIndex, turn: &Turn) -> MoveFacts {
        let working = self.working_replicas();
        let most = working.iter().copied().max().unwrap_or(0);
        let count_of = |master: MemberIndex| working[usize::from(master.number())];
        let of_fullest = self.members.iter().filter(|(_, member)| {
            member
                .master()
                .is_some_and(|master| count_of(master) == most)
                && !member.is_failed()
        });
        let smallest = of_fullest.map(|(_, member)| member.id).min();
        let siblings = self.members.replicas_of(my_master);
        let healthy = siblings.filter(|(_, member)| is_healthy(member)).count() as u64;
        let spares_all = self.mutant.is(Mutant::LeavesNobody);
        let orphaned_at = self.members[target].orphaned_at;
        MoveFacts {
            is_allowed: turn.config.cluster_allow_replica_migration,
            state_is_ok: self.is_ok(),
            healthy_siblings: if spares_all { u64::MAX } else { healthy },
            barrier: turn.config.cluster_migration_barrier,
            most_replicas: if spares_all { most.max(2) } else { most },
            my_master_has_most: count_of(my_master) == most,
            is_smallest: smallest == Some(self.my_id()),
            orphaned_for: orphaned_at.map(|at| turn.now.since(at)),
        }
    }

    /// Number of non-FAIL replicas, by number of their master.
    fn working_replicas(&self) -> Vec<usize> {
        let greatest = self
            .members
            .iter()
            .map(|(index, _)| usize::from(index.number()))
            .max();
        let mut counts = vec![0; greatest.unwrap_or(0) + 1];
        for (_, member) in self
            .members
            .iter()
            .filter(|(_, member)| !member.is_failed())
        {
            if let Some(master) = member.master() {
                counts[usize::from(master.number())] += 1;
            }
        }
        counts
    }

    /// RM-02, RM-06: the first orphaned master, and since when each is.
    fn track_orphans(&mut self, now: Millis) -> Option<MemberIndex> {
        let working = self.working_replicas();
        let orphans: Vec<MemberIndex> = self
            .members
            .iter()
            // RM-09: a master that never had a replica is no target.
            .filter(|(_, member)| member.has_voice() && member.is_migration_target)
            .filter(|(index, member)| {
                !member.is_failed() && working[usize::from(index.number())] == 0
            })
            .map(|(index, _)| index)
            .collect();
        let is_orphan = |(_, member): (_, &Member)| member.orphaned_at.is_some();
        let was_one = self.members.iter().any(is_orphan);
        if orphans.is_empty() && !was_one {
            return None;
        }
        for index in self.members.indexes() {
            let since = self.members[index].orphaned_at.unwrap_or(now);
            self.members[index].orphaned_at = orphans.contains(&index).then_some(since);
        }
        orphans.first().copied()
    }
}

fn is_healthy(member: &Member) -> bool {
    member.health == Health::Alive
}
