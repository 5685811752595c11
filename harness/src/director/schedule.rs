//! Which fault comes next, and when.
//!
//! Kinds come out of a bag: each of them once in random order before any of them again, so that a
//! short run sees all of them. Each kind has a random stream of its own.

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use crate::nemesis::{self, Nemesis, Picture, Skip, Strike};

/// The drawing of faults.
#[derive(Debug)]
pub struct Schedule {
    kinds: Vec<Kind>,
    bag: Vec<usize>,
    rng: Rng,
    interval_ms: u64,
}

#[derive(Debug)]
struct Kind {
    nemesis: &'static Nemesis,
    rng: Rng,
}

/// A strike that could be planned.
#[derive(Debug)]
pub struct Drawn {
    /// Its kind.
    pub kind: FaultKind,
    /// What to break.
    pub strike: Strike,
}

impl Schedule {
    /// A schedule of these kinds; those no nemesis knows were refused by the plan.
    pub fn new(seed: u64, kinds: &[FaultKind], interval_ms: u64) -> Schedule {
        let known = kinds.iter().filter_map(|kind| nemesis::of(*kind));
        let with_stream = |nemesis: &'static Nemesis| Kind {
            nemesis,
            rng: Rng::named(seed, &format!("nemesis {}", nemesis.name)),
        };
        Schedule {
            kinds: known.map(with_stream).collect(),
            bag: Vec::new(),
            rng: Rng::named(seed, "schedule"),
            interval_ms,
        }
    }

    /// Whether there is nothing to draw from.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Time from now to the next strike, ms: half to one and a half times the mean.
    pub fn next_gap_ms(&mut self) -> u64 {
        let half = self.interval_ms / 2;
        half + self.rng.below(self.interval_ms + 1)
    }

    /// Draws a kind and lets it plan; if it cannot, the others are asked in turn.
    ///
    /// # Errors
    /// No kind can strike now: the first kind drawn, and why.
    pub fn draw(&mut self, picture: &Picture) -> Result<Drawn, (FaultKind, Skip)> {
        if self.bag.is_empty() {
            self.fill_bag();
        }
        let mut first_skip = None;
        for position in (0..self.bag.len()).rev() {
            let kind = &mut self.kinds[self.bag[position]];
            match (kind.nemesis.plan)(picture, &mut kind.rng) {
                Ok(strike) => {
                    let kind = kind.nemesis.kind;
                    self.bag.remove(position);
                    return Ok(Drawn { kind, strike });
                }
                Err(skip) => {
                    first_skip.get_or_insert((kind.nemesis.kind, skip));
                }
            }
        }
        Err(first_skip.unwrap_or((FaultKind::Kill, Skip("no fault to draw from"))))
    }

    fn fill_bag(&mut self) {
        let mut rest: Vec<usize> = (0..self.kinds.len()).collect();
        while !rest.is_empty() {
            let position = self.rng.below(rest.len() as u64) as usize;
            self.bag.push(rest.swap_remove(position));
        }
    }
}
