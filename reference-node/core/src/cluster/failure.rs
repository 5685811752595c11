//! Failure detection: suspicion (PFAIL), reports, the mark of failure (FAIL), and its end.
//!
//! Marking and clearing FAIL are rule tables; the first rule that objects is the reason why the
//! mark is not set, or stays. Clauses: FD-01 to FD-21.

use super::Cluster;
use super::Profile;
use super::election::data_age;
use super::members::{FailureReport, Health, Mark, Member, MemberIndex, Stage};
use super::turn::Turn;
use crate::bus::packet::Body;
use crate::mutants::Mutant;
use crate::output::{Durability, LogLevel};
use crate::rules::{Rule, first_objection};
use crate::time::Millis;

/// What a gossip entry says about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// It answers.
    Alive,
    /// It is PFAIL or FAIL there.
    Failing,
}

/// What is weighed before a node is marked FAIL.
pub(super) struct MarkFacts {
    pub health: Health,
    pub reports: usize,
    pub own_voice: usize,
    pub quorum: usize,
}

/// Why a node is not marked FAIL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotMarked {
    NotSuspected,
    FailedAlready,
    TooFewReports,
}

/// Marking FAIL.
pub(super) const MARK_RULES: &[Rule<MarkFacts, NotMarked>] = &[
    Rule {
        clause: "FD-08",
        objects: |facts| (facts.health == Health::Alive).then_some(NotMarked::NotSuspected),
    },
    Rule {
        clause: "FD-10",
        objects: |facts| {
            matches!(facts.health, Health::Failed { .. }).then_some(NotMarked::FailedAlready)
        },
    },
    Rule {
        // FD-17: so a minority marks nobody.
        clause: "FD-08",
        objects: |facts| {
            let voices = facts.reports + facts.own_voice;
            (voices < facts.quorum).then_some(NotMarked::TooFewReports)
        },
    },
];

/// What is weighed when a failed node answers.
pub(super) struct ClearFacts {
    pub is_master_with_slots: bool,
    pub failed_for: Millis,
    pub node_timeout: Millis,
}

/// Why a node that answers stays FAIL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotCleared {
    SlotsMayBeTaken,
}

/// Clearing FAIL at a PONG. FD-13: replicas and masters without slots are cleared at once.
pub(super) const CLEAR_RULES: &[Rule<ClearFacts, NotCleared>] = &[Rule {
    clause: "FD-14",
    objects: |facts| {
        let is_recent = facts.failed_for.0 <= facts.node_timeout.0.saturating_mul(2);
        (facts.is_master_with_slots && is_recent).then_some(NotCleared::SlotsMayBeTaken)
    },
}];

impl Cluster {
    /// FD-01: suspects every node that is silent for too long; tells whether one is new.
    pub(super) fn suspect_silent(&mut self, late: &[MemberIndex], turn: &mut Turn) {
        let by_stream = self.master_without_stream(turn);
        for index in late.iter().copied().chain(by_stream) {
            if !is_silent(&self.members[index], turn) && by_stream != Some(index) {
                continue;
            }
            turn.log(
                LogLevel::Debug,
                format!("*** NODE {} possibly failing", id(self, index)),
            );
            self.members[index].health = Health::Suspected;
            // ST-10: a master that suspects the majority stops serving in this very turn.
            self.pending.evaluate_state = true;
            self.pending.save(Durability::Buffered);
            // DEVIATION(FD-09): as 7.2 does, so that a lone master sees its replicas fail.
            if self.profile == Profile::Reference && self.state.size() == 1 {
                self.mark_failed_if_agreed(index, turn);
            }
        }
        self.clockwork.suspects = self.members.count(Mark::Suspect);
    }

    /// A seeded bug: the master whose replication stream brought nothing for the node timeout.
    fn master_without_stream(&self, turn: &Turn) -> Option<MemberIndex> {
        let is_seeded = self.mutant.is(Mutant::SuspectsByStream);
        let master = self.members.me().master().filter(|_| is_seeded)?;
        let is_well = self.members[master].health == Health::Alive;
        (is_well && data_age(turn) > turn.node_timeout()).then_some(master)
    }

    /// FD-05, FD-06: a word of a master about another node.
    pub(super) fn hear_report(
        &mut self,
        about: MemberIndex,
        by: MemberIndex,
        word: Word,
        turn: &mut Turn,
    ) {
        if !self.has_word(by) {
            return;
        }
        if word == Word::Alive && self.mutant.is(Mutant::ReportsNotWithdrawn) {
            return;
        }
        if word == Word::Alive && self.members[about].reports.is_empty() {
            return;
        }
        if word == Word::Alive {
            self.members[about].reports.retain(|report| report.by != by);
            return;
        }
        let reports = &mut self.members[about].reports;
        match reports.iter_mut().find(|report| report.by == by) {
            Some(report) => report.at = turn.now,
            None => reports.push(FailureReport { by, at: turn.now }),
        }
        self.mark_failed_if_agreed(about, turn);
    }

    /// DEVIATION(FD-05): only masters with slots have a word, as in Valkey 8; otherwise nodes
    /// without any part in the cluster could outvote it.
    fn has_word(&self, index: MemberIndex) -> bool {
        if self.mutant.is(Mutant::ReplicasReport) {
            return true;
        }
        match self.profile {
            Profile::Reference => self.members[index].has_voice(),
            Profile::Upstream70 => self.members[index].is_master(),
        }
    }

    /// FD-08, FD-10: marks a suspect as failed if a quorum agrees, and tells everybody.
    pub(super) fn mark_failed_if_agreed(&mut self, index: MemberIndex, turn: &mut Turn) {
        self.expire_reports(index, turn);
        let facts = MarkFacts {
            health: self.members[index].health,
            reports: self.members[index].reports.len(),
            own_voice: usize::from(self.has_word(self.members.my_index())),
            quorum: self.state.quorum() - usize::from(self.mutant.is(Mutant::FailsByHalf)),
        };
        if first_objection(MARK_RULES, &facts, self.mutant).is_some() {
            return;
        }
        turn.log(
            LogLevel::Notice,
            format!(
                "Marking node {} as failing (quorum reached).",
                id(self, index)
            ),
        );
        self.set_failed(index, turn);
        if self.mutant.is(Mutant::FailNotTold) {
            return;
        }
        let failed = Some(self.members[index].id);
        self.broadcast(&Body::Fail { failed }, turn);
    }

    /// FD-11, FD-12: somebody says that a quorum agreed.
    pub(super) fn hear_fail(&mut self, index: MemberIndex, turn: &mut Turn) {
        let is_me = index == self.members.my_index() && !self.mutant.is(Mutant::BelievesOwnFailure);
        if is_me || self.mutant.is(Mutant::FailNotHeard) {
            return;
        }
        if self.members[index].is_failed() || !self.members[index].is_known() {
            return;
        }
        turn.log(
            LogLevel::Notice,
            format!("FAIL message received about {}", id(self, index)),
        );
        self.set_failed(index, turn);
    }

    fn set_failed(&mut self, index: MemberIndex, turn: &Turn) {
        self.members[index].health = Health::Failed { since: turn.now };
        self.pending.evaluate_state = true;
        self.pending.run_election = true;
        self.pending.save(Durability::Buffered);
    }

    /// FD-04, FD-13, FD-14: a PONG came on the outbound link.
    pub(super) fn revive(&mut self, index: MemberIndex, turn: &mut Turn) {
        let member = &self.members[index];
        let since = match member.health {
            Health::Alive => return,
            Health::Suspected if self.mutant.is(Mutant::SuspicionStays) => return,
            Health::Failed { .. } if self.mutant.is(Mutant::FailureStays) => return,
            Health::Suspected => None,
            Health::Failed { since } => Some(since),
        };
        let facts = since.map(|since| ClearFacts {
            is_master_with_slots: member.has_voice(),
            failed_for: turn.now.since(since),
            node_timeout: turn.node_timeout(),
        });
        if facts.is_some_and(|facts| first_objection(CLEAR_RULES, &facts, self.mutant).is_some()) {
            return;
        }
        if since.is_some() {
            let text = format!("Clear FAIL state for node {}", id(self, index));
            turn.log(LogLevel::Notice, text);
        }
        self.members[index].health = Health::Alive;
        self.pending.evaluate_state = true;
        self.pending.save(Durability::Buffered);
    }

    /// FD-07: reports are void after two node timeouts.
    pub(super) fn expire_reports(&mut self, index: MemberIndex, turn: &Turn) {
        if self.mutant.is(Mutant::ReportsNeverExpire) {
            return;
        }
        let valid_for = Millis(turn.node_timeout().0.saturating_mul(2));
        let is_valid = |report: &FailureReport| turn.now.since(report.at) <= valid_for;
        if !self.members[index].reports.iter().all(is_valid) {
            self.members[index].reports.retain(is_valid);
        }
    }
}

/// FD-01, FD-03: an unanswered ping, and no data at all, for longer than the node timeout. FD-20:
/// an open link proves nothing, as the kernel of a paused process opens links too.
fn is_silent(member: &Member, turn: &Turn) -> bool {
    let Some(ping_sent) = member.ping_sent else {
        return false;
    };
    let is_exempt = member.is_without_address || member.stage == Stage::Handshake;
    let last_sign = member.data_received.unwrap_or(ping_sent).max(ping_sent);
    member.health == Health::Alive && !is_exempt && turn.now.since(last_sign) > patience(turn)
}

/// NT; FD-01.
fn patience(turn: &Turn) -> Millis {
    let timeout = turn.node_timeout();
    let mutant = turn.config.mutant;
    match timeout {
        _ if mutant.is(Mutant::SuspectsEarly) => Millis(timeout.0 / 2),
        _ if mutant.is(Mutant::SuspectsLate) => Millis(timeout.0 * 3),
        timeout => timeout,
    }
}

fn id(cluster: &Cluster, index: MemberIndex) -> crate::ids::NodeId {
    cluster.members[index].id
}
