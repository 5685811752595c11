//! What is wrong with a run, in words that two runs can have in common.

use super::Sight;
use crate::explore::trial::{PANIC, Trial};

/// What has to stay while a plan shrinks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Symptom {
    /// A check is broken by a clause.
    Broken {
        /// Id of the check.
        check: String,
        /// The clause.
        clause: String,
    },
    /// The node or the harness panicked, with these words but for their numbers.
    Panicked(String),
}

impl Symptom {
    /// The first thing that broke; known weaknesses only where there is nothing else.
    pub fn of(trial: &Trial) -> Option<Symptom> {
        let judged = trial.judged.as_ref();
        let broken = judged.into_iter().flat_map(|judged| &judged.broken);
        let first = broken.min_by_key(|broken| (broken.is_known, broken.time));
        let broken = first.map(|broken| Symptom::Broken {
            check: broken.check.clone(),
            clause: broken.clause.clone(),
        });
        broken.or_else(|| match (&trial.judged, &trial.trouble) {
            (None, Some(trouble)) if trouble.starts_with(PANIC) => {
                Some(Symptom::Panicked(without_numbers(trouble)))
            }
            (_, _) => None,
        })
    }

    /// What is seen of it in another trial, if anything.
    pub fn sight(&self, trial: &Trial) -> Option<Sight> {
        let mut sight = Sight {
            at_ms: None,
            script: trial.ordered.script.clone(),
            operations: trial.ordered.operations.clone(),
        };
        match self {
            Symptom::Broken { check, clause } => {
                let mut broken = trial.judged.as_ref()?.broken.iter();
                let same = broken.find(|one| one.check == *check && one.clause == *clause)?;
                let since = trial.ordered.disturbed_at;
                sight.at_ms = since.map(|since| same.time.saturating_sub(since) / 1_000_000);
                Some(sight)
            }
            Symptom::Panicked(words) => {
                let trouble = trial.trouble.as_deref()?;
                (trial.judged.is_none() && without_numbers(trouble) == *words).then_some(sight)
            }
        }
    }
}

impl std::fmt::Display for Symptom {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Symptom::Broken { check, clause } if check == clause => out.write_str(check),
            Symptom::Broken { check, clause } => write!(out, "{check} by {clause}"),
            Symptom::Panicked(words) => out.write_str(words),
        }
    }
}

/// Epochs, times and names of nodes differ from run to run.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        match char.is_ascii_digit() {
            true if out.ends_with('#') => {}
            true => out.push('#'),
            false => out.push(char),
        }
    }
    out
}
