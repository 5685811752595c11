//! HI-03 and HI-09 for queues: each element is delivered once, and none is lost.
//!
//! An acknowledged element is taken once or still in the queue at the end. A failover may lose an
//! enqueue, so that the element is gone, or a dequeue, so that it comes back; both only inside the
//! documented windows. A dequeue of which nobody knows may have taken one element.

use std::collections::BTreeMap;

use super::windows::Windows;
use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::docket::Uses;
use crate::history::operation::short;
use crate::history::{Function, Key, Operation, Outcome, Value};
use crate::observation::Setting;
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-03/queue",
    title: "queues deliver each element once and lose none outside the documented windows",
    clauses: &["HI-03", "HI-09"],
    need: Need::WhenItHappens,
    evidence: Evidence::History,
    help: "Each element that was enqueued and acknowledged is dequeued once or still there at \
           the end. Delivered twice means that an acknowledged dequeue was lost, missing that \
           an acknowledged enqueue was; each is a violation outside the windows of HI-04 to \
           HI-08. A dequeue without an answer may have taken one element.",
    make: || Box::new(Queues::default()),
};

/// The checker of queues.
#[derive(Debug, Default)]
pub struct Queues {
    queues: BTreeMap<Key, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    enqueues: Vec<Operation>,
    dequeues: Vec<Operation>,
    unknown_dequeues: usize,
    last: Option<Operation>,
}

impl OfOperations for Queues {
    fn concerns(&self, key: Uses, _all: Uses) -> bool {
        key.has(&[Function::Enqueue, Function::Dequeue])
    }

    fn keep(&mut self, operation: &Operation) {
        let queue = self.queues.entry(operation.key.clone()).or_default();
        match (operation.f, operation.outcome) {
            (Function::Enqueue, Outcome::Ok | Outcome::Unknown) => {
                queue.enqueues.push(operation.clone());
            }
            (Function::Dequeue, Outcome::Ok) if operation.result != Value::Nil => {
                queue.dequeues.push(operation.clone());
            }
            (Function::Dequeue, Outcome::Unknown) => queue.unknown_dequeues += 1,
            (Function::Read, Outcome::Ok) if operation.final_read => {
                queue.last = Some(operation.clone());
            }
            (_, _) => {}
        }
    }

    fn judge(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let windows = Windows::new(scene.timeline(), setting);
        let mut findings = Findings::default();
        let (mut examined, mut excused) = (0, 0);
        for queue in self.queues.values().filter(|queue| queue.is_one()) {
            let account = Account::of(queue);
            examined += (queue.enqueues.len() + queue.dequeues.len()) as u64;
            excused += account.judge_deliveries(&windows, &mut findings);
            excused += account.judge_losses(&windows, &mut findings);
        }
        let verdict = findings.conclude(examined, "no queue was used");
        match excused {
            0 => verdict,
            count => verdict.with_remark(format!("{count} lost or repeated inside the windows")),
        }
    }
}

impl Queue {
    fn is_one(&self) -> bool {
        !self.enqueues.is_empty() || !self.dequeues.is_empty()
    }
}

/// Who put in and took out which element.
struct Account<'a> {
    queue: &'a Queue,
    enqueued: BTreeMap<&'a Value, &'a Operation>,
    dequeued: BTreeMap<&'a Value, Vec<&'a Operation>>,
    left: Vec<&'a Value>,
}

impl Account<'_> {
    fn of(queue: &Queue) -> Account<'_> {
        let enqueues = queue.enqueues.iter();
        let mut dequeued: BTreeMap<&Value, Vec<&Operation>> = BTreeMap::new();
        for dequeue in &queue.dequeues {
            dequeued.entry(&dequeue.result).or_default().push(dequeue);
        }
        let mut left: Vec<&Value> = match queue.last.as_ref().map(|read| &read.result) {
            Some(Value::List(elements)) => elements.iter().collect(),
            Some(Value::Nil | Value::Int(_) | Value::Text(_)) | None => Vec::new(),
        };
        left.sort_unstable();
        Account {
            queue,
            enqueued: enqueues.map(|op| (&op.argument, op)).collect(),
            dequeued,
            left,
        }
    }

    /// What was delivered must have been put in, and only once; gives how much a window excuses.
    fn judge_deliveries(&self, windows: &Windows<'_>, findings: &mut Findings) -> u64 {
        let mut excused = 0;
        for (element, dequeues) in &self.dequeued {
            if !self.enqueued.contains_key(element) {
                let message = format!("{} was delivered, though nobody put it in", short(element));
                findings.push(violation("HI-09", message, dequeues));
                continue;
            }
            let is_left = self.left.binary_search(element).is_ok();
            if dequeues.len() < 2 && !is_left {
                continue;
            }
            // All but one of the dequeues were lost, or all if the element is still there.
            let kept = dequeues.iter().filter(|op| windows.excuse(op).is_none());
            match kept.count() + usize::from(is_left) {
                0 | 1 => excused += 1,
                _ => {
                    let where_else = if is_left { " and is still there" } else { "" };
                    let message = format!(
                        "{} was delivered {} times{where_else}; no documented window allows that",
                        short(element),
                        dequeues.len()
                    );
                    findings.push(violation("HI-03", message, dequeues));
                }
            }
        }
        excused
    }

    /// What was acknowledged must have been delivered, or be there; gives how much a window
    /// excuses.
    fn judge_losses(&self, windows: &Windows<'_>, findings: &mut Findings) -> u64 {
        let Some(last) = &self.queue.last else {
            return 0;
        };
        let is_missing = |enqueue: &&Operation| {
            enqueue.outcome == Outcome::Ok
                && enqueue.completed < last.invoked
                && !self.dequeued.contains_key(&enqueue.argument)
                && self.left.binary_search(&&enqueue.argument).is_err()
        };
        let missing = self.queue.enqueues.iter().filter(is_missing);
        let (excused, lost): (Vec<&Operation>, Vec<&Operation>) =
            missing.partition(|enqueue| windows.excuse(enqueue).is_some());
        // Each dequeue without an answer may have taken one of them.
        for enqueue in lost.iter().skip(self.queue.unknown_dequeues) {
            let message = format!(
                "{} was acknowledged and never delivered, nor is it there at the end; {} \
                 dequeues without an answer cannot have taken {} elements",
                short(&enqueue.argument),
                self.queue.unknown_dequeues,
                lost.len()
            );
            findings.push(violation("HI-03", message, &[enqueue]));
        }
        excused.len() as u64
    }
}

fn violation(clause: &str, message: String, operations: &[&Operation]) -> Violation {
    let mut witness = Witness::default();
    for operation in operations {
        let client = format!("client {}", operation.process);
        witness = witness.step(operation.invoked, client, operation.told());
    }
    let key = operations.first().map_or("", |operation| &*operation.key);
    let time = operations.first().map_or(0, |operation| operation.invoked);
    Violation {
        clause: clause.into(),
        time,
        message: format!("queue {key}: {message}"),
        witness,
        known: None,
    }
}
