//! The operations that a report draws: all of them, or of millions those that are to be seen.
//!
//! A page has room for some ten thousand points. Of a packed history only these are unpacked: the
//! fastest and the slowest of each column, the first of each that did not end ok, some of the
//! others, the final reads and what was lost. What is counted (throughput, outages) is counted
//! over all.

use std::borrow::Cow;

use slotquake_checkers::history::by_process::ByProcess;
use slotquake_checkers::history::{Event, EventKind, Events};

use super::ledger::Ledger;

/// What is drawn of a history.
#[derive(Debug, Default)]
pub struct Drawn<'a> {
    /// Both events of each operation.
    pub events: Cow<'a, [Event]>,
    /// How much that is.
    pub share: Share,
    /// Of how many operations.
    pub of: u64,
}

/// How much of a history is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Share {
    /// All operations.
    #[default]
    Whole,
    /// A selection.
    Part,
}

impl Drawn<'_> {
    /// What is drawn of these events; what was lost always is.
    pub fn of<'a>(events: &'a Events, ledger: &Ledger) -> Drawn<'a> {
        if let Some(ready) = events.ready() {
            let begun = ready.iter().filter(|event| event.kind == EventKind::Invoke);
            return Drawn {
                of: begun.count() as u64,
                events: Cow::Borrowed(ready),
                share: Share::Whole,
            };
        }
        let selection = Selection::of(events, ledger);
        let mut chosen = Vec::new();
        let mut open: ByProcess<()> = ByProcess::default();
        let (mut position, mut of) = (0, 0);
        events.each(|event| {
            of += u64::from(event.kind == EventKind::Invoke);
            let is_chosen = match event.kind {
                EventKind::Invoke if selection.has(position) => {
                    open.insert(event.process, ());
                    true
                }
                EventKind::Invoke => false,
                EventKind::Ok | EventKind::Fail | EventKind::Info => {
                    open.remove(event.process).is_some()
                }
            };
            if is_chosen {
                chosen.push(event.clone());
            }
            position += 1;
        });
        Drawn {
            events: Cow::Owned(chosen),
            share: Share::Part,
            of,
        }
    }
}

/// Positions of the invocations that were chosen, a bit each.
#[derive(Debug)]
struct Selection(Vec<u64>);

/// An invocation whose end is to come.
#[derive(Debug, Clone, Copy)]
struct Begun {
    position: usize,
    time: u64,
}

/// What a column of the picture has so far: positions, and latencies in ns.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    fastest: Option<(u64, usize)>,
    slowest: Option<(u64, usize)>,
    bad: usize,
    good: usize,
}

impl Selection {
    fn of(events: &Events, ledger: &Ledger) -> Selection {
        let mut selection = Selection(vec![0; events.len() / 64 + 1]);
        let width = (events.end() / COLUMNS).max(1);
        let mut columns = vec![Column::default(); COLUMNS as usize + 1];
        let stride = (events.len() / 2 / GOOD_MAX).max(1);
        let mut open: ByProcess<Begun> = ByProcess::default();
        let mut position = 0;
        events.each(|event| {
            let time = event.time;
            if event.kind == EventKind::Invoke {
                open.insert(event.process, Begun { position, time });
                let is_lost = ledger.losses.iter().any(|loss| loss.index == event.index);
                if event.final_read || is_lost {
                    selection.add(position);
                }
            } else if let Some(begun) = open.remove(event.process) {
                let number = (begun.time / width).min(COLUMNS) as usize;
                let column = &mut columns[number];
                let latency = time.saturating_sub(begun.time);
                if column.takes(event.kind, (latency, begun.position), stride) {
                    selection.add(begun.position);
                }
            }
            position += 1;
        });
        // What never ended is drawn as unknown.
        for begun in open.drain().into_iter().take(GOOD_MAX) {
            selection.add(begun.position);
        }
        for column in &columns {
            for (_, position) in column.fastest.into_iter().chain(column.slowest) {
                selection.add(position);
            }
        }
        selection
    }

    fn add(&mut self, position: usize) {
        self.0[position / 64] |= 1 << (position % 64);
    }

    fn has(&self, position: usize) -> bool {
        self.0[position / 64] >> (position % 64) & 1 == 1
    }
}

impl Column {
    /// Whether an operation that ended like this is drawn in any case.
    fn takes(&mut self, kind: EventKind, held: (u64, usize), stride: usize) -> bool {
        if kind != EventKind::Ok {
            self.bad += 1;
            return self.bad <= BAD_MAX;
        }
        self.fastest = Some(self.fastest.map_or(held, |known| known.min(held)));
        self.slowest = Some(self.slowest.map_or(held, |known| known.max(held)));
        self.good += 1;
        self.good.is_multiple_of(stride)
    }
}

/// Columns of the picture.
const COLUMNS: u64 = 1_000;
/// Operations of a column that did not end ok, at most.
const BAD_MAX: usize = 8;
/// Operations that ended ok, besides the fastest and the slowest.
const GOOD_MAX: usize = 12_000;
