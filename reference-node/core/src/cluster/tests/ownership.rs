//! Claims of others, what they take from this node, and UPDATE; each rule by itself.

use std::sync::Arc;

use super::rig::probe::{as_is, nobody, plain_beats};
use super::rig::{LOCALHOST, Rig};
use crate::bus::packet::{Body, Header, Heartbeat};
use crate::cluster::{Effect, PROFILE_DIRECTIVE, Profile, Role};
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::output::Durability;
use crate::resp::Reply;
use crate::slot::{Slot, SlotSet};

fn slot(number: u64) -> Slot {
    Slot::new(number).expect("a slot")
}

fn range(first: u64, last: u64) -> SlotSet {
    let mut slots = SlotSet::default();
    slots.insert_range(slot(first), slot(last));
    slots
}

/// A header that claims these slots besides the sender's own.
fn claiming(epoch: u64, slots: SlotSet) -> impl Fn(&mut Header) {
    move |header| {
        header.config_epoch = ConfigEpoch(epoch);
        header.current_epoch = header.current_epoch.max(CurrentEpoch(epoch));
        Arc::make_mut(&mut header.slots).insert_all(&slots);
    }
}

fn ping() -> Body {
    Body::Ping(Heartbeat::default())
}

fn owner(rig: &Rig, of: usize, number: u64) -> Option<NodeId> {
    rig.at(of).slot_owner(slot(number)).map(|member| member.id)
}

/// Three masters, with or without upstream's weaknesses.
fn with_profile(profile: &str) -> Rig {
    Rig::cluster_with(3, 0, |config| {
        let directive = PROFILE_DIRECTIVE.to_owned();
        config.other.insert(directive, profile.to_owned());
    })
}

fn update(rig: &Rig, about: usize, epoch: u64, slots: SlotSet) -> Body {
    Body::Update {
        owner: Some(rig.id(about)),
        config_epoch: ConfigEpoch(epoch),
        slots: Arc::new(slots),
    }
}

/// Proves UP-01: by heartbeats of known masters, and by nothing else.
#[test]
fn a_claim_is_heard_in_heartbeats_of_known_masters_only() {
    let [ping, pong, meet] = plain_beats();
    let failed = Body::Fail { failed: None };
    for (body, is_heard) in [
        (ping.clone(), true),
        (pong, true),
        (meet, true),
        (failed, false),
        (Body::Unknown(99), false),
    ] {
        let mut rig = Rig::cluster(3, 1);
        rig.say(1, 0, body, claiming(50, range(16_000, 16_000)));
        assert_eq!(owner(&rig, 0, 16_000) == Some(rig.id(1)), is_heard);
    }
    let mut rig = Rig::cluster(3, 1);
    rig.say(4, 0, ping.clone(), claiming(50, range(16_000, 16_000)));
    assert_eq!(owner(&rig, 0, 16_000), Some(rig.id(2)), "a replica's");
    let link = rig.accept(0, LOCALHOST);
    let mut strange = rig.packet(1, ping, claiming(50, range(16_000, 16_000)));
    strange.header.sender = Some(nobody());
    rig.deliver(0, link, strange);
    assert_eq!(owner(&rig, 0, 16_000), Some(rig.id(2)), "a stranger's");
}

/// Proves UP-02, UP-06: what its owner gave up is anybody's, and is left out of UPDATEs, until its
/// owner claims it again, although its slots are then those that were bound to it all the time.
/// Upstream does not notice.
#[test]
fn a_slot_given_up_and_claimed_again_is_its_owner_s() {
    for (profile, is_kept) in [("reference", true), ("upstream-7.0", false)] {
        let mut rig = with_profile(profile);
        let is_free = |rig: &Rig| rig.at(0).slots.unclaimed.contains(slot(16_000));
        let told = |rig: &Rig| match rig.at(0).update_about(rig.index(0, 2)) {
            Body::Update { slots, .. } => slots.contains(slot(16_000)),
            other => panic!("an UPDATE expected, got {other:?}"),
        };
        rig.paused.insert(2);
        rig.say(2, 0, ping(), |header| {
            Arc::make_mut(&mut header.slots).remove(slot(16_000));
        });
        assert_eq!(owner(&rig, 0, 16_000), Some(rig.id(2)), "it stays bound");
        assert!(is_free(&rig) && !told(&rig));
        rig.saves.clear();
        rig.say(2, 0, ping(), as_is);
        assert_eq!(
            (!is_free(&rig), told(&rig)),
            (is_kept, is_kept),
            "{profile}"
        );
        assert!(rig.saves.is_empty(), "and nothing else");
    }
}

/// Proves UP-03, UP-04, UP-05, UP-18: which claims take a slot, and that clients and shard
/// subscribers are told.
#[test]
fn a_slot_goes_to_whom_it_is_free_for() {
    type Before = fn(&mut Rig);
    let keep: Before = |_| {};
    let delete: Before = |rig| {
        rig.run(0, "CLUSTER DELSLOTS 16000");
    };
    let give_up: Before = |rig| {
        rig.say(2, 0, ping(), |header| {
            Arc::make_mut(&mut header.slots).remove(slot(16_000))
        });
    };
    let import: Before = |rig| {
        let source = rig.id(2);
        rig.run(0, &format!("CLUSTER SETSLOT 16000 IMPORTING {source}"));
    };
    for (why, profile, epoch, before, expected) in [
        ("newer than its owner", "reference", 4, keep, true),
        ("as new as its owner", "reference", 3, keep, false),
        ("older than its owner", "reference", 2, keep, false),
        ("nobody's", "reference", 2, delete, true),
        ("given up by its owner", "reference", 2, give_up, true),
        ("being imported here", "reference", 9, import, true),
        (
            "being imported here, as upstream",
            "upstream-7.0",
            9,
            import,
            false,
        ),
    ] {
        let mut rig = with_profile(profile);
        rig.paused.insert(2);
        before(&mut rig);
        rig.saves.clear();
        rig.hosts[0].effects.clear();
        let claim = claiming(epoch, range(16_000, 16_000));
        rig.say(1, 0, Body::Pong(Heartbeat::default()), claim);
        assert_eq!(owner(&rig, 0, 16_000) == Some(rig.id(1)), expected, "{why}");
        let effects = &rig.hosts[0].effects;
        let is_told = effects
            .iter()
            .any(|effect| matches!(effect, Effect::SlotsChanged));
        assert_eq!(is_told, expected, "{why}: subscribers hear of it");
        if expected {
            assert_eq!(rig.saves, [(0, Durability::Synced)], "{why}");
            assert!(rig.at(0).is_ok(), "{why}: the state is evaluated again");
        }
    }
}

/// Proves UP-07, UP-08, UP-11, CF-08: who takes the last slot of a shard becomes its master, if
/// replicas may move or all of its slots come from here.
#[test]
fn a_master_without_slots_follows_who_took_them() {
    // Host 0 has 0 to 5460; host 1 has others too, host 3 is a replica of host 0.
    for (why, claimant, last, may_move, follows) in [
        ("all, by another master", 1, 5460, true, true),
        (
            "all, by another master, none may move",
            1,
            5460,
            false,
            false,
        ),
        ("all, by its replica, none may move", 3, 5460, false, true),
        ("all but one", 1, 5459, true, false),
    ] {
        let mut rig = Rig::cluster_with(3, 1, |config| {
            config.cluster_allow_replica_migration = may_move;
        });
        rig.hosts[0].keys.0.insert(slot(7), 3);
        rig.saves.clear();
        rig.hosts[0].effects.clear();
        rig.paused.extend(1..6);
        rig.say(claimant, 0, ping(), |header| {
            if claimant == 3 {
                header.slots = Default::default();
            }
            header.master = None;
            claiming(50, range(0, last))(header);
        });
        let me = rig.at(0);
        assert_eq!(me.is_replica(), follows, "{why}");
        let master = me.my_master().map(|master| master.id);
        assert_eq!(master, follows.then(|| rig.id(claimant)), "{why}");
        assert_eq!(
            rig.view(0, 0).slot_count,
            usize::from(last == 5459),
            "{why}"
        );
        assert_eq!(rig.saves[0], (0, Durability::Synced), "{why}");
        let effects = &rig.hosts[0].effects;
        let deletes = |effect: &Effect| matches!(effect, Effect::DeleteSlot(of) if *of == slot(7));
        assert_eq!(
            effects.iter().any(deletes),
            !follows,
            "{why}: a full sync deletes all"
        );
        let moves = |effect: &Effect| matches!(effect, Effect::Follow(Some(_)));
        assert_eq!(
            effects.iter().any(moves),
            follows,
            "{why}: replication follows"
        );
    }
}

/// Proves UP-08: a replica follows who took its master's last slot.
#[test]
fn a_replica_follows_who_took_its_master_s_slots() {
    let mut rig = Rig::cluster(3, 1);
    rig.say(1, 3, ping(), claiming(50, range(0, 5459)));
    assert_eq!(
        rig.at(3).my_master().map(|master| master.id),
        Some(rig.id(0))
    );
    rig.say(1, 3, ping(), claiming(50, range(0, 5460)));
    assert_eq!(
        rig.at(3).my_master().map(|master| master.id),
        Some(rig.id(1))
    );
}

/// Proves UP-10: nobody is a replica of a replica for long, unless of one of its own.
#[test]
fn a_replica_of_a_replica_moves_up() {
    for (grand_master, expected) in [(1, 1), (3, 0)] {
        let mut rig = Rig::cluster(3, 1);
        let (master, grand) = (rig.index(3, 0), rig.index(3, grand_master));
        rig.turn(3, |cluster, _| {
            cluster.slots.unbind_all(&mut cluster.members, master);
            cluster.members[master].role = Role::Replica { of: Some(grand) };
        });
        rig.saves.clear();
        rig.paused.extend([0, 1]);
        rig.say(2, 3, ping(), claiming(50, range(16_000, 16_001)));
        rig.say(2, 3, ping(), claiming(50, range(0, 1)));
        let master = rig.at(3).my_master().map(|master| master.id);
        assert_eq!(master, Some(rig.id(expected)));
        assert_eq!(rig.saves[0], (3, Durability::Synced));
    }
}

/// Proves UP-10 as in Valkey 8, and that upstream's profile waits for a claim that is news.
#[test]
fn a_replica_of_a_replica_moves_up_although_no_claim_is_news() {
    // (profile, configEpoch and currentEpoch of the header, whose replica it ends as)
    for (profile, epochs, expected) in [
        (Profile::Reference, (9, 9), 1),
        // Its master won epoch 8 since, or had it all the time and was sent to another one.
        (Profile::Reference, (2, 8), 0),
        (Profile::Reference, (2, 9), 1),
        (Profile::Upstream70, (9, 9), 0),
    ] {
        let mut rig = Rig::cluster(3, 1);
        rig.turn(3, |cluster, _| cluster.profile = profile);
        let master = rig.index(3, 0);
        rig.turn(3, |cluster, _| {
            cluster.slots.unbind_all(&mut cluster.members, master);
            cluster.members[master].config_epoch = ConfigEpoch(8);
        });
        rig.paused.extend([0, 1]);
        let heir = rig.id(1);
        let demoted = |header: &mut Header| {
            header.master = Some(heir);
            header.config_epoch = ConfigEpoch(epochs.0);
            header.current_epoch = CurrentEpoch(epochs.1);
            header.slots = Arc::new(SlotSet::default());
        };
        rig.say(0, 3, ping(), demoted);
        let master = rig.at(3).my_master().map(|master| master.id);
        assert_eq!(master, Some(rig.id(expected)), "{profile:?} {epochs:?}");
    }
}

/// Proves UP-13, UP-15: an UPDATE of any known node about a known other one, if it is newer.
#[test]
fn an_update_counts_if_it_is_newer_than_what_is_known() {
    // Host 2 owns slot 16000 at epoch 3; the UPDATE is about host 1, which has epoch 2.
    for (why, from, epoch, expected) in [
        ("newer, from a master", 2, 4, true),
        ("newer, from a replica", 5, 4, true),
        ("newer than its subject, not than the owner", 2, 3, false),
        ("not newer than its subject", 2, 2, false),
    ] {
        let mut rig = Rig::cluster(3, 1);
        rig.saves.clear();
        let body = update(&rig, 1, epoch, range(5461, 16_000));
        rig.say(from, 0, body, as_is);
        assert_eq!(owner(&rig, 0, 16_000) == Some(rig.id(1)), expected, "{why}");
        let kept = ConfigEpoch(epoch.max(2));
        assert_eq!(rig.view(0, 1).config_epoch, kept, "{why}");
        let save = (epoch > 2).then_some((0, Durability::Synced));
        assert_eq!(rig.saves.first().copied(), save, "{why}");
    }
    let mut rig = Rig::cluster(3, 1);
    let body = update(&rig, 3, 50, range(0, 5460));
    rig.say(1, 2, body, as_is);
    assert!(rig.view(2, 3).is_master(), "a replica is a master now");
    assert_eq!(owner(&rig, 2, 0), Some(rig.id(3)));
}

/// Proves UP-13, BUS-41: not of strangers, and not about them.
#[test]
fn an_update_of_or_about_a_stranger_is_ignored() {
    let mut rig = Rig::cluster(3, 0);
    let link = rig.accept(0, LOCALHOST);
    let body = update(&rig, 1, 50, range(16_000, 16_000));
    let strange = rig.packet(1, body, |header| header.sender = Some(nobody()));
    rig.deliver(0, link, strange);
    for owner in [Some(nobody()), None] {
        let body = Body::Update {
            owner,
            config_epoch: ConfigEpoch(50),
            slots: Arc::new(range(16_000, 16_000)),
        };
        rig.say(1, 0, body, as_is);
    }
    assert_eq!(owner(&rig, 0, 16_000), Some(rig.id(2)));
    assert_eq!(rig.at(0).members().count(), 3);
}

/// Proves UP-14: but the epochs of its header are heard.
#[test]
fn an_update_about_the_receiver_is_discarded() {
    let mut rig = Rig::cluster(3, 0);
    let body = update(&rig, 0, 50, range(16_000, 16_000));
    rig.say(1, 0, body, |header| header.current_epoch = CurrentEpoch(60));
    assert_eq!(rig.at(0).config_epoch(), ConfigEpoch(1));
    assert_eq!(rig.view(0, 0).slot_count, 5461);
    assert_eq!(owner(&rig, 0, 16_000), Some(rig.id(2)));
    assert_eq!(rig.at(0).current_epoch(), CurrentEpoch(60));
}

/// Proves UP-12: what is older than the owner of a slot is answered; what the owner gave up is not.
#[test]
fn only_a_claim_older_than_the_owner_s_is_answered() {
    // Host 4 is a replica of host 1: its claim is not followed, but answered.
    for (from, epoch, is_given_up, expected) in [
        (1, 2, false, 1),
        (1, 3, false, 0),
        (1, 2, true, 0),
        (4, 2, false, 1),
        (4, 3, false, 0),
        (4, 2, true, 0),
    ] {
        let mut rig = Rig::cluster(3, 1);
        rig.paused.extend(1..6);
        if is_given_up {
            rig.say(2, 0, ping(), |header| {
                Arc::make_mut(&mut header.slots).remove(slot(16_000));
            });
        }
        rig.sent.clear();
        rig.say(from, 0, ping(), |header| {
            header.config_epoch = ConfigEpoch(epoch);
            Arc::make_mut(&mut header.slots).insert(slot(16_000));
        });
        let updates: Vec<_> = rig
            .sent
            .iter()
            .filter(|sent| matches!(sent.packet.body, Body::Update { .. }))
            .collect();
        assert_eq!(updates.len(), expected);
        for sent in updates {
            let expected = update(&rig, 2, 3, range(10_922, 16_383));
            assert_eq!(sent.packet.body, expected);
        }
    }
}

/// Proves UP-16: slots are added at the epoch one has; two claims are told apart once a collision
/// is resolved.
#[test]
fn the_same_slots_added_twice_end_with_one_owner() {
    let mut rig = Rig::strangers(2);
    for index in 0..2 {
        let own = format!("CLUSTER ADDSLOTS 1 2 {}", 100 + index);
        assert_eq!(rig.run(index, &own), Reply::OK);
        assert_eq!(rig.run(index, "CLUSTER ADDSLOTSRANGE 10 20"), Reply::OK);
        assert_eq!(
            rig.at(index).config_epoch(),
            ConfigEpoch(0),
            "no epoch is taken"
        );
        assert_eq!(rig.at(index).current_epoch(), CurrentEpoch(0));
    }
    rig.run(0, "CLUSTER MEET 127.0.0.1 7001");
    rig.run_for(5000);
    let (small, great) = if rig.id(0) < rig.id(1) {
        (0, 1)
    } else {
        (1, 0)
    };
    assert!(rig.at(small).config_epoch() > rig.at(great).config_epoch());
    for number in [1, 2, 10, 20] {
        for index in 0..2 {
            assert_eq!(
                owner(&rig, index, number),
                Some(rig.id(small)),
                "slot {number}"
            );
        }
    }
}

/// Proves UP-17: elsewhere the slot keeps its owner.
#[test]
fn a_deleted_slot_is_unassigned_only_where_it_was_deleted() {
    let mut rig = Rig::cluster(3, 0);
    rig.run(0, "CLUSTER DELSLOTS 16000");
    rig.run_for(3000);
    assert_eq!(owner(&rig, 1, 16_000), Some(rig.id(2)));
    rig.run(2, "CLUSTER DELSLOTS 16000");
    rig.run_for(3000);
    assert_eq!(owner(&rig, 2, 16_000), None);
    assert_eq!(owner(&rig, 1, 16_000), Some(rig.id(2)));
}

/// Proves UP-19: with its first slot, if any master has a replica.
#[test]
fn a_master_with_its_first_slot_may_get_a_replica() {
    for (replicas, expected) in [(1, true), (0, false)] {
        let mut rig = Rig::cluster(2, replicas);
        rig.run(1, "CLUSTER FLUSHSLOTS");
        for of in 0..2 {
            let about = rig.index(of, 1);
            rig.turn(of, |cluster, _| {
                cluster.slots.unbind_all(&mut cluster.members, about);
                cluster.members[about].is_migration_target = false;
            });
        }
        rig.say(1, 0, ping(), claiming(2, range(9000, 9000)));
        assert_eq!(rig.view(0, 1).is_migration_target, expected);
        rig.run(1, "CLUSTER ADDSLOTS 9000");
        assert_eq!(rig.view(1, 1).is_migration_target, expected);
    }
}
