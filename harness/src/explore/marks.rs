//! Rare events: what a campaign must have seen before its silence means anything.
//!
//! [`Marks`] counts them in a recording: bus packets, views, client operations, ends of processes.
//! It judges nothing. A mark that a campaign never saw is a gap, and is printed. Why a vote was
//! withheld is read from what the bus showed of the voter before: the first reason that fits.

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
    MasterNotFailed,
    VotedTooSoon,
    ClaimsOutdated,
    VoteLost,
    VoteLate,
    VoterKilled,
    CandidateKilled,
    SecondRankPromoted,
    ManualElection,
    ManualTimedOut,
    EpochCollision,
    CollisionResolved,
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
    TriedAgain,
    ClusterDownAnswered,
    AnswerMissing,
    FullResync,
    PartialResync,
}

impl Mark {
    /// Every mark, in the order they are printed.
    pub const ALL: [Mark; 37] = [
        Mark::TwoCandidates,
        Mark::ElectionRepeated,
        Mark::VoteWithheld,
        Mark::VotedForAnother,
        Mark::EpochTooOld,
        Mark::MasterNotFailed,
        Mark::VotedTooSoon,
        Mark::ClaimsOutdated,
        Mark::VoteLost,
        Mark::VoteLate,
        Mark::VoterKilled,
        Mark::CandidateKilled,
        Mark::SecondRankPromoted,
        Mark::ManualElection,
        Mark::ManualTimedOut,
        Mark::EpochCollision,
        Mark::CollisionResolved,
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
        Mark::TriedAgain,
        Mark::ClusterDownAnswered,
        Mark::AnswerMissing,
        Mark::FullResync,
        Mark::PartialResync,
    ];

    /// What happened, for people.
    pub fn told(self) -> &'static str {
        match self {
            Mark::TwoCandidates => "two candidates in one epoch",
            Mark::ElectionRepeated => "an election failed and was repeated",
            Mark::VoteWithheld => "a master was asked for its vote and gave none",
            Mark::VotedForAnother => "a vote was withheld: given to another in this epoch",
            Mark::EpochTooOld => "a vote was withheld: the voter knew a later epoch",
            Mark::MasterNotFailed => "a vote was withheld: the voter had not heard of a failure",
            Mark::VotedTooSoon => "a vote was withheld: given for this master just before",
            Mark::ClaimsOutdated => "a vote was withheld: the candidate's claim was outdated",
            Mark::VoteLost => "a vote never arrived",
            Mark::VoteLate => "a vote arrived after the election timeout",
            Mark::VoterKilled => "a voter was killed within a node timeout of its vote",
            Mark::CandidateKilled => "a candidate was killed before it was promoted",
            Mark::SecondRankPromoted => "a replica was promoted whose sibling knew more",
            Mark::ManualElection => "a manual failover asked for votes",
            Mark::ManualTimedOut => "a manual failover was given up",
            Mark::EpochCollision => "two masters claimed slots with one configEpoch",
            Mark::CollisionResolved => "one of two masters with one configEpoch took another",
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
            Mark::TriedAgain => "an operation succeeded after TRYAGAIN",
            Mark::ClusterDownAnswered => "an operation was refused with CLUSTERDOWN",
            Mark::AnswerMissing => "an operation timed out",
            Mark::FullResync => "a replica got a snapshot of its master",
            Mark::PartialResync => "a replica went on from where it was",
        }
    }
}

/// How often each mark was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally([u64; Mark::ALL.len()]);

impl Default for Tally {
    fn default() -> Tally {
        Tally([0; Mark::ALL.len()])
    }
}

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
        let mut tally = Tally::default();
        for dataset in &setting.datasets {
            tally.see_often(Mark::FullResync, dataset.full_resyncs);
            tally.see_often(Mark::PartialResync, dataset.partial_resyncs);
        }
        Marks {
            tally,
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
