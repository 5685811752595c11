//! `slotquake report merge`: what the shards of a campaign printed, as one campaign.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use slotquake_checkers::verdict::Word;

use crate::cli::check;
use crate::cli::console::{self, Form};
use crate::cli::exit::{Exit, Failure};
use crate::cli::simulate::words;
use crate::explore::marks::Mark;
use crate::explore::merge::{FailedSeed, Merged, merge};
use crate::report::text::{Paint, painted};

/// Which files, and how to print.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// What `slotquake simulate --json --shard K/N` printed, one file for each shard
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object on stdout and everything else on stderr
    #[arg(long)]
    json: bool,
}

/// Adds up and prints; the exit status is that of the worst seed of all shards.
pub fn run(args: &MergeArgs) -> Result<Exit, Failure> {
    let texts: Result<Vec<String>, Failure> = args.files.iter().map(|file| read(file)).collect();
    let texts = texts?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let merged = merge(&texts).map_err(|problem| {
        let file = problem.part.and_then(|part| args.files.get(part));
        let place = file.map_or_else(String::new, |file| format!("{}: ", file.display()));
        Failure::bad_input(format!("{place}{problem}"))
    })?;
    let form = match args.json {
        true => Form::Json,
        false => Form::Words,
    };
    for failed in &merged.failed {
        console::words(form, &told(failed, console::paint(form)));
    }
    console::words(form, &words::summary(&merged.selection, &merged.summary));
    if merged.not_played > 0 {
        let left = merged.not_played;
        console::words(
            form,
            &format!("  not played  {left} seeds: a shard was interrupted\n"),
        );
    }
    if args.json {
        console::result(&check::json_line(&object(&merged)));
    }
    Ok(worst(&merged))
}

fn read(path: &Path) -> Result<String, Failure> {
    let refuse = |why: String| Failure::bad_input(format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
    let mut text = String::new();
    let read = file.take(BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| refuse(error.to_string()))?;
    match text.len() as u64 > BYTES_MAX {
        true => Err(refuse(format!("longer than {BYTES_MAX} bytes"))),
        false => Ok(text),
    }
}

fn told(failed: &FailedSeed, paint: Paint) -> String {
    let word = painted(failed.verdict.unwrap_or(Word::Undecided), paint);
    let why = failed.trouble.as_ref().or(failed.why.as_ref());
    let why = why.map_or("", String::as_str);
    let (seed, replay) = (failed.seed, &failed.replay);
    format!("seed {seed:<8} {word} {why}\n  replay  {replay}\n")
}

/// The same fields as one campaign prints.
fn object(merged: &Merged) -> serde_json::Value {
    let summary = &merged.summary;
    let mut object = json!(summary);
    object["verdict"] = json!(summary.word());
    object["campaign"] = json!(merged.campaign);
    object["first"] = json!(merged.selection.first);
    object["last"] = json!(merged.selection.last);
    object["shard"] = json!(merged.selection.shard.to_string());
    object["failed"] = json!(merged.failed);
    object["not_played"] = json!(merged.not_played);
    let marks = Mark::ALL.map(|mark| (mark.told(), summary.marks.of(mark)));
    object["rare_events"] = json!(BTreeMap::from(marks));
    object["speed"] = json!({"cpu_ms": summary.cpu.as_millis() as u64});
    object
}

fn worst(merged: &Merged) -> Exit {
    let exit_of = |failed: &FailedSeed| {
        let judged = match failed.verdict {
            // Known weaknesses are among those that failed only where they were to fail.
            Some(Word::Violated | Word::Known) => Exit::Violated,
            Some(Word::Undecided) | None => Exit::Undecided,
            Some(Word::Held) => Exit::Held,
        };
        match failed.trouble {
            None => judged,
            Some(_) => judged.max(Exit::MachineCannot),
        }
    };
    let left = match merged.not_played {
        0 => Exit::Held,
        _ => Exit::MachineCannot,
    };
    let summed = match merged.summary.word() {
        Word::Held | Word::Known => Exit::Held,
        Word::Undecided => Exit::Undecided,
        Word::Violated => Exit::Violated,
    };
    let failed = merged.failed.iter().map(exit_of);
    failed.fold(left.max(summed), Exit::max)
}

/// Longest file that is read.
const BYTES_MAX: u64 = 256 << 20;
