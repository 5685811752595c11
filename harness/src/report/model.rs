//! The report as data, computed once; the terminal, the page and JUnit only print it.

use serde::Serialize;
use slotquake_checkers::history::EventKind;
use slotquake_checkers::observation::PacketKind;
use slotquake_checkers::observation::setting::Server;
use slotquake_checkers::verdict::{Violation, Word};

use super::bands::Certainty;
use super::evidence::{Evidence, Operation};
use super::film::Film;
use super::ledger::{Ledger, ledger};
use super::outage::{Outage, outages};
use super::replay::replay_command;
use crate::plan::Plan;

/// What one checker said, with what there is to know about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckLine {
    /// Its id: `VT-01`.
    pub id: String,
    /// One line of what it promises.
    pub title: String,
    /// The word.
    pub word: Word,
    /// How many events it judged.
    pub examined: u64,
    /// Why it is undecided, or figures.
    pub why: String,
    /// What is broken.
    pub violations: Vec<Violation>,
}

/// All the checkers' words on one recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The word over all.
    pub word: Word,
    /// Why, if the word does not follow from the checks alone.
    pub why: String,
    /// One line each.
    pub checks: Vec<CheckLine>,
}

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

/// What the run exercised.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Coverage {
    /// Faults in force.
    pub faults_installed: u64,
    /// Faults not tried.
    pub faults_skipped: u64,
    /// Faults nobody knows about.
    pub faults_indeterminate: u64,
    /// Candidates × epochs that asked for votes.
    pub elections: u64,
    /// Elections that ended in a claim.
    pub promotions: u64,
    /// AUTH_ACK packets.
    pub votes: u64,
    /// FAIL declarations.
    pub failures_declared: u64,
    /// Bus packets seen.
    pub bus_packets: u64,
    /// Views taken.
    pub views: u64,
    /// Operations that ended ok.
    pub ok_ops: u64,
    /// Operations that failed.
    pub failed_ops: u64,
    /// Operations of unknown outcome.
    pub info_ops: u64,
    /// Redirections that clients followed.
    pub redirects: u64,
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
    /// Where the recording is.
    pub folder: Option<String>,
    /// One line for each check, the worst first.
    pub checks: Vec<CheckLine>,
    /// What was exercised.
    pub coverage: Coverage,
    /// When which slots could not be used.
    pub outages: Vec<Outage>,
    /// Acknowledged writes that are gone.
    pub ledger: Ledger,
    /// Facts of the run.
    pub facts: Facts,
    /// What is drawn.
    pub film: Film,
}

impl Model {
    /// Computes the report.
    pub fn build(evidence: &Evidence<'_>, judged: &Judged, about: About<'_>) -> Model {
        let operations = evidence.operations();
        let film = Film::of(evidence, &operations);
        let coverage = coverage(evidence, &operations, &film);
        let mut checks = judged.checks.clone();
        checks.sort_by_key(|check| std::cmp::Reverse(check.word));
        Model {
            word: judged.word,
            sentence: sentence(judged, &coverage),
            trouble: about.trouble.map(ToString::to_string),
            subject: subject(evidence, about),
            seed: about.plan.map(|plan| plan.seed),
            command: about.plan.map(replay_command),
            folder: about.folder.map(|folder| folder.display().to_string()),
            checks,
            outages: outages(&operations, &film, evidence.end()),
            ledger: ledger(evidence, &operations, &film.bands),
            facts: facts(evidence, about),
            coverage,
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
fn sentence(judged: &Judged, coverage: &Coverage) -> String {
    let named = |word: Word| -> Vec<&str> {
        let checks = judged.checks.iter().filter(|check| check.word == word);
        checks.map(|check| check.id.as_str()).collect()
    };
    let examined: u64 = judged.checks.iter().map(|check| check.examined).sum();
    match judged.word {
        Word::Held => format!(
            "All {} checks held over {} examined events, {} elections and {} faults.",
            judged.checks.len(),
            grouped(examined),
            coverage.elections,
            coverage.faults_installed
        ),
        Word::Known => format!(
            "Broken only where upstream is known to be weak: {}.",
            named(Word::Known).join(", ")
        ),
        Word::Violated => format!("Broken: {}.", named(Word::Violated).join(", ")),
        Word::Undecided if judged.why.is_empty() => {
            format!("Undecided: {}.", named(Word::Undecided).join(", "))
        }
        Word::Undecided => format!("Undecided: {}.", judged.why.trim_end_matches('.')),
    }
}

fn coverage(evidence: &Evidence<'_>, operations: &[Operation<'_>], film: &Film) -> Coverage {
    let of_kind = |kind: EventKind| {
        let same = operations
            .iter()
            .filter(|operation| operation.kind() == kind);
        same.count() as u64
    };
    let sure = |certainty: Certainty| {
        let same = film.bands.iter().filter(|band| band.certainty == certainty);
        same.count() as u64
    };
    let acks = evidence
        .packets
        .iter()
        .filter(|packet| packet.kind == PacketKind::AuthAck);
    let hops = operations
        .iter()
        .filter_map(|operation| operation.completion);
    Coverage {
        faults_installed: sure(Certainty::Installed),
        faults_skipped: sure(Certainty::Skipped),
        faults_indeterminate: sure(Certainty::Indeterminate),
        elections: film.elections.len() as u64,
        promotions: film
            .elections
            .iter()
            .filter(|one| one.promoted.is_some())
            .count() as u64,
        votes: acks.count() as u64,
        failures_declared: film.declarations.len() as u64,
        bus_packets: evidence.packets.len() as u64,
        views: evidence.views.len() as u64,
        ok_ops: of_kind(EventKind::Ok),
        failed_ops: of_kind(EventKind::Fail),
        info_ops: of_kind(EventKind::Info),
        redirects: hops.map(|event| event.hops.len() as u64).sum(),
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
    format!(
        "{}: {} masters with {} replica{} each, node timeout {}, {} world",
        plan.target,
        plan.masters,
        plan.replicas,
        if plan.replicas == 1 { "" } else { "s" },
        super::replay::duration_text(setting.node_timeout_ms),
        setting.world,
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
    if let Some(plan) = about.plan {
        facts.push(("seed", plan.seed.to_string()));
        facts.push(("workloads", plan.workloads.join(", ")));
        facts.push(("faults", super::replay::faults_text(&plan.faults)));
        facts.extend(plan.scenario.clone().map(|scenario| ("scenario", scenario)));
    }
    facts.extend(
        about
            .folder
            .map(|folder| ("recording", folder.display().to_string())),
    );
    facts
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

/// A server program for people.
pub fn server_name(server: &Server) -> String {
    match server {
        Server::Reference => "reference".to_string(),
        Server::Redis(version) => format!("redis {version}"),
    }
}

/// Seconds with three digits, from ns.
pub fn seconds(time: u64) -> String {
    format!("{}.{:03}", time / 1_000_000_000, time / 1_000_000 % 1_000)
}

/// `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
