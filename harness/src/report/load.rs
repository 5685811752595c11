//! The clients' side of the film: a latency point for each operation, and the throughput.
//!
//! Pictures are bounded by pixels, not by operations: failed and unknown operations come first,
//! of the others each column keeps its fastest and slowest and as many more as the budget allows.

use serde::Serialize;
use slotquake_checkers::history::{EventKind, Events};

use super::evidence::{Operation, Tick};

/// Latency points in columns: entry i of each list belongs to the same operation.
#[derive(Debug, Default, Serialize)]
pub struct Points {
    /// Invocation.
    pub time: Vec<Tick>,
    /// Duration, µs.
    pub latency_us: Vec<u64>,
    /// 0 ok, 1 fail, 2 unknown.
    pub outcome: Vec<u8>,
    /// Index in the history of the invocation.
    pub index: Vec<u64>,
    /// How many operations there were before thinning.
    pub operations: u64,
}

/// Completions per bucket.
#[derive(Debug, Default, Serialize)]
pub struct Throughput {
    /// Width of a bucket.
    pub width: u64,
    /// Operations that ended ok.
    pub ok: Vec<u32>,
    /// Operations that failed.
    pub fail: Vec<u32>,
    /// Operations of unknown outcome.
    pub info: Vec<u32>,
}

/// Thins the operations to at most `POINT_BUDGET` points (a little more for column extremes).
/// `of` is how many operations there were.
pub fn points(operations: &[Operation<'_>], of: u64, end: u64) -> Points {
    let (good, bad): (Vec<_>, Vec<_>) = operations
        .iter()
        .partition(|operation| operation.kind() == EventKind::Ok);
    let mut chosen: Vec<&Operation<'_>> = stride(&bad, POINT_BUDGET / 3);
    chosen.extend(extremes(&good, end));
    chosen.extend(stride(&good, POINT_BUDGET.saturating_sub(chosen.len())));
    chosen.sort_by_key(|operation| operation.invoke.index);
    chosen.dedup_by_key(|operation| operation.invoke.index);
    let mut points = Points {
        operations: of,
        ..Points::default()
    };
    for operation in chosen {
        points.time.push(Tick::from_ns(operation.invoke.time));
        points.latency_us.push(latency_ns(operation, end) / 1_000);
        points.outcome.push(outcome_code(operation.kind()));
        points.index.push(operation.invoke.index);
    }
    points
}

/// Counts completions in buckets of at least 100 ms.
pub fn throughput(events: &Events, end: u64) -> Throughput {
    let end = Tick::from_ns(end).0;
    let width = (end / BUCKETS_MAX).max(BUCKET_TICKS_MIN);
    let count = (end / width + 1) as usize;
    let mut throughput = Throughput {
        width,
        ok: vec![0; count],
        fail: vec![0; count],
        info: vec![0; count],
    };
    events.each(|event| {
        let bucket = (Tick::from_ns(event.time).0 / width) as usize;
        let row = match event.kind {
            EventKind::Invoke => return,
            EventKind::Ok => &mut throughput.ok,
            EventKind::Fail => &mut throughput.fail,
            EventKind::Info => &mut throughput.info,
        };
        if let Some(cell) = row.get_mut(bucket) {
            *cell += 1;
        }
    });
    throughput
}

/// Duration of an operation; one without an end lasts to the end of the run.
pub fn latency_ns(operation: &Operation<'_>, end: u64) -> u64 {
    let ended = operation.completion.map_or(end, |event| event.time);
    ended.saturating_sub(operation.invoke.time)
}

fn outcome_code(kind: EventKind) -> u8 {
    match kind {
        EventKind::Ok => 0,
        EventKind::Fail => 1,
        EventKind::Info | EventKind::Invoke => 2,
    }
}

/// Every n-th item, so that at most `budget` are left.
fn stride<'a, T>(items: &[&'a T], budget: usize) -> Vec<&'a T> {
    let step = items.len().div_ceil(budget.max(1)).max(1);
    items.iter().copied().step_by(step).collect()
}

/// Fastest and slowest of each column.
fn extremes<'a, 'e>(operations: &[&'a Operation<'e>], end: u64) -> Vec<&'a Operation<'e>> {
    let width = (end / COLUMNS).max(1);
    let mut chosen = Vec::new();
    for column in operations.chunk_by(|a, b| a.invoke.time / width == b.invoke.time / width) {
        let latency = |operation: &&&Operation<'_>| latency_ns(operation, end);
        chosen.extend(column.iter().min_by_key(latency).copied());
        chosen.extend(column.iter().max_by_key(latency).copied());
    }
    chosen
}

const POINT_BUDGET: usize = 12_000;
const COLUMNS: u64 = 1_000;
const BUCKETS_MAX: u64 = 400;
/// 100 ms.
const BUCKET_TICKS_MIN: u64 = 1_000;
