//! HI-03 to HI-08: which lost writes are excused, and by which window.
//!
//! Key `{06S}` lies in slot 0, of n1 and its replica n4; NT is 1 s and T_pfail 2.2 s.

use super::check;
use crate::judge::{Check, judge};
use crate::observation::{FaultKind, FaultPhase, LifecycleKind, Server};
use crate::test_support::{RecordingBuilder, id, int, ints};
use crate::verdict::Word;

const SET: &str = "{06S}set";

fn cluster() -> RecordingBuilder {
    RecordingBuilder::cluster(Server::Reference)
}

/// The check of HI-03 after a last read of the set that has only element 1.
fn judged(mut run: RecordingBuilder) -> Check {
    run.final_read(19_000, SET, ints(&[1]), 4);
    check(&run.build(), "HI-03")
}

/// n1 replicates a little until 1.9 s, shows one more offset, and is killed at 2 s.
fn crash(last_offset: u64) -> RecordingBuilder {
    let mut run = cluster();
    run.add(300, 0, SET, 1, 1);
    for (step, at) in (100..1900).step_by(100).enumerate() {
        let offset = 100 + 10 * u64::try_from(step).unwrap();
        run.node(1).offset = offset;
        run.node(4).offset = offset;
        run.beat(at);
    }
    run.node(1).offset += last_offset;
    run.beat(1950);
    run.kill(2000, 1);
    run.calm(2100, 4000);
    run.elect(4100, 4, 4, &[2, 3]);
    run.calm(4200, 5000);
    run.restart_as_replica(5000, 1, 4);
    run.calm(5100, 20_000);
    run.healed(5000);
    run
}

/// Proves HI-03.
#[test]
fn an_element_lost_without_failover_is_a_violation() {
    let mut run = cluster();
    run.calm(100, 5000);
    run.add(1000, 0, SET, 1, 1);
    run.add(1100, 0, SET, 2, 1);
    let check = judged(run);
    assert_eq!((check.verdict, check.violations.len()), (Word::Violated, 1));
    let message = &check.violations[0].message;
    assert!(
        message.starts_with("n1 acknowledged 2 of {06S}set at 1.105 s"),
        "{message}"
    );
}

/// Proves HI-04: not replicated yet when the master was killed.
#[test]
fn an_element_not_replicated_before_the_crash_is_excused() {
    let mut run = crash(50);
    run.add(1940, 0, SET, 2, 1);
    let check = judged(run);
    assert_eq!(check.verdict, Word::Held, "{check:#?}");
    assert!(
        check.why.starts_with("1 lost inside HI-04"),
        "{}",
        check.why
    );
}

/// Proves HI-04: the offsets show that the promoted replica had it.
#[test]
fn an_element_the_promoted_replica_had_must_not_be_lost() {
    let mut run = crash(50);
    run.add(1000, 0, SET, 2, 1);
    assert_eq!(judged(run).verdict, Word::Violated);
}

/// Proves HI-04: a replica that lagged for long excuses old writes.
#[test]
fn a_lagging_replica_widens_the_window() {
    let mut run = crash(50);
    let lagging = run
        .recording
        .packets
        .iter_mut()
        .filter(|packet| packet.header.offset > 120);
    for packet in lagging.filter(|packet| packet.from == crate::test_support::name(4)) {
        packet.header.offset = 120;
    }
    run.add(1000, 0, SET, 2, 1);
    let check = judged(run);
    assert_eq!(check.verdict, Word::Held, "{check:#?}");
}

/// A manual failover of n1 to n4 at 2 s.
fn manual() -> RecordingBuilder {
    let mut run = cluster();
    run.add(300, 0, SET, 1, 1);
    run.calm(100, 2000);
    run.fault(1990, 1, FaultKind::Failover, FaultPhase::Installed, 4);
    run.elect(2000, 4, 4, &[2, 3]);
    run.force_last_request();
    run.calm(2100, 10_000);
    run
}

/// Proves MF-01.
#[test]
fn a_manual_failover_excuses_no_loss() {
    let mut run = manual();
    run.add(1950, 0, SET, 2, 1);
    assert_eq!(judged(run).verdict, Word::Violated);
    assert_eq!(judged(manual()).verdict, Word::Held);
}

/// Proves MF-03: FORCE does not wait for what the master still had to pass on.
#[test]
fn a_forced_failover_excuses_what_was_not_replicated_yet_and_nothing_else() {
    let forced = |written_at| {
        let mut run = cluster();
        run.add(300, 0, SET, 1, 1);
        for (step, at) in (100..2000).step_by(100).enumerate() {
            let offset = 100 + 10 * u64::try_from(step).unwrap();
            run.node(1).offset = offset;
            run.node(4).offset = offset;
            run.beat(at);
        }
        run.node(1).offset += 50;
        run.beat(1960);
        run.fault(1990, 1, FaultKind::ForcedFailover, FaultPhase::Installed, 4);
        run.elect(2000, 4, 4, &[2, 3]);
        run.force_last_request();
        run.calm(2100, 10_000);
        run.add(written_at, 0, SET, 2, 1);
        judged(run)
    };
    let late = forced(1950);
    assert_eq!(late.verdict, Word::Held, "{late:#?}");
    assert!(
        late.why.contains("when a failover was forced"),
        "{}",
        late.why
    );
    assert_eq!(forced(1000).verdict, Word::Violated);
}

/// Proves HI-03 in the scenario C.1: each write of the promotion without votes is listed.
#[test]
fn writes_of_a_master_without_votes_are_listed_one_by_one() {
    let mut run = RecordingBuilder::cluster(Server::Redis("7.0.15".into()));
    run.add(300, 0, SET, 1, 1);
    run.calm(100, 1000);
    run.elect(1000, 4, 4, &[2, 3]);
    run.calm(1100, 2000);
    run.elect(2000, 1, 5, &[2, 3]);
    run.calm(2100, 2800);
    run.force_last_request();
    run.promote(2800, 4, 4);
    run.node(1).master = None;
    run.node(1).config_epoch = 5;
    run.add(2805, 0, SET, 2, 4);
    run.add(2815, 0, SET, 3, 4);
    run.restart_as_replica(2900, 4, 1);
    run.recording.lifecycles.clear();
    run.recording.faults.clear();
    run.calm(3000, 12_000);
    run.final_read(11_000, SET, ints(&[1]), 1);
    let judgement = judge(&run.build());
    let of = |id: &str| {
        let mut checks = judgement.checks.iter();
        checks
            .find(|check| check.id == id)
            .expect("a check of this name")
    };
    assert_eq!(of("HI-03").verdict, Word::Violated);
    assert_eq!(of("HI-03").violations.len(), 2);
    assert_eq!(of("VT-08").verdict, Word::Known);
    assert_eq!(judgement.coverage.losses_outside_windows, 2);
    assert_eq!(judgement.exit_status(crate::judge::Strictness::Lenient), 1);
}

/// n1 is cut off at 2 s, n4 takes over at 4 s, the heal is at 6 s.
fn split() -> RecordingBuilder {
    let mut run = cluster();
    run.add(300, 0, SET, 1, 1);
    run.calm(100, 2000);
    run.fault(2000, 1, FaultKind::Partition, FaultPhase::Installed, 1);
    run.node(1).is_up = false;
    run.calm(2100, 4000);
    run.elect(4000, 4, 4, &[2, 3]);
    run.calm(4100, 6000);
    run.fault(6000, 1, FaultKind::Partition, FaultPhase::Healed, 1);
    run.node(1).is_up = true;
    run.node(1).current_epoch = 3;
    run.beat(6000);
    run.restart_as_replica(6300, 1, 4);
    run.recording.lifecycles.clear();
    run.recording.faults.truncate(2);
    run.calm(6400, 20_000);
    run.healed(6000);
    run
}

/// Proves HI-05.
#[test]
fn a_write_to_a_master_cut_off_is_excused_until_it_must_have_noticed() {
    let mut run = split();
    run.add(3000, 0, SET, 2, 1);
    run.add(4150, 0, SET, 3, 1);
    let check = judged(run);
    assert_eq!(check.verdict, Word::Held, "{check:#?}");
    assert!(
        check.why.starts_with("2 lost inside HI-05"),
        "{}",
        check.why
    );
    let mut run = split();
    run.add(5000, 0, SET, 2, 1);
    assert_eq!(judged(run).verdict, Word::Violated);
}

/// Proves HI-06.
#[test]
fn a_write_to_a_deposed_master_after_the_heal_is_told_apart() {
    let mut run = split();
    run.add(6100, 0, SET, 2, 1);
    let check = judged(run);
    assert!(check.why.starts_with("1 lost inside HI-06"), "{check:#?}");
    let mut late = split();
    late.add(12_000, 0, SET, 2, 1);
    assert_eq!(judged(late).verdict, Word::Violated);
}

/// Proves HI-05: no promotion, no loss.
#[test]
fn a_partition_healed_before_a_promotion_excuses_no_loss() {
    let mut run = cluster();
    run.add(300, 0, SET, 1, 1);
    run.calm(100, 2000);
    run.fault(2000, 1, FaultKind::Partition, FaultPhase::Installed, 1);
    run.fault(2500, 1, FaultKind::Partition, FaultPhase::Healed, 1);
    run.add(2200, 0, SET, 2, 1);
    run.calm(2600, 9000);
    assert_eq!(judged(run).verdict, Word::Violated);
}

/// Proves HI-07.
#[test]
fn a_master_that_came_back_empty_is_excused() {
    let restarted = |added_at: u64| {
        let mut run = cluster();
        run.add(300, 0, SET, 1, 1);
        run.add(added_at, 0, SET, 2, 1);
        run.calm(100, 2000);
        run.lifecycle(2000, 1, LifecycleKind::Killed);
        run.node(1).incarnation = 2;
        run.lifecycle(2200, 1, LifecycleKind::Started);
        run.calm(2300, 9000);
        judged(run)
    };
    let check = restarted(400);
    assert!(check.why.starts_with("1 lost inside HI-07"), "{check:#?}");
    assert_eq!(restarted(3000).verdict, Word::Violated);
}

/// Proves DU-05.
#[test]
fn what_was_on_disk_before_the_reply_may_not_be_lost_by_a_restart() {
    let restarted = |fsync: &str| {
        let mut run = cluster();
        let config = &mut run.recording.setting.config;
        config.set("appendonly", "yes");
        config.set("appendfsync", fsync);
        run.add(300, 0, SET, 1, 1);
        run.add(400, 0, SET, 2, 1);
        run.calm(100, 2000);
        run.lifecycle(2000, 1, LifecycleKind::Killed);
        run.node(1).incarnation = 2;
        run.lifecycle(2200, 1, LifecycleKind::Started);
        run.calm(2300, 9000);
        judged(run).verdict
    };
    assert_eq!(restarted("everysec"), Word::Held);
    assert_eq!(restarted("always"), Word::Violated);
}

/// Proves HI-08.
#[test]
fn a_write_acknowledged_right_after_a_pause_is_excused() {
    let paused = |add_at: u64| {
        let mut run = split();
        for fault in &mut run.recording.faults {
            fault.kind = FaultKind::Pause;
            fault.cuts.clear();
        }
        run.add(add_at, 0, SET, 2, 1);
        judged(run)
    };
    let check = paused(6010);
    assert!(check.why.starts_with("1 lost inside HI-08"), "{check:#?}");
    assert_eq!(paused(8000).verdict, Word::Violated);
}

/// Proves HI-08: each sync of a slow disk is a pause, until the news must have come.
#[test]
fn a_write_acknowledged_on_a_slow_disk_is_excused_for_a_while() {
    let slowed = |add_at: u64, kind: FaultKind| {
        let mut run = split();
        for fault in &mut run.recording.faults {
            fault.kind = kind;
            fault.cuts.clear();
        }
        run.add(add_at, 0, SET, 2, 1);
        judged(run)
    };
    let check = slowed(5500, FaultKind::SlowDisk);
    assert!(check.why.starts_with("1 lost inside HI-08"), "{check:#?}");
    assert_eq!(slowed(5500, FaultKind::FullDisk).verdict, Word::Violated);
    assert_eq!(slowed(12_000, FaultKind::SlowDisk).verdict, Word::Violated);
}

/// Proves HI-03: without a final read nothing is known of the elements.
#[test]
fn a_set_without_a_final_read_is_undecided() {
    let mut run = cluster();
    run.add(300, 0, SET, 1, 1);
    let check = check(&run.build(), "HI-03");
    assert_eq!((check.verdict, check.examined), (Word::Undecided, 1));
}

/// Proves HI-03 for registers: the last read is older than an acknowledged write.
#[test]
fn a_register_that_lost_its_last_write_is_reported() {
    let mut run = crash(50);
    run.write(500, 0, "{06S}r", 1, 1);
    run.write(600, 0, "{06S}r", 2, 1);
    run.write(1940, 0, "{06S}r", 3, 1);
    let excused = |value: i64| {
        let mut run = run.clone();
        run.final_read(19_500, "{06S}r", int(value), 4);
        judged(run)
    };
    assert_eq!(excused(3).verdict, Word::Held);
    let stepped_back = excused(2);
    assert_eq!(stepped_back.verdict, Word::Held, "{stepped_back:#?}");
    assert!(
        stepped_back.why.starts_with("1 lost inside HI-04"),
        "{}",
        stepped_back.why
    );
    assert_eq!(excused(1).verdict, Word::Violated);
}

/// Proves HI-05: n1 and n4, which replaces it, do not hear each other; all else is well.
#[test]
fn a_master_that_does_not_hear_its_successor_is_told_by_others() {
    let lost_at = |at: u64, peers: usize| {
        let mut run = cluster();
        run.add(300, 0, SET, 1, 1);
        run.calm(100, 2000);
        run.fault(2000, 1, FaultKind::Partition, FaultPhase::Installed, 4);
        let cut = run.recording.faults.last_mut().expect("it was noted");
        cut.cuts.truncate(2 * peers);
        run.calm(2100, 9000);
        run.elect(9000, 4, 4, &[2, 3]);
        run.add(at, 0, SET, 2, 1);
        run.calm(9100, 20_000);
        judged(run).verdict
    };
    assert_eq!(lost_at(9500, 1), Word::Held);
    assert_eq!(lost_at(15_000, 1), Word::Violated, "everybody had told it");
}

/// Proves MG-01, MG-06.
#[test]
fn an_element_lost_with_its_slot_on_the_way_is_laid_to_the_move() {
    let lost = |change: &dyn Fn(&mut RecordingBuilder)| {
        let mut run = cluster();
        run.calm(100, 5000);
        run.add(1000, 0, SET, 1, 1);
        run.add(1100, 0, SET, 2, 1);
        change(&mut run);
        judged(run).violations.remove(0)
    };
    let owner = format!("CLUSTER SETSLOT 0 NODE {}", id(2));
    let moved = |run: &mut RecordingBuilder| {
        let importing = format!("CLUSTER SETSLOT 0 IMPORTING {}", id(1));
        run.ordered(2000, 2, &importing, "+OK");
        run.ordered(2100, 2, &owner, "+OK");
        run.ordered(2110, 1, &owner, "+OK");
    };
    let found = lost(&moved);
    assert_eq!(found.clause, "MG-01");
    let told = "it is gone, after slot 0 was moved between 2.000 s and 2.110 s (n1, n2)";
    assert!(found.message.contains(told), "{}", found.message);
    let with_failure = lost(&|run: &mut RecordingBuilder| {
        run.kill(1900, 2);
        moved(run);
    });
    assert_eq!(with_failure.clause, "MG-06");
    let refused = |run: &mut RecordingBuilder| run.ordered(2100, 2, &owner, "-ERR no");
    assert_eq!(lost(&refused).clause, "HI-03");
    let before = |run: &mut RecordingBuilder| run.ordered(900, 2, &owner, "+OK");
    assert_eq!(lost(&before).clause, "HI-03", "before the write");
}
