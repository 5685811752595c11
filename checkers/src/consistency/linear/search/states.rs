//! States and kinds of calls as numbers, and the steps between them.
//!
//! Calls with the same function, key, argument and result are of one class: they are
//! interchangeable, and a step is computed once for each state and class.

use super::super::model::{Call, Model, Shape};
use crate::history::compact::{Atom, Log, Op};
use crate::history::operation::Outcome;
use crate::history::{Function, Value};
use crate::table::{IndexTable, Mix};

/// Number of a state.
pub type StateId = u32;
/// Number of a class.
pub type ClassId = u32;

/// The state nobody knows: whatever observes it first tells what it was.
pub const UNKNOWN: StateId = u32::MAX;

/// [`Shape`] with numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Possible in one state, which it leaves as it is.
    Observes(StateId),
    /// Possible always, leaves one state.
    Overwrites(StateId),
    /// Possible in one state, leaves another.
    Moves(StateId, StateId),
    /// Possible always, and leaves one state.
    Resets,
    /// Possible always.
    Updates,
    /// Never changes the state.
    Reads,
    /// Anything.
    Changes,
}

impl Form {
    /// The only state in which it is possible, if there is only one.
    pub fn needs(self) -> Option<StateId> {
        match self {
            Form::Observes(state) | Form::Moves(state, _) => Some(state),
            Form::Overwrites(_) | Form::Resets | Form::Updates | Form::Reads | Form::Changes => {
                None
            }
        }
    }

    /// The state it always leaves, if it changes the state.
    pub fn leaves(self) -> Option<StateId> {
        match self {
            Form::Overwrites(state) | Form::Moves(_, state) => Some(state),
            Form::Observes(_) | Form::Resets | Form::Updates | Form::Reads | Form::Changes => None,
        }
    }

    /// Whether what was before makes no difference to what it leaves: a write.
    pub fn is_write(self) -> bool {
        matches!(self, Form::Overwrites(_) | Form::Resets)
    }

    /// Whether it may have happened unseen right before a write.
    pub fn can_be_hidden(self) -> bool {
        self.is_write() || self == Form::Updates
    }

    /// Whether it leaves every state as it is.
    pub fn is_read(self) -> bool {
        matches!(self, Form::Observes(_) | Form::Reads)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Kind {
    f: Function,
    key: u32,
    argument: Atom,
    result: Option<Atom>,
}

/// The numbers.
pub struct States<'a, M: Model> {
    model: &'a M,
    log: &'a Log,
    states: Vec<M::State>,
    /// Bytes that the states hold elsewhere.
    held_bytes: usize,
    state_table: IndexTable,
    kinds: Vec<Kind>,
    kind_table: IndexTable,
    forms: Vec<Form>,
    /// State, class, state after + 1 or 0.
    steps: Vec<(StateId, ClassId, StateId)>,
    step_table: IndexTable,
}

impl<'a, M: Model> States<'a, M> {
    /// None yet but the initial state, which is 0.
    pub fn new(model: &'a M, log: &'a Log) -> States<'a, M> {
        let mut states = States {
            model,
            log,
            states: Vec::new(),
            held_bytes: 0,
            state_table: IndexTable::default(),
            kinds: Vec::new(),
            kind_table: IndexTable::default(),
            forms: Vec::new(),
            steps: Vec::new(),
            step_table: IndexTable::default(),
        };
        states.state(model.initial());
        states
    }

    /// How many states are known.
    pub fn count(&self) -> usize {
        self.states.len()
    }

    /// How many classes are known.
    pub fn classes(&self) -> usize {
        self.kinds.len()
    }

    /// How a class relates to states.
    pub fn form(&self, class: ClassId) -> Form {
        self.forms[class as usize]
    }

    /// Bytes it holds, roughly.
    pub fn bytes(&self) -> usize {
        self.states.capacity() * size_of::<M::State>()
            + self.held_bytes
            + self.state_table.bytes()
            + self.steps.capacity() * size_of::<(StateId, ClassId, StateId)>()
            + self.step_table.bytes()
    }

    /// A state for people.
    pub fn told(&self, state: StateId) -> String {
        match state {
            UNKNOWN => "unknown".into(),
            state => self.model.told(&self.states[state as usize]),
        }
    }

    /// The class of an operation.
    pub fn class(&mut self, op: &Op) -> ClassId {
        let kind = Kind {
            f: op.f,
            key: op.key.0,
            argument: op.argument,
            result: (op.outcome == Outcome::Ok).then_some(op.result),
        };
        let hash = Mix::of(&kind);
        let known = self
            .kind_table
            .find(hash, |at| self.kinds[at as usize] == kind);
        known.unwrap_or_else(|| {
            let class = self.kinds.len() as ClassId;
            self.kinds.push(kind);
            self.kind_table.insert(hash, class);
            let form = self.form_of(kind);
            self.forms.push(form);
            class
        })
    }

    /// The state after a call of this class, if it is possible.
    pub fn step(&mut self, state: StateId, class: ClassId) -> Option<StateId> {
        let fits = |needed| (state == needed || state == UNKNOWN).then_some(());
        match self.forms[class as usize] {
            Form::Observes(needed) => fits(needed).map(|()| needed),
            Form::Overwrites(left) => Some(left),
            Form::Moves(needed, left) => fits(needed).map(|()| left),
            Form::Reads if state == UNKNOWN => Some(UNKNOWN),
            // Of a definite model this is a call that is never possible.
            Form::Resets | Form::Updates | Form::Changes if state == UNKNOWN => None,
            Form::Resets | Form::Updates | Form::Reads | Form::Changes => {
                self.modelled(state, class)
            }
        }
    }

    fn modelled(&mut self, state: StateId, class: ClassId) -> Option<StateId> {
        let hash = Mix::of(&(u64::from(state) << 32 | u64::from(class)));
        let known = self.step_table.find(hash, |at| {
            let (from, call, _) = self.steps[at as usize];
            (from, call) == (state, class)
        });
        if let Some(known) = known {
            return self.steps[known as usize].2.checked_sub(1);
        }
        let kind = self.kinds[class as usize];
        let before = &self.states[state as usize];
        let after = self.with_call(kind, |call| self.model.step(before, call));
        let after = after.map(|after| self.state(after));
        self.step_table.insert(hash, self.steps.len() as u32);
        self.steps
            .push((state, class, after.map_or(0, |after| after + 1)));
        after
    }

    fn with_call<R>(&self, kind: Kind, f: impl FnOnce(&Call<'_>) -> R) -> R {
        let argument = self.log.atoms.value(kind.argument);
        let result = kind.result.map(|result| self.log.atoms.value(result));
        let result: Option<&Value> = result.as_deref();
        f(&Call {
            f: kind.f,
            key: &self.log.keys[kind.key as usize],
            argument: &argument,
            result,
        })
    }

    fn form_of(&mut self, kind: Kind) -> Form {
        match self.with_call(kind, |call| self.model.shape(call)) {
            Shape::Observes(state) => Form::Observes(self.state(state)),
            Shape::Overwrites(state) => Form::Overwrites(self.state(state)),
            Shape::Moves(from, to) => Form::Moves(self.state(from), self.state(to)),
            Shape::Reads => Form::Reads,
            Shape::Resets => Form::Resets,
            Shape::Updates => Form::Updates,
            Shape::Changes => Form::Changes,
        }
    }

    fn state(&mut self, state: M::State) -> StateId {
        let hash = Mix::of(&state);
        let known = self
            .state_table
            .find(hash, |at| self.states[at as usize] == state);
        known.unwrap_or_else(|| {
            let id = self.states.len() as StateId;
            self.held_bytes += self.model.held_bytes(&state);
            self.states.push(state);
            self.state_table.insert(hash, id);
            id
        })
    }
}
