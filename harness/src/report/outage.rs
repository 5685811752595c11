//! When which slots could not be used: gaps between operations that ended ok.
//!
//! Slots are grouped by their first owner. A gap counts from half a second on and only if somebody
//! tried meanwhile. A measurement, never a verdict.

use serde::Serialize;
use slotquake_checkers::history::EventKind;
use slotquake_checkers::observation::slots::slot_of_key;

use super::evidence::Operation;
use super::film::Film;

/// A stretch of time without a successful operation on a range of slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// First slot.
    pub first: u16,
    /// Last slot.
    pub last: u16,
    /// Last success before, ns.
    pub from: u64,
    /// First success after, ns.
    pub to: u64,
    /// Operations tried and not ended ok meanwhile.
    pub missed: u64,
}

/// The outages, longest first.
pub fn outages(operations: &[Operation<'_>], film: &Film, end: u64) -> Vec<Outage> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for cell in &film.cells {
        let is_new = ranges
            .iter()
            .all(|(first, last)| cell.last < *first || cell.first > *last);
        if is_new && ranges.len() < RANGES_MAX {
            ranges.push((cell.first, cell.last));
        }
    }
    let mut found: Vec<Outage> = ranges
        .into_iter()
        .flat_map(|range| gaps(operations, range, end))
        .collect();
    found.sort_by_key(|outage| std::cmp::Reverse(outage.to - outage.from));
    found.truncate(OUTAGES_MAX);
    found
}

fn gaps(operations: &[Operation<'_>], (first, last): (u16, u16), end: u64) -> Vec<Outage> {
    let mut good: Vec<u64> = Vec::new();
    let mut bad: Vec<u64> = Vec::new();
    for operation in operations {
        let Some(key) = &operation.invoke.key else {
            continue;
        };
        if !(first..=last).contains(&slot_of_key(key.as_bytes())) {
            continue;
        }
        match operation
            .completion
            .filter(|done| done.kind == EventKind::Ok)
        {
            Some(done) => good.push(done.time),
            None => bad.push(operation.invoke.time),
        }
    }
    good.sort_unstable();
    good.push(end);
    let mut gaps = Vec::new();
    for pair in good.windows(2) {
        let missed = bad
            .iter()
            .filter(|time| (pair[0]..pair[1]).contains(time))
            .count() as u64;
        if pair[1] - pair[0] >= GAP_NS_MIN && missed > 0 {
            gaps.push(Outage {
                first,
                last,
                from: pair[0],
                to: pair[1],
                missed,
            });
        }
    }
    gaps
}

const GAP_NS_MIN: u64 = 500_000_000;
const RANGES_MAX: usize = 64;
const OUTAGES_MAX: usize = 40;
