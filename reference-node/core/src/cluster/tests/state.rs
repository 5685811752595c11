//! Cluster state and its delays.

use super::rig::Rig;
use crate::cluster::PROFILE_DIRECTIVE;
use crate::cluster::members::Health;
use crate::time::Millis;

/// A single master with all slots.
fn lone_master(writable_delay: u64) -> Rig {
    let mut rig = Rig::strangers_with(1, |config| {
        config.cluster_writable_delay = Millis(writable_delay);
    });
    rig.run(0, "CLUSTER ADDSLOTSRANGE 0 16383");
    rig
}

/// Proves ST-02, ST-12.
#[test]
fn a_master_is_not_ok_within_two_seconds_of_its_start() {
    let mut rig = lone_master(2000);
    let took = rig.until("state ok", 5000, |rig| rig.at(0).is_ok());
    assert!((2000..=2200).contains(&took), "took {took} ms");
}

/// Proves ST-12: nothing delays a node whose writable delay is zero.
#[test]
fn a_master_without_the_delay_is_ok_at_once() {
    let rig = lone_master(0);
    assert!(rig.at(0).is_ok());
}

/// Proves ST-06: at the end of a turn that calls for it, at every tick while it is fail, and at a
/// new suspicion; at no other time.
#[test]
fn the_state_is_judged_when_something_happened_or_while_it_is_fail() {
    let mut rig = lone_master(0);
    let slot = crate::slot::Slot::new(5).expect("a slot");
    rig.turn(0, |cluster, _| {
        cluster.slots.unbind(&mut cluster.members, slot)
    });
    rig.run_for(500);
    assert!(rig.at(0).is_ok(), "nothing calls for a judgement");
    rig.run(0, "CLUSTER BUMPEPOCH");
    rig.run(0, "CLUSTER DELSLOTS 6");
    assert!(!rig.at(0).is_ok(), "at the end of that turn");
    rig.run(0, "CLUSTER ADDSLOTS 6");
    rig.turn(0, |cluster, _| {
        let me = cluster.members.my_index();
        cluster.slots.bind(&mut cluster.members, slot, me);
    });
    assert!(!rig.at(0).is_ok());
    rig.run_for(100);
    assert!(rig.at(0).is_ok(), "at the next tick");
    let mut rig = Rig::cluster(3, 0);
    let long_ago = Some(Millis(rig.now.0 - 5000));
    for about in [1, 2] {
        rig.alter(0, about, |member| {
            member.ping_sent = long_ago;
            member.data_received = long_ago;
        });
    }
    rig.paused.extend([1, 2]);
    rig.run_for(100);
    assert!(!rig.at(0).is_ok(), "two of three are suspects");
}

/// Proves ST-12: a restart from nodes.conf is delayed by ST-02 only.
#[test]
fn a_restarted_cluster_is_ok_at_once() {
    let mut rig = Rig::cluster(3, 1);
    for index in 0..6 {
        rig.kill(index);
    }
    for index in 0..6 {
        rig.start(index);
    }
    let took = rig.until("state ok", 2000, |rig| {
        (0..6).all(|index| rig.at(index).is_ok())
    });
    assert!(took <= 200, "took {took} ms");
}

/// Proves ST-12 with upstream's delay: the last slotless evaluation counts as a minority.
#[test]
fn a_fresh_master_that_gets_slots_late_waits_once_more() {
    let mut rig = Rig::strangers_with(1, |config| {
        config.cluster_writable_delay = Millis(2000);
        config.cluster_node_timeout = Millis(1000);
    });
    rig.run_for(3000);
    rig.run(0, "CLUSTER ADDSLOTSRANGE 0 16383");
    let took = rig.until("state ok", 5000, |rig| rig.at(0).is_ok());
    assert!((900..=1200).contains(&took), "took {took} ms");
}

/// Proves ST-08: one master until the first evaluation counts them, which ST-02 puts off.
#[test]
fn masters_are_counted_when_the_state_is_evaluated() {
    let mut rig = Rig::cluster_with(3, 1, |config| {
        config.cluster_writable_delay = Millis(2000);
    });
    assert_eq!(rig.at(0).state.size(), 3);
    for (index, delay) in [(0, 2000), (3, 0)] {
        rig.kill(index);
        rig.start(index);
        assert_eq!(rig.at(index).state.size(), 1, "nothing is evaluated yet");
        assert_eq!(rig.at(index).state.quorum(), 1);
        let took = rig.until("the count", 5000, |rig| rig.at(index).state.size() == 3);
        assert!((delay..=delay + 200).contains(&took), "took {took} ms");
        assert!(rig.at(index).info_text().contains("cluster_size:3\r\n"));
    }
}

/// Proves ST-03, ST-07, CF-09.
#[test]
fn an_uncovered_slot_is_failure_only_with_full_coverage() {
    let mut rig = lone_master(0);
    rig.run(0, "CLUSTER DELSLOTS 5");
    assert!(!rig.at(0).is_ok());
    rig.hosts[0].config.cluster_require_full_coverage = false;
    rig.until("state ok", 1500, |rig| rig.at(0).is_ok());
}

/// Proves ST-03, ST-07: the slots of a FAIL owner are not covered; those of a suspect are.
#[test]
fn a_failed_owner_is_failure_only_with_full_coverage() {
    let mut rig = Rig::cluster(3, 0);
    let id = rig.id(2);
    rig.kill(2);
    let health = |rig: &Rig| rig.at(0).member(id).map(|member| member.health);
    rig.until("the suspicion", 5000, |rig| {
        health(rig) == Some(Health::Suspected)
    });
    assert!(rig.at(0).is_ok());
    rig.until("FAIL", 5000, |rig| {
        matches!(health(rig), Some(Health::Failed { .. }))
    });
    assert!(!rig.at(0).is_ok());
    rig.run_for(3000);
    assert!(!rig.at(0).is_ok());
    rig.hosts[0].config.cluster_require_full_coverage = false;
    rig.until("state ok", 2000, |rig| rig.at(0).is_ok());
}

/// Proves ST-05: no less than half a second, no more than five.
#[test]
fn the_delay_after_a_minority_follows_the_node_timeout_within_bounds() {
    for (node_timeout, delay) in [(200, 500), (2000, 2000), (8000, 5000)] {
        let mut rig = Rig::cluster_with(3, 0, |config| {
            config.cluster_node_timeout = Millis(node_timeout);
        });
        rig.isolate(0);
        rig.until("the minority", 30_000, |rig| !rig.at(0).is_ok());
        rig.run_for(3000);
        rig.heal();
        rig.until("a majority seen again", 30_000, |rig| {
            (1..3).any(|index| rig.view(0, index).health == Health::Alive)
        });
        let took = rig.until("state ok", 30_000, |rig| rig.at(0).is_ok());
        let expected = delay - 100..=delay + 200;
        assert!(expected.contains(&took), "{node_timeout}: took {took} ms");
    }
}

/// Proves ST-05: who was in a minority waits before it serves again.
#[test]
fn a_master_that_was_cut_off_is_not_ok_at_once() {
    let mut rig = Rig::cluster(3, 0);
    rig.isolate(0);
    rig.until("the minority", 5000, |rig| !rig.at(0).is_ok());
    rig.run_for(3000);
    rig.heal();
    rig.until("a majority seen again", 5000, |rig| {
        (1..3).any(|index| rig.view(0, index).health == Health::Alive)
    });
    let took = rig.until("state ok", 5000, |rig| rig.at(0).is_ok());
    assert!((900..=1200).contains(&took), "took {took} ms");
}

/// Proves ST-01, ST-09, ST-11, ST-13.
#[test]
fn cluster_info_counts_slots_nodes_and_epochs() {
    let rig = Rig::strangers(1);
    let info = rig.at(0).info_text();
    let begin = "cluster_state:fail\r\ncluster_slots_assigned:0\r\ncluster_slots_ok:0\r\n\
                 cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\ncluster_known_nodes:1\r\n";
    assert!(info.starts_with(begin), "{info}");
    let rig = Rig::cluster(3, 1);
    let info = rig.at(3).info_text();
    for line in [
        "cluster_size:3",
        "cluster_known_nodes:6",
        "cluster_my_epoch:1",
    ] {
        assert!(info.contains(&format!("{line}\r\n")), "{info}");
    }
}

/// Proves HI-08 of part C absent, FD-21: after a pause of its own a master does not serve at once,
/// and blames nobody else for the silence.
#[test]
fn a_master_that_was_paused_waits_and_suspects_nobody() {
    let mut rig = Rig::cluster(3, 0);
    rig.now = rig.now + Millis(3000);
    rig.with(0, |cluster, around, fx| cluster.notice_time(around, fx));
    assert!(!rig.at(0).is_ok());
    rig.run_for(150);
    assert!((1..3).all(|index| rig.view(0, index).health == Health::Alive));
    let took = rig.until("state ok", 5000, |rig| rig.at(0).is_ok());
    assert!((700..=1200).contains(&took), "took {took} ms");
}

/// The same is the weakness that the upstream profile has.
#[test]
fn the_upstream_profile_serves_at_once_after_a_pause() {
    let mut rig = Rig::cluster_with(3, 0, |config| {
        config
            .other
            .insert(PROFILE_DIRECTIVE.into(), "upstream-7.0".into());
    });
    rig.now = rig.now + Millis(3000);
    rig.with(0, |cluster, around, fx| cluster.notice_time(around, fx));
    assert!(rig.at(0).is_ok());
}
