//! Each invariant on a bad recording that turns it red, and on variations that must not.
//!
//! Every bad recording is the good one with a single thing changed; that the good one is green is
//! shown in the tests of `judge`.

mod agreement;
mod conduct;
mod configured;
mod identity;
mod migrations;
mod operators;
mod redirections;
mod returns;
mod settling;

use std::sync::Arc;

use crate::judge::{Check, judge};
use crate::observation::bounds::MILLISECOND;
use crate::observation::{FaultKind, FaultPhase, LifecycleKind, Packet, PacketKind, Server};
use crate::recording::Recording;
use crate::test_support::{RecordingBuilder, id, name};
use crate::verdict::Word;

fn check(recording: &Recording, clause: &str) -> Check {
    let checks = judge(recording).checks;
    checks
        .into_iter()
        .find(|check| check.id == clause)
        .expect("a check of this name")
}

fn word(recording: &Recording, clause: &str) -> Word {
    check(recording, clause).verdict
}

/// The n-th packet that fits.
fn packet(recording: &mut Recording, nth: usize, fits: impl Fn(&Packet) -> bool) -> &mut Packet {
    let mut fitting = recording.packets.iter_mut().filter(|packet| fits(packet));
    fitting.nth(nth).expect("such a packet")
}

fn is_vote(packet: &Packet) -> bool {
    packet.kind == PacketKind::AuthAck
}

/// Proves CE-01.
#[test]
fn current_epoch_must_not_fall_on_a_link() {
    let mut bad = RecordingBuilder::good().build();
    packet(&mut bad, 20, |packet| packet.from == name(2))
        .header
        .current_epoch = 2;
    bad.packets
        .iter_mut()
        .for_each(|packet| packet.header.config_epoch = 0);
    assert_eq!(word(&bad, "CE-01"), Word::Violated);
}

/// Proves CE-01.
#[test]
fn current_epoch_must_not_fall_between_views() {
    let mut bad = RecordingBuilder::good().build();
    bad.views[90].current_epoch = 1;
    assert_eq!(word(&bad, "CE-01"), Word::Violated);
}

/// Proves CE-01, rule R6.
#[test]
fn current_epoch_may_fall_over_a_restart() {
    let mut good = RecordingBuilder::good().build();
    let restart = 5000 * MILLISECOND;
    let reborn = |packet: &&mut Packet| packet.from == name(1) && packet.time >= restart;
    for packet in good.packets.iter_mut().filter(reborn) {
        packet.header.current_epoch = 1;
        packet.header.config_epoch = 1;
    }
    assert_eq!(word(&good, "CE-01"), Word::Held);
}

/// Proves CE-01, CE-04: CLUSTER RESET HARD makes a node somebody else (RS-08).
#[test]
fn a_node_with_a_new_id_has_seen_no_epoch() {
    let mut reset = RecordingBuilder::good().build();
    let last = reset.views.iter_mut().rfind(|view| view.node == name(5));
    let last = last.expect("n5 was asked");
    (last.id, last.current_epoch, last.my_epoch) = (id(9), 0, 0);
    for entry in std::sync::Arc::make_mut(&mut last.table) {
        entry.config_epoch = 0;
    }
    assert_eq!(word(&reset, "CE-01"), Word::Held);
    assert_eq!(word(&reset, "CE-04"), Word::Held);
}

/// Proves CE-03.
#[test]
fn a_claimed_config_epoch_must_not_fall() {
    let mut bad = RecordingBuilder::good().build();
    packet(&mut bad, 20, |packet| packet.from == name(2))
        .header
        .config_epoch = 1;
    assert_eq!(word(&bad, "CE-03"), Word::Violated);
}

/// Proves CE-03: the field of a replica is its master's.
#[test]
fn the_config_epoch_of_a_replica_may_fall() {
    let mut good = RecordingBuilder::good().build();
    packet(&mut good, 20, |packet| packet.from == name(5))
        .header
        .config_epoch = 0;
    assert_eq!(word(&good, "CE-03"), Word::Held);
}

/// Proves CE-04.
#[test]
fn config_epoch_must_not_be_above_current() {
    let mut bad = RecordingBuilder::good().build();
    bad.packets[50].header.config_epoch = 9;
    assert_eq!(word(&bad, "CE-04"), Word::Violated);
    let mut bad = RecordingBuilder::good().build();
    bad.views[7].my_epoch = 9;
    assert_eq!(word(&bad, "CE-04"), Word::Violated);
    let mut bad = RecordingBuilder::good().build();
    Arc::make_mut(&mut bad.views[7].table)[2].config_epoch = 9;
    assert_eq!(word(&bad, "CE-04"), Word::Violated);
}

/// Proves CE-04: INFO may be older than NODES within one view.
#[test]
fn a_table_may_be_ahead_of_the_epoch_in_the_same_view() {
    let mut good = RecordingBuilder::good().build();
    let late = good.views.iter_mut().find(|view| view.current_epoch == 3);
    Arc::make_mut(&mut late.expect("a view").table)[0].config_epoch = 3;
    let at = 4110 * MILLISECOND;
    let during = good
        .views
        .iter_mut()
        .find(|view| view.time >= at)
        .expect("a view");
    during.current_epoch = 3;
    during.my_epoch = 3;
    assert_eq!(word(&good, "CE-04"), Word::Held);
}

/// Proves VT-01.
#[test]
fn a_voter_must_not_vote_for_two_candidates_in_one_epoch() {
    let mut bad = RecordingBuilder::good().build();
    let mut second = packet(&mut bad, 0, is_vote).clone();
    second.to = name(5);
    second.time += 300 * MILLISECOND;
    bad.packets.push(second);
    let check = check(&bad, "VT-01");
    assert_eq!(check.verdict, Word::Violated);
    assert_eq!(
        check.violations[0].message,
        "n2 voted for n4 and for n5 in epoch 4"
    );
}

/// Proves VT-01: a restart does not give a second vote.
#[test]
fn a_restarted_voter_must_not_vote_again() {
    let mut bad = RecordingBuilder::good().build();
    let mut second = packet(&mut bad, 0, is_vote).clone();
    second.source.set_port(31_000);
    second.time += 3000 * MILLISECOND;
    bad.packets.push(second);
    let what = LifecycleKind::Started;
    let mut lifecycle = bad.lifecycles[0].clone();
    lifecycle.time = 6000 * MILLISECOND;
    lifecycle.node = name(2);
    lifecycle.what = what;
    bad.lifecycles.push(lifecycle);
    assert_eq!(word(&bad, "VT-01"), Word::Violated);
}

/// Proves VT-04.
#[test]
fn replicas_and_empty_masters_must_not_vote() {
    let mut bad = RecordingBuilder::good().build();
    packet(&mut bad, 0, is_vote).header.master = Some(id(3));
    assert_eq!(word(&bad, "VT-04"), Word::Violated);
    let mut bad = RecordingBuilder::good().build();
    packet(&mut bad, 1, is_vote).header.slots = Default::default();
    assert_eq!(word(&bad, "VT-04"), Word::Violated);
}

/// Proves VT-08.
#[test]
fn a_promotion_needs_the_votes_of_a_majority() {
    let mut bad = RecordingBuilder::good().build();
    let first = bad.packets.iter().position(is_vote).expect("a vote");
    bad.packets.remove(first);
    let check = check(&bad, "VT-08");
    assert_eq!(check.verdict, Word::Violated);
    assert!(
        check.violations[0]
            .message
            .contains("fresh votes: 1 of 2 needed")
    );
    assert_eq!(check.violations[0].known, None);
    bad.setting.bus_packets_lost = 1;
    assert_eq!(word(&bad, "VT-08"), Word::Undecided);
}

/// A promotion of n4 without votes at 4.1 s, and an order to it of this kind.
fn unelected(kind: FaultKind, ordered_at: u64) -> Recording {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(0, 4000);
    run.fault(ordered_at, 1, kind, FaultPhase::Installed, 4);
    run.promote(4100, 4, 4);
    run.calm(4200, 6000);
    run.build()
}

/// Proves MF-03: TAKEOVER needs no votes, FORCE does.
#[test]
fn only_a_takeover_just_ordered_needs_no_votes() {
    for clause in ["VT-08", "CE-07"] {
        let ordered = unelected(FaultKind::Takeover, 4050);
        assert_eq!(word(&ordered, clause), Word::Held, "{clause}");
        let long_ago = unelected(FaultKind::Takeover, 2000);
        assert_eq!(word(&long_ago, clause), Word::Violated, "{clause}");
        let forced = unelected(FaultKind::ForcedFailover, 4050);
        assert_eq!(word(&forced, clause), Word::Violated, "{clause}");
    }
}

/// Proves VT-08, CE-07: a link that was silent at the time of the promotion shows the epoch that
/// the new master has taken since (CE-06); that is the same reign.
#[test]
fn a_later_epoch_of_the_same_reign_is_no_promotion() {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(0, 4000);
    run.elect(4100, 4, 4, &[2, 3]);
    run.node(4).config_epoch = 5;
    run.node(4).current_epoch = 5;
    run.calm(4200, 6000);
    let mut recording = run.build();
    let is_claim = |packet: &Packet| {
        packet.from == name(4) && packet.to == name(6) && packet.header.config_epoch == 4
    };
    recording.packets.retain(|packet| !is_claim(packet));
    for clause in ["VT-08", "CE-07"] {
        let check = check(&recording, clause);
        assert_eq!((check.verdict, check.examined), (Word::Held, 1), "{clause}");
    }
}

/// Proves VT-08: one voter counts once.
#[test]
fn two_votes_of_one_voter_are_no_majority() {
    let mut bad = RecordingBuilder::good().build();
    let vote = packet(&mut bad, 0, is_vote).clone();
    *packet(&mut bad, 1, is_vote) = vote;
    assert_eq!(word(&bad, "VT-08"), Word::Violated);
}

/// The scenario of invariants C.1 up to the third manual failover.
fn votes_used_twice(server: Server, third_at: u64) -> Recording {
    let mut run = RecordingBuilder::cluster(server);
    run.calm(100, 1000);
    run.elect(1000, 4, 4, &[2, 3]);
    run.calm(1100, 2000);
    run.elect(2000, 1, 5, &[2, 3]);
    run.calm(2100, third_at);
    run.promote(third_at, 4, 4);
    run.calm(third_at + 100, third_at + 300);
    run.force_last_request();
    run.build()
}

/// Proves VT-08, CE-07: the upstream weakness C.1 is known there, and a violation of ours.
#[test]
fn votes_used_twice_are_known_upstream_and_a_violation_of_ours() {
    let upstream = votes_used_twice(Server::Redis("7.0.15".into()), 2800);
    let promotion = check(&upstream, "VT-08");
    assert_eq!((promotion.verdict, promotion.examined), (Word::Known, 3));
    assert!(
        promotion.violations[0]
            .known
            .as_ref()
            .is_some_and(|why| why.contains("C.1"))
    );
    assert_eq!(word(&upstream, "CE-07"), Word::Known);
    assert_eq!(word(&upstream, "CF-01"), Word::Held);
    let ours = votes_used_twice(Server::Reference, 2800);
    assert_eq!(word(&ours, "VT-08"), Word::Violated);
    assert_eq!(word(&ours, "CE-07"), Word::Violated);
}

/// Proves VT-08: C.1 needs the earlier election to be within its timeout.
#[test]
fn votes_used_twice_much_later_are_not_the_known_weakness() {
    let upstream = votes_used_twice(Server::Redis("7.0.15".into()), 9000);
    assert_eq!(word(&upstream, "VT-08"), Word::Violated);
}

/// Proves CE-07.
#[test]
fn a_promotion_needs_an_election_with_its_epoch() {
    let mut bad = RecordingBuilder::good().build();
    bad.packets
        .retain(|packet| packet.kind != PacketKind::AuthRequest);
    assert_eq!(word(&bad, "CE-07"), Word::Violated);
}

/// Proves CF-01.
#[test]
fn two_masters_must_not_claim_a_slot_with_one_epoch() {
    let mut bad = RecordingBuilder::good().build();
    let late = packet(&mut bad, 200, |packet| packet.from == name(2));
    late.header.config_epoch = 3;
    late.header.slots.insert(16_000);
    let check = check(&bad, "CF-01");
    assert_eq!(check.verdict, Word::Violated);
    let told = "n3 and n2 both claimed 1 slots (16000) with configEpoch 3";
    let turned = "n2 and n3 both claimed 1 slots (16000) with configEpoch 3";
    let message = &check.violations[0].message;
    assert!(message == told || message == turned, "{message}");
}

/// Proves CF-01: two replicas of one master that are told to take over at once have one epoch.
#[test]
fn an_epoch_that_was_ordered_may_be_had_twice() {
    let run = |ordered_at| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(0, 4000);
        run.fault(ordered_at, 1, FaultKind::Takeover, FaultPhase::Installed, 4);
        run.promote(4100, 4, 4);
        run.calm(4200, 6000);
        let mut run = run.build();
        let other = packet(&mut run, 200, |packet| packet.from == name(2));
        other.header.config_epoch = 4;
        other.header.slots.insert(0);
        run
    };
    assert_eq!(word(&run(4050), "CF-01"), Word::Held);
    assert_eq!(word(&run(2000), "CF-01"), Word::Violated);
}

/// Proves CF-01, BUS-12: a replica repeats its master's claim.
#[test]
fn split_brain_with_different_epochs_is_no_conflict() {
    let mut good = RecordingBuilder::good().build();
    let mut old = packet(&mut good, 3, |packet| packet.from == name(1)).clone();
    old.time = 4500 * MILLISECOND;
    good.packets.push(old);
    assert_eq!(word(&good, "CF-01"), Word::Held);
}

/// Proves CF-05.
#[test]
fn slot_maps_must_agree_after_the_bound() {
    let mut bad = RecordingBuilder::good().build();
    let last = bad.views.len() - 1;
    Arc::make_mut(&mut bad.views[last].table)[1].slots.insert(1);
    assert_eq!(word(&bad, "CF-05"), Word::Violated);
}

/// Proves CF-05: within H_map after the heal differences are allowed.
#[test]
fn slot_maps_may_differ_until_the_bound() {
    let mut good = RecordingBuilder::good().build();
    let soon = 6500 * MILLISECOND;
    let view = good
        .views
        .iter_mut()
        .find(|view| view.time > soon)
        .expect("a view");
    Arc::make_mut(&mut view.table)[1].slots.insert(1);
    let check = check(&good, "CF-05");
    assert_eq!(check.verdict, Word::Held);
    assert_eq!(judge(&good).timing.maps_equal_after_heal_ms, Some(505));
}

/// Proves CF-05: a run that ends before the bound with unequal maps shows nothing.
#[test]
fn slot_maps_that_differ_at_an_early_end_are_undecided() {
    let mut short = RecordingBuilder::good().build();
    short.views.retain(|view| view.time < 7000 * MILLISECOND);
    let last = short.views.len() - 1;
    Arc::make_mut(&mut short.views[last].table)[1]
        .slots
        .insert(1);
    assert_eq!(word(&short, "CF-05"), Word::Undecided);
}

/// Proves ST-06.
#[test]
fn every_node_must_be_ok_after_the_bound() {
    let mut bad = RecordingBuilder::good().build();
    let late = 19_000 * MILLISECOND;
    let view = bad
        .views
        .iter_mut()
        .find(|view| view.time > late)
        .expect("a view");
    view.state_ok = false;
    assert_eq!(word(&bad, "ST-06"), Word::Violated);
    let mut good = RecordingBuilder::good().build();
    let soon = 9000 * MILLISECOND;
    let view = good
        .views
        .iter_mut()
        .find(|view| view.time > soon)
        .expect("a view");
    view.state_ok = false;
    assert_eq!(word(&good, "ST-06"), Word::Held);
}

/// Proves ST-06.
#[test]
fn a_process_that_died_and_stays_dead_is_no_recovery() {
    let mut run = RecordingBuilder::good();
    run.lifecycle(10_000, 3, LifecycleKind::Died);
    assert_eq!(word(&run.build(), "ST-06"), Word::Violated);
    let mut run = RecordingBuilder::good();
    run.fault(10_000, 9, FaultKind::Partition, FaultPhase::Installed, 3);
    let mut recording = run.build();
    recording.setting.healed_at = None;
    assert_eq!(word(&recording, "ST-06"), Word::Undecided);
}

/// n1 is cut off at 2 s and its client writes on; T_pfail is 2.2 s here.
fn cut_off(last_write_at: u64) -> Recording {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 2000);
    run.fault(2000, 1, FaultKind::Partition, FaultPhase::Installed, 1);
    run.node(1).is_up = false;
    run.calm(2100, 8000);
    run.write(last_write_at, 0, "{06S}r", 1, 1);
    run.build()
}

/// Proves ST-02.
#[test]
fn a_master_cut_off_must_stop_acknowledging_writes() {
    assert_eq!(word(&cut_off(4300), "ST-02"), Word::Violated);
    assert_eq!(word(&cut_off(3900), "ST-02"), Word::Undecided);
}

/// Proves ST-02, rule R4: a pause stops its timers.
#[test]
fn a_paused_master_is_given_its_time_back() {
    let mut recording = cut_off(4300);
    let mut pause = recording.faults[0].clone();
    pause.kind = FaultKind::Pause;
    pause.id = 2;
    pause.cuts.clear();
    pause.time = 2500 * MILLISECOND;
    pause.begun = pause.time;
    recording.faults.push(pause.clone());
    pause.time = 4200 * MILLISECOND;
    pause.phase = FaultPhase::Healed;
    recording.faults.push(pause);
    assert_eq!(word(&recording, "ST-02"), Word::Undecided);
}

/// Proves ST-02: a refusal is what was asked for.
#[test]
fn a_master_cut_off_that_refuses_holds() {
    let mut recording = cut_off(4300);
    let last = recording
        .events
        .unpacked()
        .last_mut()
        .expect("a completion");
    last.kind = crate::history::EventKind::Fail;
    last.error = Some("CLUSTERDOWN The cluster is down".into());
    assert_eq!(word(&recording, "ST-02"), Word::Held);
}
