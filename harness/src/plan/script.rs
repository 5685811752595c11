//! A script: the faults of a run one by one, so that they can be written, replayed and shrunk.
//!
//! Each run of drawn faults leaves its script; played as one it gives the same run. Here a script
//! is only refused: unknown nodes, steps out of order, a node killed while it is dead.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use slotquake_checkers::observation::{Damage, FaultKind, NodeName};

use super::{Plan, TIME_LIMIT_MS_MAX, WorldKind};
use crate::nemesis::{self, Dose, Order, OrderError, Strike};

/// One fault of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedStrike {
    /// From the beginning of the disturbed phase, ms.
    pub at_ms: u64,
    /// Kind.
    pub kind: FaultKind,
    /// What to break, and for how long.
    pub strike: Strike,
}

impl ScriptedStrike {
    /// When it is healed, ms from the beginning of the disturbed phase.
    pub fn end_ms(&self) -> u64 {
        self.at_ms.saturating_add(self.strike.duration_ms)
    }
}

/// A step of a script that is impossible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ScriptError {
    /// Which step, from 0.
    pub step: usize,
    /// Which of its fields; empty for the script itself.
    pub field: String,
    /// Why.
    pub problem: ScriptProblem,
}

impl ScriptError {
    /// `script[2].strike.targets`.
    pub fn field(&self) -> String {
        match self.field.as_str() {
            "" => "script".into(),
            field => format!("script[{}].{field}", self.step),
        }
    }
}

/// What is wrong with a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ScriptProblem {
    #[error("{steps} steps are more than the {SCRIPT_STEPS_MAX} that a script can have")]
    TooLong { steps: usize },
    #[error("at {at_ms} ms, after a step at {before_ms} ms: write them in order of time")]
    OutOfOrder { at_ms: u64, before_ms: u64 },
    #[error("at {at_ms} ms, but the run is disturbed for {time_limit_ms} ms only")]
    TooLate { at_ms: u64, time_limit_ms: u64 },
    #[error("a fault of kind {kind:?} cannot be scripted: only a scenario brings it about")]
    Kind { kind: FaultKind },
    #[error("no node is named {given}; with these masters and replicas there are n1 to n{count}")]
    UnknownNode { given: NodeName, count: u32 },
    #[error("no node is named: say which are killed, paused, or on the side cut off")]
    NoTarget,
    #[error("{node} is named twice")]
    Twice { node: NodeName },
    #[error("a partition without cuts cuts nothing: give pairs as in [[\"n1\",\"n2\"]]")]
    NoCuts,
    #[error("a {} needs {needed}", kind.name())]
    Dose { kind: FaultKind, needed: String },
    #[error("a {} takes no dose", kind.name())]
    NoDose { kind: FaultKind },
    #[error("a {} strikes at its time: kill and pause can wait for a moment", kind.name())]
    CannotWait { kind: FaultKind },
    #[error("moments of an election are seen in time by the simulated world only")]
    NotSeen,
    #[error("acts of operators are made of orders, other faults have none")]
    Orders,
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error("a cut leads from {node} to itself")]
    CutToItself { node: NodeName },
    #[error("it lasts {given} ms, outside 1 to {TIME_LIMIT_MS_MAX} ms")]
    Duration { given: u64 },
    #[error("{node} is still under the {kind:?} of step {earlier}, until {until_ms} ms")]
    Overlap {
        node: NodeName,
        kind: FaultKind,
        earlier: usize,
        until_ms: u64,
    },
    #[error("the note has a line break or another control character, or more than 200 characters")]
    Note,
}

/// Says why a script is impossible in this plan, if it is.
///
/// # Errors
/// The first step found wrong.
pub fn validate(steps: &[ScriptedStrike], plan: &Plan) -> Result<(), ScriptError> {
    let refuse = |step, (field, problem): Found| ScriptError {
        step,
        field: field.into_owned(),
        problem,
    };
    if steps.len() > SCRIPT_STEPS_MAX {
        let steps = steps.len();
        return Err(refuse(0, ("".into(), ScriptProblem::TooLong { steps })));
    }
    for (index, step) in steps.iter().enumerate() {
        let (before, _) = steps.split_at(index);
        validate_times(step, before, plan)
            .and_then(|()| validate_nodes(step, plan.node_count()))
            .and_then(|()| validate_wait(step, plan.world))
            .and_then(|()| validate_overlap(step, before))
            .map_err(|found| refuse(index, found))?;
    }
    Ok(())
}

/// Which field of a step is at fault, and why.
type Found = (Cow<'static, str>, ScriptProblem);

fn found<T>(field: &'static str, problem: ScriptProblem) -> Result<T, Found> {
    Err((field.into(), problem))
}

fn validate_times(
    step: &ScriptedStrike,
    before: &[ScriptedStrike],
    plan: &Plan,
) -> Result<(), Found> {
    let at_ms = step.at_ms;
    let before_ms = before.last().map_or(0, |last| last.at_ms);
    if at_ms < before_ms {
        let problem = ScriptProblem::OutOfOrder { at_ms, before_ms };
        return found("at_ms", problem);
    }
    let time_limit_ms = plan.time_limit_ms;
    if at_ms >= time_limit_ms {
        let problem = ScriptProblem::TooLate {
            at_ms,
            time_limit_ms,
        };
        return found("at_ms", problem);
    }
    match step.strike.duration_ms {
        1..=TIME_LIMIT_MS_MAX => Ok(()),
        given => found("strike.duration_ms", ScriptProblem::Duration { given }),
    }
}

fn validate_nodes(step: &ScriptedStrike, count: u32) -> Result<(), Found> {
    let (kind, strike) = (step.kind, &step.strike);
    if nemesis::of(kind).is_none() {
        return found("kind", ScriptProblem::Kind { kind });
    }
    if strike.targets.is_empty() {
        return found("strike.targets", ScriptProblem::NoTarget);
    }
    for (index, node) in strike.targets.iter().enumerate() {
        known(node, count).or_else(|problem| found("strike.targets", problem))?;
        if strike.targets[..index].contains(node) {
            let node = node.clone();
            return found("strike.targets", ScriptProblem::Twice { node });
        }
    }
    for (from, to) in &strike.cuts {
        known(from, count)
            .and_then(|()| known(to, count))
            .or_else(|problem| found("strike.cuts", problem))?;
        if from == to {
            let node = from.clone();
            return found("strike.cuts", ScriptProblem::CutToItself { node });
        }
    }
    if matches!(kind.damage(), Some(Damage::Cut(_))) && strike.cuts.is_empty() {
        return found("strike.cuts", ScriptProblem::NoCuts);
    }
    validate_dose(kind, strike.dose)?;
    if kind.is_administrative() == strike.orders.is_empty() {
        return found("strike.orders", ScriptProblem::Orders);
    }
    if !kind.is_administrative() && !strike.undo.is_empty() {
        return found("strike.undo", ScriptProblem::Orders);
    }
    validate_orders("strike.orders", &strike.orders, count)?;
    validate_orders("strike.undo", &strike.undo, count)?;
    let is_plain =
        strike.note.chars().count() <= NOTE_CHARS_MAX && !strike.note.chars().any(char::is_control);
    match is_plain {
        true => Ok(()),
        false => found("strike.note", ScriptProblem::Note),
    }
}

fn validate_dose(kind: FaultKind, dose: Option<Dose>) -> Result<(), Found> {
    match (Dose::needed(kind), dose) {
        (None, None) => Ok(()),
        (None, Some(_)) => found("strike.dose", ScriptProblem::NoDose { kind }),
        (Some(_), Some(dose)) if dose.fits(kind) => Ok(()),
        (Some(needed), _) => found("strike.dose", ScriptProblem::Dose { kind, needed }),
    }
}

fn validate_wait(step: &ScriptedStrike, world: WorldKind) -> Result<(), Found> {
    let kind = step.kind;
    match (step.strike.awaits, kind.damage(), world) {
        (None, _, _) | (Some(_), Some(Damage::Kill | Damage::Pause), WorldKind::Sim) => Ok(()),
        (Some(_), Some(Damage::Kill | Damage::Pause), WorldKind::Local) => {
            found("strike.awaits", ScriptProblem::NotSeen)
        }
        (Some(_), _, _) => found("strike.awaits", ScriptProblem::CannotWait { kind }),
    }
}

fn validate_orders(field: &str, orders: &[Order], count: u32) -> Result<(), Found> {
    for (index, order) in orders.iter().enumerate() {
        let nodes = order.nodes().map_err(ScriptProblem::from);
        let problem = nodes.and_then(|nodes| nodes.iter().try_for_each(|node| known(node, count)));
        problem.map_err(|problem| (format!("{field}[{index}]").into(), problem))?;
    }
    Ok(())
}

fn known(name: &NodeName, count: u32) -> Result<(), ScriptProblem> {
    let number = name
        .0
        .strip_prefix('n')
        .and_then(|number| number.parse().ok());
    let is_known = |number: usize| {
        (1..=count as usize).contains(&number) && *name == NodeName::numbered(number)
    };
    match number.is_some_and(is_known) {
        true => Ok(()),
        false => Err(ScriptProblem::UnknownNode {
            given: name.clone(),
            count,
        }),
    }
}

/// What is dead cannot be killed, and what stands still cannot be stopped. Whom a step strikes that
/// waits, and when, nobody knows yet.
fn validate_overlap(step: &ScriptedStrike, before: &[ScriptedStrike]) -> Result<(), Found> {
    let is_damage = matches!(step.kind.damage(), Some(Damage::Kill | Damage::Pause));
    if !is_damage || step.strike.awaits.is_some() {
        return Ok(());
    }
    let same_kind = before.iter().enumerate();
    let same_kind = same_kind.filter(|(_, earlier)| earlier.strike.awaits.is_none());
    let in_force =
        same_kind.filter(|(_, earlier)| earlier.kind == step.kind && earlier.end_ms() > step.at_ms);
    for (index, earlier) in in_force {
        let targets = &step.strike.targets;
        if let Some(node) = targets
            .iter()
            .find(|node| earlier.strike.targets.contains(node))
        {
            let problem = ScriptProblem::Overlap {
                node: node.clone(),
                kind: step.kind,
                earlier: index,
                until_ms: earlier.end_ms(),
            };
            return found("strike.targets", problem);
        }
    }
    Ok(())
}

/// Most steps of a script.
pub const SCRIPT_STEPS_MAX: usize = 10_000;
const NOTE_CHARS_MAX: usize = 200;
