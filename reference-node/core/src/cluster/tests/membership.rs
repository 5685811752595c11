//! Meeting, handshakes, addresses, forgetting.

use super::rig::{Rig, error_text};
use crate::bus::packet::Body;
use crate::cluster::members::Health;
use crate::resp::Reply;

fn knows_all(rig: &Rig, index: usize, count: usize) -> bool {
    rig.at(index)
        .members()
        .filter(|member| member.is_known())
        .count()
        == count
}

/// Proves HS-21, HS-05, HS-07, HS-08, HS-11, HS-17.
#[test]
fn a_chain_of_meets_becomes_a_full_mesh() {
    let mut rig = Rig::strangers(6);
    for index in 0..5 {
        rig.run(index, &format!("CLUSTER MEET 127.0.0.1 {}", 7001 + index));
    }
    let took = rig.until("a full mesh", 10_000, |rig| {
        (0..6).all(|i| knows_all(rig, i, 6))
    });
    assert!(took <= 5000, "took {took} ms");
}

/// Proves HS-03, HS-04, HS-18.
#[test]
fn a_second_meet_makes_no_second_record() {
    let mut rig = Rig::strangers(1);
    for _ in 0..2 {
        let reply = rig.run(0, "CLUSTER MEET 127.0.0.1 7999");
        assert_eq!(reply, Reply::OK);
    }
    assert_eq!(rig.at(0).members().count(), 2);
    assert!(rig.at(0).nodes_text().contains(" handshake "));
    let file = rig.hosts[0]
        .nodes_conf
        .clone()
        .expect("written at the start");
    assert!(!String::from_utf8_lossy(&file).contains("handshake"));
}

/// Proves HS-13.
#[test]
fn a_handshake_without_answer_is_forgotten() {
    let mut rig = Rig::strangers(1);
    rig.run(0, "CLUSTER MEET 127.0.0.1 7999");
    rig.run_for(1200);
    assert_eq!(rig.at(0).members().count(), 1);
}

/// Proves HS-06 in its later form: a MEET that was lost is sent again.
#[test]
fn meet_is_repeated_until_it_is_answered() {
    let mut rig = Rig::strangers_with(2, |config| {
        config.cluster_node_timeout = crate::time::Millis(10_000);
    });
    rig.hosts[1]
        .cluster
        .as_mut()
        .expect("runs")
        .drop_packets_of_type(Some(2));
    rig.run(0, "CLUSTER MEET 127.0.0.1 7001");
    rig.run_for(300);
    assert!(!knows_all(&rig, 1, 2), "the first MEET was dropped");
    rig.kill(1);
    rig.start(1);
    rig.until("both know each other", 3000, |rig| {
        knows_all(rig, 0, 2) && knows_all(rig, 1, 2)
    });
}

/// Proves HS-16, BUS-33, BUS-41.
#[test]
fn a_ping_of_a_stranger_is_answered_and_changes_nothing() {
    let mut rig = Rig::cluster(3, 0);
    rig.run(0, &format!("CLUSTER FORGET {}", rig.id(2)));
    rig.sent.clear();
    rig.run_for(500);
    let pongs = rig
        .sent
        .iter()
        .filter(|sent| sent.from == 0 && matches!(sent.packet.body, Body::Pong(_)));
    assert!(pongs.count() > 0);
    assert_eq!(rig.at(0).members().count(), 2);
}

/// Proves RS-01, RS-02, GO-12.
#[test]
fn a_forgotten_node_is_not_brought_back_by_gossip_for_a_minute() {
    let mut rig = Rig::cluster(3, 0);
    let forgotten = rig.id(2);
    assert_eq!(
        rig.run(0, &format!("CLUSTER FORGET {forgotten}")),
        Reply::OK
    );
    rig.run_for(58_000);
    assert!(rig.at(0).member(forgotten).is_none());
    rig.run_for(10_000);
    assert!(rig.at(0).member(forgotten).is_some());
}

/// Proves RS-03.
#[test]
fn refuses_to_forget_itself_its_master_and_strangers() {
    let mut rig = Rig::cluster(1, 1);
    let (master, me) = (rig.id(0), rig.id(1));
    let reply = rig.run(1, &format!("CLUSTER FORGET {me}"));
    assert_eq!(
        error_text(&reply),
        "ERR I tried hard but I can't forget myself..."
    );
    let reply = rig.run(1, &format!("CLUSTER FORGET {master}"));
    assert_eq!(error_text(&reply), "ERR Can't forget my master!");
    let reply = rig.run(1, "CLUSTER FORGET nobody");
    assert_eq!(error_text(&reply), "ERR Unknown node nobody");
}

/// Proves GO-17, RP-05: a node that comes back at another port is found there.
#[test]
fn a_node_that_moves_is_followed() {
    let mut rig = Rig::cluster(3, 0);
    rig.hosts[2].config.cluster_announce_port = 9999;
    rig.until("the new port is known", 5000, |rig| {
        rig.view(0, 2).address.port == 9999 && rig.view(1, 2).address.port == 9999
    });
}

/// Proves GO-16, BUS-42, RS-11: at a hard-reset node's address lives somebody else.
#[test]
fn a_node_that_is_somebody_else_now_loses_its_address() {
    let mut rig = Rig::cluster(3, 0);
    let old = rig.id(2);
    rig.run(2, "CLUSTER RESET HARD");
    assert_ne!(rig.id(2), old);
    rig.until("the old node is without address", 5000, |rig| {
        rig.at(0)
            .member(old)
            .is_some_and(|member| member.is_without_address)
    });
    assert!(rig.at(0).nodes_text().contains(":0@0"));
}

/// Proves RS-07, RS-08.
#[test]
fn a_soft_reset_keeps_id_and_epochs_and_a_hard_one_does_not() {
    let mut rig = Rig::cluster(3, 0);
    let (id, epoch) = (rig.id(0), rig.at(0).current_epoch());
    rig.run(0, "CLUSTER RESET SOFT");
    assert_eq!((rig.id(0), rig.at(0).current_epoch()), (id, epoch));
    assert_eq!(rig.at(0).members().count(), 1);
    rig.run(1, "CLUSTER RESET HARD");
    assert_eq!(rig.at(1).current_epoch().0, 0);
    assert_eq!(rig.at(1).config_epoch().0, 0);
}

/// Proves BUS-03.
#[test]
fn each_pair_of_nodes_has_two_links() {
    let rig = Rig::cluster(3, 0);
    for index in 0..3 {
        for other in (0..3).filter(|other| *other != index) {
            let view = rig.view(index, other);
            assert!(view.open_link().is_some() && view.inbound.is_some());
            assert_eq!(view.health, Health::Alive);
        }
    }
}

/// Proves BUS-21, BUS-24, CF-14.
#[test]
fn an_announced_hostname_spreads_and_its_absence_clears_it() {
    let mut rig = Rig::cluster(2, 0);
    rig.hosts[0].config.cluster_announce_hostname = "host-0.example".into();
    rig.until("the name is known", 5000, |rig| {
        rig.view(1, 0).hostname == "host-0.example"
    });
    assert!(rig.at(1).nodes_text().contains("@17000,host-0.example "));
    rig.hosts[0].config.cluster_announce_hostname.clear();
    rig.until("the name is gone", 5000, |rig| {
        rig.view(1, 0).hostname.is_empty()
    });
}
