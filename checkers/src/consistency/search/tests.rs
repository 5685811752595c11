//! The search against an enumeration of all orders, on small random histories.
//!
//! Compare and set, equal values and unknown operations are all drawn; a long history of low
//! concurrency must stay far within its budget.

use proptest::prelude::*;

use super::super::register::{Held, Register, RegisterOp, ValueId, Values};
use super::*;
use crate::history::Value;

fn value(values: &mut Values, number: i64) -> ValueId {
    values.number(&Value::Int(number))
}

fn required(op: RegisterOp, invoked: u64, completed: u64) -> Required<RegisterOp> {
    Required {
        op,
        invoked,
        completed,
    }
}

/// Tries every order, taking each optional operation or not.
fn brute_force(
    state: Held,
    required: &[Required<RegisterOp>],
    optional: &[Optional<RegisterOp>],
) -> bool {
    if required.is_empty() {
        return true;
    }
    let due = required.iter().map(|op| op.completed).min().unwrap();
    let without = |index: usize| [&required[..index], &required[index + 1..]].concat();
    for (index, next) in required.iter().enumerate() {
        if next.invoked <= due
            && let Some(after) = Register.apply(state, &next.op)
            && brute_force(after, &without(index), optional)
        {
            return true;
        }
    }
    for (index, next) in optional.iter().enumerate() {
        let rest = [&optional[..index], &optional[index + 1..]].concat();
        if next.invoked <= due
            && let Some(after) = Register.apply(state, &next.op)
            && brute_force(after, required, &rest)
        {
            return true;
        }
    }
    false
}

fn any_op() -> impl Strategy<Value = RegisterOp> {
    (0..3u8, 0..3i64, 0..3i64).prop_map(|(kind, a, b)| {
        let mut values = Values::default();
        let ids: Vec<ValueId> = (0..3).map(|number| value(&mut values, number)).collect();
        let (a, b) = (ids[a as usize], ids[b as usize]);
        match kind {
            0 => RegisterOp::Read(a),
            1 => RegisterOp::Write(a),
            _ => RegisterOp::Cas(a, b),
        }
    })
}

fn initial(is_known: bool) -> Held {
    let first = value(&mut Values::default(), 0);
    if is_known {
        Held::Value(first)
    } else {
        Held::Unknown
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn agrees_with_an_enumeration_of_all_orders(
        drawn in prop::collection::vec((any_op(), 0..12u64, 0..8u64), 0..6),
        unknown in prop::collection::vec((any_op(), 0..12u64), 0..3),
        is_known in any::<bool>(),
    ) {
        let mut ops: Vec<_> =
            drawn.into_iter().map(|(op, at, length)| required(op, at, at + length)).collect();
        ops.sort_by_key(|op| op.invoked);
        let optional: Vec<_> =
            unknown.into_iter().map(|(op, invoked)| Optional { op, invoked }).collect();
        let start = initial(is_known);
        let expected = brute_force(start, &ops, &optional);
        let got = decide(&Register, start, &ops, &optional, 1_000_000);
        prop_assert_eq!(got == Decision::Linearizable, expected, "{:?}", got);
    }
}

/// Writers that overlap pairwise, each value read by somebody: concurrency 5.
fn long_history(length: u64) -> Vec<Required<RegisterOp>> {
    let mut values = Values::default();
    let mut ops = Vec::new();
    for round in 0..length / 5 {
        let at = round * 100;
        let mut last = value(&mut values, 0);
        for writer in 0..3 {
            last = value(&mut values, (round * 5 + writer + 1) as i64);
            ops.push(required(
                RegisterOp::Write(last),
                at + writer,
                at + 50 + writer,
            ));
        }
        ops.push(required(RegisterOp::Read(last), at + 40, at + 90));
        ops.push(required(RegisterOp::Read(last), at + 60, at + 120));
    }
    ops
}

#[test]
fn decides_a_long_history_of_low_concurrency_in_few_steps() {
    let ops = long_history(100_000);
    let decision = decide(&Register, initial(true), &ops, &[], 1_000_000);
    assert_eq!(decision, Decision::Linearizable);
}

#[test]
fn refutes_one_stale_read_in_a_long_history() {
    let mut ops = long_history(10_000);
    let stale = ops[4].op;
    let last = ops.len() - 1;
    ops[last].op = stale;
    let decision = decide(&Register, initial(true), &ops, &[], 1_000_000);
    assert_eq!(decision, Decision::NotLinearizable);
}

/// Writers at once, most of whose values nobody reads: the order of those does not matter.
#[test]
fn decides_many_writers_at_once_when_values_are_unique() {
    let mut values = Values::default();
    let mut ops: Vec<_> = (0..200)
        .map(|number| {
            let op = RegisterOp::Write(value(&mut values, number + 1));
            required(op, 0, 1000)
        })
        .collect();
    for number in 0..20 {
        let read = RegisterOp::Read(value(&mut values, number * 7 + 3));
        ops.push(required(read, 100, 500));
    }
    let decision = decide(&Register, initial(true), &ops, &[], 10_000);
    assert_eq!(decision, Decision::Linearizable);
}

#[test]
fn says_so_when_the_budget_is_used_up() {
    let ops = long_history(100);
    let decision = decide(&Register, initial(true), &ops, &[], 20);
    assert!(
        matches!(decision, Decision::OutOfBudget { .. }),
        "{decision:?}"
    );
}
