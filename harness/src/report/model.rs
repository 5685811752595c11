//! The report as data, computed once; the terminal, the page and JUnit only print it.

use slotquake_checkers::availability::coverage::Coverage;
use slotquake_checkers::judge::{Check, Judgement, Timing};
use slotquake_checkers::observation::setting::Server;
use slotquake_checkers::recording::Recording;
use slotquake_checkers::verdict::{Violation, Word};

use super::bands::bands;
use super::course::{Sources, Step, course};
use super::drawn::Drawn;
use super::evidence::Evidence;
use super::film::Film;
use super::ledger::{Ledger, ledger};
use super::outage::{Outage, outages};
use super::replay::replay_command;
use super::spacetime::{self, Diagram};
use super::words::{grouped, seconds, server_name};
use crate::plan::words::{duration_text, faults_text};
use crate::plan::{Plan, Profile, WorldKind, config};

/// What is known about the run besides its recording.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// The plan, if there is one: bare histories have none.
    pub plan: Option<&'a Plan>,
    /// Where the recording is.
    pub folder: Option<&'a std::path::Path>,
    /// What went wrong with the harness itself, if anything did.
    pub trouble: Option<&'a str>,
}

/// Facts of the run for people, as pairs of a name and a text.
pub type Facts = Vec<(&'static str, String)>;

/// The report.
#[derive(Debug)]
pub struct Model {
    /// The word over all.
    pub word: Word,
    /// The verdict in one sentence.
    pub sentence: String,
    /// What went wrong with the harness itself.
    pub trouble: Option<String>,
    /// Target and cluster in one line.
    pub subject: String,
    /// The seed.
    pub seed: Option<u64>,
    /// How to run it again.
    pub command: Option<String>,
    /// What it must come to again, if it was simulated.
    pub trace_hash: Option<String>,
    /// Where the recording is.
    pub folder: Option<String>,
    /// One line for each check, the worst first.
    pub checks: Vec<Check>,
    /// What was exercised.
    pub coverage: Coverage,
    /// Measured times.
    pub timing: Timing,
    /// Why the cluster cannot be ok sooner than it was; of real servers only.
    pub floor: Option<&'static str>,
    /// When which slots could not be used.
    pub outages: Vec<Outage>,
    /// Acknowledged writes that are gone.
    pub ledger: Ledger,
    /// Facts of the run.
    pub facts: Facts,
    /// What happened, in words; of scenarios and scripts only.
    pub course: Vec<Step>,
    /// What is drawn.
    pub film: Film,
    /// The space-time diagram of the first thing that broke.
    pub diagram: Option<Diagram>,
}

impl Model {
    /// Computes the report.
    pub fn build(recording: &Recording, judgement: &Judgement, about: About<'_>) -> Model {
        let ledger = {
            let nothing = Drawn::default();
            let evidence = Evidence::of(recording, &nothing);
            let nodes = evidence.node_index();
            ledger(recording, &bands(evidence.faults, &nodes, evidence.end()))
        };
        let drawn = Drawn::of(&recording.events, &ledger);
        let evidence = &Evidence::of(recording, &drawn);
        let operations = evidence.operations();
        let film = Film::of(evidence, &operations, &recording.events);
        let mut checks = judgement.checks.clone();
        checks.sort_by_key(|check| std::cmp::Reverse(check.verdict));
        let outages = outages(&recording.events, &film, evidence);
        let violations: Vec<Violation> = judgement
            .checks
            .iter()
            .flat_map(|check| check.violations.iter().cloned())
            .collect();
        let sources = Sources {
            faults: evidence.faults,
            film: &film,
            ledger: &ledger,
            violations: &violations,
            outages: &outages,
        };
        let diagram = Diagram::of(spacetime::Sources {
            evidence,
            film: &film,
            operations: &operations,
            ledger: &ledger,
            violations: &violations,
        });
        let is_told = about
            .plan
            .is_some_and(|plan| plan.scenario.is_some() || plan.script.is_some());
        Model {
            course: match is_told {
                true => course(sources),
                false => Vec::new(),
            },
            word: judgement.verdict,
            sentence: sentence(judgement),
            trouble: about.trouble.map(ToString::to_string),
            subject: subject(evidence, about),
            seed: about.plan.map(|plan| plan.seed),
            command: about.plan.map(|plan| replay_command(plan, about.folder)),
            trace_hash: judgement.trace_hash.clone(),
            folder: about.folder.map(|folder| folder.display().to_string()),
            checks,
            coverage: judgement.coverage.clone(),
            timing: judgement.timing.clone(),
            floor: floor(evidence),
            outages,
            ledger,
            facts: facts(evidence, about),
            diagram,
            film,
        }
    }

    /// The violations of all checks, in order of time.
    pub fn violations(&self) -> Vec<&Violation> {
        let mut all: Vec<&Violation> = self
            .checks
            .iter()
            .flat_map(|check| &check.violations)
            .collect();
        all.sort_by_key(|violation| violation.time);
        all
    }
}

/// The verdict in plain words.
fn sentence(judgement: &Judgement) -> String {
    let named = |word: Word| {
        let checks = judgement
            .checks
            .iter()
            .filter(|check| check.verdict == word);
        let names: Vec<&str> = checks.map(|check| check.id.as_str()).collect();
        names.join(", ")
    };
    let held = judgement
        .checks
        .iter()
        .filter(|check| check.verdict == Word::Held);
    let examined: u64 = held.clone().map(|check| check.examined).sum();
    let coverage = &judgement.coverage;
    match judgement.verdict {
        Word::Held => format!(
            "{} checks held over {} judged events; faults {}, elections {}.",
            held.count(),
            grouped(examined),
            coverage.faults_installed,
            coverage.elections,
        ),
        Word::Known => format!(
            "Broken only where upstream is known to be weak: {}.",
            named(Word::Known)
        ),
        Word::Violated => format!("Broken: {}.", named(Word::Violated)),
        Word::Undecided => format!("Nothing proven: {}.", judgement.why.trim_end_matches('.')),
    }
}

fn subject(evidence: &Evidence<'_>, about: About<'_>) -> String {
    let setting = evidence.setting;
    let Some(plan) = about.plan else {
        return match setting.nodes.len() {
            0 => "a history".to_string(),
            count => format!("{}, {count} nodes", servers(evidence)),
        };
    };
    plan_line(plan)
}

/// Target, cluster and disturbance in one line.
pub fn plan_line(plan: &Plan) -> String {
    let disturbance = match (&plan.scenario, &plan.script, plan.faults.is_empty()) {
        (Some(scenario), _, _) => format!("scenario {scenario}"),
        (None, Some(steps), _) => format!("a script of {} faults", steps.len()),
        (None, None, true) => "no faults".to_string(),
        (None, None, false) => format!("faults {}", faults_text(&plan.faults)),
    };
    let profile = match plan.profile {
        Profile::Default => String::new(),
        Profile::Upstream70 => format!(" with the weaknesses of {}", plan.profile.name()),
    };
    let directives: String = config::words(&plan.config)
        .map(|directive| format!(", {directive}"))
        .collect();
    format!(
        "{}{profile}, {} masters with {} replica{} each{}, node timeout {}{directives}, {} world, \
         {disturbance}, {}",
        plan.target,
        plan.masters,
        plan.replicas,
        if plan.replicas == 1 { "" } else { "s" },
        match plan.slotless {
            0 => String::new(),
            count => format!(", {count} without slots"),
        },
        duration_text(plan.node_timeout_ms),
        match plan.world {
            WorldKind::Local => "local",
            WorldKind::Sim => "simulated",
        },
        duration_text(plan.time_limit_ms),
    )
}

fn facts(evidence: &Evidence<'_>, about: About<'_>) -> Facts {
    let setting = evidence.setting;
    let mut facts: Facts = vec![
        ("slotquake", env!("CARGO_PKG_VERSION").to_string()),
        ("servers", servers(evidence)),
        ("world", setting.world.clone()),
        (
            "from nothing to cluster_state:ok",
            format!("{} ms", setting.cluster_ok_ms),
        ),
        ("node timeout", format!("{} ms", setting.node_timeout_ms)),
        ("recorded", format!("{} s", seconds(evidence.end()))),
        (
            "bus capture",
            match (setting.bus_captured, setting.bus_packets_lost) {
                (true, 0) => "complete".to_string(),
                (true, lost) => format!("{lost} packets lost"),
                (false, _) => "none".to_string(),
            },
        ),
        (
            "largest delay of the harness",
            format!("{} ms", setting.canary_delay_ms),
        ),
    ];
    if !setting.config.is_empty() {
        let directives: Vec<String> = config::words(&setting.config).collect();
        facts.push(("redis.conf", directives.join(", ")));
    }
    if let Some(plan) = about.plan {
        facts.push(("profile", plan.profile.name().to_string()));
        facts.push(("seed", plan.seed.to_string()));
        facts.push(("workloads", plan.workloads.join(", ")));
        facts.push(("faults", faults_text(&plan.faults)));
        facts.extend(plan.scenario.clone().map(|scenario| ("scenario", scenario)));
    }
    facts.extend(
        about
            .folder
            .map(|folder| ("recording", folder.display().to_string())),
    );
    facts
}

/// ST-02: upstream's fixed delay hides everything else about the start of a small cluster.
fn floor(evidence: &Evidence<'_>) -> Option<&'static str> {
    let is_real = |server: &Server| match server {
        Server::Redis(_) => true,
        Server::Reference => false,
    };
    let mut nodes = evidence.setting.nodes.iter();
    nodes
        .any(|node| is_real(&node.server))
        .then_some("a redis-server master is never ok in its first 2000 ms, ST-02")
}

/// `reference × 3, redis 7.0.15 × 3`.
fn servers(evidence: &Evidence<'_>) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for node in &evidence.setting.nodes {
        let name = server_name(&node.server);
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let parts: Vec<String> = counts
        .into_iter()
        .map(|(name, count)| format!("{name} × {count}"))
        .collect();
    parts.join(", ")
}
