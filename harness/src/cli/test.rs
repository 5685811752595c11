//! `slotquake test`: a cluster, workloads, faults; judged and told.
//!
//! One seed prints a one-screen verdict. Several seeds run one after the other and print a line
//! each; the worst exit status counts, and runs that held are not kept unless asked for.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use slotquake_checkers::verdict::Word;

use super::boot::{self, Ground, Place};
use super::exit::{Exit, Failure};
use super::options::{ResultOptions, RunOptions};
use super::progress::ProgressLine;
use super::run::{self, Finished};
use super::seeds::Seeds;
use super::{check, console};
use crate::plan::Plan;
use crate::report::{Model, junit, model, text};
use crate::sandbox::stop;
use crate::store::{RunFolder, Store};

/// Run one test: a cluster, workloads, faults; check; report
///
/// Without options: three masters and three replicas of the reference node as processes in a
/// sandbox, killed, paused and cut off for 30 seconds under load.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct TestArgs {
    #[command(flatten)]
    options: RunOptions,
    #[command(flatten)]
    results: ResultOptions,
    /// The folder of recordings
    #[arg(long, value_name = "DIR", default_value = "store")]
    store: PathBuf,
    /// With several seeds: keep the recordings of runs that held, too
    #[arg(long)]
    keep: bool,
}

/// Runs one seed, or many.
pub fn run(args: &TestArgs) -> Result<Exit, Failure> {
    let plan = args.options.plan()?;
    let seeds = args.options.all_seeds(Some(&plan));
    let ground = Ground::survey(&plan)?;
    let store = Store::open(&args.store).map_err(Failure::bad_input)?;
    if let Some(file) = &args.results.junit {
        // Better now than after the run.
        check::write(file, "")?;
    }
    let place = match boot::enter(&plan)? {
        Place::Here(place) => place,
        Place::Elsewhere(status) => return Ok(status),
    };
    if let Some(notice) = place.notice() {
        console::aside(&format!("slotquake: {notice}\n"));
    }
    let mut session = Session {
        args,
        store,
        many: seeds.first != seeds.last,
        worst: Exit::Held,
        words: Vec::new(),
        objects: Vec::new(),
        models: Vec::new(),
    };
    for seed in seeds.first..=seeds.last {
        let plan = Plan {
            seed,
            ..plan.clone()
        };
        session.run(&plan, &ground, &place)?;
        if stop::is_requested() {
            break;
        }
    }
    session.conclude(seeds)
}

/// The runs of one call.
struct Session<'a> {
    args: &'a TestArgs,
    store: Store,
    many: bool,
    worst: Exit,
    /// Verdicts of the runs so far.
    words: Vec<Word>,
    /// For `--json`.
    objects: Vec<serde_json::Value>,
    /// For `--junit`.
    models: Vec<Model>,
}

impl Session<'_> {
    fn run(&mut self, plan: &Plan, ground: &Ground, place: &boot::Here) -> Result<(), Failure> {
        let form = self.args.results.form();
        let mut progress = ProgressLine::new();
        if !self.many {
            console::words(
                form,
                &format!("seed {}: {}\n", plan.seed, model::plan_line(plan)),
            );
        }
        let folder = self.store.create(plan).map_err(Failure::bad_input)?;
        progress.say("booting the cluster");
        let world = match boot::boot(plan, ground, place, &folder) {
            Ok(world) => world,
            Err(failure) => return Err(boot_failure(failure, folder)),
        };
        let finished = run::run(plan, world, folder, &mut progress)?;
        self.store
            .publish(&finished.folder)
            .map_err(Failure::machine)?;
        drop(progress);
        let paint = console::paint(form);
        match self.many {
            true => console::words(form, &text::verdict_line(&finished.model, paint)),
            false => console::words(form, &text::verdict_text(&finished.model, paint)),
        }
        self.keep(finished);
        Ok(())
    }

    /// Keeps what is asked for; of many runs only the recordings of those that failed.
    fn keep(&mut self, finished: Finished) {
        let exit = finished.exit(self.args.results.strictness());
        self.worst = self.worst.max(exit);
        self.words.push(finished.judgement.verdict);
        if self.args.results.json {
            let mut object = json!(finished.judgement);
            object["outages"] = json!(finished.model.outages);
            object["folder"] = json!(finished.folder.path());
            object["replay"] = json!(finished.model.command);
            object["trouble"] = json!(finished.trouble);
            self.objects.push(object);
        }
        if self.args.results.junit.is_some() {
            self.models.push(finished.model);
        }
        if self.many && exit == Exit::Held && !self.args.keep {
            finished.folder.discard();
        }
    }

    fn conclude(mut self, seeds: Seeds) -> Result<Exit, Failure> {
        if let Some(file) = &self.args.results.junit {
            let models: Vec<&Model> = self.models.iter().collect();
            check::write(file, &junit::junit(&models))?;
        }
        if self.many {
            let of = |word: Word| self.words.iter().filter(|known| **known == word).count();
            let line = format!(
                "seeds {}..{}: {} held, {} known, {} undecided, {} violated\n",
                seeds.first,
                seeds.last,
                of(Word::Held),
                of(Word::Known),
                of(Word::Undecided),
                of(Word::Violated)
            );
            console::words(self.args.results.form(), &line);
        }
        if self.args.results.json {
            let object = match (self.many, self.objects.len()) {
                (false, 1) => self.objects.remove(0),
                (_, _) => {
                    let worst = self.words.iter().max().copied().unwrap_or(Word::Undecided);
                    json!({ "verdict": worst, "runs": self.objects })
                }
            };
            console::result(&check::json_line(&object));
        }
        Ok(self.worst)
    }
}

/// Bad input leaves no folder; what the nodes left before they failed may explain it.
fn boot_failure(failure: Failure, folder: RunFolder) -> Failure {
    if failure.exit == Exit::BadInput {
        folder.discard();
        return failure;
    }
    Failure {
        message: format!(
            "{}; what there is of the run is in {}",
            failure.message,
            folder.path().display()
        ),
        ..failure
    }
}
