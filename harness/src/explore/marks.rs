//! Rare events: what a campaign must have seen before its silence means anything.
//!
//! [`Marks`] counts them in a recording: bus packets, views, client operations, ends of processes.
//! It judges nothing. A mark that a campaign never saw is a gap, and is printed. What the recording
//! does not show (why a vote was withheld, unless the bus tells) has no mark.

mod bus;
mod clients;
mod views;

use slotquake_checkers::checker::Happening;
use slotquake_checkers::observation::{Bounds, Setting};

/// A rare event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "`Mark::told` says it")]
pub enum Mark {
    TwoCandidates,
    ElectionRepeated,
    VoteWithheld,
    VotedForAnother,
    EpochTooOld,
    VoteLost,
    VoteLate,
    VoterKilled,
    CandidateKilled,
    SecondRankPromoted,
    ManualElection,
    ManualTimedOut,
    EpochCollision,
    EpochTaken,
    UpdateSent,
    FailBroadcast,
    PfailWithdrawn,
    FailWithdrawn,
    MasterDemoted,
    ReplicaMoved,
    OrphanAdopted,
    NodeForgotten,
    MinorityStopped,
    SlotOpened,
    OpenAtFailover,
    MovedFollowed,
    AskFollowed,
    AskAfterMoved,
    ClusterDownAnswered,
    AnswerMissing,
}

impl Mark {
    /// Every mark, in the order they are printed.
    pub const ALL: [Mark; 30] = [
        Mark::TwoCandidates,
        Mark::ElectionRepeated,
        Mark::VoteWithheld,
        Mark::VotedForAnother,
        Mark::EpochTooOld,
        Mark::VoteLost,
        Mark::VoteLate,
        Mark::VoterKilled,
        Mark::CandidateKilled,
        Mark::SecondRankPromoted,
        Mark::ManualElection,
        Mark::ManualTimedOut,
        Mark::EpochCollision,
        Mark::EpochTaken,
        Mark::UpdateSent,
        Mark::FailBroadcast,
        Mark::PfailWithdrawn,
        Mark::FailWithdrawn,
        Mark::MasterDemoted,
        Mark::ReplicaMoved,
        Mark::OrphanAdopted,
        Mark::NodeForgotten,
        Mark::MinorityStopped,
        Mark::SlotOpened,
        Mark::OpenAtFailover,
        Mark::MovedFollowed,
        Mark::AskFollowed,
        Mark::AskAfterMoved,
        Mark::ClusterDownAnswered,
        Mark::AnswerMissing,
    ];

    /// What happened, for people.
    pub fn told(self) -> &'static str {
        match self {
            Mark::TwoCandidates => "two candidates in one epoch",
            Mark::ElectionRepeated => "an election failed and was repeated",
            Mark::VoteWithheld => "a master was asked for its vote and gave none",
            Mark::VotedForAnother => "a vote was withheld: given to another in this epoch",
            Mark::EpochTooOld => "a vote was withheld: the voter knew a later epoch",
            Mark::VoteLost => "a vote never arrived",
            Mark::VoteLate => "a vote arrived after the election timeout",
            Mark::VoterKilled => "a voter was killed within a node timeout of its vote",
            Mark::CandidateKilled => "a candidate was killed before it was promoted",
            Mark::SecondRankPromoted => "a replica was promoted whose sibling knew more",
            Mark::ManualElection => "a manual failover asked for votes",
            Mark::ManualTimedOut => "a manual failover was given up",
            Mark::EpochCollision => "two masters claimed slots with one configEpoch",
            Mark::EpochTaken => "a master took a new configEpoch without an election",
            Mark::UpdateSent => "an UPDATE was sent",
            Mark::FailBroadcast => "a FAIL was broadcast",
            Mark::PfailWithdrawn => "a PFAIL was withdrawn",
            Mark::FailWithdrawn => "a FAIL was withdrawn",
            Mark::MasterDemoted => "a master with slots became a replica",
            Mark::ReplicaMoved => "a replica went to another master",
            Mark::OrphanAdopted => "a replica left a serving master for one without replicas",
            Mark::NodeForgotten => "a node was forgotten",
            Mark::MinorityStopped => "a master stopped serving while others went on",
            Mark::SlotOpened => "a slot was migrating or importing",
            Mark::OpenAtFailover => "a master was demoted while it had a slot open",
            Mark::MovedFollowed => "an operation succeeded after MOVED",
            Mark::AskFollowed => "an operation succeeded after ASK",
            Mark::AskAfterMoved => "an operation succeeded after MOVED and then ASK",
            Mark::ClusterDownAnswered => "an operation was refused with CLUSTERDOWN",
            Mark::AnswerMissing => "an operation timed out",
        }
    }
}

/// How often each mark was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally([u64; Mark::ALL.len()]);

impl Tally {
    /// Sees a mark once more.
    pub fn see(&mut self, mark: Mark) {
        self.0[mark as usize] += 1;
    }

    /// Sees a mark that many times more.
    pub fn see_often(&mut self, mark: Mark, times: u64) {
        self.0[mark as usize] += times;
    }

    /// How often it was seen.
    pub fn of(&self, mark: Mark) -> u64 {
        self.0[mark as usize]
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Tally) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }
}

/// Counts the marks of one recording, happening by happening in order of time.
#[derive(Debug)]
pub struct Marks<'a> {
    tally: Tally,
    bus: bus::Bus<'a>,
    views: views::Views<'a>,
}

impl<'a> Marks<'a> {
    /// Before anything happened.
    pub fn new(setting: &Setting) -> Marks<'a> {
        Marks {
            tally: Tally::default(),
            bus: bus::Bus::new(Bounds::of(setting)),
            views: views::Views::default(),
        }
    }

    /// Takes in a happening.
    pub fn observe(&mut self, happening: Happening<'a>) {
        let tally = &mut self.tally;
        match happening {
            Happening::Packet(packet) => self.bus.observe(packet, tally),
            Happening::Lifecycle(lifecycle) => self.bus.observe_lifecycle(lifecycle, tally),
            Happening::View(view) => self.views.observe(view, tally),
            Happening::Op(event) => clients::observe(event, &self.views, tally),
            Happening::Fault(_) => {}
        }
    }

    /// What was seen.
    pub fn finish(mut self) -> Tally {
        self.bus.finish(&mut self.tally);
        self.tally
    }
}

#[cfg(test)]
mod tests;
