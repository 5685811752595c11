//! Counters: no read may show less than what was surely added, nor more than what can have been.

use super::super::ruling::Ruling;
use super::broken;
use crate::history::compact::{Log, Op};
use crate::history::operation::Outcome;
use crate::history::{Function, Value};

/// Refutes a read outside the bounds; none if there is no such read: then it takes a search.
pub fn counter_bounds(log: &Log, ops: &[Op]) -> Option<Ruling> {
    let mut begun: Vec<(u64, i128)> = Vec::new();
    let mut ended: Vec<(u64, i128)> = Vec::new();
    let adds = |op: &&Op| matches!(op.f, Function::Add | Function::Increment);
    for op in ops.iter().filter(adds) {
        let amount = i128::from(log.atoms.value(op.argument).as_int()?);
        match op.outcome {
            Outcome::Ok => {
                begun.push((op.invoked, amount));
                ended.push((op.completed, amount));
            }
            Outcome::Unknown => begun.push((op.invoked, amount)),
            Outcome::Fail => {}
        }
    }
    let begun = Sums::of(begun);
    let ended = Sums::of(ended);
    for (at, op) in ops.iter().enumerate() {
        if op.f != Function::Read || op.outcome != Outcome::Ok {
            continue;
        }
        let shown = match &*log.atoms.value(op.result) {
            Value::Nil => 0,
            value => i128::from(value.as_int()?),
        };
        // Surely: complete before it began. Possibly: begun when it was complete.
        let surely = ended.before(op.invoked);
        let possibly = begun.before(op.completed.saturating_add(1));
        let least = surely.up + possibly.down;
        let most = possibly.up + surely.down;
        if shown < least || shown > most {
            let why = format!("It must show at least {least} and at most {most}.");
            return Some(broken(ops, vec![at], why));
        }
    }
    None
}

/// Sums of what was added and what was taken away.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    up: i128,
    down: i128,
}

/// Sums by time.
struct Sums(Vec<(u64, Sum)>);

impl Sums {
    fn of(mut amounts: Vec<(u64, i128)>) -> Sums {
        amounts.sort_unstable();
        let mut sum = Sum::default();
        let add = |(time, amount): (u64, i128)| {
            sum.up += amount.max(0);
            sum.down += amount.min(0);
            (time, sum)
        };
        Sums(amounts.into_iter().map(add).collect())
    }

    fn before(&self, time: u64) -> Sum {
        let count = self.0.partition_point(|(at, _)| *at < time);
        self.0[..count]
            .last()
            .map_or_else(Sum::default, |(_, sum)| *sum)
    }
}
