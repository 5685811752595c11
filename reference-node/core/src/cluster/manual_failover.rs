//! Manual failover: an operator asks a replica to take over, without losing a write.
//!
//! The replica asks its master to pause; the master answers with its final offset; once the replica
//! has applied that much it stands for election at once. Clauses: MF-01 to MF-18.

use super::heartbeat::Beat;
use super::members::MemberIndex;
use super::turn::Turn;
use super::{Cluster, Effect};
use crate::bus::packet::{Body, Header};
use crate::ids::LinkId;
use crate::mutants::Mutant;
use crate::output::LogLevel;
use crate::resp::Reply;
use crate::time::Millis;

/// How long each side gives the other (CF-22).
const TIMEOUT: Millis = Millis(5000);
/// How long writes are held back at most (MF-05).
const PAUSE: Millis = Millis(10_000);

/// This node's part in a manual failover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ManualFailover {
    /// None.
    None,
    /// A replica that waits for its master's final offset.
    Waiting { ends_at: Millis },
    /// A replica that waits until it has applied that much (MF-08).
    CatchingUp { ends_at: Millis, offset: u64 },
    /// A replica that stands for election (MF-09).
    Standing { ends_at: Millis },
    /// A master that holds back writes (MF-05).
    Pausing {
        ends_at: Millis,
        replica: MemberIndex,
    },
}

/// The forms of CLUSTER FAILOVER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailoverForm {
    /// With the master's help.
    Plain,
    /// Without it, but with votes (MF-12).
    Force,
    /// Without votes (MF-13).
    Takeover,
}

impl ManualFailover {
    /// Whether the replica may stand without delay (MF-09).
    pub fn can_start(self) -> bool {
        matches!(self, ManualFailover::Standing { .. })
    }

    fn ends_at(self) -> Option<Millis> {
        match self {
            ManualFailover::None => None,
            ManualFailover::Waiting { ends_at }
            | ManualFailover::CatchingUp { ends_at, .. }
            | ManualFailover::Standing { ends_at }
            | ManualFailover::Pausing { ends_at, .. } => Some(ends_at),
        }
    }
}

impl Cluster {
    /// Whether the master holds back writes, and must keep its offset still (MF-07).
    pub fn is_pausing_writes(&self) -> bool {
        matches!(self.manual, ManualFailover::Pausing { .. })
    }

    /// CLUSTER FAILOVER.
    pub(super) fn start_failover(&mut self, form: FailoverForm, turn: &mut Turn) -> Reply {
        // MF-03, MF-02: who may, and whether the master can help.
        if !self.is_replica() {
            return error("You should send CLUSTER FAILOVER to a replica");
        }
        let Some(master) = self.members.me().master() else {
            return error("I'm a replica but my master is unknown to me");
        };
        let can_help = !self.members[master].is_failed() && self.members[master].outbound.is_some();
        if form == FailoverForm::Plain && !can_help {
            return error("Master is down or failed, please use CLUSTER FAILOVER FORCE");
        }
        // MF-01, MF-15: it begins anew.
        self.end_manual_failover(turn);
        let ends_at = turn.now + TIMEOUT;
        match form {
            FailoverForm::Plain => {
                turn.log(
                    LogLevel::Notice,
                    "Manual failover user request accepted.".into(),
                );
                self.manual = ManualFailover::Waiting { ends_at };
                self.send_to(master, Body::MfStart, turn);
            }
            FailoverForm::Force => {
                turn.log(
                    LogLevel::Notice,
                    "Forced failover user request accepted.".into(),
                );
                self.manual = ManualFailover::Standing { ends_at };
                self.pending.run_election = true;
            }
            FailoverForm::Takeover => {
                turn.log(
                    LogLevel::Notice,
                    "Taking over the master (user request).".into(),
                );
                if !self.mutant.is(Mutant::TakeoverKeepsEpoch) {
                    self.bump_epoch();
                }
                self.take_over(turn);
            }
        }
        Reply::OK
    }

    /// MF-04 to MF-06: a replica of mine asks me to pause.
    pub(super) fn hear_failover_start(
        &mut self,
        sender: MemberIndex,
        link: LinkId,
        turn: &mut Turn,
    ) {
        let is_mine = self.members[sender].master() == Some(self.members.my_index());
        if !self.members.me().is_master() || !is_mine {
            return;
        }
        self.manual = ManualFailover::Pausing {
            ends_at: turn.now + TIMEOUT,
            replica: sender,
        };
        if !self.mutant.is(Mutant::WritesNotPaused) {
            turn.fx.push(Effect::PauseWrites(turn.now + PAUSE));
        }
        let id = self.members[sender].id;
        turn.log(
            LogLevel::Notice,
            format!("Manual failover requested by replica {id}."),
        );
        // BUS-06: the only PING that travels on an inbound link.
        self.send_beat(link, Some(sender), Beat::Ping, turn);
    }

    /// MF-08: the first header of a pausing master tells how far to go.
    pub(super) fn hear_paused_offset(&mut self, sender: MemberIndex, header: &Header) {
        let ManualFailover::Waiting { ends_at } = self.manual else {
            return;
        };
        let is_my_master = self.members.me().master() == Some(sender);
        let is_paused = header.message_flags.paused || self.mutant.is(Mutant::AnyOffsetWillDo);
        if is_my_master && is_paused {
            self.manual = ManualFailover::CatchingUp {
                ends_at,
                offset: header.offset,
            };
            self.pending.run_election = true;
        }
    }

    /// MF-08, MF-11: whether it may begin, and whether it took too long.
    pub(super) fn run_manual_failover(&mut self, turn: &mut Turn) {
        if self
            .manual
            .ends_at()
            .is_some_and(|ends_at| turn.now > ends_at)
            && !self.mutant.is(Mutant::ManualWithoutEnd)
        {
            turn.log(LogLevel::Warning, "Manual failover timed out.".into());
            self.end_manual_failover(turn);
            return;
        }
        let ManualFailover::CatchingUp { ends_at, offset } = self.manual else {
            return;
        };
        if turn.replication.offset == offset || self.mutant.is(Mutant::DoesNotCatchUp) {
            turn.log(
                LogLevel::Notice,
                "All master replication stream processed, manual failover can start.".into(),
            );
            self.manual = ManualFailover::Standing { ends_at };
        }
    }

    /// MF-05: a PING each tick keeps the replica informed.
    pub(super) fn ping_failing_over(&mut self, turn: &Turn) {
        if let ManualFailover::Pausing { replica, .. } = self.manual
            && let Some(link) = self.members[replica].open_link()
        {
            self.send_beat(link, Some(replica), Beat::Ping, turn);
        }
    }
}

fn error(text: &str) -> Reply {
    Reply::Error(format!("ERR {text}"))
}
