//! Shrinking: from a plan that fails to the few steps that matter.
//!
//! In this order: cut the run short, drop faults (a kill that hit a moment of an election by chance
//! is made to wait for it, if too many are left), slim those that are left, lighten the load, drop
//! operations, drop nodes, calm the network, round the times; again, until nothing more can go. A
//! candidate is taken if its run fails in the same way ([`Symptom`]: the same check by the same
//! clause, or the same panic). The *steps* of a plan are the faults of its script, acts of an
//! operator among them.
//!
//! Deterministic: what is tried depends on the plan and on the number of candidates allowed alone.

mod ddmin;
mod moments;
mod nodes;
mod passes;
mod symptom;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use super::trial::Trial;
use crate::plan::{Plan, ScriptedStrike};

pub use symptom::Symptom;

/// How much may be spent on one plan.
#[derive(Clone, Copy)]
pub struct Effort<'a> {
    /// Most candidates that are played.
    pub candidates_max: u64,
    /// Asked before each candidate: false ends the search with what was found.
    pub go_on: &'a dyn Fn() -> bool,
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Nothing that is tried makes the plan smaller.
    Minimal,
    /// As many candidates were played as were allowed.
    OutOfBudget,
    /// The caller lost patience.
    Interrupted,
}

/// A plan made small.
#[derive(Debug, Clone, PartialEq)]
pub struct Shrunk {
    /// The plan.
    pub plan: Plan,
    /// What its run showed.
    pub sight: Sight,
    /// Candidates played.
    pub tried: u64,
    /// Why it did not become smaller.
    pub ended: Ended,
}

impl Shrunk {
    /// Faults and acts of its script; none if its faults are drawn, or a scenario's.
    pub fn steps(&self) -> Option<usize> {
        let is_undisturbed = self.plan.scenario.is_none() && self.plan.faults.is_empty();
        let script = self.plan.script.as_ref().map(Vec::len);
        script.or(is_undisturbed.then_some(0))
    }
}

/// A run that showed the symptom, as far as it tells where to go on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sight {
    /// When it was first seen, ms from the beginning of the disturbed phase; none if only the end
    /// of the run shows it.
    pub at_ms: Option<u64>,
    /// The faults that were ordered.
    pub script: Vec<ScriptedStrike>,
    /// Client and number of each operation that was carried out.
    pub operations: Vec<(u32, u64)>,
}

/// Shrinks the plan of a trial that failed. None if it shows no symptom, or does not fail again.
/// Also gives the CPU time of all candidates.
pub fn shrink_trial(trial: &Trial, effort: Effort<'_>) -> Option<(Shrunk, Symptom, Duration)> {
    let symptom = Symptom::of(trial)?;
    let mut cpu = Duration::ZERO;
    let mut play = |plan: &Plan| {
        let trial = Trial::of(plan.clone());
        cpu += trial.cpu;
        symptom.sight(&trial)
    };
    let shrunk = shrink(&trial.plan, effort, &mut play)?;
    Some((shrunk, symptom, cpu))
}

/// Plays a plan and says what is seen of the symptom, if anything.
pub type Play<'a> = &'a mut dyn FnMut(&Plan) -> Option<Sight>;

/// Makes a plan smaller as long as its run shows the symptom. None if it does not.
pub fn shrink(plan: &Plan, effort: Effort<'_>, play: Play<'_>) -> Option<Shrunk> {
    let sight = play(plan)?;
    let mut search = Search {
        best: plan.clone(),
        sight,
        effort,
        tried: 1,
        seen: BTreeSet::new(),
        ended: None,
        play,
    };
    search.seen.insert(search.key_of(plan));
    search.run();
    Some(Shrunk {
        plan: search.best,
        sight: search.sight,
        tried: search.tried,
        ended: search.ended.unwrap_or(Ended::Minimal),
    })
}

/// A search under way.
struct Search<'a> {
    best: Plan,
    sight: Sight,
    effort: Effort<'a>,
    tried: u64,
    /// Candidates that need not be played again.
    seen: BTreeSet<String>,
    ended: Option<Ended>,
    play: Play<'a>,
}

impl Search<'_> {
    fn run(&mut self) {
        self.fix_the_faults();
        for _ in 0..ROUNDS_MAX {
            let before = self.best.clone();
            self.pass(passes::shorter_run);
            self.drop_faults();
            self.await_moments();
            self.pass(passes::fewer_kinds);
            self.pass(passes::fewer_faults);
            self.pass(passes::slimmer_faults);
            self.pass(passes::lighter_load);
            self.drop_operations();
            self.pass(nodes::fewer_nodes);
            self.pass(passes::calmer_network);
            self.pass(passes::rounder_times);
            if self.best == before || self.ended.is_some() {
                return;
            }
        }
    }

    /// Drawn faults become a script, so that they can be dropped one by one.
    fn fix_the_faults(&mut self) {
        if self.best.draws_faults() && self.best.scenario.is_none() {
            let scripted = self.best.scripted(self.sight.script.clone());
            self.attempt(scripted);
        }
    }

    /// Takes the first proposal that fails in the same way, and asks again.
    fn pass(&mut self, propose: fn(&Plan, &Sight) -> Vec<Plan>) {
        loop {
            let proposals = propose(&self.best, &self.sight);
            if !proposals.into_iter().any(|plan| self.attempt(plan)) {
                return;
            }
        }
    }

    fn drop_faults(&mut self) {
        let Some(steps) = self.best.script.clone() else {
            return;
        };
        ddmin::ddmin(steps, &mut |kept| {
            let plan = self.best.scripted(kept.to_vec());
            self.attempt(plan)
        });
    }

    /// What only the time of a kill held together may go once the kill waits for its moment.
    fn await_moments(&mut self) {
        let before = self.best.clone();
        self.pass(moments::awaited_kills);
        if self.best != before {
            self.pass(passes::shorter_run);
            self.drop_faults();
        }
    }

    fn drop_operations(&mut self) {
        if self.best.rate == 0 || self.best.scenario.is_some() {
            return;
        }
        let operations = self.sight.operations.clone();
        ddmin::ddmin(operations, &mut |kept| {
            let plan = Plan {
                operations: Some(kept.to_vec()),
                ..self.best.clone()
            };
            self.attempt(plan)
        });
    }

    /// Plays a candidate; if it fails in the same way it is the best from now on.
    fn attempt(&mut self, candidate: Plan) -> bool {
        if self.ended.is_some() || candidate.validate().is_err() {
            return false;
        }
        if !self.seen.insert(self.key_of(&candidate)) {
            return false;
        }
        if self.tried >= self.effort.candidates_max {
            self.ended = Some(Ended::OutOfBudget);
            return false;
        }
        if !(self.effort.go_on)() {
            self.ended = Some(Ended::Interrupted);
            return false;
        }
        self.tried += 1;
        let Some(sight) = (self.play)(&candidate) else {
            return false;
        };
        (self.best, self.sight) = (candidate, sight);
        true
    }

    fn key_of(&self, plan: &Plan) -> String {
        serde_json::to_string(plan).expect("a plan is plain data")
    }
}

/// Each round ends where the last one found nothing; few plans need three.
const ROUNDS_MAX: u32 = 5;
