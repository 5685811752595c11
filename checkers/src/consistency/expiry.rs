//! HI-14: a key with a time to live is there until its time has come, and not after.
//!
//! Each such key is written once (`write-expiring`). A read from the master that ended before the
//! earliest moment at which it may expire must show it; a read that began after the latest one must
//! not, allowing for the slack of the run's clocks. A write that a documented window may have lost
//! is not missed. Where the slot failed over between write and read a key that is gone is held
//! against nobody; one that is still there must be gone a whole time to live after the slot
//! settled, for old servers pass that time on relative to when it arrives.

use std::collections::BTreeMap;

use super::windows::Windows;
use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::docket::Uses;
use crate::history::operation::short;
use crate::history::{Function, Key, Operation, Outcome, Value};
use crate::observation::bounds::{MILLISECOND, seconds};
use crate::observation::slots::slot_of_key;
use crate::observation::{Bounds, Setting};
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-14",
    title: "keys expire when their time has come: never before, and not later",
    clauses: &["HI-14"],
    need: Need::WhenItHappens,
    evidence: Evidence::History,
    help: "A key written with a time to live must be there for every read that ended before the \
           write's invocation plus that time, and gone for every read that began after the \
           write's completion plus that time plus the slack (500 ms, or three times the largest \
           delay of the run's canary). Across a failover of the slot it may be gone early, and \
           must be gone that time plus the slack after the slot settled. Reads after a clock was \
           set or drifted are only counted.",
    make: || Box::new(Expiry::default()),
};

/// The checker of HI-14.
#[derive(Debug, Default)]
pub struct Expiry {
    writes: BTreeMap<Key, Operation>,
    reads: BTreeMap<Key, Vec<Operation>>,
}

impl OfOperations for Expiry {
    fn concerns(&self, key: Uses, _all: Uses) -> bool {
        key.has(&[Function::WriteExpiring])
    }

    fn keep(&mut self, operation: &Operation) {
        let is_read = matches!(operation.f, Function::Read | Function::ReplicaRead);
        if operation.f == Function::WriteExpiring {
            self.writes.insert(operation.key.clone(), operation.clone());
        } else if is_read && operation.outcome == Outcome::Ok {
            let reads = self.reads.entry(operation.key.clone()).or_default();
            reads.push(operation.clone());
        }
    }

    fn judge(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let windows = Windows::new(scene.timeline(), setting);
        let slack = Bounds::of(setting).slack;
        let mut findings = Findings::default();
        let (mut examined, mut excused) = (0, 0);
        for (key, write) in &self.writes {
            let Some(lease) = Lease::of(write) else {
                continue;
            };
            let unsettled = windows.unsettled(slot_of_key(key.as_bytes()));
            for read in self.reads.get(key).into_iter().flatten() {
                let Some(fault) = lease.examine(read, slack, &mut examined) else {
                    continue;
                };
                let gaps = unsettled.iter();
                let gaps =
                    gaps.filter(|gap| gap.begin <= read.completed && gap.end >= write.invoked);
                let is_across = match (gaps.map(|gap| gap.end).max(), fault) {
                    (None, _) => false,
                    (Some(_), Fault::Early) => true,
                    (Some(settled), Fault::Late) => read.invoked <= lease.gone_by(settled, slack),
                };
                let is_lost = fault == Fault::Early && windows.excuse(write).is_some();
                // HI-14: times to live are those of the nodes' clocks.
                let is_by_clock = scene.timeline().was_a_clock_wrong(read.completed);
                match is_across || is_lost || is_by_clock {
                    true => excused += 1,
                    false => findings.push(lease.violation(read, fault)),
                }
            }
        }
        let nothing = "no key with a time to live was read before or after its time";
        let verdict = findings.conclude(examined, nothing);
        match excused {
            0 => verdict,
            count => verdict.with_remark(format!(
                "{count} early or late across a failover or by a wrong clock"
            )),
        }
    }
}

/// A value that is to be there for a time.
struct Lease<'a> {
    write: &'a Operation,
    /// It may expire from this moment on, ns.
    earliest: u64,
    /// It must have expired by then, ns.
    latest: u64,
    /// ns.
    time_to_live: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Early,
    Late,
}

impl Lease<'_> {
    fn of(write: &Operation) -> Option<Lease<'_>> {
        let Value::List(parts) = &write.argument else {
            return None;
        };
        let ttl_ms = u64::try_from(parts.get(1)?.as_int()?).ok()?;
        let ttl = ttl_ms.checked_mul(MILLISECOND)?;
        Some(Lease {
            write,
            // Servers keep time in whole ms.
            earliest: write
                .invoked
                .saturating_add(ttl.saturating_sub(MILLISECOND)),
            latest: write.completed.saturating_add(ttl),
            time_to_live: ttl,
        })
    }

    /// When it must have expired where it arrived as late as that, ns.
    fn gone_by(&self, arrived: u64, slack: u64) -> u64 {
        arrived
            .saturating_add(self.time_to_live)
            .saturating_add(slack)
    }

    /// What is wrong with a read, if it is one that can be wrong.
    fn examine(&self, read: &Operation, slack: u64, examined: &mut u64) -> Option<Fault> {
        let was_there = self.write.outcome == Outcome::Ok && read.invoked > self.write.completed;
        if read.f == Function::Read && was_there && read.completed < self.earliest {
            *examined += 1;
            return (read.result == Value::Nil).then_some(Fault::Early);
        }
        if read.invoked > self.latest.saturating_add(slack) {
            *examined += 1;
            return (read.result != Value::Nil).then_some(Fault::Late);
        }
        None
    }

    fn violation(&self, read: &Operation, fault: Fault) -> Violation {
        let key = &read.key;
        let message = match fault {
            Fault::Early => format!(
                "{key} is gone {} before it may expire",
                seconds(self.earliest - read.completed)
            ),
            Fault::Late => format!(
                "{key} still shows {} {} after it must have expired",
                short(&read.result),
                seconds(read.invoked - self.latest)
            ),
        };
        let client = |operation: &Operation| format!("client {}", operation.process);
        Violation {
            clause: "HI-14".into(),
            time: read.completed,
            message,
            witness: Witness::default()
                .step(self.write.invoked, client(self.write), self.write.told())
                .step(read.completed, client(read), read.told()),
            known: None,
        }
    }
}
