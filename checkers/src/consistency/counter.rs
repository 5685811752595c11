//! HI-03 and HI-09 for counters: every read lies between what must and what may have been counted.
//!
//! A read must show each increment that was acknowledged before it began and cannot have been lost
//! in a documented window, and may show each that was begun before it ended and did not fail. For
//! decrements the other way round. The lower bound is not asked of reads while the slot is
//! unsettled, which a deposed master may have answered (HI-11).

use std::collections::BTreeMap;

use super::windows::Windows;
use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::docket::Uses;
use crate::history::{Function, Key, Operation, Outcome, Value};
use crate::observation::Setting;
use crate::observation::slots::slot_of_key;
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-03/counter",
    title: "counters stay between what must and what may have been counted",
    clauses: &["HI-03", "HI-09"],
    need: Need::WhenItHappens,
    evidence: Evidence::History,
    help: "A read of a counter is at least the sum of the increments acknowledged before it \
           (those that a documented window may have lost left out) and of all decrements that \
           may have taken effect; and at most the sum of all increments that may have taken \
           effect and of the decrements acknowledged before it.",
    make: || Box::new(Counters::default()),
};

/// The checker of counters.
#[derive(Debug, Default)]
pub struct Counters {
    counters: BTreeMap<Key, Vec<Operation>>,
}

impl OfOperations for Counters {
    fn concerns(&self, key: Uses, _all: Uses) -> bool {
        key.has(&[Function::Increment])
    }

    fn keep(&mut self, operation: &Operation) {
        if operation.outcome == Outcome::Fail {
            return;
        }
        let is_number = !matches!(operation.result, Value::List(_) | Value::Text(_));
        let is_read =
            operation.f == Function::Read && operation.outcome == Outcome::Ok && is_number;
        if is_read || operation.f == Function::Increment {
            let counter = self.counters.entry(operation.key.clone()).or_default();
            counter.push(operation.clone());
        }
    }

    fn judge(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let windows = Windows::new(scene.timeline(), setting);
        let mut findings = Findings::default();
        let mut examined = 0;
        let counted =
            |operations: &Vec<Operation>| operations.iter().any(|op| op.f == Function::Increment);
        for (key, operations) in &self.counters {
            if counted(operations) {
                examined += judge(key, operations, &windows, &mut findings);
            }
        }
        findings.conclude(examined, "no counter was read")
    }
}

/// Judges one counter; gives the number of its reads.
fn judge(
    key: &Key,
    operations: &[Operation],
    windows: &Windows<'_>,
    findings: &mut Findings,
) -> u64 {
    let unsettled = windows.unsettled(slot_of_key(key.as_bytes()));
    let bounds = Bounds::of(operations, |_| false);
    let mut lenient: Option<Bounds> = None;
    let mut examined = 0;
    for read in operations.iter().filter(|op| op.f == Function::Read) {
        examined += 1;
        let value = i128::from(read.result.as_int().unwrap_or(0));
        if bounds.hold(read, value) {
            continue;
        }
        let lenient = lenient
            .get_or_insert_with(|| Bounds::of(operations, |write| windows.excuse(write).is_some()));
        let (must, may) = lenient.around(read);
        let is_unsettled = unsettled
            .iter()
            .any(|span| read.invoked <= span.end && read.completed >= span.begin);
        let (possibly, surely) = lenient.extremes();
        let (must, may) = match is_unsettled && !read.final_read {
            true => (possibly, surely),
            false => (must, may),
        };
        if !(must..=may).contains(&value) {
            findings.push(violation(key, read, value, (must, may)));
        }
    }
    examined
}

/// Sums of summands over time: what had been counted up to each moment.
#[derive(Debug, Default)]
struct Sums {
    times: Vec<u64>,
    sums: Vec<i128>,
}

impl Sums {
    fn of(mut summands: Vec<(u64, i64)>) -> Sums {
        summands.sort_unstable();
        let mut sums = Sums::default();
        let mut sum = 0;
        for (time, summand) in summands {
            sum += i128::from(summand);
            sums.times.push(time);
            sums.sums.push(sum);
        }
        sums
    }

    /// What was counted before this time.
    fn before(&self, time: u64) -> i128 {
        let count = self.times.partition_point(|at| *at < time);
        count.checked_sub(1).map_or(0, |last| self.sums[last])
    }
}

/// Increments and decrements, surely done by their completion, possibly from their invocation.
#[derive(Debug)]
struct Bounds {
    sure_up: Sums,
    sure_down: Sums,
    possible_up: Sums,
    possible_down: Sums,
}

impl Bounds {
    fn of(operations: &[Operation], is_excused: impl Fn(&Operation) -> bool) -> Bounds {
        let mut sums: [Vec<(u64, i64)>; 4] = Default::default();
        for write in operations.iter().filter(|op| op.f == Function::Increment) {
            let summand = write.argument.as_int().unwrap_or(0);
            let down = usize::from(summand < 0);
            sums[2 + down].push((write.invoked, summand));
            if write.outcome == Outcome::Ok && !is_excused(write) {
                sums[down].push((write.completed, summand));
            }
        }
        let [sure_up, sure_down, possible_up, possible_down] = sums.map(Sums::of);
        Bounds {
            sure_up,
            sure_down,
            possible_up,
            possible_down,
        }
    }

    /// The least and the most that a read may show.
    fn around(&self, read: &Operation) -> (i128, i128) {
        let soon = read.completed.saturating_add(1);
        let least = self.sure_up.before(read.invoked) + self.possible_down.before(soon);
        let most = self.possible_up.before(soon) + self.sure_down.before(read.invoked);
        (least, most)
    }

    /// What no read may leave, whoever answered it.
    fn extremes(&self) -> (i128, i128) {
        let least = self.possible_down.before(u64::MAX);
        (least, self.possible_up.before(u64::MAX))
    }

    fn hold(&self, read: &Operation, value: i128) -> bool {
        let (least, most) = self.around(read);
        (least..=most).contains(&value)
    }
}

fn violation(key: &Key, read: &Operation, value: i128, (must, may): (i128, i128)) -> Violation {
    let (clause, why) = match value < must {
        true => ("HI-03", "acknowledged increments are missing"),
        false => ("HI-09", "it shows more than was counted"),
    };
    Violation {
        clause: clause.into(),
        time: read.completed,
        message: format!("counter {key}: read {value}, expected {must} to {may}: {why}"),
        witness: Witness::default().step(
            read.completed,
            format!("client {}", read.process),
            read.told(),
        ),
        known: None,
    }
}
