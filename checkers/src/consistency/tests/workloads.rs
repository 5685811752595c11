//! Transactions, lists, counters, queues and banks: good recordings, bad ones, and losses that a
//! window excuses.
//!
//! Keys begin with `{06S}`, slot 0, of n1 and its replica n4, as in [`super::losses`].

use super::check;
use crate::history::{Function, Value};
use crate::observation::Server;
use crate::test_support::{Ends, RecordingBuilder, int, ints};
use crate::verdict::Word;

const STORE: &str = "{06S}";

pub(super) fn cluster() -> RecordingBuilder {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 10_000);
    run
}

/// n1 fails at 2 s and n4 takes over at 4.1 s; nothing shows what n4 had.
pub(super) fn failover() -> RecordingBuilder {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 2000);
    run.kill(2000, 1);
    run.calm(2100, 4000);
    run.elect(4100, 4, 4, &[2, 3]);
    run.calm(4200, 5000);
    run.restart_as_replica(5000, 1, 4);
    run.calm(5100, 20_000);
    run.healed(5000);
    run
}

/// A transaction from its micro-operations, told as `append k 1` and `r k 1,2`.
fn micros(told: &[(&str, &str, Value)]) -> Value {
    let micro = |(kind, key, value): &(&str, &str, Value)| {
        let key = format!("{STORE}{key}");
        let parts = vec![
            Value::Text((*kind).into()),
            Value::Text(key.into()),
            value.clone(),
        ];
        Value::List(parts)
    };
    Value::List(told.iter().map(micro).collect())
}

fn txn(run: &mut RecordingBuilder, at: u64, process: u32, told: &[(&str, &str, Value)]) {
    let value = micros(told);
    let end = Ends::Ok(value.clone());
    run.op(at, 5, process, Function::Txn, STORE, value, end);
}

/// Proves HI-02.
#[test]
fn transactions_that_see_each_other_in_order_hold() {
    let mut run = cluster();
    txn(
        &mut run,
        1000,
        0,
        &[("append", "x", int(1)), ("r", "y", ints(&[]))],
    );
    txn(
        &mut run,
        1100,
        1,
        &[("r", "x", ints(&[1])), ("append", "y", int(2))],
    );
    txn(
        &mut run,
        1200,
        0,
        &[("r", "x", ints(&[1])), ("r", "y", ints(&[2]))],
    );
    let check = check(&run.build(), "HI-02");
    assert_eq!(
        (check.verdict, check.examined),
        (Word::Held, 3),
        "{check:#?}"
    );
}

/// Proves HI-02.
#[test]
fn half_a_transaction_seen_is_a_violation() {
    let mut run = cluster();
    txn(
        &mut run,
        1000,
        0,
        &[("append", "x", int(1)), ("append", "y", int(2))],
    );
    txn(
        &mut run,
        1001,
        1,
        &[("r", "x", ints(&[])), ("r", "y", ints(&[2]))],
    );
    let check = check(&run.build(), "HI-02");
    assert_eq!(check.verdict, Word::Violated, "{check:#?}");
    let message = &check.violations[0].message;
    assert!(
        message.starts_with("{06S}: G-single-item (read skew)"),
        "{message}"
    );
}

/// Proves HI-02: a client that begins at the moment its last transaction ends is one client.
#[test]
fn a_client_that_goes_on_at_once_is_in_order_with_itself() {
    let mut run = cluster();
    txn(&mut run, 1000, 0, &[("append", "x", int(1))]);
    txn(&mut run, 1005, 0, &[("append", "x", int(2))]);
    txn(&mut run, 1100, 1, &[("r", "x", ints(&[1, 2]))]);
    let held = check(&run.clone().build(), "HI-02");
    assert_eq!((held.verdict, held.examined), (Word::Held, 3), "{held:#?}");
    txn(&mut run, 1105, 1, &[("append", "x", int(3))]);
    txn(&mut run, 1110, 1, &[("r", "x", ints(&[1, 2]))]);
    assert_eq!(check(&run.build(), "HI-02").verdict, Word::Violated);
}

/// Proves HI-02: what a failover drops is not held against the transactions before and after.
#[test]
fn a_failover_cuts_the_history_of_transactions() {
    let mut run = failover();
    txn(&mut run, 1000, 0, &[("append", "x", int(1))]);
    txn(&mut run, 1950, 0, &[("append", "x", int(2))]);
    txn(&mut run, 1970, 1, &[("r", "x", ints(&[1, 2]))]);
    txn(&mut run, 9000, 1, &[("r", "x", ints(&[1]))]);
    txn(&mut run, 9100, 1, &[("append", "x", int(3))]);
    txn(&mut run, 9200, 0, &[("r", "x", ints(&[1, 3]))]);
    let held = check(&run.clone().build(), "HI-02");
    assert_eq!(held.verdict, Word::Held, "{held:#?}");
    // After it the promise holds again.
    txn(&mut run, 9300, 0, &[("r", "x", ints(&[1]))]);
    assert_eq!(check(&run.build(), "HI-02").verdict, Word::Violated);
}

/// Proves HI-03: an append of a transaction that is gone, without any failover.
#[test]
fn an_append_of_a_transaction_must_not_be_lost() {
    let mut run = cluster();
    txn(
        &mut run,
        1000,
        0,
        &[("append", "x", int(1)), ("append", "y", int(2))],
    );
    txn(
        &mut run,
        8000,
        1,
        &[("r", "x", ints(&[1])), ("r", "y", ints(&[]))],
    );
    for event in run.recording.events.iter_mut().rev().take(2) {
        event.final_read = true;
    }
    let check = check(&run.build(), "HI-03");
    assert_eq!((check.verdict, check.violations.len()), (Word::Violated, 1));
}

fn appended(run: &mut RecordingBuilder, at: u64, element: i64) {
    let end = Ends::Ok(int(element));
    run.op(at, 5, 0, Function::Append, "{06S}l", int(element), end);
}

/// Proves HI-10.
#[test]
fn a_dropped_end_that_stays_away_holds() {
    let mut run = failover();
    appended(&mut run, 1000, 1);
    appended(&mut run, 1990, 2);
    run.read(1996, 1, "{06S}l", ints(&[1, 2]), 1);
    appended(&mut run, 9000, 3);
    run.final_read(19_000, "{06S}l", ints(&[1, 3]), 4);
    let recording = run.build();
    assert_eq!(check(&recording, "HI-10").verdict, Word::Held);
    let lost = check(&recording, "HI-03");
    assert_eq!(lost.verdict, Word::Held, "{lost:#?}");
}

/// Proves HI-10.
#[test]
fn an_element_that_comes_back_after_it_was_dropped_is_a_violation() {
    let mut run = failover();
    appended(&mut run, 1000, 1);
    appended(&mut run, 1100, 2);
    run.read(1990, 1, "{06S}l", ints(&[1, 2]), 1);
    appended(&mut run, 9000, 3);
    run.final_read(19_000, "{06S}l", ints(&[1, 3, 2]), 4);
    assert_eq!(check(&run.build(), "HI-10").verdict, Word::Violated);
}

fn counted(run: &mut RecordingBuilder, at: u64, summand: i64, end: Ends) {
    run.op(at, 5, 0, Function::Increment, "{06S}c", int(summand), end);
}

/// Proves HI-03, HI-09.
#[test]
fn a_counter_stays_between_its_bounds() {
    for (last, expected) in [
        (3, Word::Violated),
        (4, Word::Held),
        (9, Word::Held),
        (10, Word::Violated),
    ] {
        let mut run = cluster();
        counted(&mut run, 1000, 7, Ends::Ok(int(7)));
        counted(&mut run, 1100, -3, Ends::Ok(int(4)));
        counted(&mut run, 1200, 5, Ends::Info);
        counted(&mut run, 1300, 100, Ends::Fail);
        run.final_read(9000, "{06S}c", int(last), 1);
        let check = check(&run.build(), "HI-03/counter");
        assert_eq!(check.verdict, expected, "{last}: {check:#?}");
    }
}

/// Proves HI-04: a counter may lose what a failover may lose.
#[test]
fn an_increment_lost_in_a_failover_is_excused() {
    let mut run = failover();
    counted(&mut run, 1990, 7, Ends::Ok(int(7)));
    run.final_read(19_000, "{06S}c", Value::Nil, 4);
    let check = check(&run.build(), "HI-03/counter");
    assert_eq!(check.verdict, Word::Held, "{check:#?}");
}

fn put(run: &mut RecordingBuilder, at: u64, element: i64) {
    let end = Ends::Ok(int(element));
    run.op(at, 5, 0, Function::Enqueue, "{06S}q", int(element), end);
}

fn taken(run: &mut RecordingBuilder, at: u64, element: i64) {
    let end = Ends::Ok(int(element));
    run.op(at, 5, 1, Function::Dequeue, "{06S}q", Value::Nil, end);
}

/// Proves HI-03, HI-09.
#[test]
fn a_queue_delivers_each_element_once() {
    let judged = |then: fn(&mut RecordingBuilder), left: &[i64]| {
        let mut run = cluster();
        put(&mut run, 1000, 1);
        put(&mut run, 1100, 2);
        taken(&mut run, 1200, 1);
        then(&mut run);
        run.final_read(9000, "{06S}q", ints(left), 1);
        check(&run.build(), "HI-03/queue").verdict
    };
    assert_eq!(judged(|_| {}, &[2]), Word::Held);
    assert_eq!(judged(|run| taken(run, 1300, 2), &[]), Word::Held);
    assert_eq!(judged(|_| {}, &[]), Word::Violated, "2 is gone");
    assert_eq!(judged(|_| {}, &[1, 2]), Word::Violated, "1 is still there");
    let twice = judged(|run| taken(run, 1300, 1), &[2]);
    assert_eq!(twice, Word::Violated);
    let invented = judged(|run| taken(run, 1300, 9), &[2]);
    assert_eq!(invented, Word::Violated);
    // A dequeue without an answer may have taken it.
    let unknown = |run: &mut RecordingBuilder| {
        run.op(
            1300,
            5,
            2,
            Function::Dequeue,
            "{06S}q",
            Value::Nil,
            Ends::Info,
        );
    };
    assert_eq!(judged(unknown, &[]), Word::Held);
}

/// Proves HI-04: a failover may lose a dequeue, so that the element comes twice.
#[test]
fn a_second_delivery_after_a_failover_is_excused() {
    let mut run = failover();
    put(&mut run, 1000, 1);
    taken(&mut run, 1990, 1);
    taken(&mut run, 9000, 1);
    run.final_read(19_000, "{06S}q", ints(&[]), 4);
    let check = check(&run.build(), "HI-03/queue");
    assert_eq!(check.verdict, Word::Held, "{check:#?}");
}

/// Proves HI-02.
#[test]
fn a_bank_keeps_its_total() {
    for (accounts, expected) in [([-5, 5], Word::Held), ([-5, 0], Word::Violated)] {
        let mut run = cluster();
        let transfer = ints(&[0, 1, 5]);
        let end = Ends::Ok(transfer.clone());
        run.op(1000, 5, 0, Function::Transfer, STORE, transfer, end);
        run.read(2000, 1, STORE, ints(&accounts), 1);
        assert_eq!(check(&run.build(), "HI-02/bank").verdict, expected);
    }
}
