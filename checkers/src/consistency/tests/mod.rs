//! The history checkers on good and bad recordings, around failovers and far from them.

mod histories;
mod losses;
mod promises;
mod waits;
mod workloads;

use crate::judge::{Check, judge};
use crate::recording::Recording;

fn check(recording: &Recording, clause: &str) -> Check {
    let checks = judge(recording).checks;
    checks
        .into_iter()
        .find(|check| check.id == clause)
        .expect("a check of this name")
}
