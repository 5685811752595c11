//! `slotquake check`: judges a recording, or a bare history, and nothing but what was recorded.

mod history;
mod object;
mod transactions;

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use slotquake_checkers::judge::{Judgement, judge, judge_history};
use slotquake_checkers::observation::Setting;
use slotquake_checkers::recording::{Recording, SETTING};

use super::console;
use super::exit::{Exit, Failure};
use super::options::ResultOptions;
use crate::plan::Plan;
use crate::report::{About, Model, html, junit, text};

/// Judge a recording, or a bare history file
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The folder of a run, or a file of history lines; `-` reads a history from stdin
    #[arg(value_name = "DIR|FILE")]
    path: PathBuf,
    #[command(flatten)]
    history: history::HistoryOptions,
    #[command(flatten)]
    object: object::ObjectOptions,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    results: ResultOptions,
}

/// Judges and prints.
pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    if let Some(output) = &args.history.convert {
        return history::convert(&args.path, &args.history, output);
    }
    if args.object.is_asked() {
        return object::run(&args.path, &args.history, &args.object, args.results.form());
    }
    let (recording, judgement, plan) = judged(&args.path, &args.history)?;
    let about = About {
        plan: plan.as_ref(),
        folder: None,
        trouble: None,
    };
    let model = Model::build(&recording, &judgement, about);
    let form = args.results.form();
    if let Some(file) = &args.html {
        write(file, &html::html(&model))?;
    }
    if let Some(file) = &args.results.junit {
        write(file, &junit::junit(&[&model]))?;
    }
    console::words(form, &text::verdict_text(&model, console::paint(form)));
    if args.results.json {
        let mut object = serde_json::json!(judgement);
        object["outages"] = serde_json::json!(model.outages);
        console::result(&json_line(&object));
    }
    Ok(Exit::of_judgement(&judgement, args.results.strictness()))
}

fn judged(
    path: &Path,
    options: &history::HistoryOptions,
) -> Result<(Recording, Judgement, Option<Plan>), Failure> {
    if path.is_dir() {
        let recording = read_recording(path)?;
        let mut judgement = judge(&recording);
        let plan = read_plan(path);
        judgement.target = plan.as_ref().map(|plan| plan.target.clone());
        let profile = plan.as_ref().map(|plan| plan.profile.name());
        judgement.profile = profile.map(ToString::to_string);
        judgement.seed = plan.as_ref().map(|plan| plan.seed);
        return Ok((recording, judgement, plan));
    }
    let events = history::gather(path, options)?;
    let judgement = judge_history(&events);
    let mut recording = Recording::empty(Setting::of_bare_history(events.end()));
    recording.events = events;
    Ok((recording, judgement, None))
}

/// Reads the recording of a run.
///
/// # Errors
/// Which file and line, and why.
pub fn read_recording(folder: &Path) -> Result<Recording, Failure> {
    if !folder.join(SETTING).exists() {
        return Err(Failure::bad_input(format!(
            "{} is no recording: it has no {SETTING}; give a folder that `slotquake test` made, or \
             a history file",
            folder.display()
        )));
    }
    Recording::read(|name| File::open(folder.join(name)))
        .map_err(|error| Failure::bad_input(format!("{}/{error}", folder.display())))
}

/// The plan says what was meant, which judging does not need: a missing or foreign one is no error.
fn read_plan(folder: &Path) -> Option<Plan> {
    let text = std::fs::read_to_string(folder.join("plan.json")).ok()?;
    serde_json::from_str(&text).ok()
}

/// One JSON object on one line.
pub fn json_line(value: &impl serde::Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("a judgement has only plain fields");
    line.push('\n');
    line
}

/// Writes a file that the caller asked for.
///
/// # Errors
/// Which file and why.
pub fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| {
        Failure::bad_input(format!("{} cannot be written: {error}", file.display()))
    })
}
