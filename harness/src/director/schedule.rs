//! Which fault comes next, and when: drawn ([`Schedule`]), or read from the plan ([`Script`]).
//!
//! Kinds come out of a bag: each of them once in random order before any of them again, so that a
//! short run sees all of them. Each kind has a random stream of its own. The first strike of plain
//! damage takes a master for long enough that it must be replaced: no run is without a bite.

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use crate::nemesis::{self, Nemesis, Picture, Share, Skip, Strike};
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
    /// Whether plain damage was drawn before.
    has_bitten: bool,
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
            has_bitten: false,
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
            let is_plain = kind.nemesis.share == Share::Usual;
            let planned = match is_plain && !self.has_bitten {
                true => kind.plan_a_bite(picture),
                false => (kind.nemesis.plan)(picture, &mut kind.rng),
            };
            match planned {
                Ok(strike) => {
                    self.has_bitten |= is_plain;
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

impl Kind {
    /// A strike that takes a master until it is replaced, if one can be spared and the dice give
    /// it before long.
    fn plan_a_bite(&mut self, picture: &Picture) -> Result<Strike, Skip> {
        let masters = picture.strikable_masters();
        let bites = |strike: &Strike| {
            let mut targets = strike.targets.iter();
            strike.duration_ms >= picture.failover_ms()
                && targets.any(|target| masters.iter().any(|master| master.name == *target))
        };
        let mut planned = (self.nemesis.plan)(picture, &mut self.rng)?;
        for _ in 0..BITE_TRIES {
            if bites(&planned) || masters.is_empty() {
                break;
            }
            planned = (self.nemesis.plan)(picture, &mut self.rng)?;
        }
        Ok(planned)
    }
}

/// Strikes drawn until one takes a master for long: nine of ten take masters.
const BITE_TRIES: u32 = 20;

#[cfg(test)]
mod tests {
    use slotquake_checkers::observation::NodeName;

    use super::*;
    use crate::nemesis::{Condition, NodePicture, Role};

    /// Three shards of two; all settled.
    fn healthy() -> Picture {
        let node = |number: usize| NodePicture {
            name: NodeName::numbered(number),
            role: match number {
                1..=3 => Role::Master {
                    slots: format!("{number}"),
                },
                _ => Role::Replica {
                    of: NodeName::numbered(number - 3),
                },
            },
            condition: Condition::Settled,
        };
        Picture {
            nodes: (1..=6).map(node).collect(),
            node_timeout_ms: 1000,
            busy_slots: Vec::new(),
            world: crate::plan::WorldKind::Sim,
        }
    }

    /// Seeds 2022 and 2530 struck replicas, or for too short, and nobody noticed.
    #[test]
    fn the_first_plain_damage_takes_a_master_until_it_is_replaced() {
        let picture = healthy();
        for seed in 0..300 {
            let kinds = [FaultKind::Kill, FaultKind::Pause, FaultKind::Partition];
            let kind = kinds[seed as usize % 3];
            let mut schedule = Schedule::new(seed, &[kind], 1000);
            let first = schedule.draw(&picture).expect("all is well").strike;
            let is_master = |name: &NodeName| picture.masters().any(|node| node.name == *name);
            assert!(first.targets.iter().any(is_master), "{seed}: {first:?}");
            assert!(first.duration_ms >= picture.failover_ms(), "{first:?}");
        }
    }
}
