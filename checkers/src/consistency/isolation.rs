//! HI-02: transactions of one slot are atomic and isolated while the slot does not fail over.
//!
//! As for single keys (HI-01) the promise holds as long as one master serves the slot. So the
//! transactions of a slot are cut at its unsettled times, and each piece must be strictly
//! serializable: no anomaly of [`crate::transactions`]. What reaches over the edge of a piece may
//! have happened in it or not; a later piece begins with what nobody knows.

use std::collections::BTreeMap;

use super::windows::{Unsettled, Windows};
use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::docket::Uses;
use crate::history::{Event, EventKind, Function, Key, Operation, Outcome, Value};
use crate::observation::Setting;
use crate::observation::slots::slot_of_key;
use crate::scene::Scene;
use crate::transactions::report::{Anomaly, Case};
use crate::transactions::{Beginning, Demand, Dialect, TxnReport, check};
use crate::verdict::{Findings, Verdict, Violation, Word};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-02",
    title: "transactions are strictly serializable while their slot does not fail over",
    clauses: &["HI-02"],
    need: Need::WhenItHappens,
    evidence: Evidence::History,
    help: "MULTI … EXEC on keys of one slot is atomic and isolated as long as one master serves \
           the slot. Transactions over lists or registers with unique values show who came \
           before whom; a cycle in that order, or a read that fits none, is an anomaly by the \
           names of Adya and Elle (docs/checking.md). Histories are cut where the slot failed \
           over, because asynchronous replication may lose writes there.",
    make: || Box::new(Isolation::default()),
};

/// The checker of HI-02.
#[derive(Debug, Default)]
pub struct Isolation {
    stores: BTreeMap<Key, Vec<Operation>>,
}

impl OfOperations for Isolation {
    fn concerns(&self, key: Uses, _all: Uses) -> bool {
        key.has(&[Function::Txn])
    }

    fn keep(&mut self, operation: &Operation) {
        if operation.f == Function::Txn {
            let store = self.stores.entry(operation.key.clone()).or_default();
            store.push(operation.clone());
        }
    }

    fn judge(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let windows = Windows::new(scene.timeline(), setting);
        let mut tally = Tally::default();
        for (key, operations) in &self.stores {
            let Some(dialect) = dialect_of(operations) else {
                continue;
            };
            let unsettled = windows.unsettled(slot_of_key(key.as_bytes()));
            for (begin, end) in settled(&unsettled) {
                tally.judge(key, dialect, operations, (begin, end));
            }
        }
        tally.verdict()
    }
}

/// What the transactions write: lists or registers.
fn dialect_of(operations: &[Operation]) -> Option<Dialect> {
    let mut micros = operations.iter().flat_map(Operation::parts);
    micros.find_map(|micro| match micro.f {
        Function::Append => Some(Dialect::ListAppend),
        Function::Write => Some(Dialect::RwRegister),
        _ => None,
    })
}

/// The times between unsettled ones.
fn settled(unsettled: &[Unsettled]) -> Vec<(u64, u64)> {
    let begins = std::iter::once(0).chain(unsettled.iter().map(|span| span.end));
    let ends = unsettled.iter().map(|span| span.begin);
    let pieces = begins.zip(ends.chain([u64::MAX]));
    pieces.filter(|(begin, end)| begin < end).collect()
}

#[derive(Debug, Default)]
struct Tally {
    examined: u64,
    findings: Findings,
    undecided: Vec<String>,
}

impl Tally {
    fn judge(
        &mut self,
        key: &Key,
        dialect: Dialect,
        operations: &[Operation],
        (begin, end): (u64, u64),
    ) {
        let events = events_of(operations, begin, end);
        let demand = Demand {
            beginning: match begin {
                0 => Beginning::Empty,
                _ => Beginning::Unknown,
            },
            ..Demand::STRICT
        };
        match check(&events, dialect, demand) {
            Ok(report) => self.take(key, &report),
            Err(problem) => self.undecided.push(format!("{key}: {problem}")),
        }
    }

    fn take(&mut self, key: &Key, report: &TxnReport) {
        self.examined += report.committed;
        for anomaly in report.violations() {
            if let Some(case) = anomaly.cases.first() {
                self.findings.push(violation(key, anomaly, case));
            }
        }
        if !report.is_violated() {
            let why = report.unfinished.iter();
            self.undecided
                .extend(why.map(|why| format!("{key}: {why}")));
        }
    }

    fn verdict(self) -> Verdict {
        let nothing = "no transaction of a settled time was seen";
        let verdict = self.findings.conclude(self.examined, nothing);
        match (verdict.word, self.undecided.first()) {
            (Word::Held, Some(why)) => Verdict::undecided(self.examined, why.clone()),
            (_, _) => verdict,
        }
    }
}

/// The events of one piece. What lies wholly in it happened as its completion says.
fn events_of(operations: &[Operation], begin: u64, end: u64) -> Vec<Event> {
    let mut timed: Vec<(Place, Event)> = Vec::new();
    for operation in operations.iter().filter(|op| op.invoked < end) {
        let is_within = operation.invoked >= begin && operation.completed < end;
        let is_before = operation.outcome == Outcome::Ok && operation.completed < begin;
        let kind = match operation.outcome {
            _ if is_before => continue,
            Outcome::Ok if is_within => EventKind::Ok,
            Outcome::Fail => EventKind::Fail,
            Outcome::Ok | Outcome::Unknown => EventKind::Info,
        };
        let invoked = operation.invoked.max(begin);
        let event = |time, kind, value: &Value| Event {
            index: operation.index,
            time,
            process: operation.process,
            kind,
            f: Function::Txn,
            key: None,
            value: value.clone(),
            node: None,
            hops: Vec::new(),
            error: None,
            replicas: None,
            final_read: false,
        };
        let asked = &operation.argument;
        let place = (invoked, Turn::Begins(operation.index));
        timed.push((place, event(invoked, EventKind::Invoke, asked)));
        let completed = match kind {
            EventKind::Ok => operation.completed,
            // It stays open, whenever its client gave up.
            EventKind::Fail | EventKind::Info | EventKind::Invoke => invoked,
        };
        let turn = match completed > invoked {
            true => Turn::Ends,
            false => Turn::Begins(operation.index),
        };
        let place = (completed, turn);
        timed.push((place, event(completed, kind, &operation.result)));
    }
    // Stable: what begins and ends at one moment does so one after the other.
    timed.sort_by_key(|(place, _)| *place);
    timed.into_iter().map(|(_, event)| event).collect()
}

/// When an event is, and its turn at that moment.
type Place = (u64, Turn);

/// At one moment what ends comes before what begins: a client may begin its next transaction at
/// the moment its last one ended, and one that ended had its effect before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Ends,
    Begins(u64),
}

fn violation(key: &Key, anomaly: &Anomaly, case: &Case) -> Violation {
    let mut witness = Witness::default();
    for txn in &case.transactions {
        let what = format!(
            "{} (op {}): {} -> {}",
            txn.name,
            txn.index,
            txn.steps.join(" · "),
            txn.outcome
        );
        witness = witness.step(txn.invoked, format!("client {}", txn.process), what);
    }
    let ends = case.transactions.iter().filter_map(|txn| txn.completed);
    let time = ends.max().unwrap_or(0);
    for edge in &case.edges {
        let name = |at: usize| &case.transactions[at].name;
        let what = format!(
            "{} comes before {}: {} ({})",
            name(edge.from),
            name(edge.to),
            edge.because,
            edge.kind
        );
        witness = witness.step(time, "so", what);
    }
    let why = match case.edges.first() {
        Some(edge) => edge.because.clone(),
        None => case.message.clone(),
    };
    Violation {
        clause: "HI-02".into(),
        time,
        message: format!(
            "{key}: {} ({}) among {} transactions: {why}",
            anomaly.name.name(),
            anomaly.meaning,
            case.transactions.len()
        ),
        witness,
        known: None,
    }
}
