//! The shares of one campaign, added up as if one machine had played it whole.
//!
//! Each part is what `simulate --json --shard K/N` printed. Parts are taken only if they belong to
//! one campaign, with each share once; the text of a part may be anything, and what is wrong with
//! it is said with its line and field.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use slotquake_checkers::availability::coverage::Coverage;
use slotquake_checkers::verdict::Word;

use super::marks::{Mark, Tally};
use super::selection::{Selection, Shard};
use super::summary::Summary;
use crate::plan::file::{self, FileProblem};

/// What a campaign printed, as far as adding up needs it.
#[derive(Debug, Clone, Deserialize)]
struct Part {
    campaign: String,
    first: u64,
    last: u64,
    shard: String,
    seeds: u64,
    held: u64,
    known: u64,
    undecided: u64,
    violated: u64,
    stumbled: u64,
    not_played: u64,
    virtual_ns: u64,
    events: u64,
    coverage: Coverage,
    rare_events: BTreeMap<String, u64>,
    failed: Vec<FailedSeed>,
    speed: Speed,
}

/// A seed that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailedSeed {
    /// Which.
    pub seed: u64,
    /// What the checkers said, if it came to that.
    pub verdict: Option<Word>,
    /// Why.
    pub why: Option<String>,
    /// What went wrong with the harness itself.
    pub trouble: Option<String>,
    /// The command that plays it again.
    pub replay: String,
    /// Whatever else was said of it.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
struct Speed {
    cpu_ms: u64,
}

/// A campaign put together from its shares.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The name that all shares have in common.
    pub campaign: String,
    /// The sums.
    pub summary: Summary,
    /// The whole range.
    pub selection: Selection,
    /// Those that failed, by seed.
    pub failed: Vec<FailedSeed>,
    /// Seeds that no share came to.
    pub not_played: u64,
}

/// Shares that cannot be added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeProblem {
    /// Position of the part among those given; none if it is about all of them.
    pub part: Option<usize>,
    /// Line, field and reason.
    pub problem: FileProblem,
}

impl fmt::Display for MergeProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Some(_) => self.problem.fmt(out),
            None => out.write_str(&self.problem.why),
        }
    }
}

/// Adds up what the shares of a campaign printed.
///
/// # Errors
/// A part that is no campaign, or not of this one; a share that is missing, or there twice.
pub fn merge(texts: &[&str]) -> Result<Merged, MergeProblem> {
    let mut parts: Vec<(Part, Selection)> = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let read = read(text).and_then(|(part, selection)| {
            agrees(&parts, &part, &selection, text)?;
            Ok((part, selection))
        });
        let at = |problem| MergeProblem {
            part: Some(number),
            problem,
        };
        parts.push(read.map_err(at)?);
    }
    let whole = |why: String| MergeProblem {
        part: None,
        problem: FileProblem {
            line: 1,
            field: String::new(),
            why,
        },
    };
    let Some((first, selection)) = parts.first() else {
        return Err(whole("no campaign is given".into()));
    };
    let given: Vec<Shard> = parts.iter().map(|(_, selection)| selection.shard).collect();
    let missing: Vec<String> = selection
        .shard
        .all()
        .filter(|shard| !given.contains(shard) && has_seeds(selection, *shard))
        .map(|shard| shard.to_string())
        .collect();
    if !missing.is_empty() {
        let why = format!(
            "shard {} is missing: give its output too",
            missing.join(", ")
        );
        return Err(whole(why));
    }
    let mut merged = Merged {
        campaign: first.campaign.clone(),
        summary: Summary::default(),
        selection: Selection {
            shard: Shard::WHOLE,
            ..*selection
        },
        failed: Vec::new(),
        not_played: 0,
    };
    for (part, _) in parts {
        merged.add(part);
    }
    merged.failed.sort_by_key(|failed| failed.seed);
    Ok(merged)
}

/// A range may have fewer seeds than shares.
fn has_seeds(selection: &Selection, shard: Shard) -> bool {
    Selection {
        shard,
        ..*selection
    }
    .count()
        > 0
}

fn read(text: &str) -> Result<(Part, Selection), FileProblem> {
    let part: Part = serde_json::from_str(text).map_err(|error| file::refused(text, &error))?;
    let refuse = |field: &str, why: String| FileProblem {
        line: file::line_of(text, field),
        field: field.into(),
        why,
    };
    let shard = Shard::parse(&part.shard).map_err(|why| refuse("shard", why))?;
    if part.last < part.first {
        let why = format!("the range {}..{} is empty", part.first, part.last);
        return Err(refuse("last", why));
    }
    let (first, last) = (part.first, part.last);
    let selection = Selection { first, last, shard };
    let expected = selection.count();
    if part.seeds.checked_add(part.not_played) != Some(expected) {
        let why = format!(
            "{} played and {} not, but shard {shard} of {first}..{last} has {expected} seeds",
            part.seeds, part.not_played
        );
        return Err(refuse("seeds", why));
    }
    let words = [part.held, part.known, part.undecided, part.violated];
    let judged = words.into_iter().fold(0, u64::saturating_add);
    if judged > part.seeds || judged.saturating_add(part.stumbled) < part.seeds {
        let why = format!("{judged} seeds have a verdict, of {}", part.seeds);
        return Err(refuse("seeds", why));
    }
    let is_known = |told: &&String| Mark::ALL.iter().any(|mark| mark.told() == told.as_str());
    if let Some(told) = part.rare_events.keys().find(|told| !is_known(told)) {
        let why = format!("no rare event is called {told:?}: another version of slotquake?");
        return Err(refuse("rare_events", why));
    }
    Ok((part, selection))
}

/// Whether a part belongs to those before it.
fn agrees(
    before: &[(Part, Selection)],
    part: &Part,
    selection: &Selection,
    text: &str,
) -> Result<(), FileProblem> {
    let refuse = |field: &str, why: String| {
        Err(FileProblem {
            line: file::line_of(text, field),
            field: field.into(),
            why,
        })
    };
    let Some((first, whole)) = before.first() else {
        return Ok(());
    };
    if part.campaign != first.campaign {
        let why = format!(
            "{:?}, but the first file is of {:?}: other options, or another version",
            part.campaign, first.campaign
        );
        return refuse("campaign", why);
    }
    if (part.first, part.last) != (first.first, first.last) {
        let why = format!(
            "seeds {}..{}, but the first file is of {}..{}",
            part.first, part.last, first.first, first.last
        );
        return refuse("first", why);
    }
    if selection.shard.of() != whole.shard.of() {
        let why = format!("{}, but the first file is {}", part.shard, first.shard);
        return refuse("shard", why);
    }
    match before
        .iter()
        .any(|(_, other)| other.shard == selection.shard)
    {
        true => refuse("shard", format!("{} is there twice", part.shard)),
        false => Ok(()),
    }
}

impl Merged {
    fn add(&mut self, part: Part) {
        let mut marks = Tally::default();
        for mark in Mark::ALL {
            let count = part.rare_events.get(mark.told()).copied();
            marks.see_often(mark, count.unwrap_or(0));
        }
        self.summary.add_sums(&Summary {
            seeds: part.seeds,
            held: part.held,
            known: part.known,
            undecided: part.undecided,
            violated: part.violated,
            stumbled: part.stumbled,
            virtual_ns: part.virtual_ns,
            events: part.events,
            coverage: part.coverage,
            marks,
            trace_hash: 0,
            cpu: std::time::Duration::from_millis(part.speed.cpu_ms),
        });
        self.failed.extend(part.failed);
        self.not_played += part.not_played;
    }
}

#[cfg(test)]
mod tests;
