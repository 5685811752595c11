//! The options of a run, and the plan they make.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use slotquake_checkers::judge::Strictness;
use slotquake_workloads::registry::WORKLOADS;

use super::console::Form;
use super::exit::Failure;
use super::load::{LoadOptions, Rate};
use super::seeds::Seeds;
use super::{duration, plan_file, seeds};
use crate::director::scenario::{self, SCENARIOS};
use crate::nemesis::{NEMESES, Worlds};
use crate::plan::words::{duration_text, faults_text};
use crate::plan::{Network, Plan, Profile, WorldKind, config, parse_faults, parse_workloads};

/// Where a run happens, as the command line has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WorldArg {
    /// Processes on this machine, in a sandbox of namespaces
    Local,
    /// The reference node's core in virtual time: no process, no socket, no clock
    Sim,
}

/// Which weaknesses reference nodes have, as the command line has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileArg {
    /// None that is known
    Default,
    /// Those of redis-server 7.0, reproduced: docs/weaknesses.md lists them
    #[value(name = "upstream-7.0")]
    Upstream70,
}

impl From<WorldArg> for WorldKind {
    fn from(given: WorldArg) -> WorldKind {
        match given {
            WorldArg::Local => WorldKind::Local,
            WorldArg::Sim => WorldKind::Sim,
        }
    }
}

impl From<ProfileArg> for Profile {
    fn from(given: ProfileArg) -> Profile {
        match given {
            ProfileArg::Default => Profile::Default,
            ProfileArg::Upstream70 => Profile::Upstream70,
        }
    }
}

/// What to test and how to disturb it.
#[derive(Debug, Args)]
pub struct RunOptions {
    /// A plan as JSON, such as plan.json or shrunk.json of a recording; only --target, --world and
    /// --seed may be given besides
    #[arg(long = "plan", value_name = "FILE", conflicts_with_all = IN_A_PLAN_FILE)]
    pub plan_file: Option<PathBuf>,
    /// What to test: `reference`, `redis@7.0.15`, `redis@system`, a path to a redis-server, or a
    /// mix as in `reference*3,redis@7.0.15*3` [default: reference]
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Which known weaknesses of upstream the reference nodes have
    #[arg(long, value_enum, default_value = "default")]
    pub profile: ProfileArg,
    /// A seeded bug of the simulated nodes or clients; docs/mutants.md lists them
    #[cfg(feature = "mutants")]
    #[arg(long, value_name = "NAME")]
    pub mutant: Option<String>,
    /// Masters of the cluster
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub masters: u16,
    /// Replicas of each master
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub replicas: u16,
    /// Masters without slots, besides
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub slotless: u16,
    /// The shape of the simulated network in us: delay, jitter, unevenness of paths
    #[arg(long, value_name = "D,J,U", default_value = "50,450,0", value_parser = Network::parse)]
    pub network: Network,
    /// cluster-node-timeout
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration::parse_ms)]
    pub node_timeout: u64,
    /// A directive for redis.conf of all nodes, as in min-replicas-to-write=1; once for each
    #[arg(long, value_name = "NAME=VALUE")]
    pub config: Vec<String>,
    #[expect(missing_docs, reason = "its help is made from the registry")]
    #[arg(long, value_name = "NAMES", default_value_t = default_workloads(),
        help = workload_help())]
    pub workload: String,
    #[expect(missing_docs, reason = "its help is made from the registry")]
    #[arg(long, value_name = "NAMES", default_value = "kill,pause,partition", help = fault_help())]
    pub faults: String,
    /// Mean time from one fault to the next
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration::parse_ms)]
    pub fault_interval: u64,
    #[expect(missing_docs, reason = "its help is made from the registry")]
    #[arg(long, value_name = "NAME", help = scenario_help())]
    pub scenario: Option<String>,
    /// How long the cluster is disturbed; healing and the final reads come after
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse_ms)]
    pub time_limit: u64,
    /// Operations per second over all clients; 0 for no load, `max` for as many as there can be
    #[arg(long, value_name = "N|max", default_value = "200", value_parser = Rate::parse)]
    pub rate: Rate,
    /// Clients at work at the same time
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub concurrency: u32,
    #[expect(missing_docs, reason = "each option has its help")]
    #[command(flatten)]
    pub load: LoadOptions,
    /// Root of all randomness, or a range as in 1..20 for one run each; drawn if absent
    #[arg(long, value_name = "SEED", value_parser = seeds::parse)]
    pub seed: Option<Seeds>,
    /// Run that many seeds, one after the other
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub seeds: Option<u64>,
    /// Where the cluster runs [default: local]
    #[arg(long, value_enum)]
    pub world: Option<WorldArg>,
}

/// Where results go.
#[derive(Debug, Args)]
pub struct ResultOptions {
    /// Print one JSON object on stdout and everything else on stderr
    #[arg(long)]
    pub json: bool,
    /// Write a JUnit XML file, for CI systems
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Known upstream weaknesses fail the run too
    #[arg(long)]
    pub strict: bool,
}

impl ResultOptions {
    /// What stdout is for.
    pub fn form(&self) -> Form {
        match self.json {
            true => Form::Json,
            false => Form::Words,
        }
    }

    /// Whether known weaknesses count.
    pub fn strictness(&self) -> Strictness {
        match self.strict {
            true => Strictness::Strict,
            false => Strictness::Lenient,
        }
    }
}

impl RunOptions {
    /// The plan of the first seed.
    ///
    /// # Errors
    /// What is impossible about it.
    pub fn plan(&self) -> Result<Plan, Failure> {
        match &self.plan_file {
            Some(path) => self.plan_of_file(path),
            None => self.plan_of_options(),
        }
    }

    /// The plan of the file, for this target and world if they are given.
    fn plan_of_file(&self, path: &Path) -> Result<Plan, Failure> {
        let mut plan = plan_file::read(path)?;
        plan.seed = self.all_seeds(Some(&plan)).first;
        plan.world = self.world.map_or(plan.world, WorldKind::from);
        plan.target = self.target.clone().unwrap_or(plan.target);
        Ok(plan)
    }

    fn plan_of_options(&self) -> Result<Plan, Failure> {
        let usual = Plan::default();
        let mut plan = Plan {
            seed: self.all_seeds(None).first,
            world: self.world.map_or(usual.world, WorldKind::from),
            target: self.target.clone().unwrap_or(usual.target),
            profile: self.profile.into(),
            #[cfg(feature = "mutants")]
            mutant: self.mutant.clone(),
            #[cfg(not(feature = "mutants"))]
            mutant: None,
            masters: self.masters,
            replicas: self.replicas,
            slotless: self.slotless,
            network: self.network,
            node_timeout_ms: self.node_timeout,
            config: config::parse(&self.config).map_err(Failure::bad_input)?,
            workloads: parse_workloads(&self.workload).map_err(Failure::bad_input)?,
            faults: parse_faults(&self.faults).map_err(Failure::bad_input)?,
            fault_interval_ms: self.fault_interval,
            time_limit_ms: self.time_limit,
            rate: self.rate.per_second().unwrap_or(usual.rate),
            concurrency: self.concurrency,
            load: self
                .load
                .load_at(Some(self.rate))
                .map_err(Failure::bad_input)?,
            scenario: self.scenario.clone(),
            script: None,
            operations: None,
        };
        if let Some(entry) = self.scenario.as_deref().and_then(scenario::find) {
            let given = plan.clone();
            (entry.adapt)(&mut plan);
            refuse_contradiction(entry.name, &given, &plan)?;
        }
        plan.validate().map_err(Failure::bad_input)?;
        Ok(plan)
    }

    /// The seeds to run; that of the plan, if it came from a file and nothing else is said.
    pub fn all_seeds(&self, plan: Option<&Plan>) -> Seeds {
        match (self.seed, self.seeds, plan) {
            (Some(seeds), None, _) => seeds,
            (Some(seeds), Some(count), _) => Seeds::counted(seeds.first, count),
            (None, Some(count), _) => Seeds::counted(1, count),
            (None, None, Some(plan)) => Seeds::counted(plan.seed, 1),
            (None, None, None) => Seeds::drawn(),
        }
    }
}

/// A scenario prescribes some options: one that was given and says something else is a mistake,
/// not a wish to be overruled in silence.
pub(super) fn refuse_contradiction(
    scenario: &str,
    given: &Plan,
    adapted: &Plan,
) -> Result<(), Failure> {
    let default = Plan::default();
    let words = |plan: &Plan| {
        [
            ("masters", plan.masters.to_string()),
            ("replicas", plan.replicas.to_string()),
            ("node-timeout", duration_text(plan.node_timeout_ms)),
            ("faults", faults_text(&plan.faults)),
            ("time-limit", duration_text(plan.time_limit_ms)),
            ("rate", plan.rate.to_string()),
            ("concurrency", plan.concurrency.to_string()),
        ]
    };
    let options = words(given).into_iter().zip(words(adapted));
    for (((name, given), (_, adapted)), (_, default)) in options.zip(words(&default)) {
        if given != adapted && given != default {
            return Err(Failure::bad_input(format!(
                "--{name} {given} contradicts --scenario {scenario}, which needs {adapted}: leave \
                 one of them out"
            )));
        }
    }
    Ok(())
}

fn default_workloads() -> String {
    let defaults = WORKLOADS.iter().filter(|entry| entry.is_default);
    let names: Vec<&str> = defaults.map(|entry| entry.name).collect();
    names.join(",")
}

pub(super) fn workload_help() -> String {
    listed(
        "What the clients do, by comma",
        WORKLOADS.iter().map(|entry| (entry.name, entry.help)),
    )
}

pub(super) fn fault_help() -> String {
    listed(
        "Faults to draw from, by comma, or `all` or `none`",
        NEMESES.iter().map(|entry| {
            let where_else = match entry.worlds {
                Worlds::All => "",
                Worlds::Simulation => "; simulation only",
            };
            (entry.name(), format!("{}{where_else}", entry.help))
        }),
    )
}

pub(super) fn scenario_help() -> String {
    listed(
        "A fixed course of events instead of drawn faults",
        SCENARIOS.iter().map(|entry| (entry.name, entry.help)),
    )
}

/// `title: a (what a is); b (what b is)`.
fn listed<H: AsRef<str>>(title: &str, entries: impl Iterator<Item = (&'static str, H)>) -> String {
    let entries: Vec<String> = entries
        .map(|(name, help)| format!("{name} ({})", help.as_ref().trim_end_matches('.')))
        .collect();
    format!("{title}: {}", entries.join("; "))
}

/// What a plan file says already.
pub(super) const IN_A_PLAN_FILE: [&str; 22] = [
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
];
