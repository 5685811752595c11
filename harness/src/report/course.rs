//! The course of a run in plain words, second by second: what was done to the cluster, who asked
//! for votes, who became and who ceased to be a master, which acknowledged writes are gone.
//!
//! For scenarios and scripts, whose few events are the story. Judges nothing: a step that breaks a
//! clause is marked with it by what the checkers found at that instant.

use std::collections::BTreeSet;

use slotquake_checkers::observation::{Damage, DiskTrouble, Fault, FaultPhase, NetTrouble};
use slotquake_checkers::verdict::Violation;

use super::elections::Election;
use super::film::{DrawnStance, Film};
use super::ledger::{Ledger, Loss};
use super::outage::Outage;
use super::words::seconds;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When, ns.
    pub time: u64,
    /// Who did it.
    pub who: String,
    /// What, as the rest of a sentence.
    pub what: String,
    /// Clauses that this broke.
    pub broken: Vec<String>,
}

/// What a course is told from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// What was done.
    pub faults: &'a [Fault],
    /// Everything drawn.
    pub film: &'a Film,
    /// The lost writes.
    pub ledger: &'a Ledger,
    /// The broken promises.
    pub violations: &'a [Violation],
    /// When slots could not be used.
    pub outages: &'a [Outage],
}

/// The steps, in order of time.
pub fn course(sources: Sources<'_>) -> Vec<Step> {
    let mut steps = orders(sources.faults);
    steps.extend(sources.faults.iter().filter_map(ending));
    steps.extend(declarations(sources.film));
    steps.extend(
        sources
            .film
            .elections
            .iter()
            .map(|one| asking(sources.film, one)),
    );
    for node in 0..sources.film.nodes.len() {
        steps.extend(reigns(sources, node));
    }
    steps.extend(losses(sources.ledger));
    steps.extend(outages(sources));
    steps.extend(breaches(sources.violations, &steps));
    // What was ordered comes before what it caused in the same instant.
    steps.sort_by_key(|step| step.time);
    steps
}

/// What was done to the cluster.
fn orders(faults: &[Fault]) -> Vec<Step> {
    let told = faults.iter().filter_map(|fault| {
        let answer = match &fault.phase {
            FaultPhase::Installed => "OK".to_string(),
            FaultPhase::Skipped(why) => format!("refused, {why}"),
            FaultPhase::Indeterminate(why) => format!("no answer, {why}"),
            FaultPhase::Healed | FaultPhase::Answered(_) => return None,
        };
        Some(Step {
            time: fault.begun,
            who: "harness".into(),
            what: format!("{}: {answer}", fault.note),
            broken: Vec::new(),
        })
    });
    told.collect()
}

/// The end of a fault that lasts.
fn ending(fault: &Fault) -> Option<Step> {
    if fault.phase != FaultPhase::Healed {
        return None;
    }
    let names: Vec<String> = fault.targets.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    let what = match fault.kind.damage() {
        Some(Damage::Kill) => format!("starts {names} again"),
        Some(Damage::Pause) => format!("lets {names} go on"),
        Some(Damage::Cut(_)) => format!("connects {names} again"),
        Some(Damage::Net(NetTrouble::Slow)) => "lets the network be quick again".into(),
        Some(Damage::Net(NetTrouble::Reset)) => return None,
        Some(Damage::Clock(_)) => format!("sets the clock of {names} right"),
        Some(Damage::Disk(DiskTrouble::Slow)) => format!("gives {names} a quick disk again"),
        Some(Damage::Disk(DiskTrouble::Full)) => format!("makes room on the disk of {names}"),
        None if fault.kind.is_over_when_done() => return None,
        None => format!("has undone or finished: {}", fault.note),
    };
    Some(Step {
        time: fault.time,
        who: "harness".into(),
        what,
        broken: Vec::new(),
    })
}

/// A node is said to have failed, for the first time in a while.
fn declarations(film: &Film) -> impl Iterator<Item = Step> + '_ {
    film.declarations.iter().map(|declaration| Step {
        time: declaration.at.nanoseconds(),
        who: film.nodes[declaration.by].name.clone(),
        what: format!(
            "says that {} failed: a quorum agreed",
            film.nodes[declaration.failed].name
        ),
        broken: Vec::new(),
    })
}

/// What broke and is no part of a step yet: the first time for each clause.
fn breaches(violations: &[Violation], steps: &[Step]) -> Vec<Step> {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for step in steps {
        told.extend(step.broken.iter().map(String::as_str));
    }
    let mut in_order: Vec<&Violation> = violations.iter().collect();
    in_order.sort_by_key(|violation| violation.time);
    let untold = in_order
        .into_iter()
        .filter(|violation| told.insert(&violation.clause));
    let steps = untold.map(|violation| Step {
        time: violation.time,
        who: "checker".into(),
        what: violation.message.clone(),
        broken: vec![violation.clause.clone()],
    });
    steps.collect()
}

/// A candidate asks for votes, and what it gets.
fn asking(film: &Film, election: &Election) -> Step {
    let voters: Vec<&str> = election
        .votes
        .iter()
        .map(|(voter, _)| film.nodes[*voter].name.as_str())
        .collect();
    let answer = match voters.as_slice() {
        [] => "nobody votes for it".to_string(),
        [one] => format!("{one} votes for it"),
        [rest @ .., last] => format!("{} and {last} vote for it", rest.join(", ")),
    };
    Step {
        time: election.asked.nanoseconds(),
        who: film.nodes[election.candidate].name.clone(),
        what: format!(
            "asks the masters for votes in epoch {}: {answer}",
            election.epoch
        ),
        broken: Vec::new(),
    }
}

/// A node becomes a master, or ceases to be one.
fn reigns(sources: Sources<'_>, node: usize) -> Vec<Step> {
    let film = sources.film;
    let name = &film.nodes[node].name;
    let mut steps: Vec<Step> = Vec::new();
    let stances = in_order(&film.nodes[node].stances);
    for pair in stances.windows(2) {
        let [before, after] = pair else { continue };
        let time = after.from.nanoseconds();
        if is_reign(after) && !is_reign(before) {
            steps.push(Step {
                time,
                who: name.clone(),
                what: promotion(&stances, after),
                broken: broken_at(sources.violations, name, time),
            });
        } else if is_reign(before) && after.master != -1 {
            steps.push(Step {
                time,
                who: name.clone(),
                what: match usize::try_from(after.master)
                    .ok()
                    .and_then(|at| film.nodes.get(at))
                {
                    Some(master) => format!(
                        "gives way: is now a replica of {}, who has epoch {}",
                        master.name, after.epoch
                    ),
                    None => "gives way: is now a replica".to_string(),
                },
                broken: Vec::new(),
            });
        }
    }
    steps
}

/// How a node became a master: by which votes, or by none that are fresh.
fn promotion(stances: &[&DrawnStance], reign: &DrawnStance) -> String {
    let before = stances
        .iter()
        .rfind(|other| is_reign(other) && other.epoch == reign.epoch && other.from < reign.from);
    let how = match before {
        Some(before) => format!(
            " AGAIN: it asked nobody, the votes are those of {} s",
            seconds(before.from.nanoseconds())
        ),
        None => String::new(),
    };
    format!(
        "makes itself master of {} with epoch {}{how}",
        reign.slots, reign.epoch
    )
}

/// What a node said of itself, without words that arrived after newer ones: a replica's, for an
/// instant, in the middle of one and the same reign.
fn in_order(stances: &[DrawnStance]) -> Vec<&DrawnStance> {
    let is_same = |one: &DrawnStance, other: &DrawnStance| {
        (one.master, one.epoch, &one.slots) == (other.master, other.epoch, &other.slots)
    };
    let mut kept: Vec<&DrawnStance> = Vec::new();
    for (position, stance) in stances.iter().enumerate() {
        let is_short = stance.to.0 < stance.from.0 + STALE_TICKS;
        let is_within = match (kept.last(), stances.get(position + 1)) {
            (Some(before), Some(after)) => is_reign(before) && is_same(before, after),
            (_, _) => false,
        };
        let is_repeated = kept.last().is_some_and(|last| is_same(last, stance));
        let is_stale = is_short && is_within;
        if !is_repeated && !is_stale {
            kept.push(stance);
        }
    }
    kept
}

fn is_reign(stance: &DrawnStance) -> bool {
    stance.master == -1 && !stance.slots.is_empty()
}

/// Clauses with a violation by this node at this instant.
fn broken_at(violations: &[Violation], name: &str, time: u64) -> Vec<String> {
    let near = violations.iter().filter(|violation| {
        violation.time.abs_diff(time) < SAME_NS && violation.message.contains(name)
    });
    let mut clauses: Vec<String> = near.map(|violation| violation.clause.clone()).collect();
    clauses.retain(|clause| !clause.starts_with("HI-"));
    clauses.sort();
    clauses.dedup();
    clauses
}

/// Lost writes, by node and by the window that allows them; outside all windows is a breach.
fn losses(ledger: &Ledger) -> Vec<Step> {
    let mut told: Vec<(&Loss, u64, u64)> = Vec::new();
    for loss in &ledger.losses {
        let is_alike = |other: &Loss| other.node == loss.node && other.window == loss.window;
        match told.iter_mut().find(|(first, _, _)| is_alike(first)) {
            Some((_, count, last)) => (*count, *last) = (*count + 1, loss.acknowledged),
            None => told.push((loss, 1, loss.acknowledged)),
        }
    }
    let step = |(first, count, last): (&Loss, u64, u64)| {
        let (allowed, broken) = match first.window {
            None => (String::new(), vec!["HI-03".into(), "MF-01".into()]),
            Some((clause, name)) => (format!(" ({clause}: {name})"), Vec::new()),
        };
        let last = seconds(last);
        Step {
            time: first.acknowledged,
            who: first.node.clone(),
            what: format!(
                "says OK to {count} writes until {last} s that nobody has at the end{allowed}"
            ),
            broken,
        }
    };
    told.into_iter().map(step).collect()
}

/// Long silences on slots, as clients met them.
fn outages(sources: Sources<'_>) -> Vec<Step> {
    let long = sources
        .outages
        .iter()
        .filter(|outage| outage.lasted >= LONG_NS);
    long.map(|outage| Step {
        time: outage.from,
        who: "clients".into(),
        what: format!(
            "no operation on slots {} succeeds for {} s",
            outage.slots(),
            seconds(outage.lasted)
        ),
        broken: Vec::new(),
    })
    .collect()
}

/// Two observations nearer than this are of one instant, ns.
const SAME_NS: u64 = 20_000_000;
/// Old words last no longer than this: 100 ms.
const STALE_TICKS: u64 = 1_000;
/// Shorter outages are not worth a line, ns.
const LONG_NS: u64 = 1_000_000_000;
