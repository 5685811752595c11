//! The proof of the checkers: for each seeded bug, how soon the drawn campaign finds it.
//!
//! A mutant plays the same seeds as the unmutated node, from the first on, until one is violated
//! or its CPU time is used up. Mutants are shared out over threads, nothing else is shared; who
//! catches a mutant, and at which seed, does not depend on them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use slotquake_checkers::verdict::Word;

use super::shrink::{Effort, shrink_trial};
use super::{Source, Trial};
use crate::world::sim::seeded::SeededBug;

/// What became of a mutant.
#[derive(Debug, Clone)]
pub struct Hunted {
    /// Its place in the list that was given.
    pub place: usize,
    /// Seeds that were played.
    pub seeds: u64,
    /// CPU time of playing and judging them.
    pub cpu: Duration,
    /// The trial that caught it.
    pub caught: Option<Caught>,
}

/// How a mutant was caught.
#[derive(Debug, Clone)]
pub struct Caught {
    /// The seed and what was played.
    pub trial: Trial,
    /// The checkers that saw it; none if the node stopped by an assertion of its own.
    pub by: Vec<String>,
    /// Faults and acts of an operator in the plan it shrinks to; none if it was not tried.
    pub steps: Option<usize>,
}

/// How much is spent on one mutant.
#[derive(Debug, Clone, Copy)]
pub struct Budget<'a> {
    /// CPU time.
    pub cpu: Duration,
    /// The seed that is played first.
    pub first_seed: u64,
    /// Seeds.
    pub seeds_max: u64,
    /// Candidates that are played to shrink what caught it; 0 for none.
    pub candidates_max: u64,
    /// The check that has to object; none if any will do.
    pub check: Option<&'a str>,
}

/// Hunts one after the other on so many threads; `on_hunted` gets each as it is done.
pub fn hunt_all(
    source: &Source,
    bugs: &[SeededBug],
    budget: Budget<'_>,
    jobs: usize,
    mut on_hunted: impl FnMut(&Hunted),
) -> Vec<Hunted> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = channel();
    let mut all: Vec<Hunted> = std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(bug) = bugs.get(place) else {
                        return;
                    };
                    let hunted = hunt(source, Some(bug.name), budget);
                    if sender.send(Hunted { place, ..hunted }).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        receiver
            .iter()
            .inspect(|hunted| on_hunted(hunted))
            .collect()
    });
    all.sort_by_key(|hunted| hunted.place);
    all
}

/// Plays seeds with this mutant, or with none, until one is violated as asked or the budget is used
/// up.
pub fn hunt(source: &Source, mutant: Option<&str>, budget: Budget<'_>) -> Hunted {
    let mut hunted = Hunted {
        place: 0,
        seeds: 0,
        cpu: Duration::ZERO,
        caught: None,
    };
    while hunted.seeds < budget.seeds_max && hunted.cpu < budget.cpu && hunted.caught.is_none() {
        let plan = source.plan(budget.first_seed.saturating_add(hunted.seeds));
        hunted.seeds += 1;
        let trial = Trial::of(plan.with_mutant(mutant.map(String::from)));
        hunted.cpu += trial.cpu;
        let judged = trial.judged.as_ref();
        let is_violated = judged.is_some_and(|judged| judged.word == Word::Violated);
        let broken = judged.map_or(&[][..], |judged| &judged.broken);
        let is_caught = match budget.check {
            None => is_violated || trial.trouble.is_some(),
            Some(check) => broken.iter().any(|broken| broken.check == check),
        };
        if is_caught {
            let seen = broken.iter().filter(|broken| !broken.is_known);
            let mut by: Vec<String> = seen.map(|broken| broken.check.clone()).collect();
            by.dedup();
            let steps = steps(&trial, budget.candidates_max);
            hunted.caught = Some(Caught { trial, by, steps });
        }
    }
    hunted
}

fn steps(trial: &Trial, candidates_max: u64) -> Option<usize> {
    if candidates_max == 0 {
        return None;
    }
    let effort = Effort {
        candidates_max,
        go_on: &|| true,
    };
    let (shrunk, _, _) = shrink_trial(trial, effort)?;
    // A plan without faults has no script.
    let is_calm = shrunk.plan.faults.is_empty() && shrunk.plan.scenario.is_none();
    shrunk.steps().or(is_calm.then_some(0))
}
