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

    /// The same verdict with a remark: figures, or what limits it.
    pub fn with_remark(mut self, remark: impl AsRef<str>) -> Verdict {
        let remark = remark.as_ref();
        if remark.is_empty() {
            return self;
        }
        if !self.why.is_empty() {
            self.why.push_str("; ");
        }
        self.why.push_str(remark);
        self
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

/// Violations as a checker finds them: the first [`Findings::LISTED_MAX`] are kept, all counted.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    listed: Vec<Violation>,
    unlisted: u64,
}

impl Findings {
    /// How many violations of one checker a judgement lists.
    pub const LISTED_MAX: usize = 1000;

    /// Takes in a violation.
    pub fn push(&mut self, violation: Violation) {
        match self.listed.len() < Findings::LISTED_MAX {
            true => self.listed.push(violation),
            false => self.unlisted += 1,
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The verdict of a checker that examined this much.
    pub fn conclude(self, examined: u64, nothing: &str) -> Verdict {
        let mut listed = self.listed;
        listed.sort_by_key(|violation| violation.time);
        let verdict = Verdict::from_findings(examined, listed, nothing);
        match self.unlisted {
            0 => verdict,
            more => verdict.with_remark(format!("{more} more violations are not listed")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(known: Option<&str>) -> Violation {
        Violation {
            clause: "VT-01".into(),
            time: 1,
            message: "two votes".into(),
            witness: Witness::default(),
            known: known.map(String::from),
        }
    }

    #[test]
    fn a_check_that_examined_nothing_has_not_held() {
        let verdict = Verdict::from_findings(0, Vec::new(), "no vote was cast");
        assert_eq!(verdict.word, Word::Undecided);
        assert_eq!(verdict.why, "no vote was cast");
        assert_eq!(Verdict::from_findings(1, Vec::new(), "").word, Word::Held);
    }

    #[test]
    fn one_unlisted_weakness_makes_it_violated() {
        let known = violation(Some("C.1"));
        let only_known = Verdict::from_findings(1, vec![known.clone()], "");
        assert_eq!(only_known.word, Word::Known);
        let mixed = Verdict::from_findings(1, vec![known, violation(None)], "");
        assert_eq!(mixed.word, Word::Violated);
    }

    #[test]
    fn counts_the_violations_it_does_not_list() {
        let mut findings = Findings::default();
        for _ in 0..Findings::LISTED_MAX + 2 {
            findings.push(violation(None));
        }
        let verdict = findings.conclude(9, "");
        assert_eq!(verdict.violations.len(), Findings::LISTED_MAX);
        assert_eq!(verdict.why, "2 more violations are not listed");
    }
}
