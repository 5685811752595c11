//! One run from boot to report: play the plan, keep the recording, judge it, tell.
//!
//! The recording is on disk before anything judges it, and whatever stops a run in the middle (the
//! harness, the machine, Ctrl-C) leaves what was recorded until then, judged.

use nix::sys::resource::{UsageWho, getrusage};
use slotquake_checkers::judge::{Judgement, judge};

use super::exit::{Exit, Failure};
use super::progress::ProgressLine;
use crate::director::{Played, play};
use crate::explore::divergence::Trace;
use crate::explore::trial::thread_cpu;
use crate::plan::{Plan, WorldKind};
use crate::report::{About, Model, html};
use crate::sandbox::stop;
use crate::store::{RunFolder, StoreError};
use crate::world::{Command, Happening, Remains, World};

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    /// What the checkers said.
    pub judgement: Judgement,
    /// The report.
    pub model: Model,
    /// Where the recording is.
    pub folder: RunFolder,
    /// What stopped the run before its end.
    pub trouble: Option<String>,
}

impl Finished {
    /// The exit status; a run that was stopped by the harness itself has not held.
    pub fn exit(&self, strictness: slotquake_checkers::judge::Strictness) -> Exit {
        let judged = Exit::of_judgement(&self.judgement, strictness);
        match self.trouble {
            None => judged,
            Some(_) => judged.max(Exit::MachineCannot),
        }
    }
}

/// Plays the plan in a world whose cluster is up, and leaves everything in the folder.
///
/// # Errors
/// When the recording cannot be written.
pub fn run(
    plan: &Plan,
    world: Box<dyn World>,
    folder: RunFolder,
    progress: &mut ProgressLine,
) -> Result<Finished, Failure> {
    let mut world = Stoppable { world };
    let played = play(plan, &mut world, &mut |so_far| progress.show(so_far));
    drop(world);
    let Played {
        recording,
        ordered,
        trouble,
    } = played;
    let trouble = trouble.map(|error| format!("{error:#}"));
    progress.say("writing the recording");
    folder.write_recording(&recording).map_err(unsaved)?;
    if plan.draws_faults() && plan.scenario.is_none() {
        let scripted = plan.scripted(ordered.script);
        folder
            .write_json("scripted.json", &scripted)
            .map_err(unsaved)?;
    }
    progress.say("judging");
    let begun = thread_cpu();
    let mut judgement = judge(&recording);
    if plan.world != WorldKind::Sim {
        // A simulation is told by its seed: the same words each time.
        let took = thread_cpu().saturating_sub(begun);
        judgement.timing.judging_cpu_ms = Some(took.as_millis() as u64);
        judgement.timing.memory_mb_max = memory_mb_max();
    }
    judgement.target = Some(plan.target.clone());
    judgement.profile = Some(plan.profile.name().to_string());
    judgement.seed = Some(plan.seed);
    if plan.world == WorldKind::Sim && trouble.is_none() {
        judgement.trace_hash = Some(format!("{:016x}", Trace::of(&recording).hash));
    }
    folder
        .write_json("verdict.json", &judgement)
        .map_err(unsaved)?;
    let about = About {
        plan: Some(plan),
        folder: Some(folder.path()),
        trouble: trouble.as_deref(),
    };
    let model = Model::build(&recording, &judgement, about);
    folder
        .write_text("report.html", &html::html(&model))
        .map_err(unsaved)?;
    progress.close();
    Ok(Finished {
        judgement,
        model,
        folder,
        trouble,
    })
}

/// The most memory this process ever held, MB.
fn memory_mb_max() -> Option<u64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    Some(usage.max_rss() as u64 / 1024)
}

fn unsaved(error: StoreError) -> Failure {
    Failure::machine(error)
}

/// A world that ends when the user asks for it.
struct Stoppable {
    world: Box<dyn World>,
}

impl World for Stoppable {
    fn now(&self) -> u64 {
        self.world.now()
    }

    fn nodes(&self) -> &[slotquake_checkers::observation::NodeSetting] {
        self.world.nodes()
    }

    fn execute(&mut self, command: Command) {
        self.world.execute(command);
    }

    fn next(&mut self) -> anyhow::Result<Happening> {
        if stop::is_requested() {
            anyhow::bail!("interrupted by a signal");
        }
        self.world.next()
    }

    fn finish(&mut self) -> anyhow::Result<Remains> {
        self.world.finish()
    }
}
