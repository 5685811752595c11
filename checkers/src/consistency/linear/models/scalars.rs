//! A counter and a lock.

use super::super::model::{Call, Model, Shape};
use crate::history::{Function, Value};

/// A number that amounts are added to. It begins as 0, which is also read as nil.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counter;

impl Model for Counter {
    type State = i64;

    fn initial(&self) -> i64 {
        0
    }

    fn step(&self, state: &i64, call: &Call<'_>) -> Option<i64> {
        match (call.f, call.result) {
            (Function::Increment, Some(sum)) if sum.as_int().is_some() => {
                let after = state.checked_add(call.argument.as_int()?)?;
                (sum.as_int() == Some(after)).then_some(after)
            }
            (Function::Add | Function::Increment, _) => state.checked_add(call.argument.as_int()?),
            (Function::Read, None) => Some(*state),
            (Function::Read, Some(Value::Nil)) => (*state == 0).then_some(0),
            (Function::Read, Some(read)) => (read.as_int() == Some(*state)).then_some(*state),
            (_, _) => None,
        }
    }
}

/// A lock that one holds at a time; whoever releases it need not be who took it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mutex;

/// Whether the lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lock {
    /// By nobody.
    Free,
    /// By somebody.
    Held,
}

impl Model for Mutex {
    type State = Lock;

    fn initial(&self) -> Lock {
        Lock::Free
    }

    fn step(&self, state: &Lock, call: &Call<'_>) -> Option<Lock> {
        match self.shape(call) {
            Shape::Moves(from, to) => (*state == from).then_some(to),
            Shape::Observes(_)
            | Shape::Overwrites(_)
            | Shape::Resets
            | Shape::Updates
            | Shape::Reads
            | Shape::Changes => None,
        }
    }

    fn shape(&self, call: &Call<'_>) -> Shape<Lock> {
        if call.f == Function::Acquire {
            return Shape::Moves(Lock::Free, Lock::Held);
        }
        match call.f == Function::Release {
            true => Shape::Moves(Lock::Held, Lock::Free),
            false => Shape::Changes,
        }
    }

    fn is_definite(&self) -> bool {
        true
    }
}
