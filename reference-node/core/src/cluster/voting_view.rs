//! What this node's votes and its candidacy follow from, as a value.
//!
//! For explorers of small models, which drive the room packet by packet and must know when two
//! nodes will vote and stand alike. Times are spans from now, so that it does not matter when
//! something happened. Not in it: pings, links' ages, counters and randomness; who explores calls
//! [`Cluster::consider_election`] instead of waking the clockwork, and then they decide nothing.

use std::sync::Arc;

use super::election::{ElectionStage, auth_timeout};
use super::members::Member;
use super::turn::Turn;
use super::{Cluster, Effect, Surroundings};
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::slot::SlotSet;
use crate::time::Millis;

/// One node's part in elections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the clauses' own words")]
pub struct VotingView {
    pub current_epoch: CurrentEpoch,
    pub last_vote_epoch: CurrentEpoch,
    pub candidacy: Candidacy,
    /// This node first, then the others by id.
    pub members: Vec<VoterView>,
    /// Slots that their owner no longer claims (UP-06).
    pub unclaimed: SlotSet,
}

/// How far the node's own election is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Candidacy {
    /// None was ever planned, or it was forgotten.
    Idle,
    /// Votes will be asked for.
    Waiting {
        /// In how long.
        due_in: Millis,
        /// Replicas ahead of this one (EL-07).
        rank: u64,
    },
    /// Votes were asked for.
    Asked {
        /// In this epoch.
        epoch: CurrentEpoch,
        /// Who voted so far; sorted.
        voters: Vec<NodeId>,
        /// How long ago they were asked for last.
        asked_ago: Millis,
        /// How long ago this attempt began.
        begun_ago: Millis,
        /// In how long the next attempt may be planned (EL-06).
        retry_in: Millis,
    },
}

/// A member, as far as votes and candidacies depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of the member's fields")]
pub struct VoterView {
    pub id: NodeId,
    pub is_master: bool,
    pub master: Option<NodeId>,
    pub is_failed: bool,
    pub is_reachable: bool,
    pub refuses_failover: bool,
    pub config_epoch: ConfigEpoch,
    pub slots: Arc<SlotSet>,
    pub repl_offset: u64,
    /// How much longer this node withholds votes from its other replicas (VO-05).
    pub vote_withheld_for: Millis,
}

impl Cluster {
    /// What this node's votes and its candidacy follow from, now.
    pub fn voting_view(&self, around: &Surroundings) -> VotingView {
        let fx = &mut Vec::new();
        let turn = Turn::new(around, fx);
        let mut members: Vec<VoterView> = self
            .members
            .iter()
            .map(|(_, member)| self.voter_view(member, &turn))
            .collect();
        let my_id = self.my_id();
        members.sort_by_key(|member| (member.id != my_id, member.id));
        VotingView {
            current_epoch: self.current_epoch,
            last_vote_epoch: self.last_vote_epoch,
            candidacy: self.candidacy(&turn),
            members,
            unclaimed: self.slots.unclaimed.clone(),
        }
    }

    /// Looks at this node's candidacy, as every tick does, and ends the turn.
    pub fn consider_election(&mut self, around: &Surroundings, fx: &mut Vec<Effect>) {
        self.pending.run_election = true;
        self.end_turn(&mut Turn::new(around, fx));
    }

    fn voter_view(&self, member: &Member, turn: &Turn) -> VoterView {
        let spacing = Millis(turn.node_timeout().0.saturating_mul(2));
        let withheld = |at: Millis| (at + spacing).since(turn.now);
        VoterView {
            id: member.id,
            is_master: member.is_master(),
            master: member.master().map(|master| self.members[master].id),
            is_failed: member.is_failed(),
            is_reachable: member.open_link().is_some(),
            refuses_failover: member.refuses_failover,
            config_epoch: member.config_epoch,
            slots: Arc::clone(&member.slots),
            repl_offset: member.repl_offset,
            vote_withheld_for: member.voted_at.map_or(Millis(0), withheld),
        }
    }

    fn candidacy(&self, turn: &Turn) -> Candidacy {
        let start_at = self.election.start_at.unwrap_or_default();
        match &self.election.stage {
            ElectionStage::Idle => Candidacy::Idle,
            ElectionStage::Waiting { rank } => Candidacy::Waiting {
                due_in: start_at.since(turn.now),
                rank: *rank,
            },
            ElectionStage::Asked { epoch, voters, at } => {
                let mut voters = voters.clone();
                voters.sort_unstable();
                let retry = Millis(auth_timeout(turn).0.saturating_mul(2) + 1);
                Candidacy::Asked {
                    epoch: *epoch,
                    voters,
                    asked_ago: turn.now.since(*at),
                    begun_ago: turn.now.since(start_at),
                    retry_in: (start_at + retry).since(turn.now),
                }
            }
        }
    }
}
