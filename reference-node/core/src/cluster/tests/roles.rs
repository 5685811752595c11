//! Who copies whom, from where, and what that has to do with slots.

use super::rig::probe::as_is;
use super::rig::{LOCALHOST, Rig, error_text};
use crate::bus::packet::{Body, Heartbeat};
use crate::cluster::Effect;
use crate::resp::Reply;
use crate::slot::Slot;

fn slot(number: u64) -> Slot {
    Slot::new(number).expect("a slot")
}

/// Where replication was last told to go.
fn followed(rig: &Rig, index: usize) -> Option<(std::net::IpAddr, u16)> {
    let follows = rig.hosts[index].effects.iter().rev();
    follows
        .filter_map(|effect| match effect {
            Effect::Follow(address) => Some(*address),
            _ => None,
        })
        .next()
        .expect("it was told to follow somebody")
}

/// Two masters with all slots, and host 2, a master without any.
fn with_an_empty_master() -> Rig {
    let mut rig = Rig::cluster(3, 0);
    for index in 0..3 {
        rig.run(index, "CLUSTER DELSLOTSRANGE 10922 16383");
        rig.run(index, "CLUSTER DELSLOTSRANGE 10000 10001");
    }
    rig.run(0, "CLUSTER ADDSLOTSRANGE 10000 10001");
    rig.run_for(2000);
    rig
}

/// Proves RP-02: a master must have neither slots nor keys; a replica may have anything.
#[test]
fn only_an_empty_master_becomes_a_replica_but_replicas_switch_freely() {
    let mut rig = with_an_empty_master();
    let refused = "ERR To set a master the node must be empty and without assigned slots.";
    let [first, second] = [rig.id(0), rig.id(1)];
    let reply = rig.run(0, &format!("CLUSTER REPLICATE {second}"));
    assert_eq!(error_text(&reply), refused);
    rig.hosts[2].keys.0.insert(slot(1), 1);
    let reply = rig.run(2, &format!("CLUSTER REPLICATE {first}"));
    assert_eq!(error_text(&reply), refused);
    rig.hosts[2].keys.0.clear();
    for (master, port) in [(first, 7000), (second, 7001)] {
        let reply = rig.run(2, &format!("CLUSTER REPLICATE {master}"));
        assert_eq!(reply, Reply::OK);
        assert_eq!(rig.at(2).my_master().map(|member| member.id), Some(master));
        assert_eq!(followed(&rig, 2), Some((LOCALHOST, port)));
        // What it copied is no obstacle.
        rig.hosts[2].keys.0.insert(slot(1), 1);
    }
}

/// Proves RP-03, RP-05, CF-13: the announced client port is where a replica connects to.
#[test]
fn a_replica_follows_the_announced_client_port() {
    let mut rig = Rig::cluster(3, 1);
    assert_eq!(followed(&rig, 3), Some((LOCALHOST, 7000)));
    rig.hosts[0].config.cluster_announce_port = 9999;
    rig.until("the replica goes there", 5000, |rig| {
        followed(rig, 3) == Some((LOCALHOST, 9999))
    });
}

/// Proves GO-20: what a master said as a replica may come late, from a link that was cut.
#[test]
fn what_a_master_said_before_its_promotion_takes_nothing_from_it() {
    let mut rig = Rig::cluster(3, 1);
    let late = rig.packet(3, Body::Ping(Heartbeat::default()), as_is);
    rig.run(3, "CLUSTER FAILOVER TAKEOVER");
    rig.run_for(2000);
    let owner = |rig: &Rig| rig.at(1).slot_owner(slot(0)).map(|member| member.id);
    assert_eq!(owner(&rig), Some(rig.id(3)));
    rig.inject(1, 3, late);
    assert_eq!(owner(&rig), Some(rig.id(3)));
}

/// Proves RP-10: what a replica holds is its master's business, whoever owns the slots.
#[test]
fn a_replica_keeps_keys_of_foreign_slots() {
    let mut rig = Rig::cluster(3, 1);
    rig.hosts[3].keys.0.insert(slot(9000), 2);
    rig.with(3, |cluster, around, fx| {
        cluster.claim_keys_at_start(around, fx)
    });
    assert_eq!(rig.at(3).importing_from(slot(9000)), None);
    let owner = rig.id(2);
    rig.run(2, &format!("CLUSTER SETSLOT 9000 IMPORTING {}", rig.id(1)));
    rig.run(2, &format!("CLUSTER SETSLOT 9000 NODE {owner}"));
    rig.run_for(2000);
    assert_eq!(rig.at(3).slot_owner(slot(9000)).map(|m| m.id), Some(owner));
    let mut effects = rig.hosts[3].effects.iter();
    assert!(!effects.any(|effect| matches!(effect, Effect::DeleteSlot(_))));
}

/// Proves RP-11: the bus alone moves slots on a replica, of its own master too.
#[test]
fn a_replica_learns_owners_from_the_bus() {
    let mut rig = Rig::cluster(3, 1);
    let target = rig.id(1);
    rig.run(1, &format!("CLUSTER SETSLOT 7 IMPORTING {}", rig.id(0)));
    rig.run(1, &format!("CLUSTER SETSLOT 7 NODE {target}"));
    let owners = |rig: &Rig| {
        [3, 4, 5].map(|index| rig.at(index).slot_owner(slot(7)).map(|member| member.id))
    };
    assert_eq!(owners(&rig), [Some(target); 3]);
    let reply = rig.run(3, &format!("CLUSTER SETSLOT 7 NODE {target}"));
    assert_eq!(
        error_text(&reply),
        "ERR Please use SETSLOT only with masters."
    );
}

/// Proves RP-15, ST-10, INV-07: a master in a minority serves for one node timeout and a half
/// and some ticks at most, and that long only there are two that serve its slots.
#[test]
fn two_masters_serve_a_slot_for_no_longer_than_the_minority_window() {
    let mut rig = Rig::cluster(3, 1);
    rig.isolate(0);
    let begin = rig.now;
    let window = rig.until("the minority stops", 5000, |rig| !rig.at(0).is_ok());
    assert!(window <= 1000 + 500 + 300, "{window} ms");
    rig.until("the promotion", 10_000, |rig| {
        !rig.at(3).is_replica() && rig.at(3).is_ok()
    });
    assert!(rig.now.since(begin).0 >= 1500, "nobody is replaced sooner");
    // The old master stays silent until it has been corrected: it never serves the slot again.
    rig.run_for(5000);
    assert!(!rig.at(0).is_ok());
    rig.heal();
    for _ in 0..100 {
        rig.run_for(50);
        let serves = |index: usize| rig.at(index).is_ok() && rig.at(index).is_mine(slot(0));
        assert!(!(serves(0) && serves(3)));
    }
    assert!(rig.at(0).is_replica());
}
