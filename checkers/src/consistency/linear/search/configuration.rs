//! Where a search stands, and how it goes back.
//!
//! Each change is noted on a trail; going back takes the notes off again. So a step costs what it
//! changes, and not what the history holds.

use super::super::model::Model;
use super::course::{Course, Mark, TaskId};
use super::states::{ClassId, Form, StateId, States, UNKNOWN};

/// A set of slots.
#[derive(Debug, Clone, Default)]
pub struct Slots(Vec<u64>);

impl Slots {
    fn new(slots: usize) -> Slots {
        Slots(vec![0; slots.div_ceil(64).max(1)])
    }

    fn has(&self, slot: u32) -> bool {
        self.0[slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    fn add(&mut self, slot: u32) {
        self.0[slot as usize / 64] |= 1 << (slot % 64);
    }

    fn remove(&mut self, slot: u32) {
        self.0[slot as usize / 64] &= !(1 << (slot % 64));
    }

    /// Its words.
    pub fn words(&self) -> &[u64] {
        &self.0
    }
}

/// A change that can be taken back.
#[derive(Debug, Clone, Copy)]
pub enum Undo {
    /// A task began.
    Begin(TaskId),
    /// A task was due, and done.
    DueDone(TaskId),
    /// A write was due that some other write had hidden.
    DueSpare(TaskId),
    /// A task was taken.
    Done(TaskId),
    /// A word of the spare writes.
    Spare(u32, u64),
    /// One more of a class may happen.
    Offer(ClassId),
    /// One of a class was used.
    Use(ClassId),
    /// A class was of no more use.
    Closed(ClassId),
    /// Uses of a class do not matter any more.
    Forgotten(ClassId),
    /// State, and whether nobody had seen it.
    State(StateId, bool),
}

/// Where time stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Everything was placed.
    End,
    /// This one must be placed now.
    Forced(TaskId),
    /// This write is hidden, and now is the last time that it may be taken nevertheless.
    Expiring(TaskId),
    /// Something can never be placed any more.
    Dead,
}

/// What can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// An acknowledged operation.
    Task(TaskId),
    /// One of unknown outcome.
    Optional(ClassId),
    /// A write that is hidden stays hidden.
    Leave(TaskId),
}

/// The configuration.
#[derive(Debug)]
pub struct Configuration {
    /// The next mark.
    pub position: usize,
    /// The state.
    pub state: StateId,
    /// The state was brought about early, and nobody has seen it yet.
    pub is_unseen: bool,
    /// Open tasks.
    pub pending: Slots,
    /// Those that were taken.
    pub done: Slots,
    /// Writes that some other write hides: they may be taken, but need not.
    pub spare: Slots,
    /// Everything that was changed.
    pub trail: Vec<Undo>,
    /// Classes of unknown outcome that may be of use.
    pub open: Vec<ClassId>,
    /// Classes of which some were used, and it matters.
    pub active: Vec<ClassId>,
    plain: Slots,
    readers: Slots,
    tasks: Vec<TaskId>,
    used: Vec<u32>,
    offered: Vec<u32>,
    observers: Vec<u32>,
    producers: Vec<u32>,
}

impl Configuration {
    /// The beginning.
    pub fn new<M: Model>(course: &Course, states: &States<'_, M>, initial: StateId) -> Self {
        let slots = || Slots::new(course.slots);
        let mut observers = vec![0; states.count()];
        let mut producers = vec![0; states.count()];
        for task in &course.tasks {
            let form = states.form(task.class);
            form.needs()
                .into_iter()
                .for_each(|state| observers[state as usize] += 1);
            form.leaves()
                .into_iter()
                .for_each(|state| producers[state as usize] += 1);
        }
        for (class, _) in &course.optional {
            let left = states.form(*class).leaves();
            left.into_iter()
                .for_each(|state| producers[state as usize] += 1);
        }
        Configuration {
            position: 0,
            state: initial,
            is_unseen: false,
            pending: slots(),
            done: slots(),
            spare: slots(),
            trail: Vec::new(),
            open: Vec::new(),
            active: Vec::new(),
            plain: slots(),
            readers: slots(),
            tasks: vec![0; course.slots],
            used: vec![0; states.classes()],
            offered: vec![0; states.classes()],
            observers,
            producers,
        }
    }

    /// Lets time go on until something must be placed.
    pub fn advance<M: Model>(&mut self, course: &Course, states: &mut States<'_, M>) -> Reached {
        while let Some(mark) = course.marks.get(self.position) {
            match *mark {
                Mark::Begin(task) => self.begin(task, course, states),
                Mark::Offer(class) => self.offer(class),
                Mark::Due(task) => {
                    let due = course.tasks[task as usize];
                    if self.done.has(due.slot) {
                        self.done.remove(due.slot);
                        self.trail.push(Undo::DueDone(task));
                        self.pending.remove(due.slot);
                    } else if !self.spare.has(due.slot) {
                        return Reached::Forced(task);
                    } else if self.is_wanted(course, states.form(due.class)) {
                        return Reached::Expiring(task);
                    } else {
                        self.leave(task, course, states);
                        continue;
                    }
                }
            }
            self.position += 1;
        }
        Reached::End
    }

    /// Whether somebody may still observe what this write leaves.
    fn is_wanted(&self, course: &Course, form: Form) -> bool {
        // Where no state is told, there is no telling who observes it.
        form.leaves().is_none_or(|left| {
            self.observers[left as usize] > 0 || course.last_need[left as usize] == u32::MAX
        })
    }

    /// Lets the time of a hidden write pass; false if that leads nowhere.
    fn leave<M: Model>(&mut self, task: TaskId, course: &Course, states: &States<'_, M>) -> bool {
        let due = course.tasks[task as usize];
        let form = states.form(due.class);
        self.spare.remove(due.slot);
        self.pending.remove(due.slot);
        self.trail.push(Undo::DueSpare(task));
        self.count(form, -1);
        self.position += 1;
        let left = form.leaves().filter(|left| *left != self.state);
        !left.is_some_and(|left| self.is_lost(left))
    }

    /// A hidden write that is going to be taken after all must be: it is hidden no more.
    fn claim(&mut self, slot: u32) -> bool {
        let is_spare = self.spare.has(slot);
        if is_spare {
            let word = slot / 64;
            self.trail
                .push(Undo::Spare(word, self.spare.0[word as usize]));
            self.spare.remove(slot);
        }
        is_spare
    }

    fn begin<M: Model>(&mut self, task: TaskId, course: &Course, states: &mut States<'_, M>) {
        let begun = course.tasks[task as usize];
        self.trail.push(Undo::Begin(task));
        self.seat(task, course, states.form(begun.class));
        let is_free = self.readers.has(begun.slot)
            && states.step(self.state, begun.class) == Some(self.state);
        if is_free {
            if self.is_unseen {
                self.set_state(self.state, false);
            }
            self.mark_done(task, begun.slot, states.form(begun.class));
        }
    }

    fn seat(&mut self, task: TaskId, course: &Course, form: Form) {
        let slot = course.tasks[task as usize].slot;
        self.tasks[slot as usize] = task;
        self.pending.add(slot);
        self.plain.remove(slot);
        self.readers.remove(slot);
        match form {
            Form::Overwrites(_) | Form::Resets | Form::Updates => self.plain.add(slot),
            Form::Observes(_) | Form::Reads => self.readers.add(slot),
            Form::Moves(_, _) | Form::Changes => {}
        }
    }

    fn offer(&mut self, class: ClassId) {
        self.trail.push(Undo::Offer(class));
        self.offered[class as usize] += 1;
        if self.offered[class as usize] == 1 {
            self.open.push(class);
        }
    }

    /// Takes an operation that must now (`forced`) or may be taken; false if that leads nowhere.
    pub fn take<M: Model>(
        &mut self,
        pick: Pick,
        forced: TaskId,
        course: &Course,
        states: &mut States<'_, M>,
    ) -> bool {
        let class = match pick {
            Pick::Task(task) => course.tasks[task as usize].class,
            Pick::Optional(class) => class,
            Pick::Leave(task) => return self.leave(task, course, states),
        };
        let was_spare = self.claim(course.tasks[forced as usize].slot);
        let before = self.state;
        let Some(after) = states.step(before, class) else {
            return false;
        };
        let form = states.form(class);
        self.set_state(after, false);
        match pick {
            Pick::Task(task) => {
                self.mark_done(task, course.tasks[task as usize].slot, form);
            }
            Pick::Optional(class) => self.use_one(class, form),
            Pick::Leave(_) => {}
        }
        // A state that open operations need and nobody can bring back is not left.
        if after != before && self.is_lost(before) {
            return false;
        }
        let is_write = form.is_write();
        if is_write {
            self.hide_writes();
        }
        let is_seen = self.satisfy_reads(course, states);
        let is_early = was_spare || pick != Pick::Task(forced);
        let is_needless = is_write || matches!(pick, Pick::Optional(_));
        self.is_unseen = is_early && is_needless && !is_seen;
        true
    }

    fn set_state(&mut self, state: StateId, is_unseen: bool) {
        self.trail.push(Undo::State(self.state, self.is_unseen));
        (self.state, self.is_unseen) = (state, is_unseen);
    }

    fn mark_done(&mut self, task: TaskId, slot: u32, form: Form) {
        self.claim(slot);
        self.done.add(slot);
        self.trail.push(Undo::Done(task));
        self.count(form, -1);
        self.count_observer(form, -1);
    }

    fn use_one(&mut self, class: ClassId, form: Form) {
        self.used[class as usize] += 1;
        if self.used[class as usize] == 1 {
            self.active.push(class);
        }
        self.trail.push(Undo::Use(class));
        self.count(form, -1);
    }

    fn hide_writes(&mut self) {
        for word in 0..self.spare.0.len() {
            let hidden = self.pending.0[word] & self.plain.0[word] & !self.done.0[word];
            let before = self.spare.0[word];
            if before | hidden != before {
                self.trail.push(Undo::Spare(word as u32, before));
                self.spare.0[word] |= hidden;
            }
        }
    }

    /// Takes all open reads that fit the state: they are in nobody's way.
    fn satisfy_reads<M: Model>(&mut self, course: &Course, states: &mut States<'_, M>) -> bool {
        let mut is_any = false;
        for word in 0..self.pending.0.len() {
            let mut open = self.pending.0[word] & self.readers.0[word] & !self.done.0[word];
            while open != 0 {
                let slot = word as u32 * 64 + open.trailing_zeros();
                open &= open - 1;
                let task = self.tasks[slot as usize];
                let class = course.tasks[task as usize].class;
                if states.step(self.state, class) == Some(self.state) {
                    self.mark_done(task, slot, states.form(class));
                    is_any = true;
                }
            }
        }
        is_any
    }

    /// Takes changes back until the trail is this long.
    pub fn back<M: Model>(&mut self, length: usize, course: &Course, states: &States<'_, M>) {
        while self.trail.len() > length {
            let Some(undo) = self.trail.pop() else {
                return;
            };
            self.undo(undo, course, states);
        }
    }

    fn undo<M: Model>(&mut self, undo: Undo, course: &Course, states: &States<'_, M>) {
        let of = |task: TaskId| course.tasks[task as usize];
        match undo {
            Undo::Begin(task) => self.pending.remove(of(task).slot),
            Undo::DueDone(task) => {
                self.seat(task, course, states.form(of(task).class));
                self.done.add(of(task).slot);
            }
            Undo::DueSpare(task) => {
                let form = states.form(of(task).class);
                self.seat(task, course, form);
                self.spare.add(of(task).slot);
                self.count(form, 1);
            }
            Undo::Done(task) => {
                let form = states.form(of(task).class);
                self.done.remove(of(task).slot);
                self.count(form, 1);
                self.count_observer(form, 1);
            }
            Undo::Spare(word, before) => self.spare.0[word as usize] = before,
            Undo::Offer(class) => {
                self.offered[class as usize] -= 1;
                if self.offered[class as usize] == 0 {
                    remove(&mut self.open, class);
                }
            }
            Undo::Use(class) => {
                self.used[class as usize] -= 1;
                if self.used[class as usize] == 0 {
                    remove(&mut self.active, class);
                }
                self.count(states.form(class), 1);
            }
            Undo::Closed(class) => self.open.push(class),
            Undo::Forgotten(class) => self.active.push(class),
            Undo::State(state, is_unseen) => (self.state, self.is_unseen) = (state, is_unseen),
        }
    }

    /// Leaves out classes of unknown outcome that nobody can need any more.
    pub fn forget<M: Model>(&mut self, course: &Course, states: &States<'_, M>) {
        let position = self.position as u32;
        let is_over = |class: ClassId| course.useful_until(states.form(class)) < position;
        let (trail, open, active) = (&mut self.trail, &mut self.open, &mut self.active);
        open.retain(|class| {
            let is_over = is_over(*class);
            if is_over {
                trail.push(Undo::Closed(*class));
            }
            !is_over
        });
        active.retain(|class| {
            let is_over = is_over(*class);
            if is_over {
                trail.push(Undo::Forgotten(*class));
            }
            !is_over
        });
    }

    /// Open tasks that are not done.
    pub fn undone(&self) -> impl Iterator<Item = TaskId> + '_ {
        let words = self.pending.0.iter().zip(&self.done.0).enumerate();
        words.flat_map(move |(word, (pending, done))| {
            let mut open = pending & !done;
            std::iter::from_fn(move || {
                let bit = (open != 0).then(|| open.trailing_zeros())?;
                open &= open - 1;
                Some(self.tasks[word * 64 + bit as usize])
            })
        })
    }

    /// How many of a class were used.
    pub fn used(&self, class: ClassId) -> u32 {
        self.used[class as usize]
    }

    /// Whether there is one left of a class.
    pub fn is_left(&self, class: ClassId) -> bool {
        self.used[class as usize] < self.offered[class as usize]
    }

    /// Whether acknowledged operations wait for a state that nobody can bring about any more.
    fn is_lost(&self, state: StateId) -> bool {
        state != UNKNOWN
            && self
                .observers
                .get(state as usize)
                .is_some_and(|count| *count > 0)
            && self.producers[state as usize] == 0
    }

    fn count(&mut self, form: Form, by: i32) {
        if let Some(state) = form.leaves() {
            let count = &mut self.producers[state as usize];
            *count = count.wrapping_add_signed(by);
        }
    }

    fn count_observer(&mut self, form: Form, by: i32) {
        if let Some(state) = form.needs() {
            let count = &mut self.observers[state as usize];
            *count = count.wrapping_add_signed(by);
        }
    }
}

fn remove(classes: &mut Vec<ClassId>, class: ClassId) {
    if let Some(at) = classes.iter().rposition(|other| *other == class) {
        classes.swap_remove(at);
    }
}
