//! Histories drawn from a seed: small ones of all objects, and large ones of known shape.
//!
//! [`small`] draws a few operations that overlap and touch, most of which were really carried out
//! one after the other, and then tampers with some: some of them are not linearizable.
//! [`large`] has the histories of the benchmarks. [`brute`] decides small ones by trying every
//! order.

pub mod brute;
pub mod large;
pub mod small;

use slotquake_checkers::history::compact::Log;
use slotquake_checkers::history::{Event, EventKind, Function, Value};
use slotquake_workloads::rng::Rng;

/// An operation that is still being made up.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Who.
    pub process: u32,
    /// What.
    pub f: Function,
    /// On which key.
    pub key: &'static str,
    /// Argument.
    pub argument: Value,
    /// Result.
    pub result: Value,
    /// `Ok`, `Fail` or `Info`.
    pub end: EventKind,
    /// Invocation, ns.
    pub invoked: u64,
    /// Completion, ns.
    pub completed: u64,
}

/// The events of these operations, in order of time; beginnings come first within an instant.
pub fn events(drafts: &[Draft]) -> Vec<Event> {
    let mut events: Vec<(u64, bool, Event)> = Vec::new();
    for draft in drafts {
        let event = |time, kind, value: &Value| Event {
            index: 0,
            time,
            process: draft.process,
            kind,
            f: draft.f,
            key: (!draft.key.is_empty()).then(|| draft.key.into()),
            value: value.clone(),
            node: None,
            hops: Vec::new(),
            error: None,
            replicas: None,
            final_read: false,
        };
        let invoke = event(draft.invoked, EventKind::Invoke, &draft.argument);
        events.push((draft.invoked, false, invoke));
        let end = event(draft.completed, draft.end, &draft.result);
        events.push((draft.completed, true, end));
    }
    events.sort_by_key(|(time, is_end, _)| (*time, *is_end));
    let numbered = events.into_iter().enumerate();
    numbered
        .map(|(index, (_, _, mut event))| {
            event.index = index as u64;
            event
        })
        .collect()
}

/// The log of these operations.
pub fn log(drafts: &[Draft]) -> Log {
    let mut collector = slotquake_checkers::history::compact::Collector::default();
    events(drafts)
        .iter()
        .for_each(|event| collector.observe(event));
    collector.finish()
}

fn below(rng: &mut Rng, bound: u64) -> u64 {
    rng.below(bound)
}
