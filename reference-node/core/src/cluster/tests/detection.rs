//! Suspicion, reports, the mark of failure and its end, each rule by itself.

use super::rig::probe::{as_is, nobody, telling};
use super::rig::{LOCALHOST, Rig};
use crate::bus::packet::{Body, Gossip, Heartbeat, NodeFlags};
use crate::cluster::members::{Health, Member, Role, Stage};
use crate::output::Durability;
use crate::resp::Reply;
use crate::time::Millis;

/// One host tells another that a third one fails, or that it does not.
fn report(rig: &mut Rig, by: usize, to: usize, about: usize, flags: u16) {
    let entry = Gossip {
        flags: NodeFlags(NodeFlags::MASTER | flags),
        ..rig.gossip(to, about)
    };
    rig.say(by, to, Body::Pong(telling([entry])), as_is);
}

fn suspect(rig: &mut Rig, of: usize, about: usize) {
    rig.alter(of, about, |member| member.health = Health::Suspected);
}

fn reporters(rig: &Rig, of: usize, about: usize) -> usize {
    rig.view(of, about).reports.len()
}

fn fails_sent(rig: &Rig, from: usize) -> usize {
    let sent = rig.sent.iter().filter(|sent| sent.from == from);
    sent.filter(|sent| matches!(sent.packet.body, Body::Fail { .. }))
        .count()
}

/// Proves FD-01, FD-03: a ping unanswered and no data, both for longer than the node timeout.
#[test]
fn only_silence_after_a_ping_is_suspicious() {
    type Change = fn(&mut Member);
    let cases: [(&str, Option<u64>, u64, Change, bool); 7] = [
        ("both for longer", Some(1001), 1001, |_| {}, true),
        ("the ping just now", Some(1000), 5000, |_| {}, false),
        ("data just now", Some(5000), 1000, |_| {}, false),
        ("no ping", None, 5000, |_| {}, false),
        (
            "no address",
            Some(5000),
            5000,
            |member| member.is_without_address = true,
            false,
        ),
        (
            "a handshake",
            Some(5000),
            5000,
            |member| member.stage = Stage::Handshake,
            false,
        ),
        (
            "failed already",
            Some(5000),
            5000,
            |member| member.health = Health::Failed { since: Millis(1) },
            false,
        ),
    ];
    for (why, pinged, heard, change, expected) in cases {
        let mut rig = Rig::cluster(2, 0);
        let ago = |ms: u64| Millis(rig.now.0 - ms);
        let (pinged, heard) = (pinged.map(ago), ago(heard));
        rig.alter(0, 1, |member| {
            member.ping_sent = pinged;
            member.data_received = Some(heard);
        });
        rig.alter(0, 1, change);
        rig.turn(0, |cluster, turn| {
            let late = cluster.late(turn);
            cluster.suspect_silent(&late, turn)
        });
        assert_eq!(
            rig.view(0, 1).health == Health::Suspected,
            expected,
            "{why}"
        );
    }
}

/// Proves FD-05, FD-06: masters' words count, once each, until they take them back.
#[test]
fn a_master_reports_and_takes_back_a_replica_says_nothing() {
    let mut rig = Rig::cluster(4, 1);
    report(&mut rig, 5, 0, 2, NodeFlags::FAIL);
    assert_eq!(reporters(&rig, 0, 2), 0, "a replica");
    report(&mut rig, 1, 0, 0, NodeFlags::PFAIL);
    assert_eq!(reporters(&rig, 0, 0), 0, "about myself");
    for (by, flags, count) in [
        (1, NodeFlags::PFAIL, 1),
        (1, NodeFlags::FAIL, 1),
        (3, NodeFlags::PFAIL, 2),
        (1, 0, 1),
        (1, 0, 1),
        (5, 0, 1),
        (3, 0, 0),
    ] {
        report(&mut rig, by, 0, 2, flags);
        assert_eq!(reporters(&rig, 0, 2), count);
    }
}

/// Proves FD-07: two node timeouts after it was last repeated a report is void; the node's own
/// view is none.
#[test]
fn reports_are_void_after_two_node_timeouts() {
    let mut rig = Rig::cluster(4, 0);
    let count = |rig: &mut Rig| {
        let id = rig.id(2);
        rig.run(0, &format!("CLUSTER COUNT-FAILURE-REPORTS {id}"))
    };
    rig.paused.extend([1, 2, 3]);
    report(&mut rig, 1, 0, 2, NodeFlags::PFAIL);
    rig.now = rig.now + Millis(700);
    report(&mut rig, 1, 0, 2, NodeFlags::PFAIL);
    suspect(&mut rig, 0, 2);
    rig.now = rig.now + Millis(2000);
    assert_eq!(count(&mut rig), Reply::Integer(1));
    rig.now = rig.now + Millis(1);
    assert_eq!(count(&mut rig), Reply::Integer(0));
}

/// Proves FD-08, FD-18: reports of masters, and one's own view if one is a master with slots.
#[test]
fn a_suspect_is_failed_as_soon_as_a_quorum_of_masters_says_so() {
    for (masters, observer, needed) in [(3, 0, 1), (4, 0, 2), (5, 0, 2), (3, 3, 2), (5, 5, 3)] {
        let mut rig = Rig::cluster(masters, 1);
        let about = masters - 1;
        suspect(&mut rig, observer, about);
        for by in 1..=needed {
            let by = (by - usize::from(observer > 0)) % masters;
            assert!(
                !rig.view(observer, about).is_failed(),
                "{masters} masters, before {by}"
            );
            report(&mut rig, by, observer, about, NodeFlags::PFAIL);
        }
        assert!(
            rig.view(observer, about).is_failed(),
            "{masters} masters, seen by {observer}"
        );
    }
    let mut rig = Rig::cluster(3, 0);
    report(&mut rig, 1, 0, 2, NodeFlags::FAIL);
    assert!(!rig.view(0, 2).is_failed(), "not suspected here");
}

/// Proves FD-10: by a replica too.
#[test]
fn who_marks_a_failure_tells_everybody_and_saves() {
    for observer in [0, 3] {
        let mut rig = Rig::cluster(3, 1);
        suspect(&mut rig, observer, 2);
        if observer != 0 {
            report(&mut rig, 0, observer, 2, NodeFlags::PFAIL);
        }
        rig.sent.clear();
        rig.saves.clear();
        assert!(rig.at(observer).is_ok());
        report(&mut rig, 1, observer, 2, NodeFlags::PFAIL);
        assert_eq!(
            rig.view(observer, 2).health,
            Health::Failed { since: rig.now }
        );
        assert_eq!(fails_sent(&rig, observer), 5);
        assert_eq!(rig.saves[0], (observer, Durability::Buffered));
        assert!(!rig.at(observer).is_ok(), "evaluated at once");
        assert!(rig.view(1, 2).is_failed(), "the others follow");
    }
}

/// Proves FD-11, FD-12: no quorum and no role is asked for, but the sender must be known.
#[test]
fn a_fail_message_needs_a_known_sender_and_a_known_other_node() {
    let mut rig = Rig::cluster(3, 1);
    suspect(&mut rig, 0, 2);
    let failed = Some(rig.id(2));
    let link = rig.accept(0, LOCALHOST);
    let strange = rig.packet(1, Body::Fail { failed }, |header| {
        header.sender = Some(nobody())
    });
    rig.deliver(0, link, strange);
    assert_eq!(
        rig.view(0, 2).health,
        Health::Suspected,
        "a stranger's word"
    );
    rig.saves.clear();
    rig.say(4, 0, Body::Fail { failed }, as_is);
    let marked = Health::Failed { since: rig.now };
    assert_eq!(rig.view(0, 2).health, marked, "a replica's word");
    assert!(!rig.saves.is_empty());
    rig.now = rig.now + Millis(50);
    rig.say(1, 0, Body::Fail { failed }, as_is);
    assert_eq!(rig.view(0, 2).health, marked, "marked once only");
    let before = rig.at(0).members().count();
    for failed in [Some(nobody()), None, Some(rig.id(0))] {
        rig.say(1, 0, Body::Fail { failed }, as_is);
    }
    assert_eq!(rig.at(0).members().count(), before);
    assert!(!rig.view(0, 0).is_failed());
}

/// Proves FD-04, FD-13, FD-14: what one PONG on the own link ends.
#[test]
fn a_pong_clears_what_may_be_cleared() {
    let failed_for = |ms: u64| {
        move |now: Millis| Health::Failed {
            since: Millis(now.0 - ms),
        }
    };
    type Before<'a> = &'a dyn Fn(Millis) -> Health;
    let cases: [(&str, usize, Before, bool); 5] = [
        ("a suspect", 1, &|_| Health::Suspected, true),
        ("a failed replica", 2, &failed_for(1), true),
        (
            "a failed master with slots, early",
            1,
            &failed_for(2000),
            false,
        ),
        (
            "a failed master with slots, late",
            1,
            &failed_for(2001),
            true,
        ),
        ("a failed master without slots", 3, &failed_for(1), true),
    ];
    for (why, about, health, expected) in cases {
        let mut rig = Rig::cluster(2, 1);
        let now = rig.now;
        rig.alter(0, about, |member| member.health = health(now));
        if about == 3 {
            // A replica that was told to lead, and owns nothing.
            rig.alter(0, 3, |member| member.role = Role::Master);
        }
        rig.saves.clear();
        rig.reply(about, 0, Body::Pong(Heartbeat::default()), |header| {
            header.master = header.master.filter(|_| about != 3);
        });
        assert_eq!(
            rig.view(0, about).health == Health::Alive,
            expected,
            "{why}"
        );
        assert_eq!(!rig.saves.is_empty(), expected, "{why}: saved");
    }
}

/// Proves FD-15, FD-04: neither gossip nor what comes on the links of others.
#[test]
fn only_an_answer_on_the_own_link_clears_a_failure() {
    for health in [Health::Failed { since: Millis(1) }, Health::Suspected] {
        let mut rig = Rig::cluster(3, 0);
        rig.alter(0, 2, |member| member.health = health);
        report(&mut rig, 1, 0, 2, 0);
        rig.say(2, 0, Body::Pong(Heartbeat::default()), as_is);
        rig.say(2, 0, Body::Ping(Heartbeat::default()), as_is);
        rig.reply(2, 0, Body::Ping(Heartbeat::default()), as_is);
        assert_eq!(rig.view(0, 2).health, health);
        rig.reply(2, 0, Body::Pong(Heartbeat::default()), as_is);
        assert_eq!(rig.view(0, 2).health, Health::Alive);
    }
}

/// Proves FD-20, FD-21, FD-02: a stopped process accepts links and says nothing; when it goes on,
/// it reads first and blames nobody.
#[test]
fn a_paused_node_is_failed_like_a_dead_one_and_comes_back_without_blame() {
    let mut rig = Rig::cluster(3, 0);
    rig.paused.insert(2);
    rig.opened.clear();
    let took = rig.until("FAIL everywhere", 5000, |rig| {
        (0..2).all(|index| rig.view(index, 2).is_failed())
    });
    assert!((1000..=2000).contains(&took), "took {took} ms");
    assert!(rig.opened.contains(&(0, 17_002)), "the link was made anew");
    assert!(rig.view(0, 2).open_link().is_some(), "and opened");
    rig.run_for(5000);
    rig.resume(2);
    for _ in 0..5 {
        rig.run_for(100);
        assert!((0..2).all(|index| rig.view(2, index).health == Health::Alive));
    }
    rig.until("the end of FAIL", 5000, |rig| {
        (0..2).all(|index| rig.view(index, 2).health == Health::Alive)
    });
}

/// Proves FD-21: not even a tick that comes before the answers that wait blames anybody.
#[test]
fn a_node_that_slept_does_not_take_its_own_silence_for_that_of_others() {
    let mut rig = Rig::cluster(3, 0);
    rig.paused.insert(0);
    let now = rig.now;
    for about in [1, 2] {
        rig.alter(0, about, |member| member.ping_sent = Some(now));
    }
    rig.run_for(3000);
    rig.with(0, |cluster, around, fx| cluster.on_wake(around, fx));
    assert!((1..3).all(|about| rig.view(0, about).health == Health::Alive));
    rig.resume(0);
    rig.run_for(1000);
    assert!((1..3).all(|about| rig.view(0, about).health == Health::Alive));
}
