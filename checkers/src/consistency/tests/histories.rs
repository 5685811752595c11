//! HI-01 and HI-09: what clients may see of registers and sets.
//!
//! Key `{06S}` lies in slot 0, of n1 and its replica n4.

use super::check;
use crate::history::{Function, Value};
use crate::observation::Server;
use crate::observation::slots::slot_of_key;
use crate::test_support::{Ends, RecordingBuilder, int, ints};
use crate::verdict::Word;

fn cluster() -> RecordingBuilder {
    RecordingBuilder::cluster(Server::Reference)
}

/// Proves HI-01.
#[test]
fn a_stale_read_is_no_linearizable_history() {
    let mut run = cluster();
    run.write(1000, 0, "r", 1, 2);
    run.write(1100, 0, "r", 2, 2);
    run.read(1200, 1, "r", int(1), 2);
    let check = check(&run.build(), "HI-01");
    assert_eq!((check.verdict, check.examined), (Word::Violated, 3));
    assert!(
        check.violations[0].message.contains("read r -> 1"),
        "{check:#?}"
    );
    assert_eq!(check.violations[0].witness.steps.len(), 3);
}

/// Proves HI-01.
#[test]
fn concurrent_operations_may_take_effect_in_any_order() {
    let mut run = cluster();
    run.op(1000, 500, 0, Function::Write, "r", int(1), Ends::Ok(int(1)));
    run.op(1000, 500, 1, Function::Write, "r", int(2), Ends::Ok(int(2)));
    run.read(1100, 2, "r", int(2), 2);
    run.read(1600, 2, "r", int(1), 2);
    run.op(
        1700,
        5,
        2,
        Function::Cas,
        "r",
        ints(&[1, 3]),
        Ends::Ok(ints(&[1, 3])),
    );
    run.read(1800, 2, "r", int(3), 2);
    assert_eq!(check(&run.build(), "HI-01").verdict, Word::Held);
}

/// Proves HI-01: two compare and sets cannot both win.
#[test]
fn two_winners_of_one_compare_and_set_are_refuted() {
    let mut run = cluster();
    run.write(900, 0, "r", 1, 2);
    run.op(
        1000,
        50,
        0,
        Function::Cas,
        "r",
        ints(&[1, 2]),
        Ends::Ok(Value::Nil),
    );
    run.op(
        1000,
        50,
        1,
        Function::Cas,
        "r",
        ints(&[1, 3]),
        Ends::Ok(Value::Nil),
    );
    assert_eq!(check(&run.build(), "HI-01").verdict, Word::Violated);
}

/// Proves HI-01, rule R7.
#[test]
fn an_unknown_write_may_show_up_late_or_never() {
    let mut run = cluster();
    run.write(1000, 0, "r", 1, 2);
    run.op(1100, 10, 1, Function::Write, "r", int(2), Ends::Info);
    run.op(1100, 10, 3, Function::Write, "r", int(3), Ends::Info);
    run.read(1200, 2, "r", int(1), 2);
    run.read(5000, 2, "r", int(2), 2);
    assert_eq!(check(&run.clone().build(), "HI-01").verdict, Word::Held);
    run.read(5100, 2, "r", int(1), 2);
    assert_eq!(check(&run.build(), "HI-01").verdict, Word::Violated);
}

/// Proves HI-01: a failed write did not happen.
#[test]
fn a_read_of_a_failed_write_is_refuted() {
    let mut run = cluster();
    run.op(1000, 10, 1, Function::Write, "r", int(2), Ends::Fail);
    run.read(1200, 2, "r", int(2), 2);
    let recording = run.build();
    assert_eq!(check(&recording, "HI-01").verdict, Word::Violated);
    assert_eq!(check(&recording, "HI-09").verdict, Word::Violated);
}

/// n1 is killed at 2 s, n4 takes over at 4.12 s; all reads and writes are on slot 0.
fn failed_over(setup: impl Fn(&mut RecordingBuilder)) -> RecordingBuilder {
    let mut run = RecordingBuilder::good();
    setup(&mut run);
    run
}

/// Proves HI-01: what a failover lost is not held against the order.
#[test]
fn a_register_may_step_back_over_a_failover() {
    assert_eq!(slot_of_key(b"{06S}r"), 0);
    let run = failed_over(|run| {
        run.write(500, 10, "{06S}r", 1, 1);
        run.write(1990, 10, "{06S}r", 2, 1);
        run.read(9000, 10, "{06S}r", int(1), 4);
        run.write(9100, 10, "{06S}r", 3, 4);
        run.read(9200, 10, "{06S}r", int(3), 4);
    });
    let check = check(&run.build(), "HI-01");
    assert_eq!(check.verdict, Word::Held, "{check:#?}");
    assert!(check.why.contains("1 of 2 keys"), "{}", check.why);
}

/// Proves HI-01: each side of a failover is judged strictly.
#[test]
fn a_register_must_be_linearizable_before_and_after_a_failover() {
    let before = failed_over(|run| {
        run.write(500, 10, "{06S}r", 1, 1);
        run.write(600, 10, "{06S}r", 2, 1);
        run.read(700, 10, "{06S}r", int(1), 1);
    });
    assert_eq!(check(&before.build(), "HI-01").verdict, Word::Violated);
    let after = failed_over(|run| {
        run.write(500, 10, "{06S}r", 1, 1);
        run.write(9000, 10, "{06S}r", 2, 4);
        run.read(9100, 10, "{06S}r", int(1), 4);
    });
    assert_eq!(check(&after.build(), "HI-01").verdict, Word::Violated);
}

/// Proves HI-01: other shards are not excused by a failover elsewhere.
#[test]
fn a_register_of_another_shard_must_not_step_back() {
    let run = failed_over(|run| {
        run.write(500, 10, "r{1}", 8, 2);
        run.read(9000, 10, "r{1}", int(8), 2);
    });
    assert_eq!(check(&run.build(), "HI-01").verdict, Word::Violated);
}

/// Proves HI-01: out of budget is undecided and names the window.
#[test]
fn a_search_that_runs_out_of_budget_is_undecided() {
    let mut run = cluster();
    for process in 0..26 {
        let value = i64::from(process % 5);
        let swap = ints(&[value, (value * 3 + 1) % 5]);
        run.op(
            1000,
            900,
            process,
            Function::Cas,
            "r",
            swap,
            Ends::Ok(Value::Nil),
        );
        let value = int(value + 10);
        run.op(
            1000,
            800,
            process + 50,
            Function::Write,
            "r",
            value.clone(),
            Ends::Ok(value),
        );
    }
    for process in 200..206 {
        run.read(
            1400 + u64::from(process),
            process,
            "r",
            int(i64::from(process % 5)),
            2,
        );
    }
    let check = check(&run.build(), "HI-01");
    assert_ne!(check.verdict, Word::Held);
    if check.verdict == Word::Undecided {
        assert!(
            check.why.contains("window that begins at 1.000 s"),
            "{}",
            check.why
        );
    }
}

/// Proves HI-09.
#[test]
fn values_nobody_wrote_and_doubled_elements_are_reported() {
    let mut run = cluster();
    run.add(1000, 0, "set", 1, 2);
    run.final_read(2000, "set", ints(&[1, 9]), 2);
    let bad = check(&run.build(), "HI-09");
    assert_eq!(bad.verdict, Word::Violated);
    assert_eq!(
        bad.violations[0].message,
        "a read of set shows 9 though nobody wrote it"
    );
    let mut run = cluster();
    run.add(1000, 0, "set", 1, 2);
    run.final_read(2000, "set", ints(&[1, 1]), 2);
    assert_eq!(check(&run.build(), "HI-09").verdict, Word::Violated);
}

/// Proves HI-09: an add of unknown outcome may be there.
#[test]
fn an_unknown_element_may_be_read() {
    let mut run = cluster();
    run.op(1000, 10, 0, Function::Add, "set", int(1), Ends::Info);
    run.final_read(2000, "set", ints(&[1]), 2);
    assert_eq!(check(&run.build(), "HI-09").verdict, Word::Held);
}
