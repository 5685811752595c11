//! The loop between a director and a world.
//!
//! The world says what happened, the director says what to do; when it has nothing more to do the
//! world is stopped, and everything seen becomes the recording, each stream in order of time.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, anyhow};
use slotquake_checkers::observation::{Packet, Setting};
use slotquake_checkers::recording::Recording;

use super::state::{Director, Phase};
use crate::plan::{Plan, ScriptedStrike};
use crate::world::{Remains, World};

/// How far a run is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The phase.
    pub phase: Phase,
    /// Time of the run, ns.
    pub time: u64,
    /// Operations that happened.
    pub ok: u64,
    /// Operations that did not happen.
    pub failed: u64,
    /// Operations nobody knows of.
    pub unknown: u64,
    /// Faults confirmed as installed.
    pub faults_installed: u64,
}

/// From one report of progress to the next within a phase, ns.
const PROGRESS_NS: u64 = 500_000_000;

/// A plan that was played, to its end or until the harness stumbled.
#[derive(Debug)]
pub struct Played {
    /// What was seen.
    pub recording: Recording,
    /// What the director ordered.
    pub ordered: Ordered,
    /// Why the run did not come to its end: a failure of the harness, never of the system under
    /// test, or a scenario that cannot be played here.
    pub trouble: Option<anyhow::Error>,
}

/// What was done to a cluster, and by its clients.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ordered {
    /// When the disturbed phase began, ns; none if the run did not get there.
    pub disturbed_at: Option<u64>,
    /// The faults, as a script that orders them again.
    pub script: Vec<ScriptedStrike>,
    /// Client and number of each operation that was carried out, final reads apart.
    pub operations: Vec<(u32, u64)>,
}

/// Plays a plan, which was validated, in a world whose cluster is up.
///
/// # Errors
/// As [`Played::trouble`].
pub fn run(
    plan: &Plan,
    world: &mut dyn World,
    on_progress: &mut dyn FnMut(&Progress),
) -> anyhow::Result<Recording> {
    let played = play(plan, world, on_progress);
    match played.trouble {
        None => Ok(played.recording),
        Some(trouble) => Err(trouble),
    }
}

/// As [`run()`], but what was recorded until something went wrong is kept.
pub fn play(plan: &Plan, world: &mut dyn World, on_progress: &mut dyn FnMut(&Progress)) -> Played {
    let nodes = world.nodes().to_vec();
    let mut director = Director::new(plan.clone(), &nodes, world.now());
    let driven = drive(&mut director, world, on_progress);
    end(driven, director, plan, world)
}

fn end(
    driven: anyhow::Result<()>,
    director: Director,
    plan: &Plan,
    world: &mut dyn World,
) -> Played {
    let (recording, ordered, unstopped) = gather(director, plan, world);
    Played {
        recording,
        ordered,
        trouble: driven.err().or(unstopped),
    }
}

/// A run that ended in a panic of the node or of the world.
pub struct Fallen {
    /// What was ordered until then.
    pub ordered: Ordered,
    /// The panic.
    pub panic: Box<dyn Any + Send>,
}

/// As [`play`], but a panic is caught; what was ordered before it is kept, so that the run can be
/// made small.
///
/// # Errors
/// It panicked. The world is not to be used any more.
pub fn play_or_fall(plan: &Plan, world: &mut dyn World) -> Result<Played, Fallen> {
    let nodes = world.nodes().to_vec();
    let mut director = Director::new(plan.clone(), &nodes, world.now());
    let driven = catch_unwind(AssertUnwindSafe(|| {
        drive(&mut director, world, &mut |_| {})
    }));
    match driven {
        Ok(driven) => Ok(end(driven, director, plan, world)),
        Err(panic) => {
            let (_, ordered, _) = director.into_seen();
            Err(Fallen { ordered, panic })
        }
    }
}

fn drive(
    director: &mut Director,
    world: &mut dyn World,
    on_progress: &mut dyn FnMut(&Progress),
) -> anyhow::Result<()> {
    let mut commands = director.begin(world.now()).map_err(|why| anyhow!(why))?;
    let mut reported: Option<Progress> = None;
    loop {
        for command in commands.drain(..) {
            world.execute(command);
        }
        let progress = progress_of(director, world.now());
        let is_news = |last: Progress| {
            last.phase != progress.phase || last.time + PROGRESS_NS <= progress.time
        };
        if reported.is_none_or(is_news) {
            on_progress(&progress);
            reported = Some(progress);
        }
        if director.phase() == Phase::Over {
            return Ok(());
        }
        let happening = world.next().context("the world stopped")?;
        commands = director
            .on(world.now(), happening)
            .map_err(|why| anyhow!(why))?;
    }
}

fn progress_of(director: &Director, time: u64) -> Progress {
    let [ok, failed, unknown] = director.tally();
    Progress {
        phase: director.phase(),
        time,
        ok,
        failed,
        unknown,
        faults_installed: director.faults_installed(),
    }
}

/// Stops the world and puts together what was seen; a world that cannot be stopped has at least
/// given what the director saw.
fn gather(
    director: Director,
    plan: &Plan,
    world: &mut dyn World,
) -> (Recording, Ordered, Option<anyhow::Error>) {
    let (remains, trouble) = match world.finish().context("the world could not be stopped") {
        Ok(remains) => (remains, None),
        Err(error) => (bare_remains(plan, world), Some(error)),
    };
    let mut setting = remains.setting;
    setting.healed_at = director.healed_at();
    setting.datasets = director.rest.datasets();
    let (mut seen, ordered, events) = director.into_seen();
    seen.packets = joined(seen.packets, remains.packets);
    seen.packets.sort_by_key(|packet| packet.time);
    seen.views.sort_by_key(|view| view.time);
    seen.faults.sort_by_key(|fault| fault.time);
    seen.lifecycles.sort_by_key(|lifecycle| lifecycle.time);
    let recording = Recording {
        setting,
        events,
        packets: seen.packets,
        views: seen.views,
        faults: seen.faults,
        lifecycles: seen.lifecycles,
    };
    (recording, ordered, trouble)
}

/// Both lists; a world tells of packets while it runs or at its end, so nothing is moved.
fn joined(mut seen: Vec<Packet>, mut left: Vec<Packet>) -> Vec<Packet> {
    match seen.is_empty() {
        true => left,
        false => {
            seen.append(&mut left);
            seen
        }
    }
}

/// What is known without the world's help.
fn bare_remains(plan: &Plan, world: &dyn World) -> Remains {
    Remains {
        packets: Vec::new(),
        setting: Setting {
            nodes: world.nodes().to_vec(),
            node_timeout_ms: plan.node_timeout_ms,
            config: plan.config.clone(),
            ..Setting::of_bare_history(world.now())
        },
    }
}
