//! One seed: booted, played and judged in virtual time, and what is left of it.
//!
//! The recording is judged and dropped: whoever wants it plays the plan again, which gives the same
//! recording. A panic of the node or the harness is caught and told: it must not end the campaign.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use slotquake_checkers::availability::coverage::Coverage;
use slotquake_checkers::judge::{Check, Judge};
use slotquake_checkers::verdict::Word;

use super::divergence::{self, Trace};
use super::marks::{Marks, Tally};
use crate::director::{Ordered, play_or_fall};
use crate::plan::Plan;
use crate::world::sim::SimWorld;

/// A seed that was tried.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What was played.
    pub plan: Plan,
    /// What the checkers said; none if it did not get that far.
    pub judged: Option<Judged>,
    /// What went wrong with the harness itself, or the panic.
    pub trouble: Option<String>,
    /// What was done to the cluster and by its clients, in a run that panicked until then.
    pub ordered: Ordered,
    /// The trace hash, of a seed that was played once more to see whether it is the same.
    pub trace_hash: Option<u64>,
    /// CPU time of this thread that it took.
    pub cpu: Duration,
}

/// What the checkers said of a seed, without the stories.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The word.
    pub word: Word,
    /// Why, in one line.
    pub why: String,
    /// What broke: of each check and clause the first violation.
    pub broken: Vec<Broken>,
    /// What the run put its cluster through.
    pub coverage: Coverage,
    /// Length of the run, virtual ns.
    pub virtual_ns: u64,
    /// Events of the simulation.
    pub events: u64,
    /// Its rare events.
    pub marks: Tally,
}

/// A clause that broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Id of the check that found it.
    pub check: String,
    /// The clause.
    pub clause: String,
    /// When first, ns since the start.
    pub time: u64,
    /// Whether it is a weakness that is known of this server.
    pub is_known: bool,
}

impl Trial {
    /// Plays a plan and judges it.
    pub fn of(plan: Plan) -> Trial {
        let begun = thread_cpu();
        let caught = catch_unwind(AssertUnwindSafe(|| attempt(&plan)));
        let attempted = caught.unwrap_or_else(|panic| Attempt::failed(told(&*panic)));
        Trial {
            judged: attempted.judged,
            trouble: attempted.trouble,
            ordered: attempted.ordered,
            trace_hash: None,
            cpu: thread_cpu().saturating_sub(begun),
            plan,
        }
    }
}

impl Trial {
    /// As [`Trial::of`], and then twice more, for its trace: that the two are not the same is
    /// trouble, told with their first difference.
    pub fn of_twice(plan: Plan) -> Trial {
        let mut trial = Trial::of(plan);
        if trial.trouble.is_some() {
            return trial;
        }
        let begun = thread_cpu();
        let compared = Trace::of_plan(&trial.plan).and_then(|trace| {
            let parting = divergence::parting(&trace, &trial.plan, &trial.plan)?;
            Ok((trace.hash, parting))
        });
        match compared {
            Ok((hash, None)) => trial.trace_hash = Some(hash),
            Ok((_, Some(parting))) => {
                trial.trouble = Some(format!("it is not deterministic: {parting}"));
            }
            Err(why) => trial.trouble = Some(why),
        }
        trial.cpu += thread_cpu().saturating_sub(begun);
        trial
    }
}

/// What is left of an attempt to play a plan.
struct Attempt {
    judged: Option<Judged>,
    trouble: Option<String>,
    ordered: Ordered,
}

impl Attempt {
    fn failed(trouble: String) -> Attempt {
        Attempt {
            judged: None,
            trouble: Some(trouble),
            ordered: Ordered::default(),
        }
    }
}

fn attempt(plan: &Plan) -> Attempt {
    if let Err(error) = plan.validate() {
        return Attempt::failed(error.to_string());
    }
    let mut world = match SimWorld::boot(plan) {
        Ok(world) => world,
        Err(error) => return Attempt::failed(format!("{error:#}")),
    };
    let played = match play_or_fall(plan, &mut world) {
        Ok(played) => played,
        Err(fallen) => {
            return Attempt {
                ordered: fallen.ordered,
                ..Attempt::failed(told(&*fallen.panic))
            };
        }
    };
    let recording = &played.recording;
    let (mut judge, mut marks) = (Judge::new(), Marks::new(&recording.setting));
    for happening in recording.merged() {
        judge.observe(happening);
        marks.observe(happening);
    }
    let judgement = judge.finish(&recording.setting);
    let judged = Judged {
        word: judgement.verdict,
        why: judgement.why,
        broken: broken(&judgement.checks),
        coverage: judgement.coverage,
        virtual_ns: recording.setting.ended_at,
        events: world.events_played(),
        marks: marks.finish(),
    };
    Attempt {
        judged: Some(judged),
        trouble: played.trouble.map(|error| format!("{error:#}")),
        ordered: played.ordered,
    }
}

fn broken(checks: &[Check]) -> Vec<Broken> {
    let mut all: Vec<Broken> = Vec::new();
    for check in checks {
        for violation in &check.violations {
            let is_same =
                |known: &&mut Broken| known.check == check.id && known.clause == violation.clause;
            let is_known = violation.known.is_some();
            match all.iter_mut().find(is_same) {
                Some(first) => {
                    first.time = first.time.min(violation.time);
                    first.is_known &= is_known;
                }
                None => all.push(Broken {
                    check: check.id.clone(),
                    clause: violation.clause.clone(),
                    time: violation.time,
                    is_known,
                }),
            }
        }
    }
    all
}

fn told(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("{PANIC}: {}", text.unwrap_or("without a word"))
}

/// How the trouble of a run that panicked begins.
pub const PANIC: &str = "it panicked";

/// CPU time that this thread has used.
pub fn thread_cpu() -> Duration {
    let used = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    used.map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use slotquake_checkers::judge::judge;

    use super::*;
    use crate::director::play;
    use crate::explore::swarm::{Given, Source, Variety};

    #[test]
    fn an_impossible_plan_is_trouble_and_no_verdict() {
        let plan = Plan {
            masters: 0,
            ..Plan::default()
        };
        let trial = Trial::of(plan);
        assert!(trial.judged.is_none());
        let trouble = trial.trouble.expect("it cannot be played");
        assert!(trouble.contains("1 master"), "{trouble}");
    }

    #[test]
    fn checkers_that_are_shown_everything_say_the_same() {
        let source = Source {
            given: Given::default(),
            variety: Variety::Swarm,
            whole: None,
        };
        for seed in 1..=6 {
            let plan = source.plan(seed);
            let mut world = SimWorld::boot(&plan).expect("the cluster boots");
            let recording = play(&plan, &mut world, &mut |_| {}).recording;
            let mut patient = Judge::showing_everything();
            for happening in recording.merged() {
                patient.observe(happening);
            }
            let patient = patient.finish(&recording.setting);
            assert_eq!(patient, judge(&recording), "seed {seed}");
        }
    }

    #[test]
    fn a_panic_is_told() {
        let caught = catch_unwind(|| panic!("vote {}", 7)).expect_err("it panics");
        assert_eq!(told(&*caught), "it panicked: vote 7");
    }
}
