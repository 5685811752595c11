//! Slot migration, slot commands, keys at the start.

use super::rig::{Rig, error_text};
use crate::resp::Reply;
use crate::slot::Slot;

fn slot(number: u64) -> Slot {
    Slot::new(number).expect("a slot")
}

/// Proves SM-01, SM-12, SM-13, SM-17, EP-09.
#[test]
fn a_slot_moves_by_setslot_and_every_node_learns_it() {
    let mut rig = Rig::cluster(3, 0);
    let (source, target) = (rig.id(0), rig.id(1));
    rig.run(1, &format!("CLUSTER SETSLOT 7 IMPORTING {source}"));
    rig.run(0, &format!("CLUSTER SETSLOT 7 MIGRATING {target}"));
    assert_eq!(rig.at(0).migrating_to(slot(7)), Some(target));
    assert_eq!(rig.at(1).importing_from(slot(7)), Some(source));
    assert!(
        rig.at(0)
            .nodes_text()
            .contains(&format!(" [7->-{target}]\n"))
    );
    assert!(
        rig.at(1)
            .nodes_text()
            .contains(&format!(" [7-<-{source}]\n"))
    );
    rig.run(1, &format!("CLUSTER SETSLOT 7 NODE {target}"));
    rig.run(0, &format!("CLUSTER SETSLOT 7 NODE {target}"));
    rig.until("everybody knows", 1000, |rig| {
        (0..3).all(|index| rig.at(index).slot_owner(slot(7)).map(|m| m.id) == Some(target))
    });
    assert_eq!(rig.at(0).migrating_to(slot(7)), None);
    assert_eq!(rig.at(1).importing_from(slot(7)), None);
    assert_eq!(rig.at(1).config_epoch().0, 4);
}

/// Proves SM-17, PS-05: open slots survive a restart.
#[test]
fn open_slots_survive_a_restart() {
    let mut rig = Rig::cluster(3, 0);
    let (source, target) = (rig.id(0), rig.id(1));
    rig.run(0, &format!("CLUSTER SETSLOT 7 MIGRATING {target}"));
    rig.run(1, &format!("CLUSTER SETSLOT 7 IMPORTING {source}"));
    for index in [0, 1] {
        rig.kill(index);
        rig.start(index);
    }
    assert_eq!(rig.at(0).migrating_to(slot(7)), Some(target));
    assert_eq!(rig.at(1).importing_from(slot(7)), Some(source));
}

/// Proves SM-11, SM-01, SM-16 and the order of errors.
#[test]
fn setslot_refuses_what_makes_no_sense() {
    let mut rig = Rig::cluster(2, 1);
    let (me, other, replica) = (rig.id(0), rig.id(1), rig.id(2));
    rig.hosts[0].keys.0.insert(slot(7), 1);
    let cases = [
        ("16384 STABLE".into(), "Invalid or out of range slot"),
        (
            format!("9000 MIGRATING {other}"),
            "I'm not the owner of hash slot 9000",
        ),
        (
            format!("7 IMPORTING {other}"),
            "I'm already the owner of hash slot 7",
        ),
        ("7 MIGRATING x".into(), "I don't know about node x"),
        (
            format!("7 MIGRATING {replica}"),
            "Target node is not a master",
        ),
        ("7 NODE x".into(), "Unknown node x"),
        (format!("7 NODE {replica}"), "Target node is not a master"),
        (
            format!("7 NODE {other}"),
            "Can't assign hashslot 7 to a different node while I still hold keys for this hash \
             slot.",
        ),
        (
            format!("7 SOMETHING {me}"),
            "Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP",
        ),
    ];
    for (args, expected) in cases {
        let reply = rig.run(0, &format!("CLUSTER SETSLOT {args}"));
        assert_eq!(error_text(&reply), format!("ERR {expected}"), "{args}");
    }
    let reply = rig.run(2, "CLUSTER SETSLOT 99999 STABLE");
    assert_eq!(
        error_text(&reply),
        "ERR Please use SETSLOT only with masters."
    );
}

/// Proves SM-19: and a slot that is migrating stays so.
#[test]
fn taking_or_dropping_a_slot_ends_its_import() {
    let mut rig = Rig::cluster(2, 0);
    let other = rig.id(1);
    rig.run(0, "CLUSTER DELSLOTS 5");
    for number in [5, 9000] {
        rig.run(0, &format!("CLUSTER SETSLOT {number} IMPORTING {other}"));
        assert_eq!(rig.at(0).importing_from(slot(number)), Some(other));
    }
    rig.run(0, &format!("CLUSTER SETSLOT 7 MIGRATING {other}"));
    rig.run(0, "CLUSTER ADDSLOTS 5");
    rig.run(0, "CLUSTER DELSLOTS 9000");
    for number in [5, 9000] {
        assert_eq!(rig.at(0).importing_from(slot(number)), None);
    }
    assert_eq!(rig.at(0).migrating_to(slot(7)), Some(other));
}

/// Proves SM-15: both marks, and nothing else.
#[test]
fn stable_closes_a_slot_and_changes_no_owner() {
    let mut rig = Rig::cluster(2, 0);
    let [me, other] = [rig.id(0), rig.id(1)];
    rig.run(0, &format!("CLUSTER SETSLOT 7 MIGRATING {other}"));
    rig.run(0, &format!("CLUSTER SETSLOT 8 MIGRATING {other}"));
    rig.run(0, &format!("CLUSTER SETSLOT 9000 IMPORTING {other}"));
    let epoch = rig.at(0).current_epoch();
    for number in [7, 9000] {
        let line = format!("CLUSTER SETSLOT {number} STABLE");
        assert_eq!(rig.run(0, &line), Reply::OK);
    }
    let node = rig.at(0);
    assert_eq!(node.migrating_to(slot(7)), None);
    assert_eq!(node.migrating_to(slot(8)), Some(other));
    assert_eq!(node.importing_from(slot(9000)), None);
    assert_eq!(node.slot_owner(slot(7)).map(|owner| owner.id), Some(me));
    let owner = node.slot_owner(slot(9000)).map(|owner| owner.id);
    assert_eq!((owner, node.current_epoch()), (Some(other), epoch));
}

/// Proves SM-18: a replica has no open slots.
#[test]
fn becoming_a_replica_closes_all_slots() {
    let mut rig = Rig::cluster(3, 0);
    rig.run(2, "CLUSTER FLUSHSLOTS");
    let [first, second] = [rig.id(0), rig.id(1)];
    rig.run(2, &format!("CLUSTER SETSLOT 7 IMPORTING {first}"));
    assert_eq!(rig.at(2).importing_from(slot(7)), Some(first));
    rig.run(2, &format!("CLUSTER REPLICATE {second}"));
    assert!(rig.at(2).is_replica());
    assert_eq!(rig.at(2).importing_from(slot(7)), None);
}

/// Proves SM-14, SM-18.
#[test]
fn a_master_that_gives_its_last_slot_away_follows_the_new_owner() {
    let mut rig = Rig::cluster(2, 0);
    let other = rig.id(1);
    rig.run(0, "CLUSTER DELSLOTSRANGE 1 8191");
    rig.run(0, &format!("CLUSTER SETSLOT 0 NODE {other}"));
    assert!(rig.at(0).is_replica());
}

/// Proves the errors of ADDSLOTS and DELSLOTS, and that an error changes nothing.
#[test]
fn slot_commands_check_everything_before_they_change_anything() {
    let mut rig = Rig::strangers(1);
    rig.run(0, "CLUSTER ADDSLOTS 1 2");
    let cases = [
        ("ADDSLOTS 5 1", "Slot 1 is already busy"),
        ("ADDSLOTS 5 5", "Slot 5 specified multiple times"),
        ("ADDSLOTS 5 16384", "Invalid or out of range slot"),
        ("ADDSLOTS 5 -1", "Invalid or out of range slot"),
        ("DELSLOTS 1 5", "Slot 5 is already unassigned"),
        ("DELSLOTS 1 1", "Slot 1 specified multiple times"),
        (
            "ADDSLOTSRANGE 9 8",
            "start slot number 9 is greater than end slot number 8",
        ),
        (
            "ADDSLOTSRANGE 5 6 7",
            "wrong number of arguments for 'cluster|addslotsrange' command",
        ),
        ("COUNTKEYSINSLOT 16384", "Invalid slot"),
        ("GETKEYSINSLOT 1 -1", "Invalid slot or number of keys"),
        (
            "GETKEYSINSLOT x 1",
            "value is not an integer or out of range",
        ),
    ];
    for (args, expected) in cases {
        let reply = rig.run(0, &format!("CLUSTER {args}"));
        assert_eq!(error_text(&reply), format!("ERR {expected}"), "{args}");
    }
    assert!(rig.at(0).nodes_text().ends_with(" 1-2\n"));
}

/// Proves RS-12, UP-17.
#[test]
fn flushslots_needs_an_empty_database() {
    let mut rig = Rig::strangers(1);
    rig.run(0, "CLUSTER ADDSLOTSRANGE 0 16383");
    rig.hosts[0].keys.0.insert(slot(7), 2);
    let reply = rig.run(0, "CLUSTER FLUSHSLOTS");
    assert_eq!(
        error_text(&reply),
        "ERR DB must be empty to perform CLUSTER FLUSHSLOTS."
    );
    assert_eq!(rig.run(0, "CLUSTER COUNTKEYSINSLOT 7"), Reply::Integer(2));
    rig.hosts[0].keys.0.clear();
    assert_eq!(rig.run(0, "CLUSTER FLUSHSLOTS"), Reply::OK);
    assert!(rig.at(0).slot_owner(slot(7)).is_none());
}

/// Proves SM-22.
#[test]
fn keys_on_disk_claim_free_slots_and_open_those_of_others() {
    let mut rig = Rig::cluster(2, 0);
    rig.run(1, "CLUSTER DELSLOTS 16000");
    rig.run(0, "CLUSTER DELSLOTS 5");
    rig.hosts[0].keys.0.insert(slot(5), 1);
    rig.hosts[0].keys.0.insert(slot(9000), 1);
    rig.with(0, |cluster, around, fx| {
        cluster.claim_keys_at_start(around, fx)
    });
    assert!(rig.at(0).is_mine(slot(5)));
    assert_eq!(rig.at(0).importing_from(slot(9000)), Some(rig.id(1)));
}

/// Proves RM-01, RM-04 to RM-07.
#[test]
fn a_spare_replica_moves_to_an_orphaned_master() {
    let mut rig = Rig::cluster(2, 2);
    // Both replicas of master 1 die; hosts 2 and 4 copy master 0.
    rig.kill(3);
    rig.kill(5);
    rig.until("a migration", 20_000, |rig| {
        [2, 4]
            .iter()
            .any(|index| rig.at(*index).my_master().map(|master| master.id) == Some(rig.id(1)))
    });
    let moved = [2, 4]
        .iter()
        .filter(|index| rig.at(**index).my_master().map(|master| master.id) == Some(rig.id(1)));
    assert_eq!(moved.count(), 1);
}

/// Proves CF-08, RM-01.
#[test]
fn no_replica_moves_where_migration_is_off() {
    let mut rig = Rig::cluster_with(2, 2, |config| {
        config.cluster_allow_replica_migration = false
    });
    rig.kill(3);
    rig.kill(5);
    rig.run_for(15_000);
    for index in [2, 4] {
        assert_eq!(
            rig.at(index).my_master().map(|master| master.id),
            Some(rig.id(0))
        );
    }
}
