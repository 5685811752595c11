//! What happens to one object in the order of time: operations begin, may happen, are due.
//!
//! An operation gets a slot from its invocation to its completion, so that a set of open
//! operations is a few words however long the history is. What is of unknown outcome has no slot:
//! equal ones are counted.

use super::super::model::Model;
use super::states::{ClassId, Form, StateId, States};
use crate::history::compact::Op;
use crate::history::operation::Outcome;

/// Number of an acknowledged operation.
pub type TaskId = u32;

/// An acknowledged operation.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    /// Its position in the operations given.
    pub at: u32,
    /// Its class.
    pub class: ClassId,
    /// Where its bit is.
    pub slot: u32,
    /// Position of the mark at which it must have happened.
    pub due: u32,
}

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// From here on it may be taken.
    Begin(TaskId),
    /// By now it must have been taken.
    Due(TaskId),
    /// One more of this class may happen, or never.
    Offer(ClassId),
}

/// The history, prepared.
#[derive(Debug, Default)]
pub struct Course {
    /// In order of time; at one instant beginnings come first.
    pub marks: Vec<Mark>,
    /// The acknowledged operations.
    pub tasks: Vec<Task>,
    /// Operations of unknown outcome: class and position, in order of invocation.
    pub optional: Vec<(ClassId, u32)>,
    /// How many slots there are.
    pub slots: usize,
    /// By state: the last mark at which somebody may still need it.
    pub last_need: Vec<u32>,
}

impl Course {
    /// Prepares these operations.
    pub fn of<M: Model>(states: &mut States<'_, M>, ops: &[Op]) -> Course {
        let mut course = Course::default();
        let mut timed: Vec<(u64, u8, u32)> = Vec::with_capacity(ops.len() * 2);
        let mut optional = Vec::new();
        for (at, op) in ops.iter().enumerate() {
            let at = at as u32;
            if op.outcome == Outcome::Ok {
                let class = states.class(op);
                let task = course.tasks.len() as u32;
                let (slot, due) = (0, 0);
                course.tasks.push(Task {
                    at,
                    class,
                    slot,
                    due,
                });
                timed.push((op.invoked, BEGIN, task));
                timed.push((op.completed, DUE, task));
            } else if op.outcome == Outcome::Unknown {
                let class = states.class(op);
                if !states.form(class).is_read() {
                    optional.push((class, at));
                }
            }
        }
        drop_unobserved(&mut optional, &course.tasks, states);
        optional.sort_by_key(|(_, at)| ops[*at as usize].invoked);
        for (number, (_, at)) in optional.iter().enumerate() {
            timed.push((ops[*at as usize].invoked, OFFER, number as u32));
        }
        course.optional = optional;
        timed.sort_unstable();
        course.mark(&timed);
        course.note_needs(states);
        course
    }

    fn mark(&mut self, timed: &[(u64, u8, u32)]) {
        let mut free: Vec<u32> = Vec::new();
        for (_, kind, number) in timed {
            let position = self.marks.len() as u32;
            let mark = match *kind {
                BEGIN => {
                    let slot = free.pop().unwrap_or_else(|| {
                        self.slots += 1;
                        self.slots as u32 - 1
                    });
                    self.tasks[*number as usize].slot = slot;
                    Mark::Begin(*number)
                }
                OFFER => Mark::Offer(self.optional[*number as usize].0),
                _ => {
                    let task = &mut self.tasks[*number as usize];
                    task.due = position;
                    free.push(task.slot);
                    Mark::Due(*number)
                }
            };
            self.marks.push(mark);
        }
    }

    fn note_needs<M: Model>(&mut self, states: &States<'_, M>) {
        self.last_need = vec![0; states.count()];
        let mut note = |form: Form, until: u32| {
            if let Some(state) = form.needs() {
                let last = &mut self.last_need[state as usize];
                *last = until.max(*last);
            }
        };
        for task in &self.tasks {
            note(states.form(task.class), task.due);
        }
        for (class, _) in &self.optional {
            note(states.form(*class), u32::MAX);
        }
    }

    /// Until which mark an operation of this form can be of use to somebody.
    pub fn useful_until(&self, form: Form) -> u32 {
        form.leaves()
            .map_or(u32::MAX, |left| self.last_need[left as usize])
    }
}

/// What nobody needs may as well not have happened, if its effect is one state.
fn drop_unobserved<M: Model>(
    optional: &mut Vec<(ClassId, u32)>,
    tasks: &[Task],
    states: &States<'_, M>,
) {
    let mut is_needed = vec![false; states.count()];
    let mut newly: Vec<StateId> = Vec::new();
    let mut need = |form: Form, newly: &mut Vec<StateId>| {
        if let Some(state) = form.needs()
            && !std::mem::replace(&mut is_needed[state as usize], true)
        {
            newly.push(state);
        }
    };
    for task in tasks {
        need(states.form(task.class), &mut newly);
    }
    // From the needed states backwards over compare and sets.
    let mut producers: Vec<(StateId, ClassId)> = optional
        .iter()
        .filter_map(|(class, _)| Some((states.form(*class).leaves()?, *class)))
        .collect();
    producers.sort_unstable();
    producers.dedup();
    while let Some(state) = newly.pop() {
        let first = producers.partition_point(|(left, _)| *left < state);
        let of_state = producers[first..]
            .iter()
            .take_while(|(left, _)| *left == state);
        for (_, class) in of_state {
            need(states.form(*class), &mut newly);
        }
    }
    optional.retain(|(class, _)| {
        states
            .form(*class)
            .leaves()
            .is_none_or(|left| is_needed[left as usize])
    });
}

// Beginnings before ends: operations that touch in one instant are concurrent.
const BEGIN: u8 = 0;
const OFFER: u8 = 1;
const DUE: u8 = 2;
