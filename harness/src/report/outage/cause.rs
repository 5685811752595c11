//! Why a range of slots could not be used: the fault behind it, the failover, and how it ended.
//!
//! Read from what was seen: faults that were in force, FAIL on the bus, elections, claims. What was
//! not seen is left out; a real server without a tap shows fewer steps.

use serde::Serialize;
use slotquake_checkers::observation::FaultKind;

use super::Outage;
use crate::report::bands::{Band, Certainty};
use crate::report::evidence::{Evidence, Tick};
use crate::report::film::Film;
use crate::report::words::seconds;

/// What an outage came from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Cause {
    /// Who owned the slots when it began.
    pub owner: Option<String>,
    /// Faults that were in force: those that struck the owner, or all, if none did.
    pub faults: Vec<Fault>,
    /// When the owner was marked as failed.
    pub marked: Option<Marked>,
    /// The election that was won meanwhile.
    pub election: Option<Election>,
    /// How it was over.
    pub over: Over,
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Its number in the recording.
    pub id: u32,
    /// Its kind.
    pub kind: FaultKind,
    /// Whom it struck.
    pub nodes: Vec<String>,
    /// When it came into force, ns.
    pub from: u64,
    /// When it was healed, ns.
    pub to: u64,
    /// For people.
    pub note: String,
}

/// A mark of failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Marked {
    /// Who said so first.
    pub by: String,
    /// When, ns.
    pub at: u64,
}

/// An election that was won.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Election {
    /// Who won it.
    pub candidate: String,
    /// Its epoch.
    pub epoch: u64,
    /// First request for votes, ns.
    pub asked: u64,
    /// First claim of the slots, ns.
    pub elected: u64,
}

/// How an outage was over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// It was not, when the run ended.
    #[default]
    Not,
    /// Another node served the slots.
    TakenOver {
        /// Who.
        by: String,
    },
    /// The same node served them again.
    Back {
        /// Who.
        node: String,
    },
    /// Nobody was seen to own them.
    Unseen,
}

impl Cause {
    /// What is seen around an outage.
    pub(super) fn of(outage: &Outage, film: &Film, evidence: &Evidence<'_>) -> Cause {
        let owner = owner_at(film, outage.first, outage.from);
        // A claim may be seen a moment after it was served.
        let until = outage.to + SEEN_LATE_NS;
        let after = owner_at(film, outage.first, until);
        let name = |node: usize| film.nodes.get(node).map(|node| node.name.clone());
        let reach = 2 * evidence.setting.node_timeout_ms * 1_000_000;
        let since = outage.from.saturating_sub(reach);
        let within = |tick: Tick| (since..=until).contains(&tick.nanoseconds());
        let in_force = |band: &&Band| {
            band.certainty != Certainty::Skipped
                && band.from.nanoseconds() <= outage.to
                && band.to.nanoseconds() >= since
        };
        let bands: Vec<&Band> = film.bands.iter().filter(in_force).collect();
        let strikes = |band: &&&Band| owner.is_some_and(|owner| band.nodes.contains(&owner));
        let mut causes: Vec<&Band> = bands.iter().filter(strikes).copied().collect();
        if causes.is_empty() {
            causes = bands;
        }
        let mut marks = film.declarations.iter();
        let mark = marks.find(|mark| Some(mark.failed) == owner && within(mark.at));
        let mut won = film.elections.iter().filter_map(|election| {
            let elected = election.promoted.filter(|at| within(*at))?;
            (Some(election.candidate) == after).then_some((election, elected))
        });
        Cause {
            faults: causes.iter().map(|band| told(band, film)).collect(),
            marked: mark.and_then(|mark| {
                let (by, at) = (name(mark.by)?, mark.at.nanoseconds());
                Some(Marked { by, at })
            }),
            election: won.next().and_then(|(election, elected)| {
                Some(Election {
                    candidate: name(election.candidate)?,
                    epoch: election.epoch,
                    asked: election.asked.nanoseconds(),
                    elected: elected.nanoseconds(),
                })
            }),
            over: match (outage.to >= evidence.end(), after) {
                (true, _) => Over::Not,
                (false, None) => Over::Unseen,
                (false, Some(node)) => match (name(node), after == owner) {
                    (Some(node), true) => Over::Back { node },
                    (Some(by), false) => Over::TakenOver { by },
                    (None, _) => Over::Unseen,
                },
            },
            owner: owner.and_then(name),
        }
    }

    /// The steps in order, for people.
    pub(super) fn steps(&self) -> Vec<String> {
        let mut steps: Vec<String> = self
            .faults
            .iter()
            .map(|fault| format!("{} at {} s", fault.note, seconds(fault.from)))
            .collect();
        if steps.is_empty() {
            steps.push("no fault of ours was in force".into());
        }
        if let (Some(owner), Some(marked)) = (&self.owner, &self.marked) {
            let (by, at) = (&marked.by, seconds(marked.at));
            steps.push(format!("{owner} marked FAIL at {at} s by {by}"));
        }
        if let Some(election) = &self.election {
            steps.push(format!(
                "{} asked for votes at {} s and was elected at {} s with epoch {}",
                election.candidate,
                seconds(election.asked),
                seconds(election.elected),
                election.epoch
            ));
        }
        steps
    }
}

/// Who claimed a slot with the highest epoch at that time.
fn owner_at(film: &Film, slot: u16, time: u64) -> Option<usize> {
    let tick = Tick::from_ns(time);
    let mut cells = film.cells.iter();
    let cell = cells.rfind(|cell| {
        (cell.first..=cell.last).contains(&slot) && (cell.from..=cell.to).contains(&tick)
    })?;
    cell.claims.first().map(|(node, _)| *node)
}

fn told(band: &Band, film: &Film) -> Fault {
    let names = band.nodes.iter().filter_map(|node| film.nodes.get(*node));
    Fault {
        id: band.id,
        kind: band.kind,
        nodes: names.map(|node| node.name.clone()).collect(),
        from: band.from.nanoseconds(),
        to: band.to.nanoseconds(),
        note: band.note.clone(),
    }
}

/// How late a claim may be seen, ns.
const SEEN_LATE_NS: u64 = 100_000_000;
