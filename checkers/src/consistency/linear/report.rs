//! Judges all objects of a log, and says why: the smallest witness, and the longest order in it.

use std::fmt::Write as _;

use serde::Serialize;

use super::budget::Budget;
use super::judges::{ObjectJudge, Scope};
use super::longest::longest_order;
use super::ruling::{Broken, Ruling};
use super::search::Initial;
use super::shrink::smallest;
use crate::history::compact::{Log, Op};
use crate::history::operation::Outcome;
use crate::observation::bounds::seconds;
use crate::verdict::Word;

/// What there is to say about one object that is not linearizable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The key; empty for a history without.
    pub key: String,
    /// One sentence or two.
    pub message: String,
    /// A part of the history that shows it, in order of invocation.
    pub witness: Vec<Line>,
    /// Which of them cannot be placed.
    pub stuck: usize,
    /// An order of as many as possible: positions in `witness`, each with the state after it.
    pub order: Vec<(usize, String)>,
    /// Whether the witness shows it whatever the object held before.
    pub is_from_anything: bool,
}

/// One operation of a witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The operation.
    pub told: String,
    /// Who.
    pub process: u32,
    /// When it was invoked, ns.
    pub invoked: u64,
    /// When it was complete, ns; none if its outcome is unknown.
    pub completed: Option<u64>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The word.
    pub verdict: Word,
    /// The model.
    pub model: &'static str,
    /// Operations judged.
    pub examined: u64,
    /// Objects judged.
    pub objects: u64,
    /// What is broken.
    pub findings: Vec<Finding>,
    /// Objects that are broken beyond those listed.
    pub unlisted: u64,
    /// What could not be decided, and where it became too much.
    pub undecided: Vec<String>,
}

/// Judges every object of the log. Objects that may begin with anything must be of a definite
/// model; nothing is decided of others.
pub fn judge(judge: &dyn ObjectJudge, log: &Log, initial: Initial, budget: Budget<'_>) -> Report {
    let mut report = Report {
        verdict: Word::Undecided,
        model: judge.name(),
        examined: 0,
        objects: 0,
        findings: Vec::new(),
        unlisted: 0,
        undecided: Vec::new(),
    };
    match judge.scope() {
        Scope::Key => log
            .ops
            .iter()
            .for_each(|ops| report.enter(judge, log, ops, initial, budget)),
        Scope::Whole => report.enter(judge, log, &log.ops.concat(), initial, budget),
    }
    report.verdict = match (report.findings.is_empty(), report.undecided.is_empty()) {
        (false, _) => Word::Violated,
        (true, true) if report.examined > 0 => Word::Held,
        (true, _) => Word::Undecided,
    };
    report
}

impl Report {
    fn enter(
        &mut self,
        judge: &dyn ObjectJudge,
        log: &Log,
        ops: &[Op],
        initial: Initial,
        budget: Budget<'_>,
    ) {
        self.objects += 1;
        let acknowledged = ops.iter().filter(|op| op.outcome == Outcome::Ok);
        self.examined += acknowledged.count() as u64;
        let ruling = match initial {
            Initial::Known => judge.rule(log, ops, budget),
            Initial::Unknown => match judge.rule_from_anything(log, ops, budget) {
                Some(ruling) => ruling,
                None => {
                    let name = judge.name();
                    self.undecided.push(format!(
                        "a {name} that begins with anything cannot be judged"
                    ));
                    return;
                }
            },
        };
        match ruling {
            Ruling::Holds => {}
            Ruling::Broken(_) if self.findings.len() == FINDINGS_MAX => self.unlisted += 1,
            Ruling::Broken(broken) => {
                self.findings
                    .push(finding(judge, log, ops, &broken, initial, budget));
            }
            Ruling::Undecided { spent, at, open } => {
                let due = &ops[at];
                let overlaps =
                    |op: &&Op| op.completed >= due.invoked && op.invoked <= due.completed;
                let first = ops.iter().filter(overlaps).min_by_key(|op| op.invoked);
                let first = first.unwrap_or(due);
                self.undecided.push(format!(
                    "{spent} ran out in the window from op {} at {} to op {} at {}, with {open} \
                     operations open at once: {} could not be placed or ruled out",
                    first.index,
                    seconds(first.invoked),
                    due.index,
                    seconds(due.completed),
                    log.told(due)
                ));
            }
        }
    }

    /// The report for people.
    pub fn told(&self) -> String {
        let mut out = String::new();
        let word = match self.verdict {
            Word::Held => "held: there is an order for every object",
            Word::Known | Word::Violated => "violated: not linearizable",
            Word::Undecided if self.examined == 0 => "undecided: nothing was acknowledged",
            Word::Undecided => "undecided",
        };
        let (model, examined, objects) = (self.model, self.examined, self.objects);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{word} ({model}; {examined} operations on {objects} objects)"
        );
        for finding in &self.findings {
            let _ = writeln!(out, "\n{}", finding.told());
        }
        if self.unlisted > 0 {
            let _ = writeln!(out, "\n{} more objects are broken", self.unlisted);
        }
        for why in &self.undecided {
            let _ = writeln!(out, "\n{why}");
        }
        out
    }
}

impl Finding {
    /// The finding for people.
    pub fn told(&self) -> String {
        let mut out = format!("{}\n", self.message);
        let before = match self.is_from_anything {
            true => ", whatever was before",
            false => "",
        };
        let _ = writeln!(out, "  {} operations show it{before}:", self.witness.len());
        let hidden = self.witness.len().saturating_sub(LINES_MAX);
        if hidden > 0 {
            let _ = writeln!(out, "    … {hidden} more before these");
        }
        for (at, line) in self.witness.iter().enumerate().skip(hidden) {
            let mark = if at == self.stuck {
                "  <- cannot be placed"
            } else {
                ""
            };
            let end = line.completed.map_or_else(|| "…".into(), seconds);
            let (told, process) = (&line.told, line.process);
            let begin = seconds(line.invoked);
            let _ = writeln!(
                out,
                "    process {process:<4} {begin} .. {end}  {told}{mark}"
            );
        }
        if !self.order.is_empty() {
            let _ = writeln!(out, "  the longest order before it:");
        }
        let hidden = self.order.len().saturating_sub(LINES_MAX);
        if hidden > 0 {
            let _ = writeln!(out, "    … {hidden} more before these");
        }
        for (at, state) in self.order.iter().skip(hidden) {
            let _ = writeln!(
                out,
                "    {}: then the state is {state}",
                self.witness[*at].told
            );
        }
        out.truncate(out.trim_end().len());
        out
    }
}

fn finding(
    judge: &dyn ObjectJudge,
    log: &Log,
    ops: &[Op],
    broken: &Broken,
    initial: Initial,
    budget: Budget<'_>,
) -> Finding {
    let (mut witness, initial) = match broken.witness.is_empty() {
        true => smallest(judge, log, ops, initial, budget),
        false => (broken.witness.iter().map(|at| ops[*at]).collect(), initial),
    };
    witness.sort_by_key(|op| (op.invoked, op.index));
    let culprit = ops[broken.stuck].index;
    let mut stuck = witness.iter().position(|op| op.index == culprit);
    if broken.witness.is_empty() {
        // The witness ends where it first became impossible.
        let acknowledged = witness.iter().enumerate();
        let acknowledged = acknowledged.filter(|(_, op)| op.outcome == Outcome::Ok);
        stuck = acknowledged
            .max_by_key(|(_, op)| op.completed)
            .map(|(at, _)| at);
    }
    let stuck = stuck.unwrap_or_default();
    let order = longest_order(judge, log, initial, &witness, stuck);
    let culprit = log.told(&witness[stuck]);
    let key = log.keys[witness[stuck].key.0 as usize].to_string();
    let why = match (broken.why.is_empty(), order.last()) {
        (false, _) => broken.why.clone(),
        (true, None) => "Wherever the others go, it does not fit.".into(),
        (true, Some((_, state))) => {
            format!(
                "Wherever the others go, it does not fit; after the last of them it is {state}."
            )
        }
    };
    Finding {
        message: format!("{culprit} fits no order. {why}"),
        key,
        witness: witness.iter().map(|op| line(log, op)).collect(),
        stuck,
        order,
        is_from_anything: initial == Initial::Unknown,
    }
}

fn line(log: &Log, op: &Op) -> Line {
    Line {
        told: log.told(op),
        process: op.process,
        invoked: op.invoked,
        completed: (op.outcome == Outcome::Ok).then_some(op.completed),
    }
}

/// Broken objects that are told; finding a witness for each of thousands helps nobody.
const FINDINGS_MAX: usize = 20;
/// Operations of a witness, and steps of an order, that are told; `--json` has all.
const LINES_MAX: usize = 40;
