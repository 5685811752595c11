//! Decides whether a history of one object is linearizable: a Wing-Gong-Lowe search, just in time.
//!
//! Time goes on until an acknowledged operation is due that was not taken yet; only then is
//! something taken: it, or others first. Depth first, with these prunings, none of which loses an
//! answer:
//! - a read that fits the state is taken at once: it is in nobody's way;
//! - of equal operations the one that is due first is taken, one of unknown outcome last;
//! - a write hides all other open writes and appends: right before it they may have happened
//!   unseen, so they need not be taken any more, and still may until they are due;
//! - what was taken early must be seen by somebody before the next write;
//! - a state that open operations need and nobody can bring back is not left;
//! - an operation of unknown outcome is dropped when nobody can need its effect any more;
//! - a configuration is not entered twice, nor one that used up more than one seen before.
//!
//! The furthest operation that was due and could not be placed is the one to show. Out of budget
//! is an answer of its own, with the place.

pub mod configuration;
pub mod course;
pub mod memo;
pub mod states;

use self::configuration::{Configuration, Pick, Reached, Undo};
use self::course::{Course, TaskId};
use self::memo::Memo;
use self::states::{ClassId, StateId, States, UNKNOWN};
use super::budget::{Budget, Spent};
use super::model::Model;
use crate::history::compact::{Log, Op};

/// What the object is before the first operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initial {
    /// As the model says.
    Known,
    /// Whatever the first to observe it saw; only for models that are definite.
    Unknown,
}

/// The answer; positions are those of the operations given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// There is an order.
    Linearizable,
    /// There is none.
    NotLinearizable {
        /// The furthest operation that could not be placed when it was due.
        stuck: usize,
        /// Whether it observed what nobody can have brought about by then.
        is_unfounded: bool,
    },
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

/// Decides; failed operations and reads of unknown outcome do not matter.
pub fn decide<M: Model>(
    model: &M,
    initial: Initial,
    log: &Log,
    ops: &[Op],
    budget: Budget<'_>,
) -> Decision {
    let mut states = States::new(model, log);
    let course = Course::of(&mut states, ops);
    if let Some(stuck) = unfounded(&states, &course, initial, ops) {
        return Decision::NotLinearizable {
            stuck,
            is_unfounded: true,
        };
    }
    let initial = match initial {
        Initial::Known => 0,
        Initial::Unknown => UNKNOWN,
    };
    let now = Configuration::new(&course, &states, initial);
    let width = 1 + now.done.words().len() * 2;
    Search {
        now,
        memo: Memo::new(width),
        stamps: vec![(0, 0); states.classes()],
        states,
        course,
        frames: Vec::new(),
        candidates: Vec::new(),
        stamp: 0,
        deepest: Deepest::default(),
        budget,
    }
    .run()
}

/// The first to observe a state that nobody had begun to bring about when it was complete.
fn unfounded<M: Model>(
    states: &States<'_, M>,
    course: &Course,
    initial: Initial,
    ops: &[Op],
) -> Option<usize> {
    if initial == Initial::Unknown {
        return None;
    }
    let mut earliest = vec![u64::MAX; states.count()];
    // The model begins in state 0.
    earliest[0] = 0;
    let tasks = course.tasks.iter().map(|task| (task.class, task.at));
    for (class, at) in tasks.chain(course.optional.iter().copied()) {
        if let Some(left) = states.form(class).leaves() {
            let first = &mut earliest[left as usize];
            *first = (*first).min(ops[at as usize].invoked);
        }
    }
    let is_late = |needed: StateId, at: u32| earliest[needed as usize] > ops[at as usize].completed;
    let late = course.tasks.iter().filter(|task| {
        let needed = states.form(task.class).needs();
        needed.is_some_and(|needed| is_late(needed, task.at))
    });
    let first = late.min_by_key(|task| ops[task.at as usize].completed);
    first.map(|task| task.at as usize)
}

/// Something that can be taken, and how soon it should be.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    pick: Pick,
    rank: u8,
    due: u32,
}

/// A place where something had to be taken.
#[derive(Debug, Clone, Copy)]
struct Frame {
    position: usize,
    trail: usize,
    forced: TaskId,
    first: usize,
    next: usize,
}

#[derive(Debug, Default)]
struct Deepest {
    position: usize,
    forced: TaskId,
    open: usize,
}

struct Search<'a, M: Model> {
    states: States<'a, M>,
    course: Course,
    now: Configuration,
    memo: Memo,
    frames: Vec<Frame>,
    /// Of all frames, one after the other.
    candidates: Vec<Candidate>,
    /// By class: when it was last met, and its candidate.
    stamps: Vec<(u64, usize)>,
    stamp: u64,
    deepest: Deepest,
    budget: Budget<'a>,
}

impl<M: Model> Search<'_, M> {
    fn run(mut self) -> Decision {
        let mut steps = 0;
        loop {
            match self.now.advance(&self.course, &mut self.states) {
                Reached::End => return Decision::Linearizable,
                Reached::Forced(task) => self.enter(task, None),
                Reached::Expiring(task) => self.enter(task, Some(Pick::Leave(task))),
                Reached::Dead => {}
            }
            loop {
                steps += 1;
                if let Some(spent) = self.spent(steps) {
                    return self.undecided(spent);
                }
                match self.take_next() {
                    Taken::Alive => break,
                    Taken::InVain => {}
                    Taken::NothingLeft => return self.refuted(),
                }
            }
        }
    }

    fn spent(&self, steps: u64) -> Option<Spent> {
        if steps > self.budget.steps_max {
            return Some(Spent::Steps);
        }
        if !steps.is_multiple_of(LOOK_EVERY) {
            return None;
        }
        if self.bytes() > self.budget.bytes_max {
            return Some(Spent::Memory);
        }
        let is_over = self.budget.is_over.is_some_and(|is_over| is_over());
        is_over.then_some(Spent::Time)
    }

    fn bytes(&self) -> usize {
        self.memo.bytes()
            + self.states.bytes()
            + self.frames.capacity() * size_of::<Frame>()
            + self.candidates.capacity() * size_of::<Candidate>()
            + self.now.trail.capacity() * size_of::<Undo>()
    }

    /// Something must be taken here: what could be?
    fn enter(&mut self, forced: TaskId, leave: Option<Pick>) {
        self.now.forget(&self.course, &self.states);
        if self.deepest.position <= self.now.position {
            self.note_deepest(forced);
        }
        if !self.is_new() {
            return;
        }
        let first = self.candidates.len();
        let leave = leave.map(|pick| Candidate {
            pick,
            rank: 0,
            due: 0,
        });
        self.candidates.extend(leave);
        self.find_candidates(forced, first);
        self.candidates[first..].sort_by_key(|candidate| (candidate.rank, candidate.due));
        self.frames.push(Frame {
            position: self.now.position,
            trail: self.now.trail.len(),
            forced,
            first,
            next: first,
        });
    }

    fn is_new(&mut self) -> bool {
        let now = &self.now;
        let mut words = Vec::with_capacity(1 + now.done.words().len() * 2);
        let place = (now.position as u64) << 33 | u64::from(now.is_unseen) << 32;
        words.push(place | u64::from(now.state));
        words.extend_from_slice(now.done.words());
        words.extend_from_slice(now.spare.words());
        let mut uses: Vec<(ClassId, u32)> = now
            .active
            .iter()
            .map(|class| (*class, now.used(*class)))
            .collect();
        uses.sort_unstable();
        self.memo.enter(&words, &uses)
    }

    fn find_candidates(&mut self, forced: TaskId, first: usize) {
        self.stamp += 1;
        let wanted = self.course.tasks[forced as usize].class;
        let state = self.now.state;
        for task in self.now.undone() {
            let (class, due) = {
                let task = &self.course.tasks[task as usize];
                (task.class, task.due)
            };
            if self.now.is_unseen && self.states.form(class).is_write() {
                continue;
            }
            let Some(after) = self.states.step(state, class) else {
                continue;
            };
            let rank = match task == forced {
                true => 0,
                false => rank(&mut self.states, after, wanted, 1),
            };
            let pick = Pick::Task(task);
            let candidate = Candidate { pick, rank, due };
            let (stamp, at) = self.stamps[class as usize];
            if stamp != self.stamp {
                self.stamps[class as usize] = (self.stamp, self.candidates.len());
                self.candidates.push(candidate);
            } else if self.candidates[at].due > due {
                self.candidates[at] = candidate;
            }
        }
        for class in &self.now.open {
            let form = self.states.form(*class);
            let is_hidden = self.now.is_unseen && form.is_write();
            let is_taken_first = self.stamps[*class as usize].0 == self.stamp;
            if is_hidden || is_taken_first || !self.now.is_left(*class) {
                continue;
            }
            if let Some(after) = self.states.step(state, *class)
                && (after != state || form.is_write())
            {
                self.candidates.push(Candidate {
                    pick: Pick::Optional(*class),
                    rank: rank(&mut self.states, after, wanted, 2),
                    due: u32::MAX,
                });
            }
        }
        debug_assert!(first <= self.candidates.len(), "candidates are only added");
    }

    fn take_next(&mut self) -> Taken {
        let Some(frame) = self.frames.last_mut() else {
            return Taken::NothingLeft;
        };
        self.now.back(frame.trail, &self.course, &self.states);
        self.now.position = frame.position;
        let Some(candidate) = self.candidates.get(frame.next) else {
            self.candidates.truncate(frame.first);
            self.frames.pop();
            return Taken::InVain;
        };
        frame.next += 1;
        let (pick, forced) = (candidate.pick, frame.forced);
        match self.now.take(pick, forced, &self.course, &mut self.states) {
            true => Taken::Alive,
            false => Taken::InVain,
        }
    }

    fn note_deepest(&mut self, forced: TaskId) {
        self.deepest.position = self.now.position;
        self.deepest.forced = forced;
        self.deepest.open = self.now.undone().count();
    }

    fn refuted(self) -> Decision {
        Decision::NotLinearizable {
            stuck: self.course.tasks[self.deepest.forced as usize].at as usize,
            is_unfounded: false,
        }
    }

    fn undecided(&self, spent: Spent) -> Decision {
        Decision::Undecided {
            spent,
            at: self.course.tasks[self.deepest.forced as usize].at as usize,
            open: self.deepest.open,
        }
    }
}

/// How a step ended.
enum Taken {
    Alive,
    InVain,
    NothingLeft,
}

/// Sooner if what must be taken can follow at once.
fn rank<M: Model>(states: &mut States<'_, M>, after: StateId, wanted: ClassId, base: u8) -> u8 {
    match states.step(after, wanted) {
        Some(_) => base,
        None => base + 2,
    }
}

/// Steps between two looks at memory and clock.
const LOOK_EVERY: u64 = 1024;
