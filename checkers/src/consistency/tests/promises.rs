//! Replica reads, WAIT, expiry, channels, the order of queues: good recordings and bad ones.
//!
//! As in [`super::workloads`], keys lie in slot 0, of n1 and its replica n4.

use super::check;
use super::workloads::{cluster, failover};
use crate::history::{Function, Value};
use crate::observation::FaultPhase;
use crate::observation::{FaultKind, LifecycleKind};
use crate::test_support::{Ends, RecordingBuilder, int, ints, name};
use crate::verdict::Word;

const KEY: &str = "{06S}k";

fn replica_read(run: &mut RecordingBuilder, at: u64, process: u32, value: Value) {
    let end = Ends::Ok(value);
    run.op(at, 5, process, Function::ReplicaRead, KEY, Value::Nil, end);
    if let Some(last) = run.recording.events.last_mut() {
        last.node = Some(name(4));
    }
}

fn two_writes(run: &mut RecordingBuilder) {
    run.write(1000, 0, KEY, 1, 1);
    run.write(1100, 0, KEY, 2, 1);
}

/// Proves RP-04: old answers are counted, not held against anyone.
#[test]
fn stale_reads_of_a_replica_are_told_with_their_age() {
    let mut run = cluster();
    two_writes(&mut run);
    replica_read(&mut run, 1605, 0, int(1));
    replica_read(&mut run, 1700, 1, int(2));
    let check = check(&run.build(), "RP-04");
    assert_eq!((check.verdict, check.examined), (Word::Held, 2));
    assert_eq!(
        check.why,
        "2 reads of replicas, 1 of them stale, by 0.500 s at the most; 1 missed a write of \
         their own client"
    );
}

/// Proves RP-04.
#[test]
fn a_replica_that_goes_back_is_a_violation() {
    for (first, second, process, expected) in [
        (int(2), int(1), 1, Word::Violated),
        (int(2), Value::Nil, 1, Word::Violated),
        (int(1), int(2), 1, Word::Held),
        // Another client may ask on a connection of its own.
        (int(2), int(1), 2, Word::Held),
    ] {
        let mut run = cluster();
        two_writes(&mut run);
        replica_read(&mut run, 1500, 1, first);
        replica_read(&mut run, 1600, process, second);
        let check = check(&run.build(), "RP-04");
        assert_eq!(check.verdict, expected, "{check:#?}");
    }
}

/// Proves RP-04.
#[test]
fn a_set_that_lost_an_element_went_back() {
    for (second, expected) in [(&[2, 1, 3][..], Word::Held), (&[1][..], Word::Violated)] {
        let mut run = cluster();
        replica_read(&mut run, 1500, 1, ints(&[1, 2]));
        replica_read(&mut run, 1600, 1, ints(second));
        assert_eq!(check(&run.build(), "RP-04").verdict, expected);
    }
}

/// Proves RP-04: a node that was restarted begins anew.
#[test]
fn going_back_over_a_restart_is_excused() {
    let mut run = cluster();
    two_writes(&mut run);
    replica_read(&mut run, 1500, 1, int(2));
    run.lifecycle(1510, 4, LifecycleKind::Killed);
    run.lifecycle(1550, 4, LifecycleKind::Started);
    replica_read(&mut run, 1600, 1, int(1));
    let check = check(&run.build(), "RP-04");
    assert_eq!(check.verdict, Word::Held, "{check:#?}");
}

/// Proves RP-04: what expired is gone.
#[test]
fn a_key_that_expired_has_not_gone_back() {
    let mut run = cluster();
    leased(&mut run, 1000, 1000);
    replica_read(&mut run, 1500, 1, int(7));
    replica_read(&mut run, 2500, 1, Value::Nil);
    let check = check(&run.build(), "RP-04");
    assert_eq!(check.verdict, Word::Undecided, "{check:#?}");
}

/// Proves HI-12: what every replica acknowledged cannot be lost by a failover.
#[test]
fn a_write_that_all_replicas_acknowledged_must_not_be_lost() {
    for (replicas, expected) in [(0, Word::Held), (1, Word::Violated)] {
        let mut run = failover();
        run.write(1990, 0, KEY, 7, 1);
        if let Some(last) = run.recording.events.last_mut() {
            last.replicas = Some(replicas);
        }
        run.final_read(19_000, KEY, Value::Nil, 4);
        let check = check(&run.build(), "HI-03");
        assert_eq!(check.verdict, expected, "{check:#?}");
        let told = format!("1 lost that {replicas} replicas had acknowledged (WAIT)");
        assert!(check.why.contains(&told), "{}", check.why);
    }
}

fn leased(run: &mut RecordingBuilder, at: u64, ttl_ms: i64) {
    let value = ints(&[7, ttl_ms]);
    let end = Ends::Ok(value.clone());
    run.op(at, 5, 0, Function::WriteExpiring, KEY, value, end);
}

/// Proves HI-14.
#[test]
fn a_key_expires_neither_early_nor_late() {
    for (at, value, expected) in [
        (1500, int(7), Word::Held),
        (1500, Value::Nil, Word::Violated),
        (4000, Value::Nil, Word::Held),
        (4000, int(7), Word::Violated),
        // Within the slack nobody can tell.
        (2300, int(7), Word::Undecided),
        (1999, Value::Nil, Word::Undecided),
    ] {
        let mut run = cluster();
        leased(&mut run, 1000, 1000);
        run.read(at, 1, KEY, value, 1);
        let check = check(&run.build(), "HI-14");
        assert_eq!(check.verdict, expected, "{at}: {check:#?}");
    }
}

/// Proves HI-14: times to live are those of the nodes' clocks, right or wrong.
#[test]
fn a_wrong_clock_lets_keys_expire_early() {
    for (set_at, expected) in [(1200, Word::Held), (1600, Word::Violated)] {
        let mut run = cluster();
        leased(&mut run, 1000, 1000);
        run.fault(set_at, 1, FaultKind::ClockStep, FaultPhase::Installed, 1);
        run.read(1500, 1, KEY, Value::Nil, 1);
        let check = check(&run.build(), "HI-14");
        assert_eq!(check.verdict, expected, "{set_at}: {check:#?}");
    }
}

/// Proves HI-14: a failover may lose the key with its write.
#[test]
fn a_key_lost_in_a_failover_has_not_expired_early() {
    let mut run = failover();
    leased(&mut run, 1990, 60_000);
    run.read(9000, 1, KEY, Value::Nil, 4);
    let check = check(&run.build(), "HI-14");
    assert_eq!(check.verdict, Word::Held, "{check:#?}");
}

/// Proves HI-14: whoever took over has what had arrived, and that expires there in its time.
#[test]
fn a_key_expires_after_a_failover_too() {
    // The old master was back at 5 s: until then the key may have been on its way.
    for (at, expected) in [(6000, Word::Held), (12_000, Word::Violated)] {
        let mut run = failover();
        leased(&mut run, 500, 3000);
        run.read(at, 1, KEY, int(7), 4);
        let check = check(&run.build(), "HI-14");
        assert_eq!(check.verdict, expected, "{at}: {check:#?}");
    }
}

fn published(run: &mut RecordingBuilder, at: u64, message: i64) {
    let end = Ends::Ok(int(message));
    run.op(at, 5, 0, Function::Publish, KEY, int(message), end);
    if let Some(last) = run.recording.events.last_mut() {
        last.node = Some(name(1));
    }
}

/// A subscriber from `at` on for a second and a bit.
fn received(run: &mut RecordingBuilder, at: u64, messages: &[i64]) {
    let end = Ends::Ok(ints(messages));
    run.op(at, 1010, 1, Function::Receive, KEY, int(1000), end);
}

/// Proves PS-01.
#[test]
fn messages_come_once_in_order_and_all_of_them() {
    for (heard, expected) in [
        (&[1, 2][..], Word::Held),
        (&[1, 2, 1], Word::Violated),
        (&[2, 1], Word::Violated),
        (&[1, 2, 9], Word::Violated),
        (&[2], Word::Violated),
        // At the edge of the subscription it may come or not.
        (&[1, 2, 3], Word::Held),
    ] {
        let mut run = cluster();
        published(&mut run, 5100, 1);
        published(&mut run, 5200, 2);
        published(&mut run, 5990, 3);
        received(&mut run, 5000, heard);
        let check = check(&run.build(), "PS-01/pubsub");
        assert_eq!(check.verdict, expected, "{heard:?}: {check:#?}");
    }
}

/// Proves PS-01: at most once is all that is promised while something is wrong.
#[test]
fn a_message_lost_near_a_fault_is_counted() {
    let mut run = cluster();
    run.fault(5150, 1, FaultKind::Pause, FaultPhase::Installed, 2);
    run.fault(5160, 1, FaultKind::Pause, FaultPhase::Healed, 2);
    published(&mut run, 5100, 1);
    received(&mut run, 5000, &[]);
    let check = check(&run.build(), "PS-01/pubsub");
    assert_eq!(check.verdict, Word::Held, "{check:#?}");
    let told = "0 messages heard; of 1 that were due 1 were lost around faults";
    assert_eq!(check.why, told);
}

fn moved(run: &mut RecordingBuilder, at: u64, f: Function, element: i64, claim: Value) {
    let argument = match f {
        Function::Enqueue => int(element),
        _ => claim,
    };
    run.op(at, 5, 0, f, KEY, argument, Ends::Ok(int(element)));
}

/// Proves HI-01.
#[test]
fn an_element_that_overtakes_another_is_a_violation() {
    for (order, claim, expected) in [
        ([1, 2], Value::Nil, Word::Held),
        ([2, 1], Value::Nil, Word::Violated),
        // What was pending and claimed comes late by design.
        ([2, 1], int(1500), Word::Held),
    ] {
        let mut run = cluster();
        moved(&mut run, 1000, Function::Enqueue, 1, Value::Nil);
        moved(&mut run, 1100, Function::Enqueue, 2, Value::Nil);
        moved(&mut run, 1200, Function::Dequeue, order[0], Value::Nil);
        moved(&mut run, 1300, Function::Dequeue, order[1], claim);
        let check = check(&run.build(), "HI-01/queue");
        assert_eq!(check.verdict, expected, "{order:?}: {check:#?}");
    }
}
