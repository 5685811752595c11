//! PS-01: messages of a channel come once at the most, in the order of their publisher's node, and
//! all of them while nothing is wrong.
//!
//! A subscriber listens for a known time (`receive`): from its completion less that time until its
//! invocation plus that time it was surely subscribed. What it heard must have been published on
//! this channel, each message once, and two messages that one node published one after the other in
//! that order. What was published while it was surely subscribed must be among it, if no fault was
//! in force around then; otherwise losses are counted, for nothing more is promised.

use std::collections::{BTreeMap, BTreeSet};

use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::docket::Uses;
use crate::history::operation::short;
use crate::history::{Function, Key, Operation, Outcome, Value};
use crate::observation::bounds::MILLISECOND;
use crate::observation::{Bounds, NodeName, Setting};
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "PS-01/pubsub",
    title: "messages come once, in order, and all of them while nothing is wrong",
    clauses: &["PS-01", "PS-02"],
    need: Need::WhenItHappens,
    evidence: Evidence::History,
    help: "PUBLISH and SPUBLISH promise at most one delivery. So no subscription gets a message \
           twice, or one that was not published on its channel, or two messages that one node \
           published one after the other in the wrong order. And a message that was published \
           while a subscriber was surely subscribed reaches it, if no fault was in force from \
           the time that a cluster takes to recover (H_state) before it until the end of the \
           subscription: faults break the links between nodes, and nobody sends again. Messages \
           lost around faults are counted.",
    make: || Box::new(Deliveries::default()),
};

/// The checker of PS-01 for clients.
#[derive(Debug, Default)]
pub struct Deliveries {
    channels: BTreeMap<Key, Channel>,
}

#[derive(Debug, Default)]
struct Channel {
    published: Vec<Operation>,
    received: Vec<Operation>,
}

impl OfOperations for Deliveries {
    fn concerns(&self, key: Uses, _all: Uses) -> bool {
        key.has(&[Function::Publish, Function::Receive])
    }

    fn keep(&mut self, operation: &Operation) {
        let channel = || operation.key.clone();
        if operation.f == Function::Publish {
            let channel = self.channels.entry(channel()).or_default();
            channel.published.push(operation.clone());
        } else if operation.f == Function::Receive && operation.outcome == Outcome::Ok {
            let channel = self.channels.entry(channel()).or_default();
            channel.received.push(operation.clone());
        }
    }

    fn judge(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let bounds = Bounds::of(setting);
        let mut tally = Tally::default();
        for channel in self.channels.values_mut() {
            channel.published.sort_by_key(|publish| publish.invoked);
            let published = channel.published.iter();
            let publishers = published
                .map(|publish| (&publish.argument, publish))
                .collect();
            for received in &channel.received {
                let reception = Reception::of(received);
                // After the heal, maps and links need their time. A bare history does not tell
                // whether something was wrong.
                let is_calm = |publish: &Operation| {
                    let from = publish.invoked.saturating_sub(bounds.state_ok());
                    !setting.nodes.is_empty() && scene.is_calm(from, received.completed)
                };
                tally.judge_heard(&reception, &publishers);
                tally.judge_missed(&reception, &channel.published, is_calm, bounds.instant());
            }
        }
        tally.verdict()
    }
}

/// One subscription.
struct Reception<'a> {
    operation: &'a Operation,
    messages: &'a [Value],
    /// Surely subscribed from here, ns.
    from: u64,
    /// To here, ns.
    to: u64,
}

impl Reception<'_> {
    fn of(operation: &Operation) -> Reception<'_> {
        let listened = operation.argument.as_int().unwrap_or(0);
        let listened = u64::try_from(listened)
            .unwrap_or(0)
            .saturating_mul(MILLISECOND);
        Reception {
            operation,
            messages: match &operation.result {
                Value::List(messages) => messages,
                Value::Nil | Value::Int(_) | Value::Text(_) => &[],
            },
            from: operation.completed.saturating_sub(listened),
            to: operation.invoked.saturating_add(listened),
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    heard: u64,
    due: u64,
    lost: u64,
    findings: Findings,
}

impl Tally {
    fn judge_heard(
        &mut self,
        reception: &Reception<'_>,
        publishers: &BTreeMap<&Value, &Operation>,
    ) {
        let mut seen: BTreeSet<&Value> = BTreeSet::new();
        let mut newest: BTreeMap<&NodeName, &Operation> = BTreeMap::new();
        for message in reception.messages {
            self.heard += 1;
            if !seen.insert(message) {
                self.find(reception, message, "came twice", None);
                continue;
            }
            let publish = publishers.get(message).copied();
            let publish = publish.filter(|it| it.invoked <= reception.operation.completed);
            let Some(publish) = publish else {
                self.find(
                    reception,
                    message,
                    "came, though nobody had published it",
                    None,
                );
                continue;
            };
            if publish.outcome == Outcome::Fail {
                let what = "came, though its publication was refused";
                self.find(reception, message, what, Some(publish));
            }
            let Some(node) = publish
                .node
                .as_ref()
                .filter(|_| publish.outcome == Outcome::Ok)
            else {
                continue;
            };
            let last = newest.entry(node).or_insert(publish);
            if publish.completed < last.invoked {
                let what = format!(
                    "came after {}, which the same node published later",
                    short(&last.argument)
                );
                self.find(reception, message, &what, Some(publish));
            } else if publish.invoked > last.invoked {
                *last = publish;
            }
        }
    }

    /// Messages that were due and did not come. `published` is in order of invocation.
    fn judge_missed(
        &mut self,
        reception: &Reception<'_>,
        published: &[Operation],
        is_calm: impl Fn(&Operation) -> bool,
        instant: u64,
    ) {
        let heard: BTreeSet<&Value> = reception.messages.iter().collect();
        let first = published.partition_point(|publish| publish.invoked < reception.from);
        let within = published[first..].iter();
        let due = within
            .take_while(|publish| publish.invoked <= reception.to)
            .filter(|publish| publish.outcome == Outcome::Ok)
            .filter(|publish| publish.completed.saturating_add(instant) <= reception.to);
        for publish in due {
            self.due += 1;
            if heard.contains(&publish.argument) {
                continue;
            }
            match is_calm(publish) {
                true => {
                    let what = "did not come, and no fault was near";
                    self.find(reception, &publish.argument, what, Some(publish));
                }
                false => self.lost += 1,
            }
        }
    }

    fn find(
        &mut self,
        reception: &Reception<'_>,
        message: &Value,
        what: &str,
        publish: Option<&Operation>,
    ) {
        let operation = reception.operation;
        let mut witness = Witness::default();
        for step in publish.into_iter().chain([operation]) {
            let client = format!("client {}", step.process);
            witness = witness.step(step.completed.min(operation.completed), client, step.told());
        }
        self.findings.push(Violation {
            clause: "PS-01".into(),
            time: operation.completed,
            message: format!(
                "channel {}: message {} {what} (subscription of client {}, op {})",
                operation.key,
                short(message),
                operation.process,
                operation.index
            ),
            witness,
            known: None,
        });
    }

    fn verdict(self) -> Verdict {
        let examined = self.heard + self.due;
        let verdict = self
            .findings
            .conclude(examined, "no subscriber heard a message");
        match (examined, self.lost) {
            (0, _) => verdict,
            (_, lost) => verdict.with_remark(format!(
                "{} messages heard; of {} that were due {lost} were lost around faults",
                self.heard, self.due
            )),
        }
    }
}
