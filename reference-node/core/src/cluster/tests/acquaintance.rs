//! Links that break and are made anew, addresses, and roles that heartbeats tell.

use super::rig::probe::{nobody, plain_beats};
use super::rig::{LOCALHOST, Rig};
use crate::bus::packet::{Body, Heartbeat, NodeFlags};
use crate::cluster::Effect;
use crate::cluster::members::{Health, Member};
use crate::epoch::ConfigEpoch;
use crate::slot::Slot;
use crate::time::Millis;

fn ping() -> Body {
    Body::Ping(Heartbeat::default())
}

/// Proves GO-13, GO-14, HS-05: a link is made anew at the next tick and used at once.
#[test]
fn a_broken_link_is_made_anew_and_greeted_at_once() {
    let mut rig = Rig::cluster_with(2, 0, |config| config.cluster_node_timeout = Millis(60_000));
    rig.alter(0, 1, |member| member.ping_sent = None);
    let id = rig.id(1);
    rig.run(0, &format!("DEBUG CLUSTERLINK KILL TO {id}"));
    rig.opened.clear();
    rig.sent.clear();
    rig.until("the next attempt", 100, |rig| !rig.opened.is_empty());
    let first = &rig.sent[0];
    assert!((first.from, first.to) == (0, Some(1)) && matches!(first.packet.body, Body::Ping(_)));
}

/// Proves GO-14: a node that cannot be reached is tried at every tick, and counts as pinged.
#[test]
fn an_unreachable_node_is_tried_at_every_tick_and_waited_for() {
    let mut rig = Rig::cluster_with(2, 0, |config| config.cluster_node_timeout = Millis(60_000));
    let peer = rig.index(0, 1);
    rig.alter(0, 1, |member| member.ping_sent = None);
    rig.kill(1);
    rig.opened.clear();
    rig.until("the first attempt", 200, |rig| !rig.opened.is_empty());
    let first = rig.now;
    assert_eq!(rig.at(0).members[peer].ping_sent, Some(first));
    rig.run_for(1000);
    assert_eq!(rig.opened.len(), 11);
    assert_eq!(
        rig.at(0).members[peer].ping_sent,
        Some(first),
        "the first time counts"
    );
}

/// Proves GO-15: an old link, a ping that waits, and silence: all three.
#[test]
fn a_link_that_brings_no_answer_is_made_anew() {
    // How long ago, ms: the link was made, the ping was sent, data came.
    for (made, pinged, heard, is_closed) in [
        (1001, Some(501), 501, true),
        (1000, Some(501), 501, false),
        (1001, Some(500), 501, false),
        (1001, Some(501), 500, false),
        (1001, None, 501, false),
    ] {
        let mut rig = Rig::cluster(2, 0);
        let ago = |ms: u64| Millis(rig.now.0 - ms);
        let (made, pinged, heard) = (ago(made), pinged.map(ago), ago(heard));
        rig.alter(0, 1, |member| {
            member.outbound.as_mut().expect("a link").created_at = made;
            member.ping_sent = pinged;
            member.data_received = Some(heard);
        });
        rig.turn(0, |cluster, turn| {
            let late = cluster.late(turn);
            cluster.refresh_links(&late, turn)
        });
        let member = rig.view(0, 1);
        assert_eq!(member.outbound.is_none(), is_closed);
        assert_eq!(member.ping_sent, pinged, "the ping keeps its time");
    }
}

/// Proves GO-17: only a PING, and only on a link that the node itself opened.
#[test]
fn a_node_is_followed_to_where_its_pings_come_from() {
    for (number, beat) in plain_beats().into_iter().enumerate() {
        let mut rig = Rig::cluster(2, 1);
        rig.alter(2, 0, |member| member.is_without_address = true);
        rig.hosts[2].effects.clear();
        let own_link = rig.view(2, 0).open_link();
        rig.say(0, 2, beat, |header| header.port = 9000);
        let member = rig.view(2, 0);
        let is_ping = number == 0;
        assert_eq!(member.address.port == 9000, is_ping);
        assert_eq!(member.is_without_address, !is_ping);
        assert_eq!(
            member.open_link() != own_link,
            is_ping,
            "the old link is closed"
        );
        let follows = rig.hosts[2]
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Follow(Some((ip, 9000))) if *ip == LOCALHOST));
        assert_eq!(follows, is_ping, "replication follows its master");
    }
    let mut rig = Rig::cluster(2, 0);
    rig.reply(1, 0, ping(), |header| header.port = 9000);
    assert_eq!(
        rig.view(0, 1).address.port,
        7001,
        "not on my own link to it"
    );
    rig.say(1, 0, ping(), |header| header.ip = "10.0.0.4".parse().ok());
    assert_eq!(
        rig.view(0, 1).address.ip,
        "10.0.0.4".parse().ok(),
        "the announced ip counts"
    );
    rig.say(1, 0, ping(), |header| header.second_port = 4);
    assert_eq!(rig.view(0, 1).address.second_port, 4);
}

/// Proves GO-18.
#[test]
fn each_heartbeat_tells_anew_whether_a_node_fails_over() {
    for beat in plain_beats() {
        let mut rig = Rig::cluster(2, 1);
        for (bits, expected) in [(NodeFlags::NOFAILOVER, true), (0, false)] {
            rig.say(2, 0, beat.clone(), |header| header.flags.0 |= bits);
            assert_eq!(rig.view(0, 2).refuses_failover, expected);
        }
    }
}

/// Proves GO-19, BUS-12: whoever names no master is one, whatever its flags say.
#[test]
fn a_replica_that_names_no_master_is_a_master_now() {
    for beat in plain_beats() {
        let mut rig = Rig::cluster(2, 1);
        assert!(rig.view(1, 2).is_replica());
        rig.saves.clear();
        rig.say(2, 1, beat, |header| {
            header.master = None;
            header.flags = NodeFlags(NodeFlags::SLAVE | NodeFlags::MYSELF);
            header.slots = Default::default();
            header.config_epoch = ConfigEpoch(0);
        });
        assert!(rig.view(1, 2).is_master());
        let old = rig.index(1, 0);
        assert_eq!(
            rig.at(1).members.replicas_of(old).count(),
            0,
            "it left its master"
        );
        assert!(rig.saves.iter().any(|save| save.0 == 1), "saved");
    }
}

/// Proves GO-20, GO-21: a known master is followed, an unknown one leaves the old one in place.
#[test]
fn a_replica_is_of_the_master_it_names_if_that_one_is_known() {
    let master = |rig: &Rig| {
        let index = rig.view(1, 2).master().expect("a master");
        rig.at(1).members[index].id
    };
    let mut rig = Rig::cluster(2, 1);
    for (told, expected) in [
        (nobody(), rig.id(0)),
        (rig.id(1), rig.id(1)),
        (nobody(), rig.id(1)),
    ] {
        rig.say(2, 1, ping(), |header| header.master = Some(told));
        assert_eq!(master(&rig), expected);
    }
    rig.say(0, 1, ping(), |header| header.master = Some(nobody()));
    assert!(rig.view(1, 0).is_replica() && rig.view(1, 0).master().is_none());
    assert!(
        rig.at(1)
            .slot_owner(Slot::new(0).expect("a slot"))
            .is_none()
    );
}

/// Proves GO-23, FD-03: any packet at all is a sign of life, and tells the offset.
#[test]
fn every_packet_is_a_sign_of_life() {
    let text = bytes::Bytes::from_static(b"x");
    let bodies = [
        ping(),
        Body::Fail {
            failed: Some(nobody()),
        },
        Body::Publish {
            channel: text.clone(),
            message: text,
        },
        Body::AuthAck,
        Body::Module,
        Body::Unknown(99),
    ];
    for (offset, body) in (1000..).zip(bodies) {
        let mut rig = Rig::cluster(2, 0);
        rig.alter(0, 1, |member: &mut Member| {
            member.data_received = None;
            member.ping_sent = Some(Millis(1000));
        });
        rig.say(1, 0, body, |header| header.offset = offset);
        rig.turn(0, |cluster, turn| {
            let late = cluster.late(turn);
            cluster.suspect_silent(&late, turn)
        });
        let member = rig.view(0, 1);
        assert_eq!(
            (member.data_received, member.repl_offset),
            (Some(rig.now), offset)
        );
        assert_eq!(member.health, Health::Alive);
    }
}
