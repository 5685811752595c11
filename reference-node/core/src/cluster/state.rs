//! The cluster state: ok or fail, from this node's point of view alone (GO-24).
//!
//! Evaluated when an event flags it and in every tick while it is fail (ST-06). Also counts the
//! masters with slots, from which every quorum is taken. Clauses: ST-01 to ST-13.

use super::Cluster;
use super::members::Mark;
use super::turn::Turn;
use crate::mutants::Mutant;
use crate::output::LogLevel;
use crate::slot::SLOT_COUNT;
use crate::time::Millis;

/// The verdict on the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Keys are served.
    Ok,
    /// They are not.
    Fail,
}

/// State, and what its delays need.
#[derive(Debug, Clone)]
pub(super) struct State {
    verdict: Verdict,
    size: usize,
    first_evaluated_at: Option<Millis>,
    minority_at: Option<Millis>,
}

impl Default for State {
    fn default() -> Self {
        State {
            verdict: Verdict::Fail,
            // ST-08: one master until counted.
            size: 1,
            first_evaluated_at: None,
            minority_at: None,
        }
    }
}

impl State {
    /// Whether keys are served.
    pub fn is_ok(&self) -> bool {
        self.verdict == Verdict::Ok
    }

    /// Number of masters with slots at the last evaluation (ST-08).
    pub fn size(&self) -> usize {
        self.size
    }

    /// Serves no keys, as if just back from a minority (ST-05).
    pub fn distrust(&mut self, now: Millis) {
        self.verdict = Verdict::Fail;
        self.minority_at = Some(now);
    }

    /// How many of them must agree. ST-09: one at least, which nobody reaches where no master has
    /// slots.
    pub fn quorum(&self) -> usize {
        self.size / 2 + 1
    }
}

/// How many masters have slots, and how many of these are reachable.
struct Masters {
    with_slots: usize,
    reachable: usize,
}

/// Upstream's fixed delay of ST-02; a shorter one is our own option, for tests.
const UPSTREAM_WRITABLE_DELAY: Millis = Millis(2000);

impl Cluster {
    /// Evaluates the state, unless it is too early after the start (ST-02).
    pub(super) fn evaluate_state(&mut self, turn: &mut Turn) {
        let first = *self.state.first_evaluated_at.get_or_insert(turn.now);
        let is_master = self.members.me().is_master();
        let is_early = turn.now.since(first) < turn.config.cluster_writable_delay;
        if is_master && !self.state.is_ok() && is_early && !self.mutant.is(Mutant::WritableAtOnce) {
            return;
        }
        let masters = self.count_masters();
        self.state.size = match self.mutant.is(Mutant::QuorumOfReachable) {
            true => masters.reachable,
            false => masters.with_slots,
        };
        let bonus = usize::from(self.mutant.is(Mutant::HalfIsEnough));
        let has_majority = masters.reachable + bonus >= self.state.quorum();
        if !has_majority && self.counts_as_minority(&masters, turn) {
            self.state.minority_at = Some(turn.now);
        }
        // ST-07: without full coverage the majority alone decides.
        let is_covered = !turn.config.cluster_require_full_coverage
            || self.covers_all_slots()
            || self.mutant.is(Mutant::CoverageIgnored);
        let verdict = if has_majority && is_covered {
            Verdict::Ok
        } else {
            Verdict::Fail
        };
        self.change_state(verdict, turn);
    }

    /// ST-12: a node that knows no master with slots counts as a minority.
    fn counts_as_minority(&self, masters: &Masters, turn: &Turn) -> bool {
        // DEVIATION(ST-12): not with a shortened writable delay, whose point is a quick start.
        let is_quick = turn.config.cluster_writable_delay < UPSTREAM_WRITABLE_DELAY;
        masters.with_slots > 0 || !is_quick
    }

    fn change_state(&mut self, verdict: Verdict, turn: &mut Turn) {
        if verdict == self.state.verdict {
            return;
        }
        if verdict == Verdict::Ok
            && self.members.me().is_master()
            && self.is_just_back(turn)
            && !self.mutant.is(Mutant::BackAtOnce)
        {
            return;
        }
        let text = match verdict {
            Verdict::Ok => "Cluster state changed: ok",
            Verdict::Fail => "Cluster state changed: fail",
        };
        turn.log(LogLevel::Notice, text.into());
        self.state.verdict = verdict;
        self.clockwork.slots_changed = true;
    }

    /// ST-05: a master that was in a minority gives the others time to correct it.
    fn is_just_back(&self, turn: &Turn) -> bool {
        let delay = turn.node_timeout().max(Millis(500)).min(Millis(5000));
        self.state
            .minority_at
            .is_some_and(|at| turn.now.since(at) < delay)
    }

    /// ST-04: masters with slots, and those neither PFAIL nor FAIL.
    fn count_masters(&mut self) -> Masters {
        let roll = self.members.roll();
        let with_slots = roll.count(Mark::Voice);
        Masters {
            with_slots,
            reachable: match self.mutant.is(Mutant::SuspectsAreReachable) {
                true => with_slots - roll.count(Mark::FailedVoice),
                false => roll.count(Mark::LiveVoice),
            },
        }
    }

    /// ST-03: every slot has an owner that is not FAIL.
    fn covers_all_slots(&mut self) -> bool {
        let has_failed_owner = self.members.count(Mark::FailedOwner) > 0;
        self.slots.assigned() == SLOT_COUNT && !has_failed_owner
    }
}
