//! Who still waits for a state, and who can still bring it about.
//!
//! Two prunings of the search rest on these counts. A state that open operations need, and that
//! nobody can bring back, must not be left. A write whose state nobody waits for may be taken right
//! before any other write: nobody sees it.

use std::collections::BTreeMap;

use super::spec::{Effect, SequentialSpec};

/// Whether an operation must happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// It must.
    Required,
    /// It may.
    Optional,
}

/// Operations that are not taken yet, counted by the states they need and leave.
#[derive(Debug)]
pub struct Demand<State> {
    counts: BTreeMap<State, Count>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    required_observers: u32,
    optional_observers: u32,
    producers: u32,
}

impl<State: Copy + Ord> Default for Demand<State> {
    fn default() -> Self {
        Demand {
            counts: BTreeMap::new(),
        }
    }
}

impl<State: Copy + Ord> Demand<State> {
    /// An operation is open (again).
    pub fn add<S: SequentialSpec<State = State>>(&mut self, spec: &S, op: &S::Op, duty: Duty) {
        if let Some(state) = spec.needs(op) {
            *self.observers(state, duty) += 1;
        }
        if let Some(state) = spec.leaves(op) {
            self.counts.entry(state).or_default().producers += 1;
        }
    }

    /// An operation is taken.
    pub fn remove<S: SequentialSpec<State = State>>(&mut self, spec: &S, op: &S::Op, duty: Duty) {
        if let Some(state) = spec.needs(op) {
            *self.observers(state, duty) -= 1;
        }
        if let Some(state) = spec.leaves(op) {
            self.counts.entry(state).or_default().producers -= 1;
        }
    }

    fn observers(&mut self, state: State, duty: Duty) -> &mut u32 {
        let count = self.counts.entry(state).or_default();
        match duty {
            Duty::Required => &mut count.required_observers,
            Duty::Optional => &mut count.optional_observers,
        }
    }

    fn count(&self, state: State) -> Count {
        self.counts.get(&state).copied().unwrap_or_default()
    }

    /// Whether required operations wait for a state that nobody can bring about any more.
    pub fn is_lost(&self, state: State) -> bool {
        let count = self.count(state);
        count.required_observers > 0 && count.producers == 0
    }

    /// Whether this is a write whose state nobody waits for.
    pub fn is_unseen<S: SequentialSpec<State = State>>(&self, spec: &S, op: &S::Op) -> bool {
        let waited = |count: Count| count.required_observers + count.optional_observers > 0;
        let is_write = spec.effect(op) == Effect::Overwrites;
        is_write
            && spec
                .leaves(op)
                .is_some_and(|state| !waited(self.count(state)))
    }
}
