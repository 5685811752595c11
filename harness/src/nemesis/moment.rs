//! Moments of an election that a fault can wait for.

use serde::{Deserialize, Serialize};

/// A moment of an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// A replica sends its request for votes.
    AsksForVotes,
    /// A master sends its vote.
    Votes,
}

impl Moment {
    /// Every moment.
    pub const ALL: [Moment; 2] = [Moment::Votes, Moment::AsksForVotes];

    /// When a fault strikes that waited for it.
    pub fn told(self) -> &'static str {
        match self {
            Moment::AsksForVotes => "as it asks for votes",
            Moment::Votes => "as it votes",
        }
    }
}
