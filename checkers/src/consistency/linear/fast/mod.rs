//! Objects whose histories need no search, where each element is added once.
//!
//! Each of these decides, or refutes, in O(n log n), or says that it does not apply.

mod counters;
mod layers;
mod queues;

pub use counters::counter_bounds;
pub use layers::{list_layers, set_layers};
pub use queues::queue_order;

use super::ruling::{Broken, Ruling};
use crate::history::compact::Op;
use crate::history::operation::Outcome;

/// Refuted by these operations.
pub(super) fn broken(ops: &[Op], mut witness: Vec<usize>, why: String) -> Ruling {
    witness.sort_unstable();
    witness.dedup();
    let acknowledged = witness.iter().filter(|at| ops[**at].outcome == Outcome::Ok);
    let stuck = acknowledged.max_by_key(|at| ops[**at].completed);
    Ruling::Broken(Broken {
        stuck: stuck.copied().unwrap_or_default(),
        witness,
        why,
    })
}
