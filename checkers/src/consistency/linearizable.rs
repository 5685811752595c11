//! HI-01: each key is linearizable while its slot does not fail over.
//!
//! Redis Cluster promises a single order per key only as long as one master serves it. So each
//! register's history is cut at the times in which its slot was unsettled: from the trouble that
//! led to a takeover (or from the last time the promoted replica provably had everything, if that
//! was earlier) until the deposed owner no longer claims the slot; and around the restart of an
//! owner. Each piece between is judged strictly, by a search that decides or says it cannot:
//! - what lies wholly within the piece must have happened there;
//! - what reaches over its edge, and what is unknown since before, may have happened there or not;
//! - the first piece begins with no value, a later one with whatever its first observer saw.
//!
//! What may not be lost across an unsettled time is the business of HI-03, and values nobody wrote
//! that of HI-09; a read of one is refuted here before any search.

use std::collections::{BTreeMap, BTreeSet};

use super::register::{Held, Register, RegisterOp, ValueId, Values};
use super::search::{Decision, Optional, Required, decide};
use super::windows::{Unsettled, Windows};
use crate::checker::{Checker, Entry, Evidence, Happening, Need};
use crate::history::{Function, Key, Object, Operation, Outcome, Value};
use crate::observation::Setting;
use crate::observation::bounds::seconds;
use crate::observation::slots::slot_of_key;
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation, Word};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-01",
    title: "each key is linearizable while its slot does not fail over",
    clauses: &["HI-01"],
    need: Need::WhenItHappens,
    evidence: Evidence::History,
    help: "Reads, writes and compare-and-sets of one key must fit one order that respects real \
           time, as long as one master serves the key: histories are cut where its slot failed \
           over, because asynchronous replication may lose writes there. Each piece is decided \
           by a complete search; if that runs out of budget the verdict is undecided and names \
           the window.",
    make: || Box::new(Linearizable::default()),
};

/// The checker of HI-01.
#[derive(Debug, Default)]
pub struct Linearizable {
    keys: BTreeMap<Key, Vec<Operation>>,
    other_keys: BTreeSet<Key>,
}

impl Checker for Linearizable {
    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Op(_) => {
                if let Some(operation) = scene.operation() {
                    self.keep(operation);
                }
            }
            Happening::Packet(_)
            | Happening::View(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        for operation in scene.open_operations() {
            self.keep(operation);
        }
        let windows = Windows::new(scene.timeline(), setting);
        let mut tally = Tally::default();
        for (key, operations) in &mut self.keys {
            if self.other_keys.contains(key) {
                continue;
            }
            operations.sort_by_key(|operation| operation.invoked);
            let unsettled = windows.unsettled(slot_of_key(key.as_bytes()));
            for piece in pieces(&unsettled) {
                tally.judge(operations, piece);
            }
            tally.cut_keys += u64::from(!unsettled.is_empty());
            tally.keys += 1;
        }
        tally.verdict()
    }
}

impl Linearizable {
    fn keep(&mut self, operation: &Operation) {
        let is_other = match operation.f.object() {
            Some(object) => object != Object::Register,
            None => matches!(operation.result, Value::List(_)),
        };
        if is_other {
            self.other_keys.insert(operation.key.clone());
        } else if operation.outcome != Outcome::Fail {
            self.keys
                .entry(operation.key.clone())
                .or_default()
                .push(operation.clone());
        }
    }
}

/// A time between two unsettled ones.
#[derive(Debug, Clone, Copy)]
struct Piece {
    begin: u64,
    end: u64,
}

fn pieces(unsettled: &[Unsettled]) -> Vec<Piece> {
    let mut begin = 0;
    let mut pieces = Vec::new();
    for span in unsettled {
        let end = span.begin;
        pieces.push(Piece { begin, end });
        begin = span.end;
    }
    let end = u64::MAX;
    pieces.push(Piece { begin, end });
    pieces.retain(|piece| piece.begin < piece.end);
    pieces
}

/// What one piece of one key's history comes down to.
#[derive(Debug, Default)]
struct Problem<'a> {
    required: Vec<Required<RegisterOp>>,
    /// The operations behind `required`.
    behind: Vec<&'a Operation>,
    optional: Vec<Optional<RegisterOp>>,
    values: Values,
}

impl<'a> Problem<'a> {
    fn of(operations: &'a [Operation], piece: Piece) -> Problem<'a> {
        let mut problem = Problem::default();
        // The initial state is the first value, so that it has a number.
        problem.values.number(&Value::Nil);
        for operation in operations {
            if operation.invoked >= piece.end {
                continue;
            }
            let Some(op) = problem.op(operation) else {
                continue;
            };
            let is_within = operation.outcome == Outcome::Ok
                && operation.invoked >= piece.begin
                && operation.completed < piece.end;
            let may_reach_in =
                operation.outcome == Outcome::Unknown || operation.completed >= piece.begin;
            if is_within {
                problem.required.push(Required {
                    op,
                    invoked: operation.invoked,
                    completed: operation.completed,
                });
                problem.behind.push(operation);
            } else if may_reach_in && op.left().is_some() {
                // R7: unknown stays open to the end. A read of unknown outcome says nothing.
                let invoked = operation.invoked.max(piece.begin);
                problem.optional.push(Optional { op, invoked });
            }
        }
        problem.drop_unobserved();
        problem
    }

    fn op(&mut self, operation: &Operation) -> Option<RegisterOp> {
        let values = &mut self.values;
        Some(match operation.f {
            Function::Read => RegisterOp::Read(values.number(&operation.result)),
            Function::Write => RegisterOp::Write(values.number(&operation.argument)),
            Function::Cas => {
                let (old, new) = operation.cas()?;
                RegisterOp::Cas(values.number(old), values.number(new))
            }
            Function::Add
            | Function::Append
            | Function::Increment
            | Function::Enqueue
            | Function::Dequeue
            | Function::Push
            | Function::Pop
            | Function::Acquire
            | Function::Release
            | Function::Transfer
            | Function::Txn => return None,
        })
    }

    /// An unknown write whose value nobody observed may as well not have happened.
    fn drop_unobserved(&mut self) {
        let mut needed: BTreeSet<ValueId> = self
            .required
            .iter()
            .filter_map(|required| required.op.observed())
            .collect();
        let mut kept = Vec::new();
        let mut rest = std::mem::take(&mut self.optional);
        loop {
            let is_needed = |optional: &Optional<RegisterOp>| {
                optional
                    .op
                    .left()
                    .is_some_and(|value| needed.contains(&value))
            };
            let (now, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_needed);
            if now.is_empty() {
                break;
            }
            needed.extend(now.iter().filter_map(|optional| optional.op.observed()));
            kept.extend(now);
            rest = later;
        }
        self.optional = kept;
    }

    /// The operation whose completion first made the history impossible: that of the shortest
    /// prefix that is none. What was not complete in a prefix may have happened or not.
    fn first_refuted(&self, initial: Held) -> usize {
        let mut order: Vec<usize> = (0..self.required.len()).collect();
        order.sort_by_key(|index| self.required[*index].completed);
        let is_possible = |last: &usize| {
            let until = self.required[*last].completed;
            let begun = self.required.iter().filter(|op| op.invoked <= until);
            let (required, open): (Vec<_>, Vec<_>) =
                begun.cloned().partition(|op| op.completed <= until);
            let changing = open.into_iter().filter(|op| op.op.left().is_some());
            let mut optional: Vec<Optional<RegisterOp>> = changing
                .map(|Required { op, invoked, .. }| Optional { op, invoked })
                .collect();
            optional.extend(self.optional.iter().cloned());
            let decision = decide(&Register, initial, &required, &optional, STEPS_MAX / 20);
            decision != Decision::NotLinearizable
        };
        let first = order.partition_point(is_possible);
        order[first.min(order.len() - 1)]
    }

    /// The first operation that observed a value nobody can have left before it.
    fn impossible_observation(&self, initial: Held) -> Option<usize> {
        let mut earliest: BTreeMap<ValueId, u64> = BTreeMap::new();
        let required = self.required.iter().map(|op| (op.op, op.invoked));
        let optional = self.optional.iter().map(|op| (op.op, op.invoked));
        for (op, invoked) in required.chain(optional) {
            if let Some(value) = op.left() {
                let first = earliest.entry(value).or_insert(invoked);
                *first = invoked.min(*first);
            }
        }
        let Held::Value(initial) = initial else {
            return None;
        };
        self.required.iter().position(|op| {
            let observed = op.op.observed().filter(|value| *value != initial);
            let is_late = |value| {
                earliest
                    .get(&value)
                    .is_none_or(|first| *first > op.completed)
            };
            observed.is_some_and(is_late)
        })
    }
}

#[derive(Debug, Default)]
struct Tally {
    examined: u64,
    keys: u64,
    cut_keys: u64,
    findings: Findings,
    undecided: Vec<String>,
}

impl Tally {
    fn judge(&mut self, operations: &[Operation], piece: Piece) {
        let mut problem = Problem::of(operations, piece);
        self.examined += problem.required.len() as u64;
        let initial = match piece.begin {
            0 => Held::Value(problem.values.number(&Value::Nil)),
            _ => Held::Unknown,
        };
        if let Some(stuck) = problem.impossible_observation(initial) {
            self.findings.push(violation(
                &problem,
                stuck,
                "observed what nobody had written",
            ));
            return;
        }
        match decide(
            &Register,
            initial,
            &problem.required,
            &problem.optional,
            STEPS_MAX,
        ) {
            Decision::Linearizable => {}
            Decision::NotLinearizable => {
                let culprit = problem.first_refuted(initial);
                let found = violation(&problem, culprit, "fits no order");
                self.findings.push(found);
            }
            Decision::OutOfBudget {
                first_open,
                candidates,
            } => {
                let open = problem.behind[first_open];
                self.undecided.push(format!(
                    "key {}: the search used up {STEPS_MAX} steps in the window that begins at \
                     {} with op {} ({candidates} operations open at once)",
                    open.key,
                    seconds(open.invoked),
                    open.index
                ));
            }
        }
    }

    fn verdict(self) -> Verdict {
        let verdict = self
            .findings
            .conclude(self.examined, "no register was read or written");
        let cut = match self.cut_keys {
            0 => String::new(),
            cut => format!(
                "{cut} of {} keys are judged piece by piece around failovers",
                self.keys
            ),
        };
        match (verdict.word, self.undecided.first()) {
            (Word::Held, Some(why)) => Verdict::undecided(self.examined, why.clone()),
            (Word::Undecided, _) => verdict,
            (_, _) => verdict.with_remark(cut),
        }
    }
}

fn violation(problem: &Problem<'_>, stuck: usize, how: &str) -> Violation {
    let operation = problem.behind[stuck];
    let mut slice: Vec<&Operation> = Vec::new();
    let concurrent = problem.behind.iter().filter(|other| {
        other.invoked <= operation.completed && other.completed >= operation.invoked
    });
    slice.extend(concurrent.take(STORY_MAX));
    let before = problem.behind.iter().rev();
    slice.extend(
        before
            .filter(|other| other.completed < operation.invoked)
            .take(STORY_MAX),
    );
    slice.sort_by_key(|other| other.completed);
    let mut witness = Witness::default();
    for other in slice {
        let mark = if other.index == operation.index {
            " <- this one"
        } else {
            ""
        };
        let what = format!(
            "{} [{} .. {}]{mark}",
            other.told(),
            seconds(other.invoked),
            seconds(other.completed)
        );
        witness = witness.step(other.invoked, format!("client {}", other.process), what);
    }
    Violation {
        clause: "HI-01".into(),
        time: operation.completed,
        message: format!("key {}: {} {how}", operation.key, operation.told()),
        witness,
        known: None,
    }
}

/// Steps the search may take for one piece of one key.
const STEPS_MAX: u64 = 2_000_000;
/// Operations told before and around the one that does not fit.
const STORY_MAX: usize = 6;
