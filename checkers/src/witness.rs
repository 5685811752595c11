//! The smallest slice of a recording that shows a violation, as a story.

use serde::{Deserialize, Serialize};

/// What happened, in order; the report and the terminal print it line by line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step of the story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When, ns since the start.
    pub time: u64,
    /// Who: a node, a process, or `nemesis`.
    pub who: String,
    /// One sentence.
    pub what: String,
}

impl Witness {
    /// Adds a step.
    pub fn step(mut self, time: u64, who: impl ToString, what: impl Into<String>) -> Witness {
        self.steps.push(Step {
            time,
            who: who.to_string(),
            what: what.into(),
        });
        self
    }
}
