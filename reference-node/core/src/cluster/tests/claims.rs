//! Slot claims, epochs, collisions, UPDATE.

use super::rig::Rig;
use crate::bus::packet::{Body, Packet};
use crate::cluster::Effect;
use crate::cluster::claims::{CLAIM_RULES, ClaimFacts, NotRebound};
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::resp::Reply;
use crate::rules::first_objection;
use crate::slot::Slot;

fn slot(number: u64) -> Slot {
    Slot::new(number).expect("a slot")
}

/// Proves UP-03, UP-04, UP-05.
#[test]
fn only_a_strictly_newer_claim_takes_a_slot() {
    let facts = |owner_epoch: Option<u64>, is_being_imported| ClaimFacts {
        is_being_imported,
        owner_epoch: owner_epoch.map(ConfigEpoch),
        claimed_epoch: ConfigEpoch(5),
    };
    let judge =
        |facts| first_objection(CLAIM_RULES, &facts, Default::default()).map(|(_, reason)| reason);
    assert_eq!(judge(facts(None, false)), None);
    assert_eq!(judge(facts(Some(4), false)), None);
    assert_eq!(judge(facts(Some(5), false)), Some(NotRebound::OwnerIsAsNew));
    assert_eq!(judge(facts(Some(6), false)), Some(NotRebound::OwnerIsAsNew));
    assert_eq!(judge(facts(None, true)), Some(NotRebound::BeingImported));
}

/// Proves EP-20, EP-21, EP-22, PS-14.
#[test]
fn masters_that_collide_end_with_distinct_epochs() {
    let mut rig = Rig::strangers(4);
    for index in 1..4 {
        rig.run(0, &format!("CLUSTER MEET 127.0.0.1 {}", 7000 + index));
    }
    rig.run_for(10_000);
    let mut epochs: Vec<u64> = (0..4).map(|index| rig.at(index).config_epoch().0).collect();
    let greatest = (0..4)
        .max_by_key(|index| rig.id(*index))
        .expect("four nodes");
    assert_eq!(epochs[greatest], 0, "the greatest id never moves");
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), 4, "{epochs:?}");
}

/// Proves EP-05.
#[test]
fn a_bump_takes_a_new_epoch_only_where_it_is_not_the_greatest() {
    let mut rig = Rig::cluster(3, 0);
    assert_eq!(
        rig.run(0, "CLUSTER BUMPEPOCH"),
        Reply::Status("BUMPED 4".into())
    );
    assert_eq!(
        rig.run(0, "CLUSTER BUMPEPOCH"),
        Reply::Status("STILL 4".into())
    );
    rig.run_for(2000);
    assert_eq!(rig.at(2).current_epoch(), CurrentEpoch(4));
}

/// Proves UP-12, UP-13, UP-08, UP-09, and KW-05 absent.
#[test]
fn a_stale_master_is_corrected_by_update_messages() {
    let mut rig = Rig::cluster(3, 1);
    rig.kill(0);
    rig.until("the promotion", 10_000, |rig| !rig.at(3).is_replica());
    rig.run_for(2000);
    rig.sent.clear();
    // The new master cannot tell it itself.
    rig.cut(0, 3);
    rig.start(0);
    rig.until("the demotion", 5000, |rig| rig.at(0).is_replica());
    let updates = rig
        .sent
        .iter()
        .filter(|sent| matches!(sent.packet.body, Body::Update { .. }));
    assert!(updates.count() > 0);
}

/// Proves KW-05 absent, BUS-06: one UPDATE for each owner that a stale claim offends.
#[test]
fn a_stale_claim_is_answered_for_each_owner() {
    let mut rig = Rig::cluster(3, 0);
    let mut header = rig.header_of(0);
    header.config_epoch = ConfigEpoch(0);
    let mut all = (*header.slots).clone();
    all.insert_range(slot(0), slot(16_383));
    header.slots = std::sync::Arc::new(all);
    rig.sent.clear();
    rig.inject(
        1,
        0,
        Packet {
            header,
            body: Body::Ping(Default::default()),
        },
    );
    let updates = rig
        .sent
        .iter()
        .filter(|sent| sent.from == 1 && matches!(sent.packet.body, Body::Update { .. }));
    assert_eq!(updates.count(), 2, "its own and host 2's");
}

/// Proves UP-07: keys of a slot that is another node's now are deleted.
#[test]
fn keys_of_a_lost_slot_are_deleted() {
    let mut rig = Rig::cluster(3, 0);
    rig.hosts[0].keys.0.insert(slot(7), 3);
    let mut header = rig.header_of(1);
    let mut claimed = (*header.slots).clone();
    claimed.insert(slot(7));
    header.slots = std::sync::Arc::new(claimed);
    header.config_epoch = ConfigEpoch(9);
    header.current_epoch = CurrentEpoch(9);
    rig.inject(
        0,
        1,
        Packet {
            header,
            body: Body::Pong(Default::default()),
        },
    );
    assert!(!rig.at(0).is_mine(slot(7)));
    let deleted = rig.hosts[0]
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::DeleteSlot(deleted) if *deleted == slot(7)));
    assert!(deleted);
}

/// Proves UP-06, UP-17: a deleted slot stays bound elsewhere until somebody claims it.
#[test]
fn a_slot_its_owner_gave_up_is_anybodys() {
    let mut rig = Rig::cluster(3, 0);
    rig.run(2, "CLUSTER DELSLOTS 16000");
    rig.run_for(2000);
    assert_eq!(
        rig.at(0).slot_owner(slot(16_000)).map(|m| m.id),
        Some(rig.id(2))
    );
    assert!(rig.at(2).slot_owner(slot(16_000)).is_none());
    // Host 2 has the greatest epoch; the claim of host 0 wins nevertheless.
    rig.run(0, "CLUSTER DELSLOTS 16000");
    rig.run(0, "CLUSTER ADDSLOTS 16000");
    rig.until("the new owner is known", 5000, |rig| {
        (1..3).all(|index| rig.at(index).slot_owner(slot(16_000)).map(|m| m.id) == Some(rig.id(0)))
    });
}

/// Proves BUS-12, GO-22: the bitmap of a replica is its master's.
#[test]
fn a_replica_claims_nothing() {
    let mut rig = Rig::cluster(3, 1);
    let mut header = rig.header_of(3);
    let mut all = (*header.slots).clone();
    all.insert_range(slot(0), slot(16_383));
    header.slots = std::sync::Arc::new(all);
    header.config_epoch = ConfigEpoch(99);
    header.current_epoch = CurrentEpoch(99);
    rig.inject(
        1,
        3,
        Packet {
            header,
            body: Body::Ping(Default::default()),
        },
    );
    assert_eq!(
        rig.at(1).slot_owner(slot(6000)).map(|m| m.id),
        Some(rig.id(1))
    );
    assert_eq!(rig.view(1, 0).config_epoch, ConfigEpoch(1));
}

/// Proves GO-20, GO-21.
#[test]
fn a_master_that_became_a_replica_loses_its_slots_here() {
    let mut rig = Rig::cluster(3, 0);
    let mut header = rig.header_of(2);
    header.master = Some(rig.id(0));
    rig.inject(
        1,
        2,
        Packet {
            header,
            body: Body::Ping(Default::default()),
        },
    );
    assert!(rig.view(1, 2).is_replica());
    assert!(rig.at(1).slot_owner(slot(16_000)).is_none());
}

/// Proves KW-10 absent: the slots of a demoted master go to the replica that took over.
#[test]
fn the_slots_of_a_demoted_master_go_to_its_heir() {
    let mut rig = Rig::cluster(3, 1);
    let mut header = rig.header_of(0);
    header.master = Some(rig.id(3));
    header.config_epoch = ConfigEpoch(50);
    header.current_epoch = CurrentEpoch(50);
    rig.inject(
        1,
        0,
        Packet {
            header,
            body: Body::Ping(Default::default()),
        },
    );
    assert_eq!(rig.at(1).slot_owner(slot(0)).map(|m| m.id), Some(rig.id(3)));
    assert_eq!(rig.view(1, 3).config_epoch, ConfigEpoch(50));
    assert!(rig.at(1).is_ok() && rig.view(1, 0).is_replica());
}
