//! A seed that failed, made small: its plan file, a recording of its run, and its story.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::console;
use crate::cli::exit::Failure;
use crate::cli::progress::ProgressLine;
use crate::cli::run::{self, Finished};
use crate::explore::Trial;
use crate::explore::shrink::{Effort, Ended, Shrunk, Symptom, shrink_trial};
use crate::report::replay::file_command;
use crate::report::text;
use crate::report::words::grouped;
use crate::sandbox::stop;
use crate::store::{RunFolder, StoreError};
use crate::world::sim::SimWorld;

/// What became of a seed that failed.
pub struct Small {
    /// For people.
    pub text: String,
    /// For `--json`.
    pub object: Value,
    /// CPU time of the search.
    pub cpu: Duration,
}

/// Shrinks the plan of a trial whose recording is in this folder; none if it has nothing that a
/// smaller plan could show.
///
/// # Errors
/// When the store cannot be written to.
pub fn shrink(
    trial: &Trial,
    folder: &RunFolder,
    candidates_max: u64,
    progress: &mut ProgressLine,
) -> Result<Option<Small>, Failure> {
    progress.say(&format!(
        "seed {}: shrinking, at most {candidates_max} candidates",
        trial.plan.seed
    ));
    let effort = Effort {
        candidates_max,
        go_on: &|| !stop::is_requested(),
    };
    let Some((shrunk, symptom, cpu)) = shrink_trial(trial, effort) else {
        return Ok(None);
    };
    folder
        .write_json("shrunk.json", &shrunk.plan)
        .map_err(unsaved)?;
    let file = folder.path().join("shrunk.json");
    let mut text = told(trial, &shrunk, &symptom, &file);
    let mut object = json!({
        "symptom": symptom.to_string(),
        "plan": file,
        "replay": file_command(&file),
        "steps": shrunk.steps(),
        "nodes": shrunk.plan.node_count(),
        "operations": shrunk.sight.operations.len(),
        "candidates": shrunk.tried,
        "ended": word(shrunk.ended),
    });
    if let Symptom::Broken { .. } = symptom {
        let played = record(&shrunk, folder, progress)?;
        let path = played.folder.path();
        text.push_str(&format!("  report  {}/report.html\n\n", path.display()));
        text.push_str(&text::story_text(&played.model));
        object["folder"] = json!(path);
    }
    Ok(Some(Small { text, object, cpu }))
}

fn told(trial: &Trial, shrunk: &Shrunk, symptom: &Symptom, file: &Path) -> String {
    let of = |now: usize, before: usize, what: &str| {
        let (now, before) = (grouped(now as u64), grouped(before as u64));
        format!("{now} of {before} {what}")
    };
    let mut sizes = Vec::new();
    if let Some(steps) = shrunk.steps() {
        sizes.push(of(steps, trial.ordered.script.len(), "faults"));
    }
    let nodes = |count: u32| count as usize;
    sizes.push(of(
        nodes(shrunk.plan.node_count()),
        nodes(trial.plan.node_count()),
        "nodes",
    ));
    let operations = trial.ordered.operations.len();
    sizes.push(of(shrunk.sight.operations.len(), operations, "operations"));
    format!(
        "  shrunk  {symptom} needs {}; {} candidates, {}\n  replay  {}\n",
        sizes.join(", "),
        grouped(shrunk.tried),
        word(shrunk.ended),
        file_command(file)
    )
}

fn word(ended: Ended) -> &'static str {
    match ended {
        Ended::Minimal => "nothing more can go",
        Ended::OutOfBudget => "more might go with a larger --shrink-tries",
        Ended::Interrupted => "interrupted",
    }
}

/// Plays the small plan once more, with everything that a run leaves.
fn record(
    shrunk: &Shrunk,
    folder: &RunFolder,
    progress: &mut ProgressLine,
) -> Result<Finished, Failure> {
    let inner = folder.within("shrunk", &shrunk.plan).map_err(unsaved)?;
    let world = SimWorld::boot(&shrunk.plan);
    let world = world.map_err(|error| Failure::machine(format!("{error:#}")))?;
    run::run(&shrunk.plan, Box::new(world), inner, progress)
}

fn unsaved(error: StoreError) -> Failure {
    Failure::machine(error)
}

/// Says on stderr how long the searches took.
pub fn tell_cpu(cpu: Duration) {
    if !cpu.is_zero() {
        let seconds = cpu.as_secs_f64();
        console::aside(&format!("{seconds:.1} s of CPU for shrinking\n"));
    }
}
