//! A register with reads, writes and compare and set.
//!
//! Values are numbered by [`Values`] beforehand, so that a state is one small number. A register
//! may begin in an unknown state: then the first operation that observes it tells what it was.

use std::collections::BTreeMap;

use super::spec::{Effect, SequentialSpec};
use crate::history::Value;

/// Number of a value; [`Values`] gives them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueId(u32);

/// What the register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// This value.
    Value(ValueId),
    /// Nobody knows yet.
    Unknown,
}

/// An operation of a register that happened, with its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegisterOp {
    /// Read this value.
    Read(ValueId),
    /// Wrote this value.
    Write(ValueId),
    /// Found the first, left the second.
    Cas(ValueId, ValueId),
}

impl RegisterOp {
    /// The value that must have been there.
    pub fn observed(&self) -> Option<ValueId> {
        match self {
            RegisterOp::Read(value) | RegisterOp::Cas(value, _) => Some(*value),
            RegisterOp::Write(_) => None,
        }
    }

    /// The value that is there afterwards, if it was changed.
    pub fn left(&self) -> Option<ValueId> {
        match self {
            RegisterOp::Write(value) | RegisterOp::Cas(_, value) => Some(*value),
            RegisterOp::Read(_) => None,
        }
    }
}

/// The register.
#[derive(Debug, Clone, Copy, Default)]
pub struct Register;

impl SequentialSpec for Register {
    type Op = RegisterOp;
    type State = Held;

    fn effect(&self, op: &RegisterOp) -> Effect {
        match op {
            RegisterOp::Read(_) => Effect::Observes,
            RegisterOp::Write(_) => Effect::Overwrites,
            RegisterOp::Cas(_, _) => Effect::Updates,
        }
    }

    fn needs(&self, op: &RegisterOp) -> Option<Held> {
        op.observed().map(Held::Value)
    }

    fn leaves(&self, op: &RegisterOp) -> Option<Held> {
        op.left().map(Held::Value)
    }

    fn apply(&self, state: Held, op: &RegisterOp) -> Option<Held> {
        let is_possible = match (state, op.observed()) {
            (Held::Value(held), Some(observed)) => held == observed,
            (Held::Unknown, _) | (Held::Value(_), None) => true,
        };
        let after = op.left().or(op.observed());
        after.filter(|_| is_possible).map(Held::Value)
    }
}

/// The numbers of values.
#[derive(Debug, Default)]
pub struct Values {
    numbers: BTreeMap<Value, u32>,
}

impl Values {
    /// The number of this value, the same each time.
    pub fn number(&mut self, value: &Value) -> ValueId {
        if let Some(number) = self.numbers.get(value) {
            return ValueId(*number);
        }
        let number = u32::try_from(self.numbers.len()).expect("fewer values than bytes of memory");
        self.numbers.insert(value.clone(), number);
        ValueId(number)
    }
}
