//! What a checker may say.

use serde::{Deserialize, Serialize};

use crate::witness::Witness;

/// The four words of a verdict, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// Examined something, found nothing wrong.
    Held,
    /// Broken, in a way part C of the invariant catalogue lists for this server.
    Known,
    /// Not enough was seen, or the search ran out of budget.
    Undecided,
    /// Broken.
    Violated,
}

/// One broken promise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    /// The clause broken: `VT-01`.
    pub clause: String,
    /// When, ns since the start.
    pub time: u64,
    /// One sentence with the facts.
    pub message: String,
    /// The smallest slice of the recording that shows it.
    pub witness: Witness,
    /// Why this is an upstream weakness that the catalogue lists (part C), if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
}

/// What one checker says of one recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The word.
    pub word: Word,
    /// How many events it judged; a check that examined nothing has not held.
    pub examined: u64,
    /// Why it is undecided, or a remark with figures (losses inside the documented windows).
    pub why: String,
    /// What is broken, in order of time.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// From what was examined and found: violated, known, held, or undecided if nothing was.
    pub fn from_findings(examined: u64, violations: Vec<Violation>, nothing: &str) -> Verdict {
        let word = match violations.iter().all(|violation| violation.known.is_some()) {
            _ if violations.is_empty() && examined == 0 => Word::Undecided,
            _ if violations.is_empty() => Word::Held,
            true => Word::Known,
            false => Word::Violated,
        };
        let why = if word == Word::Undecided {
            nothing.to_string()
        } else {
            String::new()
        };
        Verdict {
            word,
            examined,
            why,
            violations,
        }
    }

    /// Undecided for this reason.
    pub fn undecided(examined: u64, why: impl Into<String>) -> Verdict {
        Verdict {
            word: Word::Undecided,
            examined,
            why: why.into(),
            violations: Vec::new(),
        }
    }
}
