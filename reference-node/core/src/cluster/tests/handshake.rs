//! Handshakes in their parts, addresses that are learnt, ids that are taken.

use std::net::IpAddr;

use super::rig::probe::{as_is, nobody, plain_beats, telling};
use super::rig::{LOCALHOST, Rig};
use crate::bus::packet::{Body, Gossip, Heartbeat, NodeFlags};
use crate::cluster::members::{Address, Health, Member, Role, Stage};
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::{LinkId, NodeId};
use crate::resp::Reply;
use crate::rng::Rng;
use crate::slot::Slot;
use crate::time::Millis;

/// Hosts 0 and 1 know each other; host 2 knows nobody.
fn pair_and_stranger() -> Rig {
    let mut rig = Rig::strangers(3);
    rig.run(0, "CLUSTER MEET 127.0.0.1 7001");
    rig.until("acquaintance", 3000, |rig| {
        let is_known = |of: usize, about| rig.at(of).member(rig.id(about)).is_some();
        is_known(0, 1) && is_known(1, 0)
    });
    rig.run_for(1500);
    rig.sent.clear();
    rig
}

fn handshake(rig: &Rig, of: usize) -> Option<&Member> {
    let mut members = rig.at(of).members();
    members.find(|member| member.stage == Stage::Handshake)
}

/// Host 0 meets host 1 on a link on which nothing is said but by the test.
fn silent_handshake(rig: &mut Rig) -> LinkId {
    rig.cut(0, 1);
    rig.run(0, "CLUSTER MEET 127.0.0.1 7001");
    rig.run_for(150);
    let link = handshake(rig, 0).and_then(|member| member.outbound);
    let link = link.expect("a link is asked for").id;
    rig.with(0, |cluster, around, fx| {
        cluster.on_link_opened(link, LOCALHOST, around, fx);
    });
    link
}

fn my_ip(rig: &Rig) -> Option<IpAddr> {
    rig.view(0, 0).address.ip
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an ip")
}

/// Proves HS-01: the answer does not wait for the other node, which may not exist.
#[test]
fn meet_is_answered_before_anything_is_sent() {
    let mut rig = Rig::strangers(1);
    assert_eq!(rig.run(0, "CLUSTER MEET 127.0.0.1 7999"), Reply::OK);
    assert!(rig.sent.is_empty() && rig.opened.is_empty());
    let record = handshake(&rig, 0).expect("a record");
    assert_eq!(
        (record.address.port, record.address.bus_port),
        (7999, 17_999)
    );
    rig.run_for(200);
    assert_eq!(rig.opened[0], (0, 17_999));
}

/// Proves HS-13: never sooner than a second, nor than the node timeout.
#[test]
fn a_handshake_lives_for_the_node_timeout_but_a_second_at_least() {
    for (node_timeout, lives) in [(300, 1000), (1000, 1000), (3000, 3000)] {
        let mut rig = Rig::strangers_with(1, |config| {
            config.cluster_node_timeout = Millis(node_timeout);
        });
        rig.run(0, "CLUSTER MEET 127.0.0.1 7999");
        rig.run_for(lives);
        assert!(handshake(&rig, 0).is_some(), "still there after {lives} ms");
        rig.run_for(200);
        assert!(handshake(&rig, 0).is_none(), "gone after {lives} ms");
    }
}

/// Proves HS-07: the record has the address of the header, or else of the connection, and the
/// PONG comes first.
#[test]
fn a_meet_of_a_stranger_makes_a_handshake_record() {
    for announced in [None, Some(ip("10.0.0.5"))] {
        let mut rig = pair_and_stranger();
        let meet = rig.packet(2, Body::Meet(Heartbeat::default()), |header| {
            header.ip = announced;
            header.port = 9002;
            header.bus_port = 19_002;
        });
        let link = rig.accept(0, LOCALHOST);
        rig.deliver(0, link, meet);
        let sent = rig.sent.first().expect("an answer");
        assert!(sent.link == link && matches!(sent.packet.body, Body::Pong(_)));
        let record = handshake(&rig, 0).expect("a record");
        assert_ne!(record.id, rig.id(2), "a random id for now");
        let expected = Address {
            ip: announced.or(Some(LOCALHOST)),
            port: 9002,
            bus_port: 19_002,
            second_port: 0,
        };
        assert_eq!(record.address, expected);
    }
}

/// Proves HS-09: what a stranger says adds no node and blames nobody, but it vouches.
#[test]
fn a_stranger_s_gossip_refreshes_and_never_accuses() {
    let mut rig = pair_and_stranger();
    let blame = Gossip {
        flags: NodeFlags(NodeFlags::MASTER | NodeFlags::FAIL),
        ..rig.gossip(0, 1)
    };
    let unknown = Gossip {
        id: nobody(),
        ..rig.gossip(0, 1)
    };
    rig.alter(0, 1, |member| {
        member.pong_received = Some(Millis(1000));
        member.ping_sent = None;
    });
    let meet = Body::Meet(telling([blame, unknown]));
    let meet = rig.packet(2, meet, as_is);
    let link = rig.accept(0, LOCALHOST);
    rig.deliver(0, link, meet);
    assert!(rig.at(0).member(nobody()).is_none());
    assert!(rig.view(0, 1).reports.is_empty());
    assert_eq!(rig.view(0, 1).pong_received, Some(Millis(1000)));
    let vouch = Body::Meet(telling([rig.gossip(0, 1)]));
    let meet = rig.packet(2, vouch, as_is);
    rig.deliver(0, link, meet);
    let heard = Millis(rig.now.0 / 1000 * 1000);
    assert_eq!(rig.view(0, 1).pong_received, Some(heard));
}

/// Proves HS-10: all that a PING does, but for the address.
#[test]
fn a_meet_of_an_acquaintance_is_a_ping_that_moves_nobody() {
    let mut rig = pair_and_stranger();
    let before = rig.view(0, 1).address;
    rig.say(1, 0, Body::Meet(Heartbeat::default()), |header| {
        header.port = 9001;
        header.current_epoch = CurrentEpoch(50);
        header.config_epoch = ConfigEpoch(50);
    });
    assert_eq!(rig.view(0, 1).address, before);
    assert_eq!(rig.view(0, 1).config_epoch, ConfigEpoch(50));
    assert_eq!(rig.at(0).current_epoch(), CurrentEpoch(50));
    assert!(handshake(&rig, 0).is_none());
    let answers = rig.beats_of(0);
    assert!(matches!(answers[0].1.body, Body::Pong(_)));
    let link = rig.accept(0, ip("10.0.0.7"));
    let meet = rig.packet(1, Body::Meet(Heartbeat::default()), as_is);
    rig.deliver(0, link, meet);
    assert_eq!(my_ip(&rig), Some(ip("10.0.0.7")));
}

/// Proves HS-12: whichever heartbeat says so.
#[test]
fn a_handshake_with_an_acquaintance_ends_with_its_new_address() {
    for beat in plain_beats() {
        for (port, is_moved) in [(7001, false), (9001, true)] {
            let mut rig = pair_and_stranger();
            let own_link = rig.view(0, 1).open_link();
            let link = silent_handshake(&mut rig);
            let packet = rig.packet(1, beat.clone(), |header| header.port = port);
            rig.deliver(0, link, packet);
            assert_eq!(rig.at(0).members().count(), 2, "the record is gone");
            assert!(rig.at(0).links.get(link).is_none(), "and its link");
            assert_eq!(rig.view(0, 1).address.port, port);
            assert_eq!(rig.view(0, 1).open_link() != own_link, is_moved);
        }
    }
}

/// Proves HS-14, CF-12.
#[test]
fn its_own_ip_is_the_one_that_others_reach_it_at() {
    let mut rig = Rig::strangers(2);
    let [first, second, third] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(ip);
    let hear = |rig: &mut Rig, beat: Body, local_ip| {
        let link = rig.accept(0, local_ip);
        let packet = rig.packet(1, beat, as_is);
        rig.saves.clear();
        rig.deliver(0, link, packet);
        (my_ip(rig), !rig.saves.is_empty())
    };
    let [ping, pong, meet] = plain_beats();
    assert_eq!(hear(&mut rig, pong, first), (None, false));
    assert_eq!(hear(&mut rig, ping.clone(), first), (Some(first), true));
    assert_eq!(hear(&mut rig, ping, second), (Some(first), false));
    assert_eq!(hear(&mut rig, meet.clone(), second).0, Some(second));
    let file = rig.hosts[0].nodes_conf.clone().expect("saved");
    assert!(String::from_utf8_lossy(&file).contains("10.0.0.2:7000@"));
    rig.hosts[0].config.cluster_announce_ip = "10.9.9.9".into();
    rig.run_for(150);
    assert_eq!(hear(&mut rig, meet, third).0, Some(ip("10.9.9.9")));
}

/// Proves HS-11, HS-15: the first answer tells who it is; the next ones what it has.
#[test]
fn the_answer_that_ends_a_handshake_tells_an_id_and_a_role_only() {
    for (flags, role) in [
        (NodeFlags::MASTER, Role::Master),
        (NodeFlags::SLAVE, Role::Replica { of: None }),
    ] {
        let mut rig = Rig::strangers(2);
        let link = silent_handshake(&mut rig);
        let stranger = Gossip {
            id: nobody(),
            port: 7999,
            bus_port: 17_999,
            ..rig.gossip(1, 1)
        };
        let stranger = Gossip {
            ip: Some(LOCALHOST),
            ..stranger
        };
        let pong = rig.packet(1, Body::Pong(telling([stranger])), |header| {
            header.flags = NodeFlags(flags | NodeFlags::MYSELF | NodeFlags::MIGRATE_TO);
            header.current_epoch = CurrentEpoch(9);
            header.config_epoch = ConfigEpoch(9);
            let slots = std::sync::Arc::make_mut(&mut header.slots);
            slots.insert(Slot::new(7).expect("a slot"));
        });
        rig.saves.clear();
        rig.deliver(0, link, pong.clone());
        let member = rig.view(0, 1);
        assert_eq!((member.stage, member.role), (Stage::Known, role));
        assert!(!member.is_migration_target);
        assert_eq!(member.pong_received, Some(rig.now));
        assert!(!rig.saves.is_empty(), "saved");
        assert_eq!((member.slot_count, member.config_epoch.0), (0, 0));
        assert_eq!(rig.at(0).current_epoch(), CurrentEpoch(0));
        assert!(rig.at(0).member(nobody()).is_none());
        rig.deliver(0, link, pong);
        assert_eq!(rig.at(0).current_epoch().0, 9);
        assert!(rig.at(0).member(nobody()).is_some());
    }
}

/// Proves HS-18: counted and shown, but neither saved nor gossiped.
#[test]
fn a_handshake_record_stays_in_the_house() {
    let mut rig = pair_and_stranger();
    rig.run(0, "CLUSTER MEET 127.0.0.1 7999");
    let id = handshake(&rig, 0).expect("a record").id;
    assert!(rig.at(0).info_text().contains("cluster_known_nodes:3\r\n"));
    rig.run(0, "CLUSTER SAVECONFIG");
    let file = rig.hosts[0].nodes_conf.clone().expect("saved");
    assert!(!String::from_utf8_lossy(&file).contains(id.as_str()));
    rig.run_for(900);
    let told = rig
        .beats_of(0)
        .iter()
        .flat_map(|beat| &beat.2.gossip)
        .count();
    assert_eq!(told, 0, "there is nobody else to speak of");
}

/// Proves HS-19: generated ids are hexadecimal; any lower-case letter is read; others are nobody's.
#[test]
fn ids_are_forty_lower_case_characters() {
    let mut rng = Rng::new(5);
    for _ in 0..200 {
        let id = NodeId::random(&mut rng);
        let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        assert!(id.as_bytes().iter().all(is_hex), "{id}");
    }
    let with = |byte: u8| {
        let mut text = [b'0'; 40];
        text[39] = byte;
        NodeId::parse(&text).is_some()
    };
    for (byte, is_read) in [
        (b'0', true),
        (b'9', true),
        (b'a', true),
        (b'g', true),
        (b'z', true),
        (b'A', false),
        (b'{', false),
        (b'`', false),
        (b'/', false),
        (b':', false),
        (0, false),
        (0xff, false),
    ] {
        assert_eq!(with(byte), is_read, "{byte:#x}");
    }
    assert!(NodeId::parse(&[b'0'; 39]).is_none() && NodeId::parse(&[b'0'; 41]).is_none());
}

/// Proves HS-20.
#[test]
fn a_forgotten_node_can_be_met_again_at_once() {
    let mut rig = Rig::cluster(3, 0);
    let forgotten = rig.id(2);
    rig.run(0, &format!("CLUSTER FORGET {forgotten}"));
    rig.run(0, "CLUSTER MEET 127.0.0.1 7002");
    rig.until("it is known again", 2000, |rig| {
        rig.at(0).member(forgotten).is_some_and(Member::is_known)
    });
}

/// Proves HS-22, HS-05: everybody else with an address gets a link within one tick.
#[test]
fn no_link_is_opened_to_oneself_or_to_a_node_without_address() {
    let mut rig = Rig::cluster(3, 0);
    for about in [1, 2] {
        let id = rig.id(about);
        rig.run(0, &format!("DEBUG CLUSTERLINK KILL ALL {id}"));
    }
    rig.alter(0, 2, |member| member.is_without_address = true);
    rig.alter(0, 0, |member| {
        assert!(member.address.ip.is_some(), "it could be reached");
        member.outbound = None;
    });
    rig.opened.clear();
    rig.run_for(100);
    let opened: Vec<u16> = rig
        .opened
        .iter()
        .filter(|open| open.0 == 0)
        .map(|open| open.1)
        .collect();
    assert_eq!(opened, [17_001]);
}

/// Proves HS-17, GO-12: a node learnt by gossip is greeted with PING, under its own id.
#[test]
fn a_node_learnt_by_gossip_is_known_by_its_id_and_pinged() {
    let mut rig = pair_and_stranger();
    let stranger = Gossip {
        id: rig.id(2),
        port: 7002,
        bus_port: 17_002,
        flags: NodeFlags(NodeFlags::SLAVE | NodeFlags::PFAIL | NodeFlags::NOFAILOVER),
        ..rig.gossip(0, 1)
    };
    for blank in [NodeFlags::NOADDR, NodeFlags::HANDSHAKE] {
        let unreachable = Gossip {
            id: nobody(),
            flags: NodeFlags(NodeFlags::MASTER | blank),
            ..stranger
        };
        rig.say(1, 0, Body::Ping(telling([unreachable])), as_is);
        assert!(rig.at(0).member(nobody()).is_none());
    }
    rig.say(1, 0, Body::Ping(telling([stranger])), as_is);
    let member = rig.view(0, 2);
    assert_eq!(
        (member.stage, member.health),
        (Stage::Known, Health::Suspected)
    );
    assert!(member.is_replica() && member.refuses_failover);
    assert_eq!(
        (member.address.port, member.address.bus_port),
        (7002, 17_002)
    );
    rig.sent.clear();
    rig.run_for(100);
    let beats = rig.beats_of(0);
    let first = beats
        .iter()
        .find(|beat| beat.0 == Some(2))
        .expect("greeted");
    assert!(matches!(first.1.body, Body::Ping(_)));
}
