//! Queues with unique elements: no pair of them may overtake.
//!
//! By Henzinger, Sezgin and Vafeiadis a history of a queue, in which nobody found it empty, is
//! linearizable unless something was taken that was never put, taken twice, taken before it was
//! put, or overtook: `a` was put before `b`, and `b` taken before `a` was (or `a` never was).

use super::super::ruling::Ruling;
use super::broken;
use crate::history::Function;
use crate::history::compact::{Atom, Log, Op};
use crate::history::operation::{Outcome, short};
use crate::table::{IndexTable, Mix};

/// One element's way through the queue.
struct Passage {
    value: Atom,
    put: usize,
    taken: Option<usize>,
}

/// Decides a queue; none if an element was put twice, a taking is of unknown outcome, or somebody
/// found the queue empty.
pub fn queue_order(log: &Log, ops: &[Op]) -> Option<Ruling> {
    let mut passages: Vec<Passage> = Vec::new();
    let mut table = IndexTable::default();
    for (put, op) in ops.iter().enumerate() {
        if op.outcome == Outcome::Fail || op.f == Function::Dequeue {
            continue;
        }
        let value = op.argument;
        let is_it = |at: u32| passages[at as usize].value == value;
        let is_known = table.find(Mix::of(&value), is_it).is_some();
        if op.f != Function::Enqueue || is_known || value == Atom::NIL {
            return None;
        }
        table.insert(Mix::of(&value), passages.len() as u32);
        let taken = None;
        passages.push(Passage { value, put, taken });
    }
    let takes = ops
        .iter()
        .enumerate()
        .filter(|(_, op)| op.f == Function::Dequeue);
    let takes: Vec<_> = takes
        .filter(|(_, op)| op.outcome != Outcome::Fail)
        .collect();
    let is_plain = |op: &Op| op.outcome == Outcome::Ok && op.result != Atom::NIL;
    if !takes.iter().all(|(_, op)| is_plain(op)) {
        return None;
    }
    for (at, op) in takes {
        let value = short(&log.atoms.value(op.result));
        let is_it = |at: u32| passages[at as usize].value == op.result;
        let Some(known) = table.find(Mix::of(&op.result), is_it) else {
            return Some(broken(ops, vec![at], "It took what nobody had put.".into()));
        };
        let passage = &mut passages[known as usize];
        if let Some(other) = passage.taken.replace(at) {
            let why = format!("{value} was taken twice.");
            return Some(broken(ops, vec![at, other, passage.put], why));
        }
        if op.completed < ops[passage.put].invoked {
            let why = format!("It took {value} before anybody began to put it.");
            return Some(broken(ops, vec![at, passage.put], why));
        }
    }
    // Of unknown outcome and never taken: it may as well not have happened.
    passages.retain(|passage| passage.taken.is_some() || ops[passage.put].outcome == Outcome::Ok);
    Some(overtaking(log, ops, &passages))
}

fn overtaking(log: &Log, ops: &[Op], passages: &[Passage]) -> Ruling {
    let taken_from = |passage: &Passage| passage.taken.map_or(u64::MAX, |at| ops[at].invoked);
    let mut by_end: Vec<&Passage> = passages.iter().collect();
    by_end.sort_by_key(|passage| ops[passage.put].completed);
    let mut by_begin: Vec<&Passage> = by_end.clone();
    by_begin.sort_by_key(|passage| ops[passage.put].invoked);
    let mut earlier = by_end.into_iter().peekable();
    let mut slowest: Option<&Passage> = None;
    for fast in by_begin {
        while let Some(next) = earlier.next_if(|e| ops[e.put].completed < ops[fast.put].invoked) {
            if slowest.is_none_or(|slowest| taken_from(slowest) < taken_from(next)) {
                slowest = Some(next);
            }
        }
        let (Some(slow), Some(taken)) = (slowest, fast.taken) else {
            continue;
        };
        if ops[taken].completed < taken_from(slow) {
            let value = |passage: &Passage| short(&log.atoms.value(passage.value));
            let why = format!(
                "{} was put before {}, but {} was taken first.",
                value(slow),
                value(fast),
                value(fast)
            );
            let witness = [slow.put, fast.put, taken].into_iter().chain(slow.taken);
            return broken(ops, witness.collect(), why);
        }
    }
    Ruling::Holds
}
