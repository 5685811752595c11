//! Clocks, collisions, reports of failure, claims and what is answered to them.

use super::*;
use crate::observation::{Body, GossipEntry, NodeId};

fn after(at: u64) -> impl Fn(&&mut Packet) -> bool {
    move |packet| packet.time >= at * MILLISECOND
}

/// Proves EP-01.
#[test]
fn a_clock_follows_what_it_hears() {
    let with_clock_of_n3 = |epoch: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 1000);
        run.node(1).current_epoch = 9;
        run.beat(1000);
        run.node(3).current_epoch = epoch;
        for node in [2, 4, 5, 6] {
            run.node(node).current_epoch = 9;
        }
        run.calm(1100, 2000);
        check(&run.build(), "EP-01")
    };
    assert_eq!(with_clock_of_n3(9).verdict, Word::Held);
    let lagging = with_clock_of_n3(3);
    assert_eq!(lagging.verdict, Word::Violated);
    let told = "shows currentEpoch 3 after it was told 9";
    assert!(lagging.violations[0].message.contains(told));
}

/// Two masters share configEpoch 2 from 1 s on; then these move to these epochs at 1.2 s.
fn collided(moves: &[(usize, u64)]) -> Check {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 1000);
    run.fault(990, 1, FaultKind::BumpEpoch, FaultPhase::Installed, 1);
    run.fault(995, 1, FaultKind::BumpEpoch, FaultPhase::Healed, 1);
    run.node(1).config_epoch = 2;
    run.calm(1000, 1100);
    for (node, epoch) in moves {
        run.node(*node).config_epoch = *epoch;
        run.node(*node).current_epoch = *epoch;
    }
    run.calm(1200, 2000);
    check(&run.build(), "CE-06")
}

/// Proves CE-05, CE-06.
#[test]
fn of_two_masters_with_one_epoch_the_smaller_id_moves() {
    assert_eq!(collided(&[(1, 4)]).verdict, Word::Held);
    let stays = collided(&[]);
    assert_eq!(stays.violations[0].clause, "CE-05");
    let both = collided(&[(1, 4), (2, 5)]);
    assert_eq!(both.violations.len(), 1);
    assert_eq!(both.violations[0].clause, "CE-06");
}

/// n1 is silent from 2 s on; at 3.4 s n2 marks it as FAIL by the word of these reporters, given at
/// these times.
fn marked(reports: &[(usize, u64)], failing: u16) -> Recording {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 2000);
    run.kill(2000, 1);
    run.calm(2100, 3400);
    for (reporter, at) in reports {
        run.packet(*at, *reporter, 2, PacketKind::Ping);
        let entry = GossipEntry {
            id: id(1),
            flags: failing,
        };
        let last = run.recording.packets.last_mut().expect("it was sent");
        last.body = Body::Gossip([entry].into());
    }
    let failed = Body::Failed(id(1));
    run.packet(3400, 2, 3, PacketKind::Fail);
    run.recording.packets.last_mut().expect("it was sent").body = failed;
    run.build()
}

/// Proves FD-03.
#[test]
fn a_mark_of_failure_needs_a_majority() {
    assert_eq!(word(&marked(&[(3, 3390)], 4), "FD-03"), Word::Held);
    assert_eq!(word(&marked(&[(3, 3390)], 8), "FD-03"), Word::Held);
    assert_eq!(word(&marked(&[], 4), "FD-03"), Word::Violated);
    assert_eq!(word(&marked(&[(3, 3390)], 0), "FD-03"), Word::Violated);
    // A replica has no voice, and a word is void after two node timeouts.
    assert_eq!(word(&marked(&[(6, 3390)], 4), "FD-03"), Word::Violated);
    assert_eq!(word(&marked(&[(3, 1000)], 4), "FD-03"), Word::Violated);
}

/// Proves FD-03: a master that finds the node well takes its word back (FD-06).
#[test]
fn a_report_that_was_withdrawn_does_not_count() {
    let mut run = marked(&[(3, 3000), (3, 3300)], 4);
    let last = run
        .packets
        .iter_mut()
        .rfind(|packet| matches!(&packet.body, Body::Gossip(entries) if !entries.is_empty()));
    last.expect("the second report").body = Body::Gossip(
        [GossipEntry {
            id: id(1),
            flags: 0,
        }]
        .into(),
    );
    assert_eq!(word(&run, "FD-03"), Word::Violated);
}

/// Proves FD-19.
#[test]
fn a_suspect_is_named_in_every_heartbeat() {
    let suspected_too = |second_at: u64, is_told: &dyn Fn(&Packet) -> bool| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 2000);
        run.kill(2000, 1);
        run.calm(2100, 4500);
        let mut recording = run.build();
        let late = |view: &&mut crate::observation::View| view.time >= 3200 * MILLISECOND;
        for view in recording.views.iter_mut().filter(late) {
            let table = Arc::make_mut(&mut view.table);
            table[0].flags = "master,fail?".into();
            if view.time >= second_at * MILLISECOND {
                table[4].flags = "slave,fail?".into();
            }
        }
        for packet in recording.packets.iter_mut().filter(after(3200)) {
            let entry = |node: usize| GossipEntry {
                id: id(node),
                flags: 4,
            };
            let first = Some(entry(1)).filter(|_| is_told(packet));
            let second = Some(entry(5)).filter(|_| packet.time >= second_at * MILLISECOND);
            packet.body = Body::Gossip(first.into_iter().chain(second).collect());
        }
        word(&recording, "FD-19")
    };
    let suspected = |is_told: &dyn Fn(&Packet) -> bool| suspected_too(9000, is_told);
    assert_eq!(suspected(&|_| true), Word::Held);
    let but_one = |packet: &Packet| packet.time != 4000 * MILLISECOND;
    assert_eq!(suspected(&but_one), Word::Violated);
    // A new suspect may take another one's place until it is counted.
    assert_eq!(suspected_too(3900, &but_one), Word::Held);
    assert_eq!(suspected_too(3500, &but_one), Word::Violated);
    // The ticks until suspects are counted.
    let but_the_first = |packet: &Packet| packet.time > 3300 * MILLISECOND;
    assert_eq!(suspected(&but_the_first), Word::Held);
}

/// Proves EL-20.
#[test]
fn a_winner_leaves_no_slot_behind() {
    let won = |slots: &str| {
        let mut recording = RecordingBuilder::good().build();
        let claims = recording.packets.iter_mut().filter(after(4111));
        for packet in claims.filter(|packet| packet.from == name(4)) {
            packet.header.slots = slots.parse().expect("slots");
        }
        check(&recording, "EL-20")
    };
    assert_eq!(won("0-5460").verdict, Word::Held);
    assert!(
        won("1-5460").violations[0]
            .message
            .contains("slots 0 behind")
    );
    assert!(won("0-5461").violations[0].message.contains("claims 5461"));
}

/// Proves UP-12.
#[test]
fn a_stale_claim_is_answered() {
    assert_eq!(stale_claim(4, true, true), Word::Held);
    assert_eq!(stale_claim(4, false, true), Word::Violated);
}

/// Proves UP-12: what was delivered to a link that the hearer was closing was not read.
#[test]
fn a_stale_claim_on_a_closing_link_is_not_judged() {
    assert_eq!(stale_claim(4, false, false), Word::Undecided);
}

/// What UP-12 says when n1 answers a PING of the hearer with an old claim, and whether the hearer
/// tells it so, and goes on to use the link.
fn stale_claim(hearer: usize, is_answered: bool, is_used: bool) -> Word {
    let mut run = RecordingBuilder::good();
    run.packet(9000, 1, hearer, PacketKind::Pong);
    let stale = run.recording.packets.last_mut().expect("it was sent");
    (stale.header.master, stale.header.flags) = (None, 17);
    stale.header.config_epoch = 1;
    stale.source.set_port(17_000);
    let (near, far) = (stale.target, stale.source);
    if is_answered {
        run.packet(9001, hearer, 1, PacketKind::Update);
    }
    if is_used {
        run.packet(9900, hearer, 1, PacketKind::Ping);
        let ping = run.recording.packets.last_mut().expect("it was sent");
        (ping.source, ping.target) = (near, far);
    }
    word(&run.build(), "UP-12")
}

/// Proves EL-21.
#[test]
fn a_promotion_is_told_to_everybody_at_once() {
    let mut told = RecordingBuilder::good().build();
    assert_eq!(word(&told, "EL-21"), Word::Held);
    let claims = 4100 * MILLISECOND..4800 * MILLISECOND;
    told.packets.retain(|packet| {
        let is_claim = packet.from == name(4) && packet.header.claims_slots();
        !is_claim || packet.to == name(5) || !claims.contains(&packet.time)
    });
    assert_eq!(word(&told, "EL-21"), Word::Violated);
}

/// Proves RS-01, RS-02.
#[test]
fn a_forgotten_node_is_not_taken_back() {
    let shown_again = |again: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 4000);
        let mut recording = run.build();
        recording.faults = vec![
            act(1000, FaultPhase::Installed),
            act(3000, FaultPhase::Healed),
        ];
        let times = 1100 * MILLISECOND..again * MILLISECOND;
        let gone = |view: &&mut crate::observation::View| {
            view.node == name(2) && times.contains(&view.time)
        };
        for view in recording.views.iter_mut().filter(gone) {
            Arc::make_mut(&mut view.table).remove(4);
        }
        word(&recording, "RS-02")
    };
    assert_eq!(shown_again(3100), Word::Held);
    assert_eq!(shown_again(2000), Word::Violated);
}

/// Proves RS-02: also where no view fell between.
#[test]
fn who_said_that_it_forgot_a_node_does_not_show_it() {
    let told = |reply: &str, view_lost: bool| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 4000);
        let mut recording = run.build();
        let answer = crate::observation::Fault {
            targets: vec![name(2)],
            note: format!("CLUSTER FORGET {}", id(5)),
            ..act(1000, FaultPhase::Answered(reply.into()))
        };
        let begun = act(1001, FaultPhase::Installed);
        recording.faults = vec![answer, begun, act(3000, FaultPhase::Healed)];
        let views = recording.views.iter_mut();
        let of_n2 = views.filter(|view| view.node == name(2) && view_lost);
        for view in of_n2.filter(|view| view.time > 1000 * MILLISECOND) {
            Arc::make_mut(&mut view.table).remove(4);
        }
        word(&recording, "RS-02")
    };
    assert_eq!(told("+OK", true), Word::Held);
    assert_eq!(told("+OK", false), Word::Violated);
    assert_eq!(told("-ERR Unknown node", false), Word::Undecided);
}

/// Proves UP-13, EP-02.
#[test]
fn a_told_epoch_is_not_forgotten_for_an_older_one() {
    let shown = |epoch: u64, about: usize| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 1000);
        run.packet(1000, 2, 3, PacketKind::Update);
        let update = run.recording.packets.last_mut().expect("it was sent");
        update.body = Body::Owner {
            id: id(about),
            config_epoch: 9,
            slots: "0".parse().expect("a slot"),
        };
        run.node(1).config_epoch = epoch;
        run.calm(1100, 2000);
        word(&run.build(), "UP-13")
    };
    assert_eq!(shown(9, 1), Word::Held);
    assert_eq!(shown(8, 1), Word::Violated);
    assert_eq!(shown(8, 3), Word::Undecided, "about the hearer itself");
}

fn act(at: u64, phase: FaultPhase) -> crate::observation::Fault {
    crate::observation::Fault {
        time: at * MILLISECOND,
        begun: at * MILLISECOND,
        id: 1,
        kind: FaultKind::Forget,
        phase,
        targets: vec![name(5)],
        cuts: Vec::new(),
        note: String::new(),
    }
}

/// Proves UP-12: n3 owns nothing of it, but had heard of n4's claim.
#[test]
fn a_bystander_answers_a_stale_claim() {
    assert_eq!(stale_claim(3, true, true), Word::Held);
    assert_eq!(stale_claim(3, false, true), Word::Violated);
}

/// Proves GO-22.
#[test]
fn nobody_gives_slots_to_a_replica() {
    let bound_to = |slots: &str| {
        let mut recording = RecordingBuilder::good().build();
        let late = recording.views.last_mut().expect("a view");
        Arc::make_mut(&mut late.table)[4].slots = slots.parse().expect("slots");
        word(&recording, "GO-22")
    };
    assert_eq!(bound_to(""), Word::Held);
    assert_eq!(bound_to("5461-5470"), Word::Violated);
}

/// The ids of the builder ascend with the nodes, as the tests above take for granted.
#[test]
fn ids_ascend() {
    let ids: Vec<NodeId> = (1..=6).map(id).collect();
    assert!(ids.is_sorted());
}
