//! Slots that are open when one of the ends fails over.

use super::rig::{Rig, Sent};
use crate::bus::packet::{Body, Extension, OpenSlots};
use crate::cluster::PROFILE_DIRECTIVE;
use crate::ids::NodeId;
use crate::slot::Slot;

fn slot(number: u64) -> Slot {
    Slot::new(number).expect("a slot")
}

/// Slot 7 is on its way from master 0 to master 1; host 3 copies the one, host 4 the other.
fn migrating(profile: &'static str) -> Rig {
    let mut rig = Rig::cluster_with(3, 1, |config| {
        config
            .other
            .insert(PROFILE_DIRECTIVE.into(), profile.into());
    });
    let (source, target) = (rig.id(0), rig.id(1));
    rig.run(1, &format!("CLUSTER SETSLOT 7 IMPORTING {source}"));
    rig.run(0, &format!("CLUSTER SETSLOT 7 MIGRATING {target}"));
    rig
}

/// The master dies; whether its replica has taken over.
fn fail_over(rig: &mut Rig, master: usize) {
    rig.kill(master);
    rig.until("the promotion", 20_000, |rig| {
        !rig.at(master + 3).is_replica()
    });
    rig.run_for(3000);
}

/// Where slot 7 goes, and where it comes from, at both ends.
fn marks(rig: &Rig, source: usize, target: usize) -> [Option<NodeId>; 2] {
    [
        rig.at(source).migrating_to(slot(7)),
        rig.at(target).importing_from(slot(7)),
    ]
}

/// Proves SM-20, SM-21 and MG-05 of part C absent: the new source goes on where the old one was.
#[test]
fn a_failover_of_the_source_keeps_the_slot_open_at_both_ends() {
    let mut rig = migrating("default");
    let target = rig.id(1);
    fail_over(&mut rig, 0);
    assert_eq!(marks(&rig, 3, 1), [Some(target), Some(rig.id(3))]);
    // Who comes back is a replica, and has no mark.
    rig.start(0);
    rig.until("the demotion", 5000, |rig| rig.at(0).is_replica());
    assert_eq!(rig.at(0).migrating_to(slot(7)), None);
}

/// Proves SM-20 and SM-21.
#[test]
fn a_failover_of_the_target_keeps_the_slot_open_at_both_ends() {
    let mut rig = migrating("default");
    let source = rig.id(0);
    fail_over(&mut rig, 1);
    assert_eq!(marks(&rig, 0, 4), [Some(rig.id(4)), Some(source)]);
    let text = rig.hosts[4].nodes_conf.clone().expect("saved");
    let mark = format!(" [7-<-{source}]");
    assert!(String::from_utf8_lossy(&text).contains(&mark), "{text:?}");
}

/// Proves SM-20: a second failover too, because the new master tells its replicas in turn.
#[test]
fn a_manual_failover_and_back_keeps_the_slot_open() {
    let mut rig = migrating("default");
    let target = rig.id(1);
    for (replica, master) in [(3, 0), (0, 3)] {
        rig.run(replica, "CLUSTER FAILOVER");
        rig.until("both roles changed", 5000, |rig| {
            !rig.at(replica).is_replica() && rig.at(master).is_replica()
        });
        rig.run_for(3000);
        assert_eq!(
            marks(&rig, replica, 1),
            [Some(target), Some(rig.id(replica))]
        );
        assert_eq!(rig.at(master).migrating_to(slot(7)), None);
    }
}

/// Proves SM-15, SM-20: what was closed stays closed, at the replicas at once.
#[test]
fn a_slot_that_was_closed_is_not_open_after_a_failover() {
    let mut rig = migrating("default");
    rig.run_for(3000);
    assert_ne!(rig.at(3).slots.of_master, OpenSlots::default());
    rig.run(0, "CLUSTER SETSLOT 7 STABLE");
    assert_eq!(rig.at(3).slots.of_master, OpenSlots::default());
    rig.kill(0);
    rig.until("the promotion", 20_000, |rig| !rig.at(3).is_replica());
    assert_eq!(rig.at(3).migrating_to(slot(7)), None);
}

/// Proves SM-20: a replica that was away hears it again.
#[test]
fn a_replica_that_starts_later_learns_what_is_open() {
    let mut rig = migrating("default");
    rig.kill(3);
    rig.start(3);
    rig.until("it knows", 3000, |rig| {
        rig.at(3).slots.of_master.migrating.contains_key(&slot(7))
    });
}

/// The weakness where it is asked for: MG-05 is red there.
#[test]
fn the_upstream_profile_forgets_open_slots_in_a_failover() {
    let mut rig = migrating("upstream-7.0");
    let source = rig.id(0);
    fail_over(&mut rig, 0);
    assert_eq!(marks(&rig, 3, 1), [None, Some(source)]);
    assert!(!rig.sent.iter().any(carries_open_slots));
}

fn carries_open_slots(sent: &Sent) -> bool {
    let (Body::Ping(beat) | Body::Pong(beat) | Body::Meet(beat)) = &sent.packet.body else {
        return false;
    };
    let mut extensions = beat.extensions.iter();
    extensions.any(|extension| matches!(extension, Extension::OpenSlots(_)))
}

/// Proves BUS-28: a replica that does not announce it is not told, nor is anybody else's.
#[test]
fn only_a_master_s_own_replicas_that_keep_open_slots_are_told() {
    let mut rig = migrating("default");
    rig.run_for(3000);
    let told = rig.sent.iter().filter(|sent| carries_open_slots(sent));
    let mut pairs: Vec<_> = told.map(|sent| (sent.from, sent.to)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(pairs, [(0, Some(3)), (1, Some(4))]);
    let mut rig = Rig::cluster_with(2, 1, |config| {
        let profile = ["default", "upstream-7.0"][usize::from(config.port == 7002)];
        config
            .other
            .insert(PROFILE_DIRECTIVE.into(), profile.into());
    });
    let target = rig.id(1);
    rig.run(0, &format!("CLUSTER SETSLOT 7 MIGRATING {target}"));
    rig.run_for(3000);
    assert!(!rig.sent.iter().any(carries_open_slots));
}

/// Proves SM-20: nobody but the master has a say.
#[test]
fn a_stranger_s_open_slots_are_not_believed() {
    let mut rig = Rig::cluster(3, 1);
    let peer = rig.id(2);
    let open = OpenSlots {
        migrating: [(slot(7), peer)].into(),
        importing: [(slot(9000), peer)].into(),
    };
    let beat = crate::bus::packet::Heartbeat {
        extensions: vec![Extension::OpenSlots(open)],
        ..Default::default()
    };
    for (from, to) in [(1, 3), (1, 0), (4, 3), (3, 0)] {
        rig.say(from, to, Body::Ping(beat.clone()), |header| {
            header.message_flags.ext_data = true;
        });
        assert_eq!(rig.at(to).slots.of_master, OpenSlots::default());
        assert_eq!(rig.at(to).slots.open(), OpenSlots::default());
    }
}
