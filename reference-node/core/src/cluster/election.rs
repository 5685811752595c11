//! Elections: when a replica stands for master, how long it waits, and when it has won.
//!
//! Standing is a rule table. A candidate has votes only once it has asked for them, and each voter
//! counts once. Clauses: EL-01 to EL-27, KW-02, KW-04, KW-09, and VT-08 of part C.

use super::Cluster;
use super::Profile;
use super::manual_failover::ManualFailover;
use super::members::{Health, MemberIndex};
use super::surroundings::LinkFigures;
use super::turn::Turn;
use crate::bus::packet::{Body, Header, Packet};
use crate::epoch::CurrentEpoch;
use crate::ids::{LinkId, NodeId};
use crate::mutants::Mutant;
use crate::output::{Durability, LogLevel};
use crate::rules::{Rule, first_objection};
use crate::time::Millis;

/// From one request for votes to the next within an election.
const ASK_AGAIN: Millis = Millis(1000);

/// Where this node's candidacy stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Election {
    /// When votes were or will be asked for; none if no election was ever scheduled (EL-06).
    pub start_at: Option<Millis>,
    pub stage: ElectionStage,
}

/// How far it got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum ElectionStage {
    /// Nothing is planned.
    #[default]
    Idle,
    /// Votes will be asked for at `start_at`.
    Waiting {
        /// Replicas ahead of me (EL-07).
        rank: u64,
    },
    /// Votes were asked for.
    Asked {
        epoch: CurrentEpoch,
        voters: Vec<NodeId>,
        /// When they were asked for last.
        at: Millis,
    },
}

/// What is weighed before standing.
pub(super) struct StandFacts {
    pub is_replica: bool,
    pub is_manual: bool,
    pub master_failed: Option<bool>,
    pub master_has_slots: bool,
    pub failover_refused: bool,
    pub data_age: Millis,
    /// None if the validity factor is 0 (EL-03).
    pub data_age_max: Option<Millis>,
}

/// Why a node does not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotStanding {
    NotAReplica,
    MasterUnknown,
    MasterWorks,
    FailoverRefused,
    MasterWithoutSlots,
    DataTooOld,
}

/// Standing for election.
pub(super) const STAND_RULES: &[Rule<StandFacts, NotStanding>] = &[
    Rule {
        clause: "EL-01",
        objects: |facts| (!facts.is_replica).then_some(NotStanding::NotAReplica),
    },
    Rule {
        clause: "EL-01",
        objects: |facts| {
            facts
                .master_failed
                .is_none()
                .then_some(NotStanding::MasterUnknown)
        },
    },
    Rule {
        clause: "EL-01",
        objects: |facts| {
            let may_replace = facts.is_manual || facts.master_failed == Some(true);
            (!may_replace).then_some(NotStanding::MasterWorks)
        },
    },
    Rule {
        // CF-06, MF-16: a manual failover overrules the setting.
        clause: "CF-06",
        objects: |facts| {
            (facts.failover_refused && !facts.is_manual).then_some(NotStanding::FailoverRefused)
        },
    },
    Rule {
        clause: "EL-01",
        objects: |facts| (!facts.master_has_slots).then_some(NotStanding::MasterWithoutSlots),
    },
    Rule {
        clause: "EL-03",
        objects: |facts| {
            let is_too_old = facts.data_age_max.is_some_and(|max| facts.data_age > max);
            (is_too_old && !facts.is_manual).then_some(NotStanding::DataTooOld)
        },
    },
];

impl Cluster {
    /// One look at the election: schedule, wait, ask, or win.
    pub(super) fn run_election(&mut self, turn: &mut Turn) {
        if first_objection(STAND_RULES, &self.stand_facts(turn), self.mutant).is_some() {
            // EL-22: an open election stays as it is.
            return;
        }
        let timeout = auth_timeout(turn);
        let retry = match self.mutant.is(Mutant::RetriesTooSoon) {
            true => Millis(timeout.0 / 2),
            false => Millis(timeout.0.saturating_mul(2)),
        };
        // EL-06, EL-25: the first one, or long enough after the last one. MF-17: a manual failover
        // waits as long.
        let is_due = self
            .election
            .start_at
            .is_none_or(|at| turn.now.since(at) > retry);
        if is_due {
            self.schedule_election(turn);
            if !self.manual.can_start() {
                return;
            }
        }
        self.raise_rank(turn);
        let Some(start_at) = self.election.start_at else {
            return;
        };
        // EL-10: not before, and not after it expired.
        if turn.now < start_at || turn.now.since(start_at) > timeout {
            return;
        }
        self.ask_or_win(turn);
    }

    fn ask_or_win(&mut self, turn: &mut Turn) {
        match &self.election.stage {
            ElectionStage::Idle => {}
            ElectionStage::Waiting { .. } => self.ask_for_votes(turn),
            ElectionStage::Asked { epoch, voters, at } => {
                let (epoch, at) = (*epoch, *at);
                let votes = voters.len() + usize::from(self.mutant.is(Mutant::CountsItself));
                // EL-23: never without a quorum.
                if votes >= self.state.quorum() {
                    self.win(epoch, votes, turn);
                } else if turn.now.since(at) >= ASK_AGAIN && self.profile == Profile::Reference {
                    self.ask_again(turn);
                }
            }
        }
    }

    fn stand_facts(&self, turn: &Turn) -> StandFacts {
        let master = self.members.me().master().map(|index| &self.members[index]);
        let factor = turn.config.cluster_replica_validity_factor;
        let ping_period = turn.config.repl_ping_replica_period_s.saturating_mul(1000);
        let by_factor = turn.node_timeout().0.saturating_mul(factor);
        StandFacts {
            is_replica: self.is_replica(),
            is_manual: self.manual.can_start(),
            master_failed: master.map(|master| {
                let is_enough = self.mutant.is(Mutant::StandsForWorkingMaster);
                let is_never = self.mutant.is(Mutant::NeverStands);
                (master.is_failed() && !is_never) || (is_enough && master.health != Health::Alive)
            }),
            master_has_slots: master.is_some_and(|master| master.slot_count > 0),
            failover_refused: turn.config.cluster_replica_no_failover,
            data_age: data_age(turn),
            data_age_max: (factor != 0).then(|| Millis(ping_period.saturating_add(by_factor))),
        }
    }

    /// EL-06, EL-08: plans an election and tells the siblings how far this node's data goes.
    fn schedule_election(&mut self, turn: &mut Turn) {
        let rank = self.my_rank(turn);
        let delay = match self.manual.can_start() {
            true => 0,
            false if self.mutant.is(Mutant::NoElectionDelay) => 0,
            // EL-24: half a second to a second for the replica with the newest data.
            false => 500 + self.rng.below(500) + rank.saturating_mul(1000),
        };
        let rank = if self.manual.can_start() { 0 } else { rank };
        turn.log(
            LogLevel::Notice,
            format!("Start of election delayed for {delay} milliseconds (rank #{rank})."),
        );
        self.election = Election {
            start_at: Some(turn.now + Millis(delay)),
            stage: ElectionStage::Waiting { rank },
        };
        let siblings = self.siblings();
        self.pong_to(&siblings, turn);
    }

    /// The other replicas of my master, and my own (EL-08).
    fn siblings(&self) -> Vec<MemberIndex> {
        let me = self.members.my_index();
        let master = self.members.my_shard_master();
        let of_shard = self.members.others().filter(|(_, member)| {
            let of = member.master();
            of == Some(master) || of == Some(me)
        });
        of_shard.map(|(index, _)| index).collect()
    }

    /// EL-07: how many siblings have more data.
    fn my_rank(&self, turn: &Turn) -> u64 {
        let me = self.members.me();
        let Some(master) = me.master() else {
            return 0;
        };
        if self.mutant.is(Mutant::RankIgnored) {
            return 0;
        }
        let is_ahead = |(index, other): &(MemberIndex, &super::Member)| {
            *index != self.members.my_index()
                && !other.refuses_failover
                && other.repl_offset > turn.replication.offset
        };
        self.members.replicas_of(master).filter(is_ahead).count() as u64
    }

    /// EL-09: waits longer if somebody turns out to have more data.
    fn raise_rank(&mut self, turn: &Turn) {
        let now_rank = self.my_rank(turn);
        let is_manual = self.manual.can_start();
        let ElectionStage::Waiting { rank } = &mut self.election.stage else {
            return;
        };
        if !is_manual && now_rank > *rank {
            let added = Millis((now_rank - *rank).saturating_mul(1000));
            *rank = now_rank;
            self.election.start_at = self.election.start_at.map(|at| at + added);
        }
    }

    /// EL-11 to EL-13, EL-25: a new epoch, and a request to every node. Saved before it leaves.
    fn ask_for_votes(&mut self, turn: &mut Turn) {
        if !self.mutant.is(Mutant::EpochReused) {
            self.current_epoch = self.current_epoch.next();
        }
        let epoch = self.current_epoch;
        turn.log(
            LogLevel::Notice,
            format!("Starting a failover election for epoch {}.", epoch.0),
        );
        self.election.stage = ElectionStage::Asked {
            epoch,
            voters: Vec::new(),
            at: turn.now,
        };
        self.pending
            .save(match self.mutant.is(Mutant::EpochNotSynced) {
                true => Durability::Buffered,
                false => Durability::Synced,
            });
        let request = self.vote_request(turn);
        self.broadcast_packet(&request);
    }

    /// EL-13.
    fn vote_request(&self, turn: &Turn) -> Packet {
        let mut header = self.header(turn);
        header.message_flags.force_ack = matches!(self.manual, ManualFailover::Standing { .. })
            || self.mutant.is(Mutant::AlwaysForced);
        let body = Body::AuthRequest;
        Packet { header, body }
    }

    /// DEVIATION(EL-12): the request of an open election is repeated to the masters that did not
    /// vote: one that was cut off, or not yet sure of the failure, would else cost the whole time
    /// until the next attempt (KW-04). A voter still has one vote in the epoch (VO-03).
    fn ask_again(&mut self, turn: &Turn) {
        let clock = self.current_epoch;
        let ElectionStage::Asked { epoch, voters, at } = &mut self.election.stage else {
            return;
        };
        // A later epoch has begun: its votes would not count here (EL-14).
        if *epoch != clock {
            return;
        }
        *at = turn.now;
        let silent = self.members.others().filter(|(_, member)| {
            member.is_known() && member.has_voice() && !voters.contains(&member.id)
        });
        let links: Vec<LinkId> = silent
            .filter_map(|(_, member)| member.open_link())
            .collect();
        let request = self.vote_request(turn);
        for link in links {
            self.send_packet(link, request.clone());
        }
    }

    /// EL-14: a vote came in.
    pub(super) fn count_vote(&mut self, voter: MemberIndex, header: &Header) {
        let member = &self.members[voter];
        let ElectionStage::Asked { epoch, voters, .. } = &mut self.election.stage else {
            return;
        };
        // DEVIATION(EL-14): a vote is for the open election's epoch, and a voter has one (KW-02).
        let counts = match self.profile {
            Profile::Reference => header.current_epoch == *epoch && !voters.contains(&member.id),
            Profile::Upstream70 => header.current_epoch >= *epoch,
        };
        if member.has_voice() && counts {
            voters.push(member.id);
            self.pending.run_election = true;
        }
    }

    /// EL-20: promotion.
    fn win(&mut self, epoch: CurrentEpoch, votes: usize, turn: &mut Turn) {
        // INV-03.
        assert!(votes >= self.state.quorum(), "{votes} votes are a majority");
        assert!(
            epoch <= self.current_epoch,
            "an election is never ahead of the clock"
        );
        turn.log(
            LogLevel::Notice,
            "Failover election won: I'm the new master.".into(),
        );
        // DEVIATION(VO-03): the winner's vote of the epoch is its own. As a master with slots it
        // could else help another shard's candidate to win the same epoch (CE-07).
        if self.profile == Profile::Reference {
            self.last_vote_epoch = self.last_vote_epoch.max(epoch);
        }
        let is_kept = self.mutant.is(Mutant::PromotedAtOldEpoch);
        let of_master = self.members[self.members.my_shard_master()].config_epoch;
        let won = if is_kept {
            of_master
        } else {
            epoch.as_config()
        };
        let me = self.members.me_mut();
        me.config_epoch = me.config_epoch.max(won);
        self.take_over(turn);
    }
}

/// EL-05: how long an attempt lasts; the next may begin after twice that.
pub(super) fn auth_timeout(turn: &Turn) -> Millis {
    Millis(turn.node_timeout().0.saturating_mul(2)).max(Millis(2000))
}

/// EL-02, EL-04: how old the data of this replica may be.
pub(super) fn data_age(turn: &Turn) -> Millis {
    let exact = match turn.replication.link {
        LinkFigures::Up { last_interaction } => turn.now.since(last_interaction),
        LinkFigures::Down { since } => turn.now.since(since),
    };
    // DEVIATION(EL-02): in ms, not in whole seconds, which hide up to 999 ms (KW-09).
    let age = match Profile::of(turn.config) {
        Profile::Reference => exact,
        Profile::Upstream70 => Millis(exact.0 / 1000 * 1000),
    };
    if age > turn.node_timeout() {
        age - turn.node_timeout()
    } else {
        age
    }
}
