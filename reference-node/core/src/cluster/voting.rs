//! Votes: whether this master helps a replica to become one.
//!
//! Granting is a rule table; the first rule that objects is the reason, and a refusal says nothing
//! on the bus (VO-08). Vote and epoch are on disk before the answer leaves (VO-07, VO-10).
//! Clauses: VO-01 to VO-14, KW-03.

use super::members::{Member, MemberIndex};
use super::turn::Turn;
use super::{Cluster, Profile};
use crate::bus::packet::{Body, Header};
use crate::epoch::CurrentEpoch;
use crate::mutants::Mutant;
use crate::output::{Durability, LogLevel};
use crate::rules::{Rule, first_objection};
use crate::time::Millis;

/// What is weighed before a vote is given. VO-09: not the state of the cluster here, not how many
/// nodes this one reaches, not how much data the candidate has.
pub(super) struct Ballot {
    pub has_voice: bool,
    pub requested_epoch: CurrentEpoch,
    pub current_epoch: CurrentEpoch,
    pub last_vote_epoch: CurrentEpoch,
    /// Whether a replica of mine, but not the candidate, is about to take my slots.
    pub is_being_replaced: bool,
    /// Whether the candidate's master is FAIL; none if the candidate is no replica of anybody.
    pub master_failed: Option<bool>,
    pub is_forced: bool,
    /// How long ago I voted for a replica of the same master.
    pub voted_ago: Option<Millis>,
    pub vote_spacing: Millis,
    pub newer_owner: Option<MemberIndex>,
    pub delivery: Delivery,
}

/// Whether the vote would arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// There is an open link to the candidate, or it does not matter.
    Possible,
    /// There is none.
    Impossible,
}

/// Why a vote is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NoVoice,
    OldEpoch,
    VotedAlready,
    BeingReplaced,
    NotAReplica,
    MasterWorks,
    VotedLately,
    StaleClaim,
    Unreachable,
}

/// Granting a vote.
pub(super) const VOTE_RULES: &[Rule<Ballot, Refusal>] = &[
    Rule {
        clause: "VO-01",
        objects: |ballot| (!ballot.has_voice).then_some(Refusal::NoVoice),
    },
    Rule {
        clause: "VO-02",
        objects: |ballot| {
            (ballot.requested_epoch < ballot.current_epoch).then_some(Refusal::OldEpoch)
        },
    },
    Rule {
        // VO-03: one vote per epoch, also after a restart. VO-11: whatever the candidate's shard.
        clause: "VO-03",
        objects: |ballot| {
            (ballot.last_vote_epoch >= ballot.current_epoch).then_some(Refusal::VotedAlready)
        },
    },
    Rule {
        // DEVIATION(VO-03): one vote per shard, too. My successor may vote in this epoch as well.
        clause: "VO-03",
        objects: |ballot| ballot.is_being_replaced.then_some(Refusal::BeingReplaced),
    },
    Rule {
        clause: "VO-04",
        objects: |ballot| {
            ballot
                .master_failed
                .is_none()
                .then_some(Refusal::NotAReplica)
        },
    },
    Rule {
        clause: "VO-04",
        objects: |ballot| {
            // VO-13: when forced, also against a master that works, be it the voter itself.
            let is_needed = ballot.master_failed == Some(true) || ballot.is_forced;
            (!is_needed).then_some(Refusal::MasterWorks)
        },
    },
    Rule {
        clause: "VO-05",
        objects: |ballot| {
            let is_recent = ballot
                .voted_ago
                .is_some_and(|ago| ago < ballot.vote_spacing);
            is_recent.then_some(Refusal::VotedLately)
        },
    },
    Rule {
        clause: "VO-06",
        objects: |ballot| ballot.newer_owner.map(|_| Refusal::StaleClaim),
    },
    Rule {
        // DEVIATION(VO-07): a vote that cannot be delivered is not spent (KW-03).
        clause: "VO-07",
        objects: |ballot| (ballot.delivery == Delivery::Impossible).then_some(Refusal::Unreachable),
    },
];

impl Cluster {
    /// Gives a vote, or not.
    pub(super) fn hear_vote_request(
        &mut self,
        candidate: MemberIndex,
        header: &Header,
        turn: &mut Turn,
    ) {
        let ballot = self.ballot(candidate, header, turn);
        let id = self.members[candidate].id;
        match first_objection(VOTE_RULES, &ballot, self.mutant) {
            Some((clause, refusal)) => turn.log(
                LogLevel::Notice,
                format!("Failover auth denied to {id}: {refusal:?} ({clause})"),
            ),
            None => self.grant_vote(candidate, turn),
        }
    }

    fn ballot(&self, candidate: MemberIndex, header: &Header, turn: &Turn) -> Ballot {
        let member = &self.members[candidate];
        let master = member.master().map(|master| &self.members[master]);
        let voted_at = master.and_then(|master| master.voted_at);
        let voted_ago = voted_at.map(|at| turn.now.since(at));
        let is_reachable = member.open_link().is_some() || self.profile == Profile::Upstream70;
        Ballot {
            has_voice: self.members.me().has_voice(),
            requested_epoch: header.current_epoch,
            current_epoch: self.current_epoch,
            last_vote_epoch: match self.mutant.is(Mutant::VotePerShard) && voted_ago.is_none() {
                true => CurrentEpoch::default(),
                false => self.last_vote_epoch,
            },
            is_being_replaced: self.is_yielding_to_another(candidate, turn),
            master_failed: master.map(Member::is_failed),
            is_forced: header.message_flags.force_ack
                || self.mutant.is(Mutant::VotesAgainstWorkingMaster),
            voted_ago,
            vote_spacing: vote_spacing(turn),
            newer_owner: self.newer_owner(header),
            delivery: if is_reachable {
                Delivery::Possible
            } else {
                Delivery::Impossible
            },
        }
    }

    /// Whether a replica of mine, but not this one, is about to replace me: I hold back writes for
    /// it (MF-05), or it has my vote (VO-13) and as long to win as I withhold it from its siblings.
    fn is_yielding_to_another(&self, candidate: MemberIndex, turn: &Turn) -> bool {
        let is_mine = self.members[candidate].master() == Some(self.members.my_index());
        let helped_ago = self.members.me().voted_at.map(|at| turn.now.since(at));
        let has_helped = helped_ago.is_some_and(|ago| ago < vote_spacing(turn));
        let is_yielding = self.is_pausing_writes() || has_helped;
        is_yielding && !is_mine && self.profile == Profile::Reference
    }

    /// VO-06: an owner of a slot of the request, with a newer claim than the request's.
    fn newer_owner(&self, header: &Header) -> Option<MemberIndex> {
        let owners = self.slots.owners_of(&self.members, &header.slots);
        owners.into_iter().find(|index| {
            let member = &self.members[*index];
            member.config_epoch > header.config_epoch && {
                let claimed = member.slots.difference(&self.slots.unclaimed);
                !claimed.is_disjoint(&header.slots)
            }
        })
    }

    /// VO-07: the vote is on disk before it leaves.
    fn grant_vote(&mut self, candidate: MemberIndex, turn: &mut Turn) {
        // INV-01.
        assert!(
            self.last_vote_epoch < self.current_epoch || self.mutant.is(Mutant::VotePerShard),
            "one vote per epoch: voted in {:?}, now {:?}",
            self.last_vote_epoch,
            self.current_epoch
        );
        if !self.mutant.is(Mutant::VoteNotNoted) {
            self.last_vote_epoch = self.current_epoch;
        }
        if let Some(master) = self.members[candidate].master() {
            self.members[master].voted_at = Some(turn.now);
        }
        self.pending
            .save(match self.mutant.is(Mutant::VoteNotSynced) {
                true => Durability::Buffered,
                false => Durability::Synced,
            });
        self.send_to(candidate, Body::AuthAck, turn);
        let id = self.members[candidate].id;
        let epoch = self.current_epoch.0;
        turn.log(
            LogLevel::Notice,
            format!("Failover auth granted to {id} for epoch {epoch}"),
        );
    }
}

/// VO-05: from a vote to the next one for a replica of the same master.
fn vote_spacing(turn: &Turn) -> Millis {
    Millis(turn.node_timeout().0.saturating_mul(2))
}
