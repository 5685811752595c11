//! The options of a campaign: which seeds, and what their plans have in common.
//!
//! The plan options are those of `slotquake test`, but each is absent unless given: what is absent
//! is drawn for each seed.

use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::Failure;
use crate::cli::load::{LoadOptions, Rate};
use crate::cli::options::{
    IN_A_PLAN_FILE, ProfileArg, fault_help, refuse_contradiction, scenario_help, workload_help,
};
use crate::cli::seeds::{self, Seeds};
use crate::cli::{duration, exit::Exit, plan_file};
use crate::director::scenario;
use crate::explore::trial::Judged;
use crate::explore::{Given, Selection, Shard, Source, Trial, Variety};
use crate::plan::{Network, Plan, PlanError, config, parse_faults, parse_workloads};
use crate::world::sim::try_directives;
use slotquake_checkers::verdict::Word;

/// What the plans of all seeds have in common.
#[derive(Debug, Args)]
pub struct PlanOptions {
    /// A plan as JSON, such as plan.json or shrunk.json of a recording, for every seed; its own
    /// seed alone if none is given
    #[arg(long = "plan", value_name = "FILE", conflicts_with_all = IN_A_PLAN_FILE)]
    plan_file: Option<PathBuf>,
    /// Which known weaknesses of upstream the nodes have
    #[arg(long, value_enum, default_value = "default")]
    profile: ProfileArg,
    /// Masters of the cluster
    #[arg(long, value_name = "N")]
    masters: Option<u16>,
    /// Replicas of each master
    #[arg(long, value_name = "N")]
    replicas: Option<u16>,
    /// Masters without slots, besides
    #[arg(long, value_name = "N")]
    slotless: Option<u16>,
    /// The shape of the network in us: delay, jitter, unevenness of paths
    #[arg(long, value_name = "D,J,U", value_parser = Network::parse)]
    network: Option<Network>,
    /// cluster-node-timeout
    #[arg(long, value_name = "TIME", value_parser = duration::parse_ms)]
    node_timeout: Option<u64>,
    /// A directive for redis.conf of all nodes, as in min-replicas-to-write=1; once for each
    #[arg(long, value_name = "NAME=VALUE")]
    config: Vec<String>,
    #[arg(long, value_name = "NAMES", help = workload_help())]
    workload: Option<String>,
    #[arg(long, value_name = "NAMES", help = fault_help())]
    faults: Option<String>,
    /// Mean time from one fault to the next
    #[arg(long, value_name = "TIME", value_parser = duration::parse_ms)]
    fault_interval: Option<u64>,
    #[arg(long, value_name = "NAME", help = scenario_help())]
    scenario: Option<String>,
    /// How long the cluster is disturbed, virtual time; healing and the final reads come after
    #[arg(long, value_name = "TIME", value_parser = duration::parse_ms)]
    time_limit: Option<u64>,
    /// Operations per second over all clients; 0 for no load, `max` for as many as there can be
    #[arg(long, value_name = "N|max", value_parser = Rate::parse)]
    rate: Option<Rate>,
    /// Clients at work at the same time
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    #[command(flatten)]
    load: LoadOptions,
    /// Draw nothing: options that are absent are those of `slotquake test`, for every seed
    #[arg(long)]
    fixed: bool,
}

/// Which seeds, and what becomes of those that fail.
#[derive(Debug, Args)]
pub struct CampaignOptions {
    /// A seed, a range of them as in 1..5000, or a commit hash; from 1 on if absent
    #[arg(long, value_name = "SEED", value_parser = seeds::parse)]
    seed: Option<Seeds>,
    /// That many seeds; 1000 if nothing says otherwise
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=SEEDS_MAX))]
    pub seeds: Option<u64>,
    /// Only one share of the seeds: 3/10 is every tenth from the third on
    #[arg(long, value_name = "K/N", value_parser = Shard::parse)]
    shard: Option<Shard>,
    /// Threads; all cores if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// The folder of recordings
    #[arg(long, value_name = "DIR", default_value = "store")]
    pub store: PathBuf,
    /// Record at most that many of the seeds that failed; the others are only named
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub keep: u64,
    /// Do not make the plans of recorded seeds small
    #[arg(long, conflicts_with = "shrink_tries")]
    no_shrink: bool,
    /// Play at most that many candidates to make one plan small
    #[arg(long, value_name = "N", default_value_t = 400)]
    shrink_tries: u64,
    /// Print one JSON object on stdout and everything else on stderr
    #[arg(long)]
    pub json: bool,
    /// Play each seed again and compare everything that is recorded; the first difference is told
    #[arg(long)]
    pub check_determinism: bool,
    /// Write a JUnit XML file, for CI systems: a case for each seed that failed
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Known upstream weaknesses fail a seed too
    #[arg(long)]
    pub strict: bool,
}

impl PlanOptions {
    /// cluster-node-timeout, ms, if it was given.
    pub fn node_timeout_ms(&self) -> Option<u64> {
        self.node_timeout
    }

    /// Where the plans come from.
    ///
    /// # Errors
    /// What is impossible about them.
    pub fn source(&self) -> Result<Source, Failure> {
        if let Some(path) = &self.plan_file {
            let plan = plan_file::read(path)?;
            return Ok(Source::of_plan(plan));
        }
        let read = |error: PlanError| Failure::bad_input(error);
        let workloads = self.workload.as_deref().map(parse_workloads);
        let faults = self.faults.as_deref().map(parse_faults);
        let given = Given {
            profile: self.profile.into(),
            mutant: None,
            masters: self.masters,
            replicas: self.replicas,
            slotless: self.slotless,
            network: self.network,
            node_timeout_ms: self.node_timeout,
            config: config::parse(&self.config).map_err(Failure::bad_input)?,
            workloads: workloads.transpose().map_err(read)?,
            faults: faults.transpose().map_err(read)?,
            fault_interval_ms: self.fault_interval,
            time_limit_ms: self.time_limit,
            rate: self.rate.and_then(Rate::per_second),
            concurrency: self.concurrency,
            load: self.load.load_at(self.rate).map_err(Failure::bad_input)?,
            scenario: self.scenario.clone(),
        };
        let variety = match self.fixed {
            true => Variety::Fixed,
            false => Variety::Swarm,
        };
        if let Some(entry) = self.scenario.as_deref().and_then(scenario::find) {
            let free = Given {
                scenario: None,
                ..given.clone()
            };
            let variety = Variety::Fixed;
            let asked = Source {
                given: free,
                variety,
                whole: None,
            }
            .plan(0);
            let mut adapted = asked.clone();
            (entry.adapt)(&mut adapted);
            refuse_contradiction(entry.name, &asked, &adapted)?;
        }
        Ok(Source {
            given,
            variety,
            whole: None,
        })
    }
}

impl CampaignOptions {
    /// The first seed.
    pub fn first_seed(&self) -> u64 {
        self.seed.map_or(1, |seeds| seeds.first)
    }

    /// The seeds.
    ///
    /// # Errors
    /// There are none, or too many.
    pub fn selection(&self, source: &Source) -> Result<Selection, Failure> {
        let seeds = match (self.seed, self.seeds, &source.whole) {
            (Some(seeds), None, _) => seeds,
            (Some(seeds), Some(count), _) => Seeds::counted(seeds.first, count),
            (None, None, Some(plan)) => Seeds::counted(plan.seed, 1),
            (None, count, _) => Seeds::counted(1, count.unwrap_or(SEEDS_USUAL)),
        };
        let selection = Selection {
            first: seeds.first,
            last: seeds.last,
            shard: self.shard.unwrap_or(Shard::WHOLE),
        };
        match selection.count() {
            0 => Err(Failure::bad_input(format!(
                "shard {} of seeds {}..{} has no seed: give more seeds, or fewer shards",
                selection.shard, seeds.first, seeds.last
            ))),
            count if count > SEEDS_MAX => Err(Failure::bad_input(format!(
                "{count} seeds are more than the {SEEDS_MAX} of one call: give a smaller range, or \
                 --shard K/N"
            ))),
            _ => Ok(selection),
        }
    }

    /// How many candidates are played to make a plan small; none if it stays as it is.
    pub fn shrink_tries(&self) -> Option<u64> {
        (!self.no_shrink).then_some(self.shrink_tries)
    }

    /// How many threads.
    pub fn jobs(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(cores, usize::from)
    }

    /// What a trial means for the shell; see [`Exit`].
    pub fn exit_of(&self, trial: &Trial) -> Exit {
        let judged = trial.judged.as_ref().map(|judged: &Judged| judged.word);
        let judged = match judged {
            Some(Word::Held) => Exit::Held,
            Some(Word::Known) if self.strict => Exit::Violated,
            Some(Word::Known) => Exit::Held,
            Some(Word::Undecided) | None => Exit::Undecided,
            Some(Word::Violated) => Exit::Violated,
        };
        match trial.trouble {
            None => judged,
            Some(_) => judged.max(Exit::MachineCannot),
        }
    }
}

/// Refuses plans that cannot be played, as far as a look at the first of them tells.
///
/// # Errors
/// What is impossible about the first such plan.
pub fn refuse_impossible(source: &Source, selection: &Selection) -> Result<(), Failure> {
    let seeds = (0..LOOKED_AT).map_while(|position| selection.at(position));
    let mut plans = seeds.map(|seed| source.plan(seed));
    plans.try_for_each(|plan: Plan| {
        plan.validate().map_err(Failure::bad_input)?;
        try_directives(&plan.config).map_err(Failure::bad_input)
    })
}

/// Most seeds of one call.
const SEEDS_MAX: u64 = 100_000_000;
/// Seeds of a call that says nothing.
const SEEDS_USUAL: u64 = 1_000;
/// Plans that are looked at before the first is played.
const LOOKED_AT: u64 = 200;
