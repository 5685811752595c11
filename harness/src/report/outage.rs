//! When which slots could not be used: gaps between operations that ended ok, and their cause.
//!
//! Slots are grouped by their first owner. A gap counts from half a second on and only if somebody
//! tried meanwhile. A measurement, never a verdict.

mod cause;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use slotquake_checkers::history::by_process::ByProcess;
use slotquake_checkers::history::{EventKind, Events};
use slotquake_checkers::observation::slots::{SLOT_COUNT, slot_of_key};

use super::evidence::Evidence;
use super::film::Film;
use super::words::seconds;

pub use cause::{Cause, Election, Fault, Marked, Over};

/// A stretch of time without a successful operation on a range of slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// First slot.
    pub first: u16,
    /// Last slot.
    pub last: u16,
    /// Last success before, ns.
    pub from: u64,
    /// First success after, ns; the end of the run if there was none.
    pub to: u64,
    /// How long that is, ns.
    pub lasted: u64,
    /// Operations tried and not ended ok meanwhile.
    pub missed: u64,
    /// Why they ended as they did, by the first word of the error, and how often.
    pub errors: BTreeMap<String, u64>,
    /// What it came from, as far as it was seen.
    pub cause: Cause,
}

impl Outage {
    /// `0-5460`.
    pub fn slots(&self) -> String {
        format!("{}-{}", self.first, self.last)
    }

    /// `412 CLUSTERDOWN, 7 timed out`, the most frequent one first.
    pub fn errors_told(&self) -> String {
        let mut errors: Vec<(&String, &u64)> = self.errors.iter().collect();
        errors.sort_by_key(|(error, count)| (std::cmp::Reverse(**count), *error));
        let told: Vec<String> = errors
            .iter()
            .map(|(error, count)| format!("{count} {error}"))
            .collect();
        told.join(", ")
    }

    /// The cause, step by step, and how it was over, as one sentence without its full stop.
    pub fn cause_told(&self) -> String {
        let mut steps = self.cause.steps();
        steps.push(match &self.cause.over {
            Over::Not => "not over at the end of the run".to_string(),
            Over::TakenOver { by } => {
                format!("first success at {} s, by {by}", seconds(self.to))
            }
            Over::Back { node } => {
                format!("first success at {} s, by {node} again", seconds(self.to))
            }
            Over::Unseen => format!("first success at {} s", seconds(self.to)),
        });
        steps.join("; ")
    }
}

/// The outages, longest first.
pub fn outages(events: &Events, film: &Film, evidence: &Evidence<'_>) -> Vec<Outage> {
    let mut ranges: Vec<Range> = Vec::new();
    for cell in &film.cells {
        let is_new = ranges
            .iter()
            .all(|range| cell.last < range.first || cell.first > range.last);
        if is_new && ranges.len() < RANGES_MAX {
            ranges.push(Range::of(cell.first, cell.last));
        }
    }
    share_out(&mut ranges, events);
    let gaps = ranges
        .iter_mut()
        .flat_map(|range| range.gaps(evidence.end()));
    let mut found: Vec<Outage> = gaps.collect();
    found.sort_by_key(|outage| std::cmp::Reverse(outage.lasted));
    found.truncate(OUTAGES_MAX);
    for outage in &mut found {
        outage.cause = Cause::of(outage, film, evidence);
    }
    found
}

/// A range of slots, and what clients met there.
#[derive(Debug)]
struct Range {
    first: u16,
    last: u16,
    /// When operations ended ok.
    good: Vec<u64>,
    /// When the others began, and why they ended.
    bad: Vec<(u64, Why)>,
}

/// What a client was told.
#[derive(Debug, Clone)]
enum Why {
    Error(Arc<str>),
    NoWord,
    NoAnswer,
}

impl Why {
    fn text(&self) -> &str {
        match self {
            Why::Error(error) => error,
            Why::NoWord => "no word",
            Why::NoAnswer => "no answer",
        }
    }
}

/// Deals the operations out to the ranges of their slots.
fn share_out(ranges: &mut [Range], events: &Events) {
    let mut range_of: Vec<Option<usize>> = vec![None; usize::from(SLOT_COUNT)];
    for (number, range) in ranges.iter().enumerate() {
        range_of[usize::from(range.first)..=usize::from(range.last)].fill(Some(number));
    }
    // When an operation began, and the range of its slot.
    let mut open: ByProcess<(u64, usize)> = ByProcess::default();
    events.each(|event| {
        if let (EventKind::Invoke, Some(key)) = (event.kind, &event.key) {
            let slot = usize::from(slot_of_key(key.as_bytes()));
            if let Some(range) = range_of[slot] {
                open.insert(event.process, (event.time, range));
            }
        } else if let Some((begun, range)) = open.remove(event.process) {
            match (event.kind, &event.error) {
                (EventKind::Ok, _) => ranges[range].good.push(event.time),
                (_, Some(error)) => ranges[range].bad.push((begun, Why::Error(error.clone()))),
                (_, None) => ranges[range].bad.push((begun, Why::NoWord)),
            }
        }
    });
    for (begun, range) in open.drain() {
        ranges[range].bad.push((begun, Why::NoAnswer));
    }
}

impl Range {
    fn of(first: u16, last: u16) -> Self {
        Range {
            first,
            last,
            good: Vec::new(),
            bad: Vec::new(),
        }
    }

    fn gaps(&mut self, end: u64) -> Vec<Outage> {
        self.good.sort_unstable();
        self.good.push(end);
        let is_long = |pair: &&[u64]| pair[1].saturating_sub(pair[0]) >= GAP_NS_MIN;
        let mut gaps = Vec::new();
        for pair in self.good.windows(2).filter(is_long) {
            let (from, to) = (pair[0], pair[1]);
            let mut errors: BTreeMap<String, u64> = BTreeMap::new();
            let missed = self
                .bad
                .iter()
                .filter(|(time, _)| (from..to).contains(time));
            for (_, why) in missed {
                *errors.entry(kind_of(why.text())).or_default() += 1;
            }
            if !errors.is_empty() {
                gaps.push(Outage {
                    first: self.first,
                    last: self.last,
                    from,
                    to,
                    lasted: to - from,
                    missed: errors.values().sum(),
                    errors,
                    cause: Cause::default(),
                });
            }
        }
        gaps
    }
}

/// The code of an error reply; what the client says itself is told in full.
fn kind_of(error: &str) -> String {
    let code = error.split(' ').next().unwrap_or_default();
    let is_code = code.len() > 1 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code { code } else { error }.into()
}

const GAP_NS_MIN: u64 = 500_000_000;
const RANGES_MAX: usize = 64;
const OUTAGES_MAX: usize = 40;
