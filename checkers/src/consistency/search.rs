//! Decides whether a history of one object is linearizable: a Wing-Gong-Lowe search.
//!
//! It looks for an order of the operations that respects real time and the sequential object,
//! depth first, remembering every configuration it has been in: what is linearized beyond the first
//! open operation (a window, small where concurrency is), which unknown operations were taken, and
//! the state. These prunings keep it small, none of which loses an answer:
//! - a read that fits the state is taken at once: it is in nobody's way;
//! - an unknown operation is taken only right before one that observes its effect;
//! - equal unknown operations are taken in order of invocation;
//! - a state that open operations need and nobody can bring back is not left;
//! - of the writes, one that nobody will see goes first;
//! - a configuration seen before is not entered again.
//!
//! It never guesses: out of budget is an answer of its own, with the window it was in.

use std::collections::{BTreeMap, BTreeSet};

use super::demand::{Demand, Duty};
use super::spec::{Effect, SequentialSpec};

/// An operation that happened between two times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required<O> {
    /// What it did.
    pub op: O,
    /// When it was invoked.
    pub invoked: u64,
    /// When it was complete.
    pub completed: u64,
}

/// An operation that may have happened at any time after its invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Optional<O> {
    /// What it would do.
    pub op: O,
    /// When it was invoked.
    pub invoked: u64,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// There is an order.
    Linearizable,
    /// There is none.
    NotLinearizable,
    /// Not known: the budget of steps was used up.
    OutOfBudget {
        /// First required operation (an index) that was open at the deepest point.
        first_open: usize,
        /// How many operations could be taken next there.
        candidates: usize,
    },
}

/// Decides within this many steps. `required` must be in order of invocation.
pub fn decide<S: SequentialSpec>(
    spec: &S,
    initial: S::State,
    required: &[Required<S::Op>],
    optional: &[Optional<S::Op>],
    steps_max: u64,
) -> Decision {
    debug_assert!(
        required.is_sorted_by_key(|op| op.invoked),
        "in order of invocation"
    );
    Search::new(spec, required, optional).run(initial, steps_max)
}

/// What may be taken next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Candidate {
    Required(usize),
    Optional(usize),
}

/// Equal optional operations; they are taken in order of invocation.
struct Group<O> {
    op: O,
    invoked: Vec<u64>,
}

/// One step of the current path.
struct Frame<State> {
    state: State,
    /// Where the first open operation was.
    first_open: usize,
    candidates: Vec<Candidate>,
    next: usize,
    /// What was taken to get here.
    taken: Option<Candidate>,
}

/// A configuration beyond its first open operation.
type Configuration<State> = (Vec<u64>, Vec<u16>, State, bool);

struct Search<'a, S: SequentialSpec> {
    spec: &'a S,
    required: &'a [Required<S::Op>],
    groups: Vec<Group<S::Op>>,
    /// Which required operations are linearized.
    is_done: Vec<bool>,
    /// How many of each group are taken.
    taken: Vec<u16>,
    /// Required operations before this one are all linearized.
    first_open: usize,
    done: usize,
    demand: Demand<S::State>,
    seen: Vec<BTreeSet<Configuration<S::State>>>,
    deepest: Deepest,
}

#[derive(Debug, Clone, Copy, Default)]
struct Deepest {
    done: usize,
    first_open: usize,
    candidates: usize,
}

impl<'a, S: SequentialSpec> Search<'a, S> {
    fn new(
        spec: &'a S,
        required: &'a [Required<S::Op>],
        optional: &[Optional<S::Op>],
    ) -> Search<'a, S> {
        let mut grouped: BTreeMap<&S::Op, Vec<u64>> = BTreeMap::new();
        for op in optional {
            grouped.entry(&op.op).or_default().push(op.invoked);
        }
        let groups: Vec<Group<S::Op>> = grouped
            .into_iter()
            .map(|(op, mut invoked)| {
                invoked.sort_unstable();
                invoked.truncate(usize::from(u16::MAX));
                let op = op.clone();
                Group { op, invoked }
            })
            .collect();
        let mut demand = Demand::default();
        required
            .iter()
            .for_each(|required| demand.add(spec, &required.op, Duty::Required));
        optional
            .iter()
            .for_each(|optional| demand.add(spec, &optional.op, Duty::Optional));
        Search {
            spec,
            required,
            demand,
            is_done: vec![false; required.len()],
            taken: vec![0; groups.len()],
            groups,
            first_open: 0,
            done: 0,
            seen: std::iter::repeat_with(BTreeSet::new)
                .take(required.len() + 1)
                .collect(),
            deepest: Deepest::default(),
        }
    }

    fn run(&mut self, initial: S::State, steps_max: u64) -> Decision {
        if self.required.is_empty() {
            return Decision::Linearizable;
        }
        let mut path = vec![self.frame(initial, None)];
        let mut steps = 0;
        while let Some(frame) = path.last_mut() {
            let Some(candidate) = frame.candidates.get(frame.next).copied() else {
                let frame = path.pop().expect("the loop looked at it");
                if let Some(candidate) = frame.taken {
                    let before = path.last().map_or(0, |before| before.first_open);
                    self.give_back(candidate, before);
                }
                continue;
            };
            frame.next += 1;
            let (state, first_open) = (frame.state, frame.first_open);
            steps += 1;
            if steps > steps_max {
                return Decision::OutOfBudget {
                    first_open: self.deepest.first_open,
                    candidates: self.deepest.candidates,
                };
            }
            let Some(after) = self.spec.apply(state, self.op(candidate)) else {
                continue;
            };
            self.take(candidate);
            if self.done == self.required.len() {
                return Decision::Linearizable;
            }
            let is_left = after != state && self.demand.is_lost(state);
            if !is_left && self.is_new(after, candidate) {
                path.push(self.frame(after, Some(candidate)));
            } else {
                self.give_back(candidate, first_open);
            }
        }
        Decision::NotLinearizable
    }

    fn op(&self, candidate: Candidate) -> &S::Op {
        match candidate {
            Candidate::Required(index) => &self.required[index].op,
            Candidate::Optional(group) => &self.groups[group].op,
        }
    }

    fn take(&mut self, candidate: Candidate) {
        self.with_demand(candidate, |demand, spec, op, duty| {
            demand.remove(spec, op, duty)
        });
        match candidate {
            Candidate::Required(index) => {
                self.is_done[index] = true;
                self.done += 1;
                while self.is_done.get(self.first_open) == Some(&true) {
                    self.first_open += 1;
                }
            }
            Candidate::Optional(group) => self.taken[group] += 1,
        }
    }

    fn with_demand(
        &mut self,
        candidate: Candidate,
        change: impl Fn(&mut Demand<S::State>, &S, &S::Op, Duty),
    ) {
        let (op, duty) = match candidate {
            Candidate::Required(index) => (&self.required[index].op, Duty::Required),
            Candidate::Optional(group) => (&self.groups[group].op, Duty::Optional),
        };
        change(&mut self.demand, self.spec, op, duty);
    }

    fn give_back(&mut self, candidate: Candidate, first_open: usize) {
        self.with_demand(candidate, |demand, spec, op, duty| {
            demand.add(spec, op, duty)
        });
        match candidate {
            Candidate::Required(index) => {
                self.is_done[index] = false;
                self.done -= 1;
            }
            Candidate::Optional(group) => self.taken[group] -= 1,
        }
        self.first_open = first_open;
    }

    /// Enters the configuration after this step, unless it was entered before.
    fn is_new(&mut self, state: S::State, candidate: Candidate) -> bool {
        let mut window = Vec::new();
        let beyond = self.done - self.first_open;
        let mut found = 0;
        let mut offset = 0;
        while found < beyond {
            if self.is_done[self.first_open + offset] {
                if window.len() <= offset / 64 {
                    window.resize(offset / 64 + 1, 0);
                }
                window[offset / 64] |= 1 << (offset % 64);
                found += 1;
            }
            offset += 1;
        }
        let used = self.taken.iter().rposition(|count| *count > 0);
        let taken = self.taken[..used.map_or(0, |last| last + 1)].to_vec();
        // What may follow an unknown operation is restricted, so it is another configuration.
        let after_optional = matches!(candidate, Candidate::Optional(_));
        self.seen[self.first_open].insert((window, taken, state, after_optional))
    }

    /// The step that begins here: which operations may come next.
    fn frame(&mut self, state: S::State, taken: Option<Candidate>) -> Frame<S::State> {
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut due = u64::MAX;
        let mut free_read = None;
        for (index, op) in self.required.iter().enumerate().skip(self.first_open) {
            if self.is_done[index] {
                continue;
            }
            // Real time: nothing that was invoked after another's completion comes before it.
            if op.invoked > due {
                break;
            }
            due = due.min(op.completed);
            let is_read = self.spec.effect(&op.op) == Effect::Observes;
            if is_read && self.spec.apply(state, &op.op) == Some(state) {
                free_read = Some(Candidate::Required(index));
            }
            candidates.push(Candidate::Required(index));
        }
        if self.done >= self.deepest.done {
            self.deepest = Deepest {
                done: self.done,
                first_open: self.first_open,
                candidates: candidates.len(),
            };
        }
        if let Some(read) = free_read {
            candidates = vec![read];
        } else {
            candidates.sort_by_key(|candidate| match candidate {
                Candidate::Required(index) => self.required[*index].completed,
                Candidate::Optional(_) => u64::MAX,
            });
            candidates.extend(self.open_groups(due));
            self.put_unseen_first(&mut candidates);
            if let Some(Candidate::Optional(_)) = taken {
                candidates.retain(|next| self.spec.effect(self.op(*next)) != Effect::Overwrites);
            }
        }
        Frame {
            state,
            first_open: self.first_open,
            candidates,
            next: 0,
            taken,
        }
    }

    /// If there is a write that nobody will see, it goes before all other writes: taken right
    /// before any of them it changes nothing.
    fn put_unseen_first(&self, candidates: &mut Vec<Candidate>) {
        let is_unseen = |next: &Candidate| match next {
            Candidate::Required(index) => {
                self.demand.is_unseen(self.spec, &self.required[*index].op)
            }
            Candidate::Optional(_) => false,
        };
        if let Some(unseen) = candidates.iter().copied().find(is_unseen) {
            candidates.retain(|next| {
                *next == unseen || self.spec.effect(self.op(*next)) != Effect::Overwrites
            });
        }
    }

    fn open_groups(&self, due: u64) -> impl Iterator<Item = Candidate> + '_ {
        let groups = self.groups.iter().zip(&self.taken).enumerate();
        groups.filter_map(move |(number, (group, taken))| {
            let invoked = group.invoked.get(usize::from(*taken))?;
            (*invoked <= due).then_some(Candidate::Optional(number))
        })
    }
}

#[cfg(test)]
mod tests;
