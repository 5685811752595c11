//! HI-01: each key is linearizable while its slot does not fail over.
//!
//! Redis Cluster promises a single order per key only as long as one master serves it. So each
//! register's history is cut at the times in which its slot was unsettled: from the trouble that
//! led to a takeover (or from the last time the promoted replica provably had everything, if that
//! was earlier) until the deposed owner no longer claims the slot; and around the restart of an
//! owner. Each piece between is judged strictly, by [`super::linear`], which decides or says that
//! it cannot:
//! - what lies wholly within the piece must have happened there;
//! - what reaches over its edge, and what is unknown since before, may have happened there or not;
//! - the first piece begins with no value, a later one with whatever its first observer saw.
//!
//! What may not be lost across an unsettled time is the business of HI-03, and values nobody wrote
//! that of HI-09.

use super::linear::ruling::{Ruling, register};
use super::linear::shrink::until;
use super::linear::{Budget, Initial};
use super::windows::{Unsettled, Windows};
use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::compact::{KeyId, Op};
use crate::history::docket::{Docket, Kept, Place, Uses};
use crate::history::{Function, Operation, Outcome};
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
    make: || Box::new(Linearizable),
};

/// The checker of HI-01.
#[derive(Debug, Default)]
pub struct Linearizable;

impl OfOperations for Linearizable {
    fn concerns(&self, _key: Uses, _all: Uses) -> bool {
        false
    }

    fn keep(&mut self, _operation: &Operation) {}

    fn judge(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let windows = Windows::new(scene.timeline(), setting);
        let docket = scene.docket();
        let mut tally = Tally::default();
        for (key, uses) in docket.keys() {
            if !uses.has_only(REGISTER) || uses.shows_lists() {
                continue;
            }
            if !docket.of_key(key).any(|(_, kept)| is_judged(&kept.op)) {
                continue;
            }
            let name = &docket.log().keys[key.0 as usize];
            let unsettled = windows.unsettled(slot_of_key(name.as_bytes()));
            for piece in pieces(&unsettled) {
                tally.judge(&Problem::of(docket, key, piece), piece);
            }
            tally.cut_keys += u64::from(!unsettled.is_empty());
            tally.keys += 1;
        }
        tally.verdict()
    }
}

/// HI-01 is about reads from masters; those of replicas are judged apart.
fn is_judged(op: &Op) -> bool {
    op.f != Function::ReplicaRead && op.outcome != Outcome::Fail
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
#[derive(Debug)]
struct Problem<'a> {
    docket: &'a Docket,
    ops: Vec<Op>,
    /// The places of `ops`.
    behind: Vec<Place>,
}

impl<'a> Problem<'a> {
    fn of(docket: &'a Docket, key: KeyId, piece: Piece) -> Problem<'a> {
        let (mut ops, mut behind) = (Vec::new(), Vec::new());
        for (place, Kept { op, .. }) in docket.of_key(key) {
            if op.invoked >= piece.end || !is_judged(op) {
                continue;
            }
            let is_within =
                op.outcome == Outcome::Ok && op.invoked >= piece.begin && op.completed < piece.end;
            let may_reach_in = op.outcome == Outcome::Unknown || op.completed >= piece.begin;
            if is_within {
                ops.push(*op);
                behind.push(place);
            } else if may_reach_in && op.f != Function::Read {
                // R7: unknown stays open to the end. A read of unknown outcome says nothing.
                ops.push(Op {
                    invoked: op.invoked.max(piece.begin),
                    completed: u64::MAX,
                    outcome: Outcome::Unknown,
                    ..*op
                });
                behind.push(place);
            }
        }
        Problem {
            docket,
            ops,
            behind,
        }
    }

    /// An operation in full.
    fn told(&self, at: usize) -> Operation {
        self.docket.operation(self.behind[at])
    }

    fn required(&self) -> impl Iterator<Item = &Op> {
        self.ops.iter().filter(|op| op.outcome == Outcome::Ok)
    }

    /// The operation whose completion first made the history impossible: that of the shortest
    /// prefix that is none. What was not complete in a prefix may have happened or not.
    fn first_refuted(&self, initial: Initial) -> usize {
        let log = self.docket.log();
        let is_required = |at: &usize| self.ops[*at].outcome == Outcome::Ok;
        let mut order: Vec<usize> = (0..self.ops.len()).filter(is_required).collect();
        order.sort_by_key(|at| self.ops[*at].completed);
        let is_possible = |last: &usize| {
            let prefix = until(&self.ops, self.ops[*last].completed);
            let ruling = register(log, &prefix, initial, Budget::steps(STEPS_MAX / 20));
            !matches!(ruling, Ruling::Broken(_))
        };
        let first = order.partition_point(is_possible);
        order[first.min(order.len() - 1)]
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
    fn judge(&mut self, problem: &Problem<'_>, piece: Piece) {
        self.examined += problem.required().count() as u64;
        let initial = match piece.begin {
            0 => Initial::Known,
            _ => Initial::Unknown,
        };
        match register(
            problem.docket.log(),
            &problem.ops,
            initial,
            Budget::steps(STEPS_MAX),
        ) {
            Ruling::Holds => {}
            Ruling::Broken(broken) => {
                let culprit = match broken.witness.is_empty() {
                    true => problem.first_refuted(initial),
                    false => broken.stuck,
                };
                self.findings.push(violation(problem, culprit, &broken.why));
            }
            Ruling::Undecided { spent: _, at, open } => {
                let due = problem.told(at);
                let first = problem.required().filter(|op| op.completed >= due.invoked);
                let begin = first.map(|op| op.invoked).min().unwrap_or(due.invoked);
                self.undecided.push(format!(
                    "key {}: the search used up {STEPS_MAX} steps in the window that begins at \
                     {}, placing op {} ({open} operations open at once)",
                    due.key,
                    seconds(begin),
                    due.index
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

fn violation(problem: &Problem<'_>, stuck: usize, why: &str) -> Violation {
    let operation = problem.told(stuck);
    let ops = problem.ops.iter().enumerate();
    let required = ops.filter(|(_, op)| op.outcome == Outcome::Ok);
    let concurrent = required.clone().filter(|(_, other)| {
        other.invoked <= operation.completed && other.completed >= operation.invoked
    });
    let before = required
        .rev()
        .filter(|(_, other)| other.completed < operation.invoked);
    let near = concurrent.take(STORY_MAX).chain(before.take(STORY_MAX));
    let mut slice: Vec<Operation> = near.map(|(at, _)| problem.told(at)).collect();
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
        message: format!(
            "key {}: {} fits no order. {why}",
            operation.key,
            operation.told()
        )
        .trim_end_matches([' ', '.'])
        .into(),
        witness,
        known: None,
    }
}

/// What registers are used for.
const REGISTER: &[Function] = &[
    Function::Read,
    Function::ReplicaRead,
    Function::Write,
    Function::Cas,
];
/// Steps the search may take for one piece of one key.
const STEPS_MAX: u64 = 2_000_000;
/// Operations told before and around the one that does not fit.
const STORY_MAX: usize = 6;
