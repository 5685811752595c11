//! What an object does when its operations come one after the other.
//!
//! The search asks a [`SequentialSpec`] whether an operation with its observed result is possible
//! in a state, and what state follows.

/// How an operation relates to the state; the search prunes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It leaves the state as it is, and is possible in some states only: a read.
    Observes,
    /// It is possible in every state, and the state after does not depend on the one before: a
    /// write.
    Overwrites,
    /// It is possible in some states only, and changes it: a compare and set.
    Updates,
}

/// A sequential object.
pub trait SequentialSpec {
    /// An operation with its observed result.
    type Op: Clone + Ord;
    /// A state.
    type State: Copy + Ord;

    /// How the operation relates to the state.
    fn effect(&self, op: &Self::Op) -> Effect;

    /// The only known state in which the operation is possible, if there is only one.
    fn needs(&self, op: &Self::Op) -> Option<Self::State>;

    /// The state it leaves, whatever was before, if it changes the state at all.
    fn leaves(&self, op: &Self::Op) -> Option<Self::State>;

    /// The state after the operation, or none if it cannot give its result in this state.
    fn apply(&self, state: Self::State, op: &Self::Op) -> Option<Self::State>;
}
