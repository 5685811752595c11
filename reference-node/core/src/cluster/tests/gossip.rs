//! Who is pinged when, and what heartbeats say about third nodes.

use std::collections::BTreeSet;

use super::rig::{Rig, probe::as_is, probe::telling};
use crate::bus::packet::{Body, Gossip, Heartbeat, NodeFlags};
use crate::cluster::members::{Health, Member, Role, Stage};
use crate::ids::NodeId;
use crate::time::Millis;

/// Masters that share all slots and find no time to ping each other by themselves.
fn calm(masters: usize) -> Rig {
    let mut rig = Rig::cluster(masters, 0);
    for host in &mut rig.hosts {
        host.config.cluster_node_timeout = Millis(600_000);
    }
    rig
}

/// PINGs that a host sent, by receiver.
fn pinged(rig: &Rig, from: usize) -> Vec<usize> {
    let beats = rig.beats_of(from);
    let pings = beats
        .iter()
        .filter(|beat| matches!(beat.1.body, Body::Ping(_)));
    pings.filter_map(|beat| beat.0).collect()
}

/// Host 0 with so many known nodes that own slots.
fn crowded(count: usize) -> Rig {
    let mut rig = Rig::strangers(1);
    rig.turn(0, |cluster, turn| {
        for number in 1..count {
            let id = NodeId::parse(format!("{number:040}").as_bytes()).expect("an id");
            let mut member = Member::new(id, Role::Master, turn.now, cluster.no_slots.clone());
            member.address.ip = Some(super::rig::LOCALHOST);
            member.slot_count = 1;
            cluster.members.add(member).expect("a new node");
        }
    });
    rig
}

/// Of whom host 0 speaks to host 1, over many heartbeats.
fn spoken_of(rig: &mut Rig) -> BTreeSet<NodeId> {
    let to = rig.index(0, 1);
    rig.turn(0, |cluster, _| {
        let beats = (0..200).flat_map(|_| cluster.gossip_for(Some(to)));
        beats.map(|entry| entry.id).collect()
    })
}

/// Proves GO-01: ten ticks a second, and one only after a long sleep.
#[test]
fn a_tick_is_a_tenth_of_a_second_and_never_made_up_for() {
    let mut rig = calm(2);
    rig.kill(1);
    rig.run_for(300);
    rig.opened.clear();
    rig.run_for(1000);
    assert_eq!(rig.opened.len(), 10, "one attempt for each tick");
    rig.opened.clear();
    rig.now = rig.now + Millis(5000);
    rig.run_for(0);
    assert_eq!(rig.opened.len(), 1);
}

/// Proves GO-01: a tick in which nothing is due is not waited for, and the next needed one is where
/// it would have been.
#[test]
fn an_idle_node_sleeps_until_something_is_due() {
    let mut rig = calm(3);
    rig.run_for(10_000);
    let (mut wakes, begin) = (0, rig.now);
    while rig.now.since(begin) < Millis(20_000) {
        let next = rig.at(0).next_wakeup();
        let awake = (0..3).map(|index| rig.at(index).next_wakeup()).min();
        wakes += u32::from(awake == Some(next));
        rig.run_for(awake.unwrap_or(next).since(rig.now).0.max(1));
    }
    assert!((15..=40).contains(&wakes), "{wakes} wakes in 20 s");
}

/// Proves GO-02: once a second, of five draws the one that was silent for longest.
#[test]
fn each_second_the_least_heard_of_five_drawn_nodes_is_pinged() {
    let mut rig = calm(4);
    rig.sent.clear();
    rig.run_for(20_000);
    let count = pinged(&rig, 0).len();
    assert!(
        (19..=20).contains(&count),
        "{count} pings in twenty seconds"
    );
    let mut counts = [0; 4];
    for _ in 0..400 {
        let now = rig.now;
        for about in 1..4 {
            rig.alter(0, about, |member| {
                member.ping_sent = None;
                member.pong_received = Some(Millis(now.0 - 5000 + about as u64));
            });
        }
        rig.sent.clear();
        rig.turn(0, |cluster, turn| cluster.ping_random(turn));
        for to in pinged(&rig, 0) {
            counts[to] += 1;
        }
    }
    // Of 400: 1 - (3/4)^5, (3/4)^5 - (2/4)^5, (2/4)^5 - (1/4)^5.
    let ranges = [0..=0, 280..=330, 58..=108, 3..=25];
    let fits = ranges
        .iter()
        .zip(&counts)
        .all(|(range, count)| range.contains(count));
    assert!(fits, "{counts:?}");
}

/// A change to how a node is seen.
type Change = fn(&mut Member);

/// Proves GO-02: whom a random ping never goes to.
#[test]
fn a_random_ping_skips_nodes_that_wait_or_cannot_be_reached() {
    let changes: [(&str, Change); 3] = [
        ("a ping is outstanding", |member| {
            member.ping_sent = Some(Millis(1))
        }),
        ("no link", |member| member.outbound = None),
        ("a handshake", |member| member.stage = Stage::Handshake),
    ];
    for (why, change) in changes {
        let mut rig = calm(2);
        rig.alter(0, 1, |member| member.ping_sent = None);
        rig.alter(0, 1, change);
        rig.sent.clear();
        for _ in 0..20 {
            rig.turn(0, |cluster, turn| cluster.ping_random(turn));
        }
        assert!(pinged(&rig, 0).is_empty(), "{why}");
    }
}

/// Proves GO-03.
#[test]
fn whoever_was_silent_for_half_the_node_timeout_is_pinged() {
    let cases: [(&str, u64, Change, bool); 6] = [
        ("at half the timeout", 500, |_| {}, false),
        ("after it", 501, |_| {}, true),
        (
            "a ping is outstanding",
            900,
            |member| member.ping_sent = Some(Millis(1)),
            false,
        ),
        ("no link", 900, |member| member.outbound = None, false),
        (
            "no address",
            900,
            |member| member.is_without_address = true,
            false,
        ),
        (
            "a handshake",
            900,
            |member| member.stage = Stage::Handshake,
            false,
        ),
    ];
    for (why, silent_for, change, expected) in cases {
        let mut rig = Rig::cluster(2, 0);
        rig.paused.insert(1);
        let heard = Millis(rig.now.0 - silent_for);
        rig.alter(0, 1, |member| {
            member.ping_sent = None;
            member.pong_received = Some(heard);
        });
        rig.alter(0, 1, change);
        let before = rig.view(0, 1).ping_sent;
        rig.sent.clear();
        rig.turn(0, |cluster, turn| {
            let late = cluster.late(turn);
            cluster.ping_overdue(&late, turn)
        });
        assert_eq!(!pinged(&rig, 0).is_empty(), expected, "{why}");
        let after = if expected { Some(rig.now) } else { before };
        assert_eq!(rig.view(0, 1).ping_sent, after, "{why}");
    }
}

/// Proves GO-04, BUS-06: one PONG, on the same connection, before the UPDATE that a stale claim
/// deserves.
#[test]
fn ping_and_meet_are_answered_by_one_pong_before_all_else() {
    for beat in [
        Body::Ping(Heartbeat::default()),
        Body::Meet(Heartbeat::default()),
    ] {
        let mut rig = calm(3);
        rig.paused.extend([1, 2]);
        let theirs = rig.header_of(2).slots;
        let link = rig.view(0, 1).inbound.expect("a link").id;
        rig.sent.clear();
        let packet = rig.packet(1, beat, |header| header.slots = theirs);
        rig.deliver(0, link, packet);
        assert!(matches!(rig.sent[0].packet.body, Body::Pong(_)) && rig.sent[0].link == link);
        assert!(matches!(rig.sent[1].packet.body, Body::Update { .. }));
        assert_eq!(rig.sent.len(), 2);
    }
}

/// Proves GO-06: a PONG counts on one's own link only.
#[test]
fn a_pong_on_the_link_of_another_is_no_answer() {
    let mut rig = calm(2);
    let long_ago = Some(Millis(1000));
    rig.alter(0, 1, |member| {
        member.ping_sent = long_ago;
        member.pong_received = long_ago;
    });
    rig.say(1, 0, Body::Pong(Heartbeat::default()), as_is);
    let member = rig.view(0, 1);
    assert_eq!(
        (member.ping_sent, member.pong_received),
        (long_ago, long_ago)
    );
    rig.reply(1, 0, Body::Ping(Heartbeat::default()), as_is);
    assert_eq!(rig.view(0, 1).ping_sent, long_ago, "a PING is none either");
    rig.reply(1, 0, Body::Pong(Heartbeat::default()), as_is);
    let member = rig.view(0, 1);
    assert_eq!(
        (member.ping_sent, member.pong_received),
        (None, Some(rig.now))
    );
}

/// Proves GO-07: a tenth of the nodes, three at least, but not the two ends of the link.
#[test]
fn a_heartbeat_speaks_of_a_tenth_of_the_nodes() {
    for (known, wanted) in [
        (1, 0),
        (2, 0),
        (3, 1),
        (4, 2),
        (5, 3),
        (39, 3),
        (40, 4),
        (100, 10),
    ] {
        let mut rig = crowded(known);
        let longest = rig.turn(0, |cluster, _| {
            let lengths = (0..60).map(|_| cluster.gossip_for(None).len());
            lengths.max()
        });
        assert_eq!(longest, Some(wanted), "of {known} nodes");
    }
}

/// Proves GO-07: three draws for each entry wanted, and no more.
#[test]
fn a_heartbeat_draws_thirty_times_for_ten_entries() {
    let mut rig = crowded(100);
    let found = rig.turn(0, |cluster, _| {
        let others: Vec<_> = cluster.members.others().map(|(index, _)| index).collect();
        for index in &others[1..] {
            cluster.members[*index].is_without_address = true;
        }
        (0..400)
            .map(|_| cluster.gossip_for(None).len())
            .sum::<usize>()
    });
    // Of 400 heartbeats 1 - 0.99^30 find the one node that can be told of.
    assert!((76..=132).contains(&found), "{found} of 400");
}

/// Proves GO-08, GO-25, BUS-31, HS-18: of whom is spoken.
#[test]
fn gossip_is_about_nodes_that_can_be_found() {
    let cases: [(&str, Change, bool); 7] = [
        ("as it is", |_| {}, true),
        (
            "failed",
            |member| member.health = Health::Failed { since: Millis(1) },
            true,
        ),
        (
            "with slots, without link",
            |member| member.outbound = None,
            true,
        ),
        (
            "suspected, but none at the last tick",
            |member| member.health = Health::Suspected,
            false,
        ),
        (
            "in handshake",
            |member| member.stage = Stage::Handshake,
            false,
        ),
        (
            "without address",
            |member| member.is_without_address = true,
            false,
        ),
        (
            "without slots and link",
            |member| {
                member.outbound = None;
                member.slot_count = 0;
            },
            false,
        ),
    ];
    for (why, change, is_told) in cases {
        let mut rig = calm(3);
        let about = rig.id(2);
        rig.alter(0, 2, change);
        let told = spoken_of(&mut rig);
        assert_eq!(told.contains(&about), is_told, "{why}");
        assert!(!told.contains(&rig.id(0)), "never of the sender");
        assert!(!told.contains(&rig.id(1)), "never of the receiver");
    }
}

/// Proves GO-09, FD-19: every suspect is named in every heartbeat, beside the random entries, as
/// many as the last tick counted; a failed node is one among the others.
#[test]
fn every_heartbeat_names_the_suspects() {
    let mut rig = Rig::cluster(5, 0);
    let id = rig.id(4);
    rig.cut(0, 4);
    rig.until("suspicion", 5000, |rig| {
        rig.view(0, 4).health == Health::Suspected
    });
    rig.sent.clear();
    rig.run_for(3000);
    let beats = rig.beats_of(0);
    assert!(beats.len() >= 10);
    for (_, _, beat) in beats {
        let mut entries = beat.gossip.iter();
        let entry = entries.find(|entry| entry.id == id).expect("named");
        assert!(entry.flags.has(NodeFlags::PFAIL));
    }
    let most = |rig: &mut Rig, suspects| {
        rig.turn(0, |cluster, _| {
            cluster.clockwork.suspects = suspects;
            (0..50).map(|_| cluster.gossip_for(None).len()).max()
        })
    };
    for about in 1..5 {
        rig.alter(0, about, |member| member.health = Health::Suspected);
    }
    assert_eq!(
        [0, 1, 2, 4].map(|count| most(&mut rig, count)),
        [0, 1, 2, 4].map(Some)
    );
}

/// Proves GO-10: when a third node's word postpones a ping.
#[test]
fn others_vouch_for_a_node_that_is_not_in_doubt() {
    // Of the heard time: what is known of it, and what is told, from now on in ms.
    let cases: [(&str, i64, i64, u16, Change, bool); 7] = [
        ("newer", -5000, -3500, 0, |_| {}, true),
        ("older", -1500, -3500, 0, |_| {}, false),
        ("half a second ahead", -5000, 500, 0, |_| {}, true),
        ("more than that", -5000, 1500, 0, |_| {}, false),
        (
            "suspected there",
            -5000,
            -3500,
            NodeFlags::PFAIL,
            |_| {},
            false,
        ),
        ("failed there", -5000, -3500, NodeFlags::FAIL, |_| {}, false),
        (
            "a ping is outstanding",
            -5000,
            -3500,
            0,
            |member| member.ping_sent = Some(Millis(1)),
            false,
        ),
    ];
    for (why, known, told, flags, change, expected) in cases {
        let mut rig = calm(3);
        rig.now = Millis(rig.now.0 / 1000 * 1000 + 500);
        let at = |offset: i64| Millis(rig.now.0.saturating_add_signed(offset));
        let (known, told) = (at(known), at(told));
        assert!(told.0.is_multiple_of(1000), "gossip tells seconds");
        rig.alter(0, 2, |member| {
            member.ping_sent = None;
            member.pong_received = Some(known);
        });
        rig.alter(0, 2, change);
        let entry = Gossip {
            pong_received_s: (told.0 / 1000) as u32,
            flags: NodeFlags(NodeFlags::MASTER | flags),
            ..rig.gossip(0, 2)
        };
        rig.say(1, 0, Body::Pong(telling([entry])), as_is);
        let expected = if expected { told } else { known };
        assert_eq!(rig.view(0, 2).pong_received, Some(expected), "{why}");
    }
}

/// Proves GO-10: a valid report silences those who vouch for a node; an old one does not.
#[test]
fn nobody_vouches_for_a_node_that_another_master_reports() {
    let mut rig = Rig::cluster(4, 0);
    let heard = Some(Millis(1000));
    let failing = Gossip {
        flags: NodeFlags(NodeFlags::MASTER | NodeFlags::PFAIL),
        ..rig.gossip(0, 2)
    };
    rig.say(3, 0, Body::Pong(telling([failing])), as_is);
    for (later, expected) in [(2000, false), (1, true)] {
        rig.now = rig.now + Millis(later);
        rig.alter(0, 2, |member| {
            member.ping_sent = None;
            member.pong_received = heard;
        });
        let entry = rig.gossip(0, 2);
        rig.say(1, 0, Body::Pong(telling([entry])), as_is);
        assert_eq!(
            rig.view(0, 2).pong_received != heard,
            expected,
            "{later} ms later"
        );
    }
}

/// Proves GO-11: an address is learnt from others for a node that cannot be reached here.
#[test]
fn the_address_of_a_node_in_doubt_is_learnt_from_those_who_reach_it() {
    let failed = Health::Failed { since: Millis(1) };
    type Move = fn(&mut Gossip);
    let port: Move = |entry| entry.port = 1;
    let cases: [(&str, Health, u16, Move, bool); 8] = [
        ("suspected, other port", Health::Suspected, 0, port, true),
        ("failed, other port", failed, 0, port, true),
        (
            "other bus port",
            failed,
            0,
            |entry| entry.bus_port = 1,
            true,
        ),
        (
            "other ip",
            failed,
            0,
            |entry| entry.ip = "10.0.0.9".parse().ok(),
            true,
        ),
        ("the same address", failed, 0, |_| {}, false),
        ("alive here", Health::Alive, 0, port, false),
        ("in doubt there too", failed, NodeFlags::PFAIL, port, false),
        (
            "without address there",
            failed,
            NodeFlags::NOADDR,
            port,
            false,
        ),
    ];
    for (why, health, flags, change, expected) in cases {
        let mut rig = calm(3);
        rig.alter(0, 2, |member| member.health = health);
        let before = rig.view(0, 2).address;
        let mut entry = Gossip {
            flags: NodeFlags(NodeFlags::MASTER | flags),
            ..rig.gossip(0, 2)
        };
        change(&mut entry);
        rig.say(1, 0, Body::Pong(telling([entry])), as_is);
        let member = rig.view(0, 2);
        assert_eq!(member.address != before, expected, "{why}");
        assert_eq!(
            member.outbound.is_none(),
            expected,
            "{why}: the link is dropped"
        );
    }
}

/// Proves GO-24: the state is one's own judgement.
#[test]
fn nobody_is_talked_into_a_state() {
    let mut rig = calm(3);
    for from in [1, 2] {
        rig.say(from, 0, Body::Ping(Heartbeat::default()), |header| {
            header.state_ok = false
        });
    }
    rig.run_for(300);
    assert!(rig.at(0).is_ok());
}
