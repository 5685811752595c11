//! What an object does when its operations come one after the other: a [`Model`].
//!
//! Two functions make a model: the state it begins in, and the state after a call, or none if the
//! call cannot give its result in that state. The rest tells the search what it may leave out, and
//! may be left to the defaults. A model of one's own, a register that only grows:
//!
//! ```
//! use slotquake_checkers::consistency::linear::{Call, Model};
//! use slotquake_checkers::history::{Function, Value};
//!
//! struct MaxRegister;
//!
//! impl Model for MaxRegister {
//!     type State = Option<i64>;
//!
//!     fn initial(&self) -> Option<i64> {
//!         None
//!     }
//!
//!     fn step(&self, state: &Option<i64>, call: &Call<'_>) -> Option<Option<i64>> {
//!         match call.f {
//!             Function::Write => Some((*state).max(call.argument.as_int())),
//!             Function::Read => (*state == call.result?.as_int()).then_some(*state),
//!             _ => None,
//!         }
//!     }
//! }
//! ```

use std::fmt::Debug;
use std::hash::Hash;

use crate::history::{Function, Value};

/// One operation, as a model sees it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// What it does.
    pub f: Function,
    /// On which key; only models of several keys care.
    pub key: &'a str,
    /// Its argument.
    pub argument: &'a Value,
    /// Its result; none if nobody knows it, and then any result will do.
    pub result: Option<&'a Value>,
}

/// A sequential object.
pub trait Model {
    /// What it remembers. Keep it small: the search clones and compares it.
    type State: Clone + Eq + Hash + Debug;

    /// The state before the first operation.
    fn initial(&self) -> Self::State;

    /// The state after the call, or none if it cannot give its result in this state.
    fn step(&self, state: &Self::State, call: &Call<'_>) -> Option<Self::State>;

    /// How the call relates to states in general. By default a read never changes the state, and
    /// of anything else nothing is known.
    fn shape(&self, call: &Call<'_>) -> Shape<Self::State> {
        match call.f.is_write() {
            false => Shape::Reads,
            true => Shape::Changes,
        }
    }

    /// Bytes that a state holds elsewhere, roughly: the search counts them.
    fn held_bytes(&self, _state: &Self::State) -> usize {
        0
    }

    /// Whether each call observes, overwrites or moves a state, or is impossible: then a history
    /// can be judged from the middle on, whatever was before.
    fn is_definite(&self) -> bool {
        false
    }

    /// A state for people.
    fn told(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }
}

/// How a call relates to states; the search prunes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape<S> {
    /// Possible in this state only, and leaves it: the read of a register.
    Observes(S),
    /// Possible in every state, and leaves this one: a write.
    Overwrites(S),
    /// Possible in the first state only, and leaves the second: a compare and set.
    Moves(S, S),
    /// Possible in every state, and leaves the same one after each, which is not told: the setting
    /// of a text, where other calls depend on states in ways of their own.
    Resets,
    /// Possible in every state; what it leaves depends on that: an append.
    Updates,
    /// Never changes the state; in which states it is possible, `step` tells.
    Reads,
    /// Anything else.
    Changes,
}
