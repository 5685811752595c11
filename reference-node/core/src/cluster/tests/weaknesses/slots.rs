//! Slots: who owns them when migrations, failovers and equal epochs meet.

use std::sync::Arc;

use super::{cluster, slot, told};
use crate::bus::packet::Body;
use crate::cluster::tests::rig::Rig;
use crate::cluster::tests::rig::probe::as_is;
use crate::epoch::{ConfigEpoch, CurrentEpoch};

/// Whether every host says that this one owns the slot, and that all is well.
fn all_agree(rig: &Rig, number: u64, owner: usize) -> bool {
    let owner = rig.id(owner);
    let agrees = |host: usize| {
        let seen = rig.at(host).slot_owner(slot(number));
        rig.at(host).is_ok() && seen.map(|member| member.id) == Some(owner)
    };
    (0..rig.hosts.len()).all(agrees)
}

/// Slot 7 is on its way from host 0 to host 1.
fn with_an_open_slot(profile: &str) -> Rig {
    let mut rig = cluster(profile, 3, 1, 1000);
    let (source, target) = (rig.id(0), rig.id(1));
    rig.run(1, &format!("CLUSTER SETSLOT 7 IMPORTING {source}"));
    rig.run(0, &format!("CLUSTER SETSLOT 7 MIGRATING {target}"));
    rig
}

/// One master is replaced by its replica and comes back.
fn replace(rig: &mut Rig, master: usize) {
    rig.kill(master);
    let replica = master + 3;
    rig.until("the promotion", 10_000, |rig| !rig.at(replica).is_replica());
    rig.run_for(3000);
    rig.start(master);
    rig.until("the demotion", 10_000, |rig| rig.at(master).is_replica());
    rig.run_for(10_000);
}

/// Proves CF-01 of part C, KW-07: the source of a migration fails over, and the importing node is
/// the only one that never learns whose the slot is now; it goes down with all its slots.
#[test]
fn an_importing_node_follows_the_failover_of_the_source() {
    let told = told(|profile| {
        let mut rig = with_an_open_slot(profile);
        replace(&mut rig, 0);
        let is_whole = all_agree(&rig, 7, 3);
        let serves = rig.at(1).is_ok();
        // The operator ends the migration with the new source.
        let target = rig.id(1);
        rig.run(1, &format!("CLUSTER SETSLOT 7 NODE {target}"));
        rig.run(3, &format!("CLUSTER SETSLOT 7 NODE {target}"));
        rig.run_for(2000);
        (is_whole, serves, all_agree(&rig, 7, 1))
    });
    assert!(!told.upstream.0 && !told.upstream.1, "{told:?}");
    assert_eq!(told.default, (true, true, true), "{told:?}");
}

/// Proves SM-21, as in Valkey 8: the marks of both ends name who is there now.
#[test]
fn marks_of_open_slots_follow_a_failover() {
    let peers = told(|profile| {
        let mut rig = with_an_open_slot(profile);
        replace(&mut rig, 0);
        let source = rig.at(1).importing_from(slot(7)) == Some(rig.id(3));
        let mut rig = with_an_open_slot(profile);
        replace(&mut rig, 1);
        let target = rig.at(0).migrating_to(slot(7)) == Some(rig.id(4));
        (source, target)
    });
    assert_eq!(peers.upstream, (false, false));
    assert_eq!(peers.default, (true, true));
}

/// Proves KW-08: the source is told first, the target dies before it is told: whose is the slot?
#[test]
fn a_slot_given_to_a_dying_node_is_not_lost() {
    let told = told(|profile| {
        let mut rig = with_an_open_slot(profile);
        let target = rig.id(1);
        rig.run(0, &format!("CLUSTER SETSLOT 7 NODE {target}"));
        replace(&mut rig, 1);
        (rig.at(0).is_ok(), all_agree(&rig, 7, 0))
    });
    assert_eq!(told.upstream, (false, false), "lost, and its giver is down");
    assert_eq!(told.default, (true, true), "its giver has it again");
}

/// Proves KW-08: the safe order, and the other one without a crash, end as they should.
#[test]
fn a_slot_given_to_a_node_that_claims_it_stays_there() {
    for order in [[0, 1], [1, 0]] {
        let mut rig = with_an_open_slot("default");
        let target = rig.id(1);
        for host in order {
            rig.run(host, &format!("CLUSTER SETSLOT 7 NODE {target}"));
        }
        rig.run_for(5000);
        assert!(all_agree(&rig, 7, 1), "{order:?}");
        replace(&mut rig, 1);
        assert!(
            all_agree(&rig, 7, 4),
            "{order:?}: later failovers change nothing"
        );
    }
}

/// Proves SM-12: what the operator took away himself since then does not come back.
#[test]
fn a_slot_given_away_and_deleted_stays_deleted() {
    let mut rig = with_an_open_slot("default");
    let target = rig.id(1);
    rig.run(0, &format!("CLUSTER SETSLOT 7 NODE {target}"));
    rig.run(0, "CLUSTER DELSLOTS 7");
    rig.run_for(500);
    let slot = slot(7);
    assert_eq!(rig.at(0).slots.owner(slot), None);
    assert_eq!(rig.at(0).migrating_to(slot), None);
}

/// Proves KW-05: a sender that is wrong about two owners is told of both at once.
#[test]
fn a_stale_claim_is_answered_for_each_owner() {
    let updates = told(|profile| {
        let mut rig = cluster(profile, 3, 0, 1000);
        rig.sent.clear();
        rig.say(0, 1, Body::Ping(Default::default()), |header| {
            let mut all = (*header.slots).clone();
            all.insert_range(slot(0), slot(16_383));
            header.slots = Arc::new(all);
            header.config_epoch = ConfigEpoch(0);
        });
        let of_first = rig.sent.iter().filter(|sent| sent.from == 1);
        of_first
            .filter(|sent| matches!(sent.packet.body, Body::Update { .. }))
            .count()
    });
    assert_eq!((updates.upstream, updates.default), (1, 2));
}

/// Proves KW-07: two masters claim one slot with one epoch; as soon as they notice, one yields.
#[test]
fn equal_epochs_with_a_common_slot_end_when_they_are_noticed() {
    let both_served = told(|profile| {
        let mut rig = cluster(profile, 3, 0, 15_000);
        for host in [0, 1] {
            rig.turn(host, |cluster, _| {
                let me = cluster.members.my_index();
                cluster.slots.bind(&mut cluster.members, slot(16_000), me);
                cluster.members.me_mut().config_epoch = ConfigEpoch(9);
                cluster.current_epoch = CurrentEpoch(9);
            });
        }
        // The one with the smaller id is to yield its epoch, and hears of the other now.
        let (smaller, greater) = match rig.id(0) < rig.id(1) {
            true => (0, 1),
            false => (1, 0),
        };
        rig.say(greater, smaller, Body::Ping(Default::default()), as_is);
        assert_eq!(rig.at(smaller).config_epoch(), ConfigEpoch(10));
        rig.until("one owner", 20_000, |rig| {
            !(0..2).all(|host| rig.at(host).is_mine(slot(16_000)))
        })
    });
    assert!(both_served.upstream > 0, "{both_served:?}");
    assert_eq!(both_served.default, 0, "ms");
}

/// Proves KW-10: a demoted master speaks before the new one does.
#[test]
fn the_state_does_not_flicker_when_a_master_is_demoted() {
    let is_ok = told(|profile| {
        let mut rig = cluster(profile, 3, 1, 1000);
        // The new master's own claim does not get through to host 1 yet.
        rig.cut(3, 1);
        rig.run(3, "CLUSTER FAILOVER");
        rig.until("the demotion", 2000, |rig| rig.at(0).is_replica());
        rig.say(0, 1, Body::Ping(Default::default()), as_is);
        rig.at(1).is_ok()
    });
    assert!(!is_ok.upstream && is_ok.default, "{is_ok:?}");
}
