//! What a judge says of the operations on one object.

use super::budget::{Budget, Spent};
use super::model::Model;
use super::models::Register;
use super::search::{Decision, Initial, decide};
use super::zones::{self, Conflict, Zone, Zoned};
use crate::history::compact::{Log, Op};
use crate::history::operation::{Outcome, short};

/// The answer; positions are those of the operations given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// There is an order.
    Holds,
    /// There is none.
    Broken(Broken),
    /// Not known.
    Undecided {
        /// What ran out.
        spent: Spent,
        /// The furthest operation that was due.
        at: usize,
        /// How many operations were open there.
        open: usize,
    },
}

/// Why there is no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The operation that cannot be placed.
    pub stuck: usize,
    /// The operations that show it, `stuck` among them; empty if that is still to be found out.
    pub witness: Vec<usize>,
    /// Why, as a sentence; empty if there is no more to say than that no order was found.
    pub why: String,
}

impl Ruling {
    /// What the general search said.
    pub fn of_decision(decision: Decision) -> Ruling {
        match decision {
            Decision::Linearizable => Ruling::Holds,
            Decision::NotLinearizable {
                stuck,
                is_unfounded,
            } => Ruling::Broken(Broken {
                stuck,
                witness: if is_unfounded {
                    vec![stuck]
                } else {
                    Vec::new()
                },
                why: match is_unfounded {
                    true => "It observed what nobody had written by then.".into(),
                    false => String::new(),
                },
            }),
            Decision::Undecided { spent, at, open } => Ruling::Undecided { spent, at, open },
        }
    }
}

/// The general search for this model.
pub fn search<M: Model>(model: &M, log: &Log, ops: &[Op], budget: Budget<'_>) -> Ruling {
    Ruling::of_decision(decide(model, Initial::Known, log, ops, budget))
}

/// Registers: zones if the values are unique, else the general search.
pub fn register(log: &Log, ops: &[Op], initial: Initial, budget: Budget<'_>) -> Ruling {
    let zoned = match initial {
        Initial::Known => zones(log, ops),
        Initial::Unknown => None,
    };
    zoned.unwrap_or_else(|| Ruling::of_decision(decide(&Register, initial, log, ops, budget)))
}

/// Registers with unique values; none if the zones do not apply.
pub fn zones(log: &Log, ops: &[Op]) -> Option<Ruling> {
    match zones::decide(ops) {
        Zoned::Holds => Some(Ruling::Holds),
        Zoned::Broken(conflict) => Some(Ruling::Broken(told(log, ops, &conflict))),
        Zoned::NotUnique => None,
    }
}

fn told(log: &Log, ops: &[Op], conflict: &Conflict) -> Broken {
    let op = |at: usize| log.told(&ops[at]);
    let value = |zone: &Zone| short(&log.atoms.value(zone.value));
    let held = |zone: &Zone| {
        let from = zone.first_ended.map_or_else(
            || "the beginning".into(),
            |at| format!("the end of {}", op(at as usize)),
        );
        let to = zone.last_begun.map_or_else(
            || "the end".into(),
            |at| format!("the beginning of {}", op(at as usize)),
        );
        format!("{} was there from {from} to {to}", value(zone))
    };
    let why = match conflict {
        Conflict::NeverWritten { read } => {
            let failed = ops.iter().find(|other| {
                other.outcome == Outcome::Fail && other.argument == ops[*read].result
            });
            match failed {
                Some(failed) => format!(
                    "It read what was not written: {} did not happen.",
                    log.told(failed)
                ),
                None => "It read a value that nobody wrote.".into(),
            }
        }
        Conflict::ReadBeforeWrite { read: _, write } => format!(
            "It was complete before the only write of that value, {}, began.",
            op(*write)
        ),
        Conflict::BothHeld(one, two) => {
            format!("{}, and {}: two values at one time.", held(one), held(two))
        }
        Conflict::Overwritten {
            held: zone,
            between,
        } => format!(
            "{}, yet {} was written and gone again in between.",
            held(zone),
            value(between)
        ),
    };
    let witness = conflict.witness();
    let acknowledged = witness.iter().filter(|at| ops[**at].outcome == Outcome::Ok);
    let stuck = acknowledged.max_by_key(|at| ops[**at].completed);
    Broken {
        stuck: stuck.copied().unwrap_or_default(),
        witness,
        why,
    }
}
