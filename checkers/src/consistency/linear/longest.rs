//! The longest order of a witness without the operation that cannot be placed, with the state after
//! each step: what a person would try by hand.

use super::judges::ObjectJudge;
use super::search::Initial;
use crate::history::compact::{Log, Op};
use crate::history::operation::Outcome;

/// Positions in the witness, each with the state after it.
pub fn longest_order(
    judge: &dyn ObjectJudge,
    log: &Log,
    initial: Initial,
    witness: &[Op],
    stuck: usize,
) -> Vec<(usize, String)> {
    let mut by_end: Vec<usize> = (0..witness.len()).filter(|at| *at != stuck).collect();
    by_end.sort_by_key(|at| (witness[*at].completed, witness[*at].index));
    let mut tries = Tries {
        judge,
        log,
        initial,
        witness,
        by_end,
        left: STEPS_MAX / witness.len().max(1),
        order: Vec::new(),
        best: Vec::new(),
    };
    tries.go_on();
    let best: Vec<Op> = tries.best.iter().map(|at| witness[*at]).collect();
    let states = judge.states(log, initial, &best);
    tries.best.into_iter().zip(states).collect()
}

struct Tries<'a> {
    judge: &'a dyn ObjectJudge,
    log: &'a Log,
    initial: Initial,
    witness: &'a [Op],
    /// All but the one that cannot be placed.
    by_end: Vec<usize>,
    left: usize,
    order: Vec<usize>,
    best: Vec<usize>,
}

impl Tries<'_> {
    /// Tries what can come next; true when everything acknowledged has its place.
    fn go_on(&mut self) -> bool {
        if self.order.len() > self.best.len() {
            self.best = self.order.clone();
        }
        let open = |at: &&usize| !self.order.contains(*at);
        let open: Vec<usize> = self.by_end.iter().filter(open).copied().collect();
        let is_required = |at: &usize| self.witness[*at].outcome == Outcome::Ok;
        let Some(due) = open.iter().copied().find(is_required) else {
            return true;
        };
        let due = self.witness[due].completed;
        for at in open {
            if self.witness[at].invoked > due || self.left == 0 {
                continue;
            }
            self.left -= 1;
            self.order.push(at);
            let ops: Vec<Op> = self.order.iter().map(|at| self.witness[*at]).collect();
            let fits = self.judge.states(self.log, self.initial, &ops).len() == ops.len();
            if fits && self.go_on() {
                return true;
            }
            self.order.pop();
        }
        false
    }
}

/// States that may be computed, all together.
const STEPS_MAX: usize = 200_000;
