//! Failure detection and automatic failover.

use super::rig::Rig;
use crate::bus::packet::Body;
use crate::cluster::members::Health;
use crate::cluster::{Effect, LinkFigures};
use crate::slot::Slot;
use crate::time::Millis;

/// Proves FD-01, FD-02, FD-08, FD-10, FD-11, FD-18.
#[test]
fn survivors_agree_that_a_dead_master_failed() {
    let mut rig = Rig::cluster(3, 0);
    rig.kill(2);
    let id = rig.hosts[2].nodes_conf.clone().expect("saved");
    let id = crate::ids::NodeId::parse(&id[..40]).expect("its own line is first");
    let took = rig.until("FAIL everywhere", 5000, |rig| {
        (0..2).all(|i| {
            rig.at(i)
                .member(id)
                .is_some_and(|member| member.is_failed())
        })
    });
    assert!((1000..=2500).contains(&took), "took {took} ms");
}

/// Proves FD-17, FD-18, ST-04, ST-10.
#[test]
fn a_minority_suspects_but_never_marks_and_stops_serving() {
    let mut rig = Rig::cluster(3, 1);
    rig.isolate(0);
    rig.run_for(1900);
    assert!(!rig.at(0).is_ok());
    assert_eq!(rig.view(0, 1).health, Health::Suspected);
    rig.run_for(20_000);
    assert_eq!(rig.view(0, 1).health, Health::Suspected);
}

/// Proves EL-06, EL-11, EL-20, EL-21, EL-24, UP-08, UP-09, RP-06, FD-13.
#[test]
fn a_replica_takes_over_and_the_old_master_comes_back_as_replica() {
    let mut rig = Rig::cluster(3, 1);
    rig.kill(0);
    let took = rig.until("the promotion", 10_000, |rig| !rig.at(3).is_replica());
    assert!((1500..=4000).contains(&took), "took {took} ms");
    assert!(rig.at(3).is_mine(Slot::new(0).expect("a slot")));
    assert!(
        rig.hosts[3]
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Lead))
    );
    rig.until("state ok", 5000, |rig| {
        (1..6).all(|index| rig.at(index).is_ok())
    });
    rig.start(0);
    rig.until("the demotion", 5000, |rig| rig.at(0).is_replica());
    assert_eq!(
        rig.at(0).my_master().map(|master| master.id),
        Some(rig.id(3))
    );
    rig.until("everybody sees it alive", 5000, |rig| {
        (1..6).all(|index| rig.view(index, 0).health == Health::Alive)
    });
}

/// Proves EL-23, INV-03.
#[test]
fn without_a_quorum_nobody_is_promoted() {
    let mut rig = Rig::cluster(3, 1);
    rig.kill(0);
    rig.kill(1);
    rig.run_for(30_000);
    assert!(rig.at(3).is_replica() && rig.at(4).is_replica());
}

/// Proves EL-03, EL-04, CF-05.
#[test]
fn a_replica_with_old_data_does_not_stand() {
    let mut rig = Rig::cluster(3, 1);
    rig.hosts[3].replication.link = LinkFigures::Down { since: Millis(0) };
    rig.kill(0);
    rig.run_for(20_000);
    assert!(rig.at(3).is_replica());
    rig.hosts[3].config.cluster_replica_validity_factor = 0;
    rig.until("the promotion", 20_000, |rig| !rig.at(3).is_replica());
}

/// Proves CF-06, EL-01.
#[test]
fn a_replica_told_not_to_fail_over_does_not_stand() {
    let mut rig = Rig::cluster(3, 1);
    rig.hosts[3].config.cluster_replica_no_failover = true;
    rig.kill(0);
    rig.run_for(20_000);
    assert!(rig.at(3).is_replica());
}

/// Proves EL-07, EL-08.
#[test]
fn the_replica_with_more_data_wins() {
    let mut rig = Rig::cluster(3, 2);
    rig.hosts[3].replication.offset = 50;
    rig.run_for(2000);
    rig.kill(0);
    rig.until("a promotion", 10_000, |rig| {
        !rig.at(3).is_replica() || !rig.at(6).is_replica()
    });
    assert!(rig.at(3).is_replica());
}

/// Proves BUS-10, EL-11, PS-14: the epoch is on disk before a request shows it.
#[test]
fn an_election_is_saved_before_its_request_leaves() {
    let mut rig = Rig::cluster(3, 1);
    rig.kill(0);
    rig.until("the promotion", 10_000, |rig| !rig.at(3).is_replica());
    let requests: Vec<_> = rig
        .sent
        .iter()
        .filter(|sent| sent.packet.body == Body::AuthRequest)
        .collect();
    assert!(!requests.is_empty());
    for sent in requests {
        let epoch = sent.packet.header.current_epoch.0;
        let saved = String::from_utf8_lossy(&sent.nodes_conf);
        assert!(
            saved.contains(&format!("vars currentEpoch {epoch} ")),
            "{saved}"
        );
    }
}

/// Proves FD-05 in its later form (FD-03 of part C): masters without slots have no word.
#[test]
fn masters_without_slots_cannot_outvote_those_with() {
    // Only host 0 cannot reach host 2; hosts 3 and 4 own nothing and cannot either.
    let mut rig = Rig::strangers(5);
    for index in 0..3 {
        let (first, last) = (
            index * 5000,
            index * 5000 + 4999 + usize::from(index == 2) * 1384,
        );
        rig.run(index, &format!("CLUSTER ADDSLOTSRANGE {first} {last}"));
    }
    for index in 1..5 {
        rig.run(0, &format!("CLUSTER MEET 127.0.0.1 {}", 7000 + index));
    }
    rig.until("all ok", 20_000, |rig| {
        (0..5).all(|index| rig.at(index).is_ok())
    });
    rig.run_for(2000);
    for index in [0, 3, 4] {
        rig.cut(index, 2);
    }
    rig.run_for(10_000);
    assert_eq!(rig.view(0, 2).health, Health::Suspected);
}

/// Proves FD-09 in its later form.
#[test]
fn a_lone_master_marks_its_dead_replica() {
    let mut rig = Rig::cluster(1, 1);
    let replica = rig.id(1);
    rig.kill(1);
    rig.until("FAIL", 5000, |rig| {
        rig.at(0).member(replica).is_some_and(|m| m.is_failed())
    });
    assert!(rig.at(0).is_ok());
}

/// Proves FD-04, FD-13, FD-14, FD-15.
#[test]
fn a_failed_master_nobody_replaced_is_cleared_late() {
    let mut rig = Rig::cluster(3, 0);
    let id = rig.id(2);
    rig.kill(2);
    rig.until("FAIL", 5000, |rig| {
        rig.at(0).member(id).is_some_and(|m| m.is_failed())
    });
    rig.start(2);
    let took = rig.until("the end of FAIL", 10_000, |rig| {
        rig.at(0)
            .member(id)
            .is_some_and(|m| m.health == Health::Alive)
    });
    assert!(took >= 1900, "2 NT after the mark, not {took} ms");
    rig.until("state ok", 5000, |rig| {
        (0..3).all(|index| rig.at(index).is_ok())
    });
}
