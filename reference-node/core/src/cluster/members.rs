//! The nodes this node knows, itself among them.
//!
//! A member keeps its [`MemberIndex`] for as long as it is known, also when a handshake tells its
//! real id, so other tables (slot owners, links) point at it by index. Removing one here clears
//! master pointers and failure reports that name it; its slots and links are the business of those
//! who hold them.

mod roll;
mod table;

use std::net::IpAddr;
use std::sync::Arc;

use crate::bus::packet::NodeFlags;
use crate::epoch::ConfigEpoch;
use crate::ids::{LinkId, NodeId};
use crate::slot::SlotSet;
use crate::time::Millis;

pub use roll::{Mark, Pulse, Roll};
pub use table::Members;

/// How many nodes are remembered at most: a bound against hostile gossip, far above any cluster.
pub const MEMBERS_MAX: usize = 16_384;

/// Where a member stands in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberIndex(u16);

impl MemberIndex {
    /// As a number, for index arrays; below [`MEMBERS_MAX`].
    pub(in crate::cluster) fn number(self) -> u16 {
        self.0
    }

    pub(in crate::cluster) fn from_number(number: u16) -> MemberIndex {
        MemberIndex(number)
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A master, with or without slots.
    Master,
    /// A replica; of nobody if its master is unknown here (GO-21).
    Replica {
        /// Its master.
        of: Option<MemberIndex>,
    },
    /// Not told yet: a handshake, or an open slot's peer that was only named (PS-21).
    Untold,
}

/// Whether a node is believed to be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It is.
    Alive,
    /// This node suspects it: PFAIL (FD-01).
    Suspected,
    /// A quorum agreed: FAIL (FD-10).
    Failed {
        /// When it was marked here.
        since: Millis,
    },
}

/// What the first packet to a new node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// MEET: it is to take us in (HS-05).
    Meet,
    /// PING: it knows us already, or will hear of us.
    Ping,
}

/// How well a node is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// By its real id.
    Known,
    /// By its address only, under a random id.
    Handshake,
}

/// Where a node is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Address {
    /// Its ip; none if unknown.
    pub ip: Option<IpAddr>,
    /// Client port.
    pub port: u16,
    /// Bus port.
    pub bus_port: u16,
    /// Secondary client port.
    pub second_port: u16,
}

/// A link of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberLink {
    /// Its name.
    pub id: LinkId,
    /// When it was asked for or accepted.
    pub created_at: Millis,
    /// Whether packets can be sent on it.
    pub phase: LinkPhase,
}

/// Whether a link is usable yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPhase {
    /// Asked for.
    Connecting,
    /// Open.
    Open,
}

/// A master said that this node fails (FD-05).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureReport {
    /// Who said so.
    pub by: MemberIndex,
    /// When it last did.
    pub at: Millis,
}

/// One node, as this node sees it.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "the clauses' own words, cluster-behaviour.md, introduction"
)]
pub struct Member {
    pub id: NodeId,
    pub role: Role,
    pub stage: Stage,
    pub greeting: Greeting,
    pub health: Health,
    pub is_without_address: bool,
    pub is_migration_target: bool,
    pub refuses_failover: bool,
    pub address: Address,
    pub hostname: String,
    pub human_nodename: String,
    pub shard: Option<NodeId>,
    pub speaks_extensions: bool,
    pub keeps_open_slots: bool,
    pub config_epoch: ConfigEpoch,
    pub slots: Arc<SlotSet>,
    pub slot_count: usize,
    pub ping_sent: Option<Millis>,
    pub pong_received: Option<Millis>,
    pub data_received: Option<Millis>,
    pub voted_at: Option<Millis>,
    pub orphaned_at: Option<Millis>,
    pub repl_offset: u64,
    pub created_at: Millis,
    pub reports: Vec<FailureReport>,
    pub outbound: Option<MemberLink>,
    pub inbound: Option<MemberLink>,
}

impl Member {
    /// A node of which only the id is known.
    pub fn new(id: NodeId, role: Role, now: Millis, no_slots: Arc<SlotSet>) -> Member {
        Member {
            id,
            role,
            stage: Stage::Known,
            greeting: Greeting::Ping,
            health: Health::Alive,
            is_without_address: false,
            is_migration_target: false,
            refuses_failover: false,
            address: Address::default(),
            hostname: String::new(),
            human_nodename: String::new(),
            shard: None,
            speaks_extensions: false,
            keeps_open_slots: false,
            config_epoch: ConfigEpoch(0),
            slots: no_slots,
            slot_count: 0,
            ping_sent: None,
            pong_received: None,
            data_received: None,
            voted_at: None,
            orphaned_at: None,
            repl_offset: 0,
            created_at: now,
            reports: Vec::new(),
            outbound: None,
            inbound: None,
        }
    }

    /// Whether it is a master.
    pub fn is_master(&self) -> bool {
        self.role == Role::Master
    }

    /// Whether it is a replica.
    pub fn is_replica(&self) -> bool {
        matches!(self.role, Role::Replica { .. })
    }

    /// Whether it is a master with slots: the only nodes with a voice (VO-01, FD-05, ST-04).
    pub fn has_voice(&self) -> bool {
        self.is_master() && self.slot_count > 0
    }

    /// Whether it is FAIL.
    pub fn is_failed(&self) -> bool {
        matches!(self.health, Health::Failed { .. })
    }

    /// Whether it is known by its real id.
    pub fn is_known(&self) -> bool {
        self.stage == Stage::Known
    }

    /// Its master, if it is a replica with a known one.
    pub fn master(&self) -> Option<MemberIndex> {
        match self.role {
            Role::Replica { of } => of,
            Role::Master | Role::Untold => None,
        }
    }

    /// The outbound link, if packets can be sent on it.
    pub fn open_link(&self) -> Option<LinkId> {
        let link = self.outbound.filter(|link| link.phase == LinkPhase::Open)?;
        Some(link.id)
    }

    /// Its flags on the wire and in text, but for MYSELF.
    pub fn flags(&self) -> NodeFlags {
        let role = match self.role {
            Role::Master => NodeFlags::MASTER,
            Role::Replica { .. } => NodeFlags::SLAVE,
            Role::Untold => 0,
        };
        let health = match self.health {
            Health::Alive => 0,
            Health::Suspected => NodeFlags::PFAIL,
            Health::Failed { .. } => NodeFlags::FAIL,
        };
        let set = |holds: bool, bit: u16| if holds { bit } else { 0 };
        NodeFlags(
            role | health
                | set(self.stage == Stage::Handshake, NodeFlags::HANDSHAKE)
                | set(self.is_without_address, NodeFlags::NOADDR)
                | set(self.is_migration_target, NodeFlags::MIGRATE_TO)
                | set(self.refuses_failover, NodeFlags::NOFAILOVER),
        )
    }
}

#[cfg(test)]
mod tests;
