//! `slotquake simulate`: many seeds in virtual time; those that fail are recorded and named.
//!
//! stdout has what follows from seeds and options (the same for each call); progress and speed go
//! to stderr. A seed that failed is played once more for its recording, which also proves that it
//! replays.

mod bench;
mod growth;
mod junit;
#[cfg(feature = "mutants")]
mod mutants;
mod options;
mod shrunk;
pub(super) mod words;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use self::options::{CampaignOptions, PlanOptions};
use super::console::{self, Form};
use super::exit::{Exit, Failure};
use super::progress::ProgressLine;
use super::{check, run};
use crate::explore::marks::Mark;
use crate::explore::{Campaign, Selection, Summary, Trial};
use crate::report::replay::replay_command;
use crate::sandbox::stop;
use crate::store::{RunFolder, Store};
use crate::world::sim::SimWorld;

/// Play many seeds in virtual time, on all cores; record those that fail
///
/// Each seed draws its plan (faults, topology, node timeout, load) unless options fix it, and is
/// played by the reference node's core on a simulated network. A seed that is violated or undecided
/// is recorded in the store and named with the command that replays it.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct SimulateArgs {
    #[command(flatten)]
    campaign: CampaignOptions,
    #[command(flatten)]
    plan: PlanOptions,
    #[cfg(feature = "mutants")]
    #[command(flatten)]
    hunt: mutants::HuntOptions,
    /// Measure the simulation in the standard scenario: 3 masters and 3 replicas, node timeout 1s,
    /// a fault in 10s, 20 operations a second; with packets as types and as bytes
    #[arg(long, conflicts_with_all = NOT_OF_A_BENCH)]
    bench: bool,
    /// Measure clusters of these sizes: they form, lose a tenth of their masters at once, and heal;
    /// virtual time, CPU time and memory of each step
    #[arg(
        long,
        value_name = "NODES",
        value_delimiter = ',',
        conflicts_with = "bench"
    )]
    #[arg(value_parser = clap::value_parser!(u16).range(6..=1000))]
    grow: Option<Vec<u16>>,
}

/// The standard scenario has its own plan and seeds, and leaves nothing.
const NOT_OF_A_BENCH: [&str; 33] = [
    "profile",
    "masters",
    "replicas",
    "slotless",
    "network",
    "node_timeout",
    "config",
    "workload",
    "faults",
    "fault_interval",
    "scenario",
    "time_limit",
    "rate",
    "concurrency",
    "keys",
    "skew",
    "hash_tags",
    "value_size",
    "replica_reads",
    "wait",
    "arrival",
    "pipeline",
    "fixed",
    "seed",
    "shard",
    "jobs",
    "keep",
    "no_shrink",
    "shrink_tries",
    "strict",
    "junit",
    "check_determinism",
    "plan_file",
];

/// Plays the campaign.
pub fn run(args: &SimulateArgs) -> Result<Exit, Failure> {
    let form = match args.campaign.json {
        true => Form::Json,
        false => Form::Words,
    };
    if args.bench {
        return bench::run(args.campaign.seeds, form);
    }
    if let Some(sizes) = &args.grow {
        let timeout_ms = args.plan.node_timeout_ms().unwrap_or(GROWTH_TIMEOUT_MS);
        return growth::run(sizes, timeout_ms, args.campaign.first_seed(), form);
    }
    let source = args.plan.source()?;
    #[cfg(feature = "mutants")]
    if let Some(which) = &args.hunt.mutant {
        return mutants::run(which, source, &args.hunt, &args.campaign, form);
    }
    let selection = args.campaign.selection(&source)?;
    options::refuse_impossible(&source, &selection)?;
    if let Some(file) = &args.campaign.junit {
        // Better now than after the campaign.
        check::write(file, "")?;
    }
    let store = Store::open(&args.campaign.store).map_err(Failure::bad_input)?;
    let campaign = Campaign {
        source,
        selection,
        jobs: args.campaign.jobs(),
        play: match args.campaign.check_determinism {
            true => Trial::of_twice,
            false => Trial::of,
        },
    };
    let name = words::name(&campaign.source);
    stop::watch();
    let opening = words::opening(&selection, campaign.source.variety);
    console::words(form, &opening);
    let mut session = Session {
        options: &args.campaign,
        form,
        name,
        store,
        selection,
        summary: Summary::default(),
        worst: Exit::Held,
        failed: Vec::new(),
        shrink_cpu: Duration::ZERO,
        begun: Instant::now(),
        shown: None,
        progress: ProgressLine::new(),
    };
    let ended = campaign.run(|trial| {
        session.take(&trial).map_err(End::Failed)?;
        match stop::is_requested() {
            true => Err(End::Interrupted),
            false => Ok(()),
        }
    });
    if let Err(End::Failed(failure)) = ended {
        return Err(failure);
    }
    session.conclude(campaign.jobs)
}

/// Why a campaign did not come to its last seed.
enum End {
    Interrupted,
    Failed(Failure),
}

/// A campaign under way.
struct Session<'a> {
    options: &'a CampaignOptions,
    form: Form,
    /// The same for all shares of a campaign.
    name: String,
    store: Store,
    selection: Selection,
    summary: Summary,
    worst: Exit,
    /// For `--json`.
    failed: Vec<Value>,
    /// CPU time of shrinking.
    shrink_cpu: Duration,
    begun: Instant,
    /// When progress was shown last.
    shown: Option<Instant>,
    progress: ProgressLine,
}

impl Session<'_> {
    fn take(&mut self, trial: &Trial) -> Result<(), Failure> {
        self.summary.add(trial);
        let exit = self.options.exit_of(trial);
        self.worst = self.worst.max(exit);
        if exit != Exit::Held {
            self.tell(trial)?;
        }
        let is_due = |shown: Instant| shown.elapsed() >= PROGRESS_EVERY;
        if self.shown.is_none_or(is_due) {
            let (count, wall) = (self.selection.count(), self.begun.elapsed());
            self.progress
                .say(&words::progress(&self.summary, count, wall));
            self.shown = Some(Instant::now());
        }
        Ok(())
    }

    /// Names a seed that failed, records it, and makes it small.
    fn tell(&mut self, trial: &Trial) -> Result<(), Failure> {
        let mut text = words::failed(trial, console::paint(self.form));
        let judged = trial.judged.as_ref();
        let mut object = json!({
            "seed": trial.plan.seed,
            "verdict": judged.map(|judged| judged.word),
            "why": judged.map(|judged| &judged.why),
            "trouble": trial.trouble,
            "replay": replay_command(&trial.plan, None),
            "folder": null,
        });
        if (self.failed.len() as u64) < self.options.keep {
            let folder = self.record(trial)?;
            let path = folder.path().display();
            if judged.is_some() {
                text.push_str(&format!("  report  {path}/report.html\n"));
            }
            object["folder"] = json!(folder.path());
            self.shrink(trial, &folder, &mut text, &mut object)?;
        }
        self.progress.close();
        console::words(self.form, &text);
        self.failed.push(object);
        Ok(())
    }

    fn shrink(
        &mut self,
        trial: &Trial,
        folder: &RunFolder,
        text: &mut String,
        object: &mut Value,
    ) -> Result<(), Failure> {
        let Some(tries) = self.options.shrink_tries() else {
            return Ok(());
        };
        let progress = &mut self.progress;
        if let Some(small) = shrunk::shrink(trial, folder, tries, progress)? {
            text.push_str(&small.text);
            object["shrunk"] = small.object;
            self.shrink_cpu += small.cpu;
        }
        Ok(())
    }

    /// Plays the seed again, with everything that `slotquake test` leaves. Of a run that panicked
    /// the plan is all there is.
    fn record(&mut self, trial: &Trial) -> Result<RunFolder, Failure> {
        let plan = &trial.plan;
        let folder = self.store.create(plan).map_err(Failure::bad_input)?;
        let Some(judged) = &trial.judged else {
            return Ok(folder);
        };
        let world = SimWorld::boot(plan).map_err(|error| Failure::machine(format!("{error:#}")))?;
        let again = run::run(plan, Box::new(world), folder, &mut self.progress)?;
        self.store
            .publish(&again.folder)
            .map_err(Failure::machine)?;
        // A signal cuts the second run short.
        if again.judgement.verdict != judged.word && !stop::is_requested() {
            return Err(Failure::machine(format!(
                "seed {} does not replay: it was {:?} and is {:?} now; {} has the second run",
                plan.seed,
                judged.word,
                again.judgement.verdict,
                again.folder.path().display()
            )));
        }
        Ok(again.folder)
    }

    fn conclude(mut self, jobs: usize) -> Result<Exit, Failure> {
        self.progress.close();
        let wall = self.begun.elapsed();
        let left = self.selection.count().saturating_sub(self.summary.seeds);
        if left > 0 {
            // What was not played has not held.
            self.worst = self.worst.max(Exit::MachineCannot);
            console::aside(&format!(
                "slotquake: interrupted by a signal; {left} seeds were not played\n"
            ));
        }
        console::words(self.form, &words::summary(&self.selection, &self.summary));
        if self.options.check_determinism {
            let traces = words::traces(&self.summary);
            console::words(self.form, &traces);
        }
        console::aside(&words::speed(&self.summary, wall, jobs));
        shrunk::tell_cpu(self.shrink_cpu);
        if self.form == Form::Json {
            let mut object = json!(self.summary);
            object["verdict"] = json!(self.summary.word());
            object["campaign"] = json!(self.name);
            object["first"] = json!(self.selection.first);
            object["last"] = json!(self.selection.last);
            object["shard"] = json!(self.selection.shard.to_string());
            object["failed"] = json!(self.failed);
            object["not_played"] = json!(left);
            if self.options.check_determinism {
                object["trace_hash"] = json!(format!("{:016x}", self.summary.trace_hash));
            }
            let marks = Mark::ALL.map(|mark| (mark.told(), self.summary.marks.of(mark)));
            object["rare_events"] = json!(BTreeMap::from(marks));
            object["speed"] = json!({
                "cpu_ms": self.summary.cpu.as_millis() as u64,
                "wall_ms": wall.as_millis() as u64,
                "shrink_cpu_ms": self.shrink_cpu.as_millis() as u64,
                "jobs": jobs,
            });
            console::result(&check::json_line(&object));
        }
        if let Some(file) = &self.options.junit {
            let document = junit::document(&self.selection, &self.summary, &self.failed);
            check::write(file, &document)?;
        }
        Ok(self.worst)
    }
}

/// Node timeout of growing clusters unless told otherwise, ms: that of redis.conf.
const GROWTH_TIMEOUT_MS: u64 = 15_000;
/// From one line of progress to the next.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
