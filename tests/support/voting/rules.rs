//! What must hold in every state of the model, and the little history that it takes to say so.
//!
//! Clauses: INV-01 (one vote per voter and epoch), INV-02 (one winner per epoch), INV-03 (promoted
//! by a majority), INV-05 and EP-06 (a node's logical clock never goes back, restarts included).

use std::fmt;

use super::node::{NAMES, QUORUM};

/// One node voted for another, in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vote {
    /// Who voted.
    pub voter: u8,
    /// In which epoch.
    pub epoch: u8,
    /// For whom.
    pub candidate: u8,
}

/// What a step of a node means for the rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consequence {
    /// Votes that left.
    pub votes: Vec<Vote>,
    /// The node became master with this configEpoch.
    pub promoted: Option<u8>,
    /// Its logical clock went from the first to the second, smaller value.
    pub went_back: Option<(u64, u64)>,
}

/// Votes and victories so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Chronicle {
    /// All votes that left, sorted.
    pub votes: Vec<Vote>,
    /// Who became master in which epoch, sorted.
    pub winners: Vec<(u8, u8)>,
}

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// INV-01.
    SecondVote(Vote, Vote),
    /// INV-02.
    TwoWinners {
        /// The epoch.
        epoch: u8,
        /// Both.
        winners: [u8; 2],
    },
    /// INV-03.
    NoMajority {
        /// Who became master.
        winner: u8,
        /// With this configEpoch.
        epoch: u8,
        /// How many voted for it in that epoch.
        votes: usize,
    },
    /// INV-05, EP-06.
    ClockWentBack {
        /// Whose.
        who: u8,
        /// From where.
        from: u64,
        /// To where.
        to: u64,
    },
}

impl Chronicle {
    /// Notes what a step of a node meant.
    ///
    /// # Errors
    /// The rule that it broke.
    pub fn note(&mut self, who: u8, step: &Consequence) -> Result<(), Broken> {
        if let Some((from, to)) = step.went_back {
            return Err(Broken::ClockWentBack { who, from, to });
        }
        for vote in &step.votes {
            let same = |other: &&Vote| other.voter == vote.voter && other.epoch == vote.epoch;
            if let Some(earlier) = self.votes.iter().find(same) {
                return Err(Broken::SecondVote(*earlier, *vote));
            }
            self.votes.push(*vote);
            self.votes.sort_unstable();
        }
        match step.promoted {
            Some(epoch) => self.promote(who, epoch),
            None => Ok(()),
        }
    }

    fn promote(&mut self, winner: u8, epoch: u8) -> Result<(), Broken> {
        let given = |vote: &&Vote| vote.candidate == winner && vote.epoch == epoch;
        let votes = self.votes.iter().filter(given).count();
        if votes < QUORUM {
            return Err(Broken::NoMajority {
                winner,
                epoch,
                votes,
            });
        }
        if let Some((_, other)) = self.winners.iter().find(|(won, _)| *won == epoch) {
            let winners = [*other, winner];
            return Err(Broken::TwoWinners { epoch, winners });
        }
        self.winners.push((epoch, winner));
        self.winners.sort_unstable();
        Ok(())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |who: u8| NAMES[usize::from(who)];
        match self {
            Broken::SecondVote(first, second) => write!(
                out,
                "{} votes for {} and for {} in epoch {} (INV-01)",
                name(first.voter),
                name(first.candidate),
                name(second.candidate),
                first.epoch
            ),
            Broken::TwoWinners { epoch, winners } => write!(
                out,
                "{} and {} both win epoch {epoch} (INV-02)",
                name(winners[0]),
                name(winners[1])
            ),
            Broken::NoMajority {
                winner,
                epoch,
                votes,
            } => write!(
                out,
                "{} becomes master in epoch {epoch} with {votes} of {QUORUM} votes (INV-03)",
                name(*winner)
            ),
            Broken::ClockWentBack { who, from, to } => write!(
                out,
                "currentEpoch of {} goes back from {from} to {to} (EP-06)",
                name(*who)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(voter: u8, epoch: u8, candidate: u8) -> Consequence {
        Consequence {
            votes: vec![Vote {
                voter,
                epoch,
                candidate,
            }],
            ..Consequence::default()
        }
    }

    fn promoted(epoch: u8) -> Consequence {
        Consequence {
            promoted: Some(epoch),
            ..Consequence::default()
        }
    }

    #[test]
    fn two_votes_make_a_master_and_one_does_not() {
        let mut chronicle = Chronicle::default();
        assert_eq!(chronicle.note(1, &vote(1, 4, 3)), Ok(()));
        let early = chronicle.clone().note(3, &promoted(4)).unwrap_err();
        assert!(early.to_string().contains("1 of 2 votes"), "{early}");
        assert_eq!(chronicle.note(2, &vote(2, 4, 3)), Ok(()));
        assert_eq!(chronicle.note(3, &promoted(4)), Ok(()));
    }

    #[test]
    fn a_second_vote_in_an_epoch_and_a_second_winner_are_told() {
        let mut chronicle = Chronicle::default();
        for (voter, candidate) in [(1, 3), (2, 3)] {
            assert_eq!(chronicle.note(voter, &vote(voter, 4, candidate)), Ok(()));
        }
        let second = chronicle.clone().note(1, &vote(1, 4, 4)).unwrap_err();
        assert_eq!(
            second.to_string(),
            "B votes for R1 and for R2 in epoch 4 (INV-01)"
        );
        assert_eq!(chronicle.note(3, &promoted(4)), Ok(()));
        let again = chronicle.note(3, &promoted(4)).unwrap_err();
        assert!(again.to_string().contains("both win epoch 4"), "{again}");
    }
}
