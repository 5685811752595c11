//! The objects that can be judged by name: one line each in [`JUDGES`].

use super::budget::Budget;
use super::fast::{counter_bounds, list_layers, queue_order, set_layers};
use super::model::{Call, Model, Shape};
use super::models::{
    AppendList, AppendText, Counter, GrowSet, MultiRegister, Mutex, Queue, Register, Stack,
};
use super::ruling::{self, Ruling};
use super::search::{Decision, Initial, decide};
use super::totals::BankTotals;
use crate::history::compact::{Log, Op};
use crate::history::operation::Outcome;
use crate::history::{Function, Value};

/// Whether keys are objects of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each key is one object.
    Key,
    /// All keys together are one.
    Whole,
}

/// Judges one kind of object.
pub trait ObjectJudge: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// One line.
    fn help(&self) -> &'static str;

    /// Whether keys are objects of their own.
    fn scope(&self) -> Scope;

    /// Whether it has registers, which may be said to begin with a value.
    fn has_writes(&self) -> bool;

    /// Decides, by the fastest way there is.
    fn rule(&self, log: &Log, ops: &[Op], budget: Budget<'_>) -> Ruling;

    /// Decides whether there is any state that the history can begin in; none for objects of
    /// which that cannot be asked.
    fn rule_from_anything(&self, log: &Log, ops: &[Op], budget: Budget<'_>) -> Option<Ruling>;

    /// Decides by the general search alone.
    fn search(&self, log: &Log, ops: &[Op], budget: Budget<'_>) -> Decision;

    /// The state after each of these operations, one after the other, for people; ends early where
    /// one is impossible.
    fn states(&self, log: &Log, initial: Initial, order: &[Op]) -> Vec<String>;
}

/// A way that decides without a search, where it applies.
type Fast = fn(&Log, &[Op]) -> Option<Ruling>;

struct Object<M> {
    name: &'static str,
    help: &'static str,
    scope: Scope,
    model: M,
    fast: Fast,
}

impl<M: Model + Sync> ObjectJudge for Object<M> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn scope(&self) -> Scope {
        self.scope
    }

    fn has_writes(&self) -> bool {
        let call = Call {
            f: Function::Write,
            key: "",
            argument: &Value::Int(0),
            result: None,
        };
        self.model.step(&self.model.initial(), &call).is_some()
    }

    fn rule(&self, log: &Log, ops: &[Op], budget: Budget<'_>) -> Ruling {
        let fast = (self.fast)(log, ops);
        fast.unwrap_or_else(|| ruling::search(&self.model, log, ops, budget))
    }

    fn rule_from_anything(&self, log: &Log, ops: &[Op], budget: Budget<'_>) -> Option<Ruling> {
        self.model
            .is_definite()
            .then(|| Ruling::of_decision(decide(&self.model, Initial::Unknown, log, ops, budget)))
    }

    fn search(&self, log: &Log, ops: &[Op], budget: Budget<'_>) -> Decision {
        decide(&self.model, Initial::Known, log, ops, budget)
    }

    fn states(&self, log: &Log, initial: Initial, order: &[Op]) -> Vec<String> {
        let mut state = match initial {
            Initial::Known => Some(self.model.initial()),
            Initial::Unknown => None,
        };
        let mut told = Vec::new();
        for op in order {
            let result = log.atoms.value(op.result);
            let call = Call {
                f: op.f,
                key: &log.keys[op.key.0 as usize],
                argument: &log.atoms.value(op.argument),
                result: (op.outcome == Outcome::Ok).then_some(&*result),
            };
            let after = match &state {
                Some(state) => self.model.step(state, &call),
                None => match self.model.shape(&call) {
                    Shape::Observes(left) | Shape::Overwrites(left) | Shape::Moves(_, left) => {
                        Some(left)
                    }
                    Shape::Resets | Shape::Updates | Shape::Reads | Shape::Changes => None,
                },
            };
            let Some(after) = after else {
                break;
            };
            told.push(self.model.told(&after));
            state = Some(after);
        }
        told
    }
}

/// All objects.
pub const JUDGES: &[&dyn ObjectJudge] = &[
    &Object {
        name: "register",
        help: "read and write a value; unique values are decided without a search",
        scope: Scope::Key,
        model: Register,
        fast: ruling::zones,
    },
    &Object {
        name: "cas-register",
        help: "read, write, and compare and set a value",
        scope: Scope::Key,
        model: Register,
        fast: ruling::zones,
    },
    &Object {
        name: "multi-register",
        help: "transactions that read and write several registers",
        scope: Scope::Whole,
        model: MultiRegister,
        fast: |_, _| None,
    },
    &Object {
        name: "string",
        help: "set a text, append to it and get it",
        scope: Scope::Key,
        model: AppendText,
        fast: |_, _| None,
    },
    &Object {
        name: "mutex",
        help: "acquire and release a lock",
        scope: Scope::Key,
        model: Mutex,
        fast: |_, _| None,
    },
    &Object {
        name: "list",
        help: "append to a list and read it as a whole",
        scope: Scope::Key,
        model: AppendList,
        fast: list_layers,
    },
    &Object {
        name: "set",
        help: "add to a set and read it as a whole",
        scope: Scope::Key,
        model: GrowSet,
        fast: set_layers,
    },
    &Object {
        name: "counter",
        help: "add amounts to a counter and read it",
        scope: Scope::Key,
        model: Counter,
        fast: counter_bounds,
    },
    &Object {
        name: "queue",
        help: "enqueue and dequeue, first in, first out",
        scope: Scope::Key,
        model: Queue,
        fast: queue_order,
    },
    &Object {
        name: "stack",
        help: "push and pop, last in, first out",
        scope: Scope::Key,
        model: Stack,
        fast: |_, _| None,
    },
    &BankTotals,
];

/// The judge of this name.
pub fn judge_of(name: &str) -> Option<&'static dyn ObjectJudge> {
    JUDGES.iter().find(|judge| judge.name() == name).copied()
}
