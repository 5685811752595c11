//! What must be so again after a fault: suspicion, its end, owners, service.

use super::*;
use crate::history::Function;
use crate::observation::{SlotSet, View, ViewEntry};
use crate::test_support::{Ends, int};

const LATE: u64 = 19_000 * MILLISECOND;

fn is_late(view: &&mut View) -> bool {
    view.time > LATE
}

fn entry(view: &mut View, node: usize) -> &mut ViewEntry {
    &mut Arc::make_mut(&mut view.table)[node - 1]
}

/// n1 is killed at 2 s, and n2 shows it as suspected from then on; T_pfail is 2.2 s here.
fn killed(suspected_at: u64) -> RecordingBuilder {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 2000);
    run.kill(2000, 1);
    run.calm(2100, 6000);
    for view in &mut run.recording.views {
        if view.time >= suspected_at * MILLISECOND {
            entry(view, 1).flags = "master,fail?".into();
        }
    }
    run
}

/// Proves FD-02.
#[test]
fn a_dead_node_is_suspected_in_time() {
    let in_time = check(&killed(4100).build(), "FD-02");
    assert_eq!((in_time.verdict, in_time.examined), (Word::Held, 5));
    let late = check(&killed(4500).build(), "FD-02");
    assert_eq!((late.verdict, late.violations.len()), (Word::Violated, 5));
    let told = "n2 does not suspect n1 2.405 s after it could be heard last";
    assert_eq!(late.violations[0].message, told);
}

/// Proves FD-02: rule R4, and what came late.
#[test]
fn who_stood_still_or_heard_more_may_suspect_later() {
    let mut paused = killed(4500);
    for node in 2..=6 {
        let fault = u32::try_from(node).expect("few nodes");
        paused.fault(3000, fault, FaultKind::Pause, FaultPhase::Installed, node);
        paused.fault(3600, fault, FaultKind::Pause, FaultPhase::Healed, node);
    }
    assert_eq!(word(&paused.build(), "FD-02"), Word::Undecided);
    let mut recording = killed(4500).build();
    let packets = recording.packets.iter_mut();
    for packet in packets.filter(|packet| packet.from == name(1)) {
        packet.delivered = Some(2500 * MILLISECOND);
    }
    assert_eq!(word(&recording, "FD-02"), Word::Held);
}

/// n1 is cut off from these nodes at 2 s, and nobody ever suspects anybody.
fn cut_from(others: &[usize]) -> Word {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 2000);
    run.fault(2000, 1, FaultKind::Partition, FaultPhase::Installed, 1);
    let cut = run.recording.faults.last_mut().expect("the cut");
    let ends = |pair: &(crate::observation::NodeName, crate::observation::NodeName)| {
        others
            .iter()
            .any(|other| pair.0 == name(*other) || pair.1 == name(*other))
    };
    cut.cuts.retain(ends);
    for at in (2100..6000).step_by(100) {
        run.views(at);
    }
    word(&run.build(), "FD-02")
}

/// Proves FD-02: who is heard by a third node is not suspected for certain.
#[test]
fn only_who_is_cut_off_from_everybody_must_be_suspected() {
    assert_eq!(cut_from(&[2, 3, 4, 5, 6]), Word::Violated);
    assert_eq!(cut_from(&[2, 3, 4, 5]), Word::Undecided);
}

/// Proves FD-07.
#[test]
fn nobody_is_marked_long_after_the_heal() {
    let marked = |node: usize, flags: &str| {
        let mut bad = RecordingBuilder::good().build();
        for view in bad.views.iter_mut().filter(is_late) {
            entry(view, node).flags = flags.into();
        }
        word(&bad, "FD-07")
    };
    assert_eq!(marked(5, "slave"), Word::Held);
    assert_eq!(marked(5, "slave,fail"), Word::Violated);
    assert_eq!(marked(2, "master,fail?"), Word::Violated);
    assert_eq!(marked(5, "slave,fail,noaddr"), Word::Held);
}

/// Proves FD-07: a dead node is rightly marked.
#[test]
fn a_node_that_is_dead_at_the_end_may_be_marked() {
    let mut run = RecordingBuilder::good();
    run.lifecycle(7000, 5, LifecycleKind::Killed);
    let mut recording = run.build();
    for view in recording.views.iter_mut().filter(is_late) {
        entry(view, 5).flags = "slave,fail".into();
    }
    assert_eq!(word(&recording, "FD-07"), Word::Held);
}

/// Proves CF-06.
#[test]
fn no_slot_is_left_without_an_owner() {
    let without = |slots: &str, from: u64| {
        let mut bad = RecordingBuilder::good().build();
        let slots: SlotSet = slots.parse().expect("slots");
        let views = bad.views.iter_mut();
        for view in views.filter(|view| view.time > from * MILLISECOND) {
            entry(view, 2).slots.remove_all(&slots);
        }
        word(&bad, "CF-06")
    };
    assert_eq!(without("", 19_000), Word::Held);
    assert_eq!(without("5461", 19_000), Word::Violated);
    assert_eq!(without("5461", 0), Word::Undecided);
}

/// Proves CF-03.
#[test]
fn the_newest_claim_owns_its_slots_at_rest() {
    let lost_by = |loser: usize, winner: usize| {
        let mut bad = RecordingBuilder::good().build();
        for view in bad.views.iter_mut().filter(is_late) {
            let slots: SlotSet = "0-9".parse().expect("slots");
            entry(view, loser).slots.remove_all(&slots);
            entry(view, winner).slots.insert_all(&slots);
        }
        check(&bad, "CF-03")
    };
    assert_eq!(lost_by(4, 4).verdict, Word::Held);
    let lost = lost_by(4, 2);
    assert_eq!(lost.verdict, Word::Violated);
    let told = "does not give 0-9 to n4, whose claim with configEpoch 4 was never outdone";
    assert!(lost.violations[0].message.ends_with(told));
}

/// Proves CF-04.
#[test]
fn a_slot_does_not_move_to_an_older_claim() {
    let moved = |epoch: u64| {
        let mut bad = RecordingBuilder::good().build();
        for view in bad.views.iter_mut().filter(is_late) {
            entry(view, 3)
                .slots
                .remove_all(&"16383".parse().expect("a slot"));
            entry(view, 2).slots.insert(16_383);
            entry(view, 2).config_epoch = epoch;
        }
        check(&bad, "CF-04")
    };
    assert_eq!(moved(2).verdict, Word::Violated);
    assert_eq!(moved(3).verdict, Word::Violated);
    assert_eq!(moved(4).verdict, Word::Held);
}

/// Proves CF-04: what its owner does not claim any more is anybody's.
#[test]
fn a_slot_that_was_given_up_may_go_to_anybody() {
    let mut run = RecordingBuilder::good();
    run.node(3).slots = "10923-16382".parse().expect("slots");
    run.beat(18_900);
    let mut recording = run.build();
    for view in recording.views.iter_mut().filter(is_late) {
        entry(view, 3)
            .slots
            .remove_all(&"16383".parse().expect("a slot"));
        entry(view, 2).slots.insert(16_383);
    }
    assert_eq!(word(&recording, "CF-04"), Word::Held);
}

/// n1 is killed at 6 s and never replaced, or it is at 9 s; a client is refused at this time, or
/// has its write acknowledged. D is 2 NT + 2.8 s here.
fn lost(is_refused_at: Option<u64>) -> RecordingBuilder {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 6000);
    run.kill(6000, 1);
    run.calm(6100, 8500);
    run.elect(8500, 4, 4, &[2, 3]);
    run.calm(8600, 20_000);
    match is_refused_at {
        Some(at) => {
            run.op(at, 5, 0, Function::Write, "{06S}r", int(1), Ends::Fail);
            let last = run.recording.events.last_mut().expect("a completion");
            last.node = Some(name(2));
            last.error = Some("CLUSTERDOWN The cluster is down".into());
        }
        None => run.write(12_000, 0, "{06S}r", 1, 4),
    }
    run
}

/// Proves ST-05.
#[test]
fn the_slots_of_a_lost_master_are_served_again() {
    let served = check(&lost(None).build(), "ST-05");
    assert_eq!((served.verdict, served.examined), (Word::Held, 1));
    assert_eq!(word(&lost(Some(10_700)).build(), "ST-05"), Word::Undecided);
    let refused = check(&lost(Some(10_900)).build(), "ST-05");
    assert_eq!(refused.verdict, Word::Violated, "{refused:#?}");
    assert!(
        refused.violations[0]
            .message
            .starts_with("n2 still answers")
    );
}

/// Proves ST-05: who is lost, what else is wrong, and who could take over.
#[test]
fn a_refusal_is_excused_by_another_fault_or_a_missing_replica() {
    let mut healed = lost(Some(10_900));
    healed.fault(10_000, 1, FaultKind::Kill, FaultPhase::Healed, 1);
    assert_eq!(word(&healed.build(), "ST-05"), Word::Undecided);
    let mut disturbed = lost(Some(10_900));
    disturbed.fault(9000, 2, FaultKind::Pause, FaultPhase::Installed, 3);
    assert_eq!(word(&disturbed.build(), "ST-05"), Word::Undecided);
    let mut by_itself = lost(Some(10_900)).build();
    by_itself
        .events
        .unpacked()
        .last_mut()
        .expect("a completion")
        .node = Some(name(1));
    assert_eq!(word(&by_itself, "ST-05"), Word::Undecided);
    let mut alone = lost(Some(10_900));
    alone.lifecycle(1000, 4, LifecycleKind::Killed);
    assert_eq!(word(&alone.build(), "ST-05"), Word::Undecided);
    let mut voted_twice = lost(Some(14_800));
    voted_twice.request_and_vote(7700, 4, 4, &[2]);
    voted_twice.node(4).current_epoch = 5;
    assert_eq!(word(&voted_twice.build(), "ST-05"), Word::Violated);
}

/// Proves ST-07.
#[test]
fn a_cluster_left_alone_stays_quiet() {
    let good = RecordingBuilder::good().build();
    assert_eq!(word(&good, "ST-07"), Word::Held);
    let mut suspecting = good.clone();
    let mut views = suspecting.views.iter_mut();
    let view = views.find(|view| view.time > 1500 * MILLISECOND);
    entry(view.expect("a view"), 5).flags = "slave,fail?".into();
    assert_eq!(word(&suspecting, "ST-07"), Word::Violated);
    let mut refused = good.clone();
    refused.events.unpacked()[1].error = Some("CLUSTERDOWN The cluster is down".into());
    assert_eq!(word(&refused, "ST-07"), Word::Violated);
    let mut busy = refused;
    busy.setting.canary_delay_ms = 300;
    assert_eq!(word(&busy, "ST-07"), Word::Undecided);
}

/// Proves ST-07: after the first fault anything may happen, also before it is on record.
#[test]
fn trouble_after_the_first_fault_is_none_of_a_quiet_cluster() {
    let suspected_at = |at: u64| {
        let mut bad = RecordingBuilder::good().build();
        bad.faults[0].begun = 1700 * MILLISECOND;
        let mut packets = bad.packets.iter_mut();
        let packet = packets.find(|packet| packet.time >= at * MILLISECOND);
        let entry = crate::observation::GossipEntry {
            id: id(5),
            flags: 4,
        };
        packet.expect("a packet").body = crate::observation::Body::Gossip([entry].into());
        word(&bad, "ST-07")
    };
    assert_eq!(suspected_at(1600), Word::Violated);
    assert_eq!(suspected_at(1800), Word::Held);
    assert_eq!(suspected_at(500), Word::Held);
}
