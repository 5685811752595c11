//! The exit status, a contract with judges and CI.
//!
//! 0 all held (or broken only in known ways), 1 something was violated, 2 bad usage or input,
//! 3 this machine cannot do it, 4 undecided. Never 0 for a run that examined nothing.

use std::fmt::Display;

use slotquake_checkers::judge::{Judgement, Strictness};

/// How a command ended, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// All held, or what broke is a known upstream weakness.
    Held,
    /// Not enough was seen.
    Undecided,
    /// Bad usage or input.
    BadInput,
    /// This machine cannot do it, or the harness stumbled.
    MachineCannot,
    /// Something was violated.
    Violated,
}

impl Exit {
    /// The status given to the shell.
    pub fn status(self) -> u8 {
        match self {
            Exit::Held => 0,
            Exit::Violated => 1,
            Exit::BadInput => 2,
            Exit::MachineCannot => 3,
            Exit::Undecided => 4,
        }
    }

    /// The meaning of a status that another process of ours ended with; one that was killed could
    /// not do its work.
    pub fn of_status(status: u8) -> Exit {
        let all = [Exit::Held, Exit::Violated, Exit::BadInput, Exit::Undecided];
        let found = all.into_iter().find(|exit| exit.status() == status);
        found.unwrap_or(Exit::MachineCannot)
    }

    /// What a judgement means for the shell.
    pub fn of_judgement(judgement: &Judgement, strictness: Strictness) -> Exit {
        match judgement.exit_status(strictness) {
            0 => Exit::Held,
            1 => Exit::Violated,
            _ => Exit::Undecided,
        }
    }
}

/// Why a command could not do its work: one line for people, and the status.
#[derive(Debug)]
pub struct Failure {
    /// The status.
    pub exit: Exit,
    /// What happened, where, and what to do next.
    pub message: String,
}

impl Failure {
    /// The caller gave something that cannot be used.
    pub fn bad_input(message: impl Display) -> Failure {
        Failure {
            exit: Exit::BadInput,
            message: message.to_string(),
        }
    }

    /// The machine or the harness is at fault.
    pub fn machine(message: impl Display) -> Failure {
        Failure {
            exit: Exit::MachineCannot,
            message: message.to_string(),
        }
    }

    /// The message on one line, whatever it was made from.
    pub fn line(&self) -> String {
        let words: Vec<&str> = self.message.split_whitespace().collect();
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_outweighs_everything_else() {
        let all = [
            Exit::Held,
            Exit::Undecided,
            Exit::BadInput,
            Exit::MachineCannot,
            Exit::Violated,
        ];
        assert_eq!(all.iter().max(), Some(&Exit::Violated));
        assert_eq!(all.map(Exit::status), [0, 4, 2, 3, 1]);
    }

    #[test]
    fn a_failure_is_one_line() {
        assert_eq!(Failure::machine("no\n  room").line(), "no room");
    }
}
