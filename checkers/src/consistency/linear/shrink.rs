//! Smaller histories that are still none: the way to a witness.
//!
//! A smaller history proves something about the whole only if it is a consequence of it. These cuts
//! are: the end may go, if what was not complete there may have happened or not; the beginning may
//! go, if the object may hold anything then; a read may go; whoever leaves a value in a register
//! that nobody of the rest observes may go; and so may all that touch one element of a queue or a
//! stack.

use super::budget::Budget;
use super::judges::ObjectJudge;
use super::ruling::Ruling;
use super::search::Initial;
use crate::history::compact::{Atom, Log, Op};
use crate::history::operation::Outcome;
use crate::history::{Function, Value};

/// What had begun by this time; what was not complete is of unknown outcome.
pub fn until(ops: &[Op], time: u64) -> Vec<Op> {
    let begun = ops.iter().filter(|op| op.invoked <= time);
    begun
        .map(|op| match op.completed <= time {
            true => *op,
            false => Op {
                completed: u64::MAX,
                outcome: match op.outcome {
                    Outcome::Fail => Outcome::Fail,
                    Outcome::Ok | Outcome::Unknown => Outcome::Unknown,
                },
                ..*op
            },
        })
        .collect()
}

/// What had not ended before this time; what had begun may have happened before.
fn since(ops: &[Op], time: u64) -> Vec<Op> {
    let rest = ops.iter().filter(|op| op.completed >= time);
    rest.map(|op| match op.invoked >= time {
        true => *op,
        false => Op {
            completed: u64::MAX,
            outcome: Outcome::Unknown,
            ..*op
        },
    })
    .collect()
}

/// A small part of a broken history that is still broken, beginning as told; all of it if the
/// budget allows no more.
pub fn smallest(
    judge: &dyn ObjectJudge,
    log: &Log,
    ops: &[Op],
    initial: Initial,
    budget: Budget<'_>,
) -> (Vec<Op>, Initial) {
    let is_over = || budget.is_over.is_some_and(|is_over| is_over());
    let from_anything = |ops: &[Op]| {
        let ruling = judge.rule_from_anything(log, ops, budget);
        matches!(ruling, Some(Ruling::Broken(_)))
    };
    let is_broken_from = |initial: Initial, ops: &[Op]| match initial {
        Initial::Known => matches!(judge.rule(log, ops, budget), Ruling::Broken(_)),
        Initial::Unknown => from_anything(ops),
    };
    let mut rest = shortest_prefix(ops, |ops| is_broken_from(initial, ops));
    rest.retain(|op| op.outcome != Outcome::Fail && !is_blind(log, op));
    let mut initial = initial;
    if let Some(later) = shortest_suffix(&rest, from_anything) {
        (rest, initial) = (later, Initial::Unknown);
        rest.retain(|op| !is_blind(log, op));
    }
    let is_broken = |ops: &[Op]| is_broken_from(initial, ops);
    let mut size = rest.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut is_smaller = false;
        while at < rest.len() && !is_over() {
            let end = (at + size).min(rest.len());
            let fewer = without(log, &rest, at..end);
            if fewer.len() < rest.len() && is_broken(&fewer) {
                rest = fewer;
                is_smaller = true;
            } else {
                at = end;
            }
        }
        if is_over() || (size == 1 && !is_smaller) {
            return (rest, initial);
        }
        size = match is_smaller && size == 1 {
            true => 1,
            false => size.div_ceil(2),
        };
    }
}

/// The shortest prefix that is broken. What is, stays so: this can be found by halving.
fn shortest_prefix(ops: &[Op], is_broken: impl Fn(&[Op]) -> bool) -> Vec<Op> {
    let acknowledged = ops.iter().filter(|op| op.outcome == Outcome::Ok);
    let mut ends: Vec<u64> = acknowledged.map(|op| op.completed).collect();
    ends.sort_unstable();
    let first = ends.partition_point(|end| !is_broken(&until(ops, *end)));
    match ends.get(first) {
        Some(end) => until(ops, *end),
        None => ops.to_vec(),
    }
}

/// The shortest suffix that is broken whatever was before, if there is one.
fn shortest_suffix(ops: &[Op], is_broken: impl Fn(&[Op]) -> bool) -> Option<Vec<Op>> {
    let mut starts: Vec<u64> = ops.iter().map(|op| op.invoked).collect();
    starts.sort_unstable();
    starts.dedup();
    let last = starts.partition_point(|start| is_broken(&since(ops, *start)));
    Some(since(ops, starts[last.checked_sub(1)?]))
}

/// Whether it says nothing: it reads, and nobody knows what.
fn is_blind(log: &Log, op: &Op) -> bool {
    op.outcome != Outcome::Ok && is_read(log, op)
}

fn is_read(log: &Log, op: &Op) -> bool {
    op.f == Function::Read || (op.f == Function::Txn && micros(log, op, "w").is_empty())
}

/// The keys and values of a transaction's micro-operations of one kind.
fn micros(log: &Log, op: &Op, wanted: &str) -> Vec<(Value, Value)> {
    let told = match op.outcome {
        Outcome::Ok => op.result,
        Outcome::Fail | Outcome::Unknown => op.argument,
    };
    let told = log.atoms.value(told);
    let Value::List(micros) = &*told else {
        return Vec::new();
    };
    let parts = |micro: &Value| match micro {
        Value::List(parts) => match &parts[..] {
            [Value::Text(kind), key, value] if &**kind == wanted => {
                Some((key.clone(), value.clone()))
            }
            _ => None,
        },
        Value::Nil | Value::Int(_) | Value::Text(_) => None,
    };
    micros.iter().filter_map(parts).collect()
}

/// The operations without as many of these as may go.
fn without(log: &Log, ops: &[Op], cut: std::ops::Range<usize>) -> Vec<Op> {
    let mut goes: Vec<bool> = vec![false; ops.len()];
    for at in cut.clone() {
        goes[at] = is_read(log, &ops[at]);
    }
    let mut observed: Vec<Atom> = Vec::new();
    let mut read: Vec<(Value, Value)> = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        if goes[at] {
            continue;
        }
        observed.extend(observes(log, op));
        if op.f == Function::Txn && op.outcome == Outcome::Ok {
            read.extend(micros(log, op, "r"));
        }
    }
    observed.sort_unstable();
    let count = |value: Atom| {
        let first = observed.partition_point(|other| *other < value);
        observed[first..]
            .iter()
            .take_while(|other| **other == value)
            .take(2)
            .count()
    };
    for at in cut {
        let op = &ops[at];
        goes[at] |= match op.f {
            Function::Write => count(op.argument) == 0,
            Function::Cas => {
                // A compare and set to what it found observes what it leaves.
                let own = usize::from(observes(log, op) == leaves(log, op));
                leaves(log, op).is_some_and(|left| count(left) <= own)
            }
            Function::Txn => {
                let written = micros(log, op, "w");
                goes[at] || !written.iter().any(|pair| read.contains(pair))
            }
            Function::Enqueue | Function::Push => {
                let same = |other: &&Op| other.f == op.f && other.argument == op.argument;
                let is_only = ops.iter().filter(same).count() == 1;
                // Its takers go with it.
                for (taker, other) in ops.iter().enumerate().filter(|_| is_only) {
                    let takes = matches!(other.f, Function::Dequeue | Function::Pop);
                    goes[taker] |= takes && other.result == op.argument;
                }
                is_only
            }
            Function::Read
            | Function::Add
            | Function::Append
            | Function::Increment
            | Function::Transfer
            | Function::Dequeue
            | Function::Pop
            | Function::Acquire
            | Function::Release
            | Function::ReplicaRead
            | Function::WriteExpiring
            | Function::Publish
            | Function::Receive => goes[at],
        };
    }
    let kept = ops.iter().zip(goes).filter(|(_, goes)| !goes);
    kept.map(|(op, _)| *op).collect()
}

fn observes(log: &Log, op: &Op) -> Option<Atom> {
    match op.f == Function::Read {
        true => (op.outcome == Outcome::Ok).then_some(op.result),
        false => half(log, op, 0),
    }
}

fn leaves(log: &Log, op: &Op) -> Option<Atom> {
    half(log, op, 1)
}

/// Old or new value of a compare and set.
fn half(log: &Log, op: &Op, place: usize) -> Option<Atom> {
    match (&*log.atoms.value(op.argument), op.f) {
        (Value::List(pair), Function::Cas) => log.atoms.known(pair.get(place)?),
        (_, _) => None,
    }
}
