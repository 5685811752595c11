//! Forgetting nodes and starting over, as others see it.

use super::rig::{Rig, error_text};
use crate::cluster::Effect;
use crate::epoch::CurrentEpoch;
use crate::output::Durability;
use crate::resp::Reply;
use crate::slot::Slot;

fn slot(number: u64) -> Slot {
    Slot::new(number).expect("a slot")
}

/// Proves RS-01: its slots, its reports and the marks that name it go with a node.
#[test]
fn what_belonged_to_a_forgotten_node_goes_with_it() {
    let mut rig = Rig::cluster(4, 0);
    let (gone, suspect) = (rig.id(2), rig.id(3));
    rig.run(0, &format!("CLUSTER SETSLOT 9000 IMPORTING {gone}"));
    rig.run(0, &format!("CLUSTER SETSLOT 7 MIGRATING {gone}"));
    rig.cut(2, 3);
    rig.until("a report by the third", 10_000, |rig| {
        rig.view(0, 3).reports.len() == 1
    });
    rig.run(0, &format!("CLUSTER FORGET {gone}"));
    assert_eq!(rig.at(0).importing_from(slot(9000)), None);
    assert_eq!(rig.at(0).migrating_to(slot(7)), None);
    assert!(rig.at(0).slot_owner(slot(9000)).is_none());
    assert!(
        rig.at(0)
            .member(suspect)
            .is_some_and(|member| member.reports.is_empty())
    );
}

/// Proves RS-04: where extensions are spoken, one FORGET is enough, with what is left of its time.
#[test]
fn one_forget_spreads_among_nodes_that_speak_extensions() {
    let mut rig = Rig::cluster_with(4, 0, |config| {
        config.cluster_announce_hostname = "a.host".into();
    });
    let gone = rig.id(3);
    rig.run(0, &format!("CLUSTER FORGET {gone}"));
    let took = rig.until("the others have forgotten it", 5000, |rig| {
        (1..3).all(|index| rig.at(index).member(gone).is_none())
    });
    assert!(took < 3000, "took {took} ms");
    // Whoever heard it late does not remember it for longer.
    let banned = |rig: &Rig| {
        let is_banned = |index: &usize| rig.at(*index).blacklist.contains(gone, rig.now);
        (0..3).filter(is_banned).count()
    };
    assert_eq!(banned(&rig), 3);
    rig.run_for(54_000);
    assert_eq!(banned(&rig), 3);
    rig.run_for(10_000 - took);
    assert_eq!(banned(&rig), 0);
}

/// Proves RS-05: without extensions each node must be told.
#[test]
fn a_node_is_gone_only_when_every_other_has_forgotten_it() {
    let mut rig = Rig::cluster(4, 0);
    let gone = rig.id(3);
    rig.run(0, &format!("CLUSTER FORGET {gone}"));
    rig.run_for(5000);
    assert!((1..3).all(|index| rig.at(index).member(gone).is_some()));
    for index in 1..3 {
        rig.run(index, &format!("CLUSTER FORGET {gone}"));
    }
    rig.run_for(120_000);
    assert!((0..3).all(|index| rig.at(index).member(gone).is_none()));
}

/// Proves RS-06.
#[test]
fn the_replicas_of_a_forgotten_master_have_no_master_here() {
    let mut rig = Rig::cluster(2, 1);
    let (master, replica) = (rig.id(1), rig.id(3));
    rig.run(0, &format!("CLUSTER FORGET {master}"));
    rig.run_for(5000);
    let text = rig.at(0).nodes_text();
    let line = text
        .lines()
        .find(|line| line.starts_with(&replica.to_string()));
    assert!(
        line.is_some_and(|line| line.contains(" slave - ")),
        "{text}"
    );
}

/// Proves RS-09.
#[test]
fn a_master_with_keys_is_not_reset_but_its_replica_is() {
    let mut rig = Rig::cluster(1, 1);
    for index in [0, 1] {
        rig.hosts[index].keys.0.insert(slot(1), 1);
    }
    for form in ["", " SOFT", " HARD"] {
        let reply = rig.run(0, &format!("CLUSTER RESET{form}"));
        assert_eq!(
            error_text(&reply),
            "ERR CLUSTER RESET can't be called with master nodes containing keys"
        );
    }
    assert_eq!(rig.at(0).members().count(), 2);
    assert_eq!(rig.run(1, "CLUSTER RESET"), Reply::OK);
}

/// Proves RS-07: no slots, no marks, nobody else; a replica is a master without data.
#[test]
fn a_reset_leaves_nothing_but_the_name() {
    let mut rig = Rig::cluster(2, 1);
    let other = rig.id(1);
    rig.run(0, &format!("CLUSTER SETSLOT 9000 IMPORTING {other}"));
    rig.run(0, &format!("CLUSTER SETSLOT 7 MIGRATING {other}"));
    for index in [0, 2] {
        assert_eq!(rig.run(index, "CLUSTER RESET"), Reply::OK);
        let node = rig.at(index);
        assert_eq!((node.members().count(), node.is_replica()), (1, false));
        assert!(Slot::all().all(|slot| node.slot_owner(slot).is_none()));
        assert_eq!(node.migrating_to(slot(7)), None);
        assert_eq!(node.importing_from(slot(9000)), None);
        let text = node.nodes_text();
        assert!(text.ends_with(" connected\n"), "{text}");
        assert_eq!(rig.saves.last(), Some(&(index, Durability::Synced)));
    }
    let emptied = |index: usize| {
        let mut effects = rig.hosts[index].effects.iter();
        effects.any(|effect| matches!(effect, Effect::FlushAll))
    };
    assert_eq!([0, 2].map(emptied), [false, true]);
}

/// Proves RS-08: the last vote, too, was somebody else's.
#[test]
fn a_hard_reset_forgets_epochs_and_votes() {
    let mut rig = Rig::cluster(3, 1);
    rig.run(3, "CLUSTER FAILOVER");
    rig.until("a vote of host 1", 2000, |rig| {
        rig.votes().iter().any(|(voter, _)| *voter == 1)
    });
    assert!(rig.at(1).last_vote_epoch > CurrentEpoch(0));
    let id = rig.id(1);
    rig.run(1, "CLUSTER RESET HARD");
    let node = rig.at(1);
    assert_ne!(node.my_id(), id);
    let epochs = (node.current_epoch(), node.last_vote_epoch);
    assert_eq!(epochs, (CurrentEpoch(0), CurrentEpoch(0)));
    assert_eq!(node.config_epoch().0, 0);
}

/// Proves RS-10.
#[test]
fn a_reset_lifts_all_bans() {
    let mut rig = Rig::cluster(3, 0);
    let gone = rig.id(2);
    rig.run(0, &format!("CLUSTER FORGET {gone}"));
    rig.run(0, "CLUSTER RESET SOFT");
    rig.run(0, "CLUSTER MEET 127.0.0.1 7001");
    rig.until("gossip brings it back", 10_000, |rig| {
        rig.at(0).member(gone).is_some()
    });
}
