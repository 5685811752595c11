//! Which fault comes next, and when: drawn ([`Schedule`]), or read from the plan ([`Script`]).
//!
//! Kinds come out of a bag: each of them once in random order before any of them again, so that a
//! short run sees all of them. Each kind has a random stream of its own.

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use crate::nemesis::{self, Nemesis, Picture, Skip, Strike};
use crate::plan::{Plan, ScriptedStrike};

/// Where the faults of a run come from.
#[derive(Debug)]
pub enum Source {
    /// Drawn, as the cluster allows.
    Drawn(Schedule),
    /// From the plan.
    Scripted(Script),
    /// There are none, or a scenario brings its own.
    Nothing,
}

impl Source {
    /// What the plan says.
    pub fn of(plan: &Plan) -> Source {
        match (&plan.scenario, &plan.script) {
            (Some(_), _) => Source::Nothing,
            (None, Some(steps)) => Source::Scripted(Script::new(steps.clone())),
            (None, None) if plan.faults.is_empty() => Source::Nothing,
            (None, None) => {
                let schedule = Schedule::new(plan.seed, &plan.faults, plan.fault_interval_ms);
                Source::Drawn(schedule)
            }
        }
    }

    /// When the first fault is due, ms from the beginning of the disturbed phase.
    pub fn first_ms(&self) -> Option<u64> {
        match self {
            Source::Drawn(_) => Some(0),
            Source::Scripted(script) => script.next_ms(),
            Source::Nothing => None,
        }
    }
}

/// The steps of a script that are left.
#[derive(Debug)]
pub struct Script {
    steps: std::vec::IntoIter<ScriptedStrike>,
}

impl Script {
    /// A script from its beginning.
    pub fn new(steps: Vec<ScriptedStrike>) -> Script {
        Script {
            steps: steps.into_iter(),
        }
    }

    /// When the next step is due, ms from the beginning of the disturbed phase.
    pub fn next_ms(&self) -> Option<u64> {
        self.steps.as_slice().first().map(|step| step.at_ms)
    }

    /// Takes the next step, due or not.
    pub fn take(&mut self) -> Option<Drawn> {
        let ScriptedStrike { kind, strike, .. } = self.steps.next()?;
        Some(Drawn { kind, strike })
    }
}

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

/// A strike to carry out.
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
            rng: Rng::named(seed, &format!("nemesis {}", nemesis.name())),
        };
        Schedule {
            kinds: known.map(with_stream).collect(),
            bag: Vec::new(),
            rng: Rng::named(seed, "schedule"),
            interval_ms,
        }
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
