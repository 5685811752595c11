//! FAILOVER outside cluster mode, as far as the link is concerned: a master that follows its
//! replica asks it to take over first (RW-18), and is asked so itself.
//!
//! When and to whom is decided by the command (`commands::failover`).

use super::room::Event;
use super::{ReplId, Replication};
use crate::output::Outputs;
use crate::rng::Rng;
use crate::time::Millis;

/// What a replica asks of the master it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// To go on where it is.
    GoOn,
    /// To become master first (`PSYNC … FAILOVER`).
    TakeOver,
}

/// How the one that was to take over answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is master now.
    Accepted,
    /// It will not be.
    Rejected,
}

/// A replica as FAILOVER sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// Its address, as it announced it or connected from.
    pub host: String,
    /// Its client port.
    pub port: u16,
    /// Whether it has all that was written.
    pub is_level: bool,
}

impl Replication {
    /// The replicas, in order of connecting.
    pub(super) fn attached_now(&self) -> Vec<Attached> {
        let offset = self.history.offset();
        let online = self.replicas.online();
        online
            .map(|(_, replica, acked)| Attached {
                host: super::reports::address(replica),
                port: replica.port,
                is_level: acked.offset == offset && replica.held.is_none(),
            })
            .collect()
    }

    /// RW-18: the old master asks us to be the new one; `None` if we now are.
    pub(super) fn take_over(
        &mut self,
        id: Option<ReplId>,
        (rng, now): (&mut Rng, Millis),
        out: &mut Outputs,
    ) -> Option<&'static str> {
        if self.follower.is_none() {
            return Some("ERR PSYNC FAILOVER can't be sent to a master.");
        }
        if id != Some(self.id()) {
            return Some("ERR PSYNC FAILOVER replid must match my replid.");
        }
        self.lead(rng, now, out);
        None
    }

    /// The one that was to take over has answered.
    pub(super) fn settle_demand(&mut self, verdict: Verdict) {
        let follower = self.follower.as_mut();
        if follower.is_some_and(|follower| follower.settle_demand()) {
            self.events.push_back(Event::HandedOver(verdict));
        }
    }
}
