//! Replica migration: who moves, when, where to, and who is a target at all.

use super::rig::Rig;
use crate::cluster::replica_migration::{MOVE_RULES, MoveFacts, Staying};
use crate::ids::NodeId;
use crate::rules::first_objection;
use crate::time::Millis;

fn sound_facts() -> MoveFacts {
    MoveFacts {
        is_allowed: true,
        state_is_ok: true,
        healthy_siblings: 2,
        barrier: 1,
        most_replicas: 2,
        my_master_has_most: true,
        is_smallest: true,
        orphaned_for: Some(Millis(5001)),
    }
}

/// Proves RM-01, RM-03, RM-04, RM-05 and RM-06: a reason to stay for each rule.
#[test]
fn each_rule_keeps_a_replica_for_its_own_reason() {
    let judge = |facts: &MoveFacts| first_objection(MOVE_RULES, facts, Default::default());
    assert_eq!(judge(&sound_facts()), None);
    type Spoil = fn(&mut MoveFacts);
    let cases: [(&str, Staying, Spoil); 8] = [
        ("RM-01", Staying::NotAllowed, |facts| {
            facts.is_allowed = false
        }),
        ("RM-03", Staying::StateIsFail, |facts| {
            facts.state_is_ok = false
        }),
        ("RM-04", Staying::NeededHere, |facts| facts.barrier = 2),
        ("RM-01", Staying::NoneToSpare, |facts| {
            facts.most_replicas = 1
        }),
        ("RM-01", Staying::NoneToSpare, |facts| {
            facts.my_master_has_most = false
        }),
        ("RM-05", Staying::AnotherGoes, |facts| {
            facts.is_smallest = false
        }),
        ("RM-06", Staying::NobodyNeedsMe, |facts| {
            facts.orphaned_for = Some(Millis(5000))
        }),
        ("RM-06", Staying::NobodyNeedsMe, |facts| {
            facts.orphaned_for = None
        }),
    ];
    for (clause, reason, spoil) in cases {
        let mut facts = sound_facts();
        spoil(&mut facts);
        assert_eq!(judge(&facts), Some((clause, reason)));
    }
}

/// Hosts 0 and 1 are masters; 2 and 4 copy host 0, and 3 and 5, which die now, host 1.
fn orphaned(adjust: impl Fn(&mut crate::config::Config)) -> Rig {
    let mut rig = Rig::cluster_with(2, 2, adjust);
    let dead = [rig.id(3), rig.id(5)];
    rig.kill(3);
    rig.kill(5);
    let is_failed = |rig: &Rig, of: usize, id: NodeId| {
        rig.at(of)
            .member(id)
            .is_some_and(|member| member.is_failed())
    };
    rig.until("FAIL at both spares", 10_000, |rig| {
        [2, 4]
            .iter()
            .all(|of| dead.iter().all(|id| is_failed(rig, *of, *id)))
    });
    rig
}

fn master_of(rig: &Rig, replica: usize) -> Option<NodeId> {
    rig.at(replica).my_master().map(|master| master.id)
}

/// The spares that moved to host 1.
fn moved(rig: &Rig) -> Vec<usize> {
    let target = Some(rig.id(1));
    let spares = [2, 4].into_iter();
    spares
        .filter(|index| rig.hosts[*index].cluster.is_some())
        .filter(|index| master_of(rig, *index) == target)
        .collect()
}

/// Proves RM-02, RM-05, RM-06 and RM-07: the smaller id goes, five seconds after the last FAIL,
/// without a new epoch, and everybody learns it.
#[test]
fn the_spare_with_the_smallest_id_moves_after_five_seconds() {
    let mut rig = orphaned(|_| {});
    let (epoch, target) = (rig.at(0).current_epoch(), rig.id(1));
    let chosen = if rig.id(2) < rig.id(4) { 2 } else { 4 };
    let took = rig.until("a move", 10_000, |rig| !moved(rig).is_empty());
    assert!((5000..=5300).contains(&took), "took {took} ms");
    assert_eq!(moved(&rig), [chosen]);
    rig.until("the others know", 2000, |rig| {
        (0..2).all(|of| {
            let master = rig
                .view(of, chosen)
                .master()
                .map(|index| rig.at(of).members[index].id);
            master == Some(target)
        })
    });
    rig.run_for(10_000);
    assert_eq!(moved(&rig), [chosen], "the other one stays");
    assert_eq!(rig.at(0).current_epoch(), epoch);
}

/// Proves RM-03.
#[test]
fn nobody_moves_while_the_state_is_fail() {
    let mut rig = orphaned(|_| {});
    for index in [0, 1, 2, 4] {
        rig.run(index, "CLUSTER DELSLOTS 16000");
    }
    rig.until("state fail", 1000, |rig| {
        [2, 4].iter().all(|of| !rig.at(*of).is_ok())
    });
    rig.run_for(10_000);
    assert_eq!(moved(&rig), [0; 0]);
    rig.run(1, "CLUSTER ADDSLOTS 16000");
    rig.until("a move", 10_000, |rig| moved(rig).len() == 1);
}

/// Proves RM-04, RM-10, CF-07: the barrier holds, and follows CONFIG SET.
#[test]
fn a_shard_keeps_as_many_replicas_as_the_barrier_asks_for() {
    let mut rig = orphaned(|config| config.cluster_migration_barrier = 2);
    rig.run_for(15_000);
    assert_eq!(moved(&rig), [0; 0]);
    for index in [2, 4] {
        rig.hosts[index].config.cluster_migration_barrier = 1;
    }
    rig.until("a move", 1000, |rig| moved(rig).len() == 1);
    let chosen = moved(&rig)[0];
    // Who moved dies; the last replica of host 0 stays nevertheless.
    rig.kill(chosen);
    rig.run_for(20_000);
    assert_eq!(moved(&rig), [0; 0]);
}

/// Proves RM-04: a sibling that is suspected does not count for the barrier.
#[test]
fn a_suspected_sibling_keeps_the_spare_where_it_is() {
    let mut rig = orphaned(|_| {});
    let chosen = if rig.id(2) < rig.id(4) { 2 } else { 4 };
    rig.cut(2, 4);
    rig.run_for(15_000);
    let sibling = rig.view(chosen, 6 - chosen);
    assert_eq!(sibling.health, crate::cluster::members::Health::Suspected);
    assert_eq!(moved(&rig), [0; 0]);
    rig.heal();
    rig.until("the move", 5000, |rig| moved(rig) == [chosen]);
}

/// Proves RM-02, RM-09: who never had a replica, where nobody had one, needs none.
#[test]
fn a_master_that_never_had_a_replica_gets_none() {
    let mut rig = Rig::strangers(4);
    rig.run(0, "CLUSTER ADDSLOTSRANGE 0 8191");
    rig.run(1, "CLUSTER ADDSLOTSRANGE 8192 16383");
    for index in 1..4 {
        rig.run(0, &format!("CLUSTER MEET 127.0.0.1 {}", 7000 + index));
    }
    rig.until("all are ok", 20_000, |rig| {
        (0..4).all(|of| rig.at(of).members().count() == 4 && rig.at(of).is_ok())
    });
    rig.run_for(3000);
    let master = rig.id(0);
    for index in [2, 3] {
        rig.run(index, &format!("CLUSTER REPLICATE {master}"));
    }
    rig.run_for(20_000);
    assert_eq!(
        [2, 3].map(|index| master_of(&rig, index)),
        [Some(master); 2]
    );
    assert!(!rig.view(2, 1).is_migration_target);
}

/// Proves RM-08: the mark comes with the first replica and goes with the last one that leaves.
#[test]
fn having_a_replica_makes_a_master_a_target() {
    let mut rig = Rig::cluster(3, 0);
    rig.run(2, "CLUSTER FLUSHSLOTS");
    let [first, second] = [rig.id(0), rig.id(1)];
    let marks = |rig: &Rig| [0, 1].map(|master| rig.view(2, master).is_migration_target);
    assert_eq!(marks(&rig), [false, false]);
    for (master, expected) in [(first, [true, false]), (second, [false, true])] {
        rig.run(2, &format!("CLUSTER REPLICATE {master}"));
        assert_eq!(marks(&rig), expected);
        rig.run_for(3000);
        // The masters heard it from the header alone.
        assert_eq!(rig.view(0, 1).is_migration_target, expected[1]);
        assert_eq!(rig.view(1, 0).is_migration_target, expected[0]);
    }
}

/// Proves RM-08: so does having been a replica, also the only one of the cluster.
#[test]
fn a_promoted_replica_is_a_target() {
    let mut rig = Rig::cluster(3, 0);
    rig.run(2, "CLUSTER FLUSHSLOTS");
    let master = rig.id(0);
    rig.run(2, &format!("CLUSTER REPLICATE {master}"));
    rig.run_for(3000);
    assert!(!rig.view(1, 2).is_migration_target);
    rig.kill(0);
    rig.run(2, "CLUSTER FAILOVER TAKEOVER");
    assert!(!rig.view(1, 2).is_replica());
    assert!(rig.view(1, 2).is_migration_target);
}

/// Proves UP-19, RM-08: and a master that gets its first slot where others have replicas.
#[test]
fn a_new_owner_of_slots_is_a_target() {
    let mut rig = Rig::cluster(3, 1);
    rig.kill(0);
    rig.run(3, "CLUSTER FAILOVER TAKEOVER");
    assert!(!rig.at(3).is_replica());
    assert!(
        [1, 2, 4]
            .iter()
            .all(|of| rig.view(*of, 3).is_migration_target)
    );
}
