//! One cluster bus packet as an observer saw it (`bus.jsonl`).

use std::net::SocketAddrV4;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::names::{NodeId, NodeName};
use super::slots::SlotSet;

/// Kind of a bus packet, cluster-bus.md section 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the protocol's own")]
pub enum PacketKind {
    Ping,
    Pong,
    Meet,
    Fail,
    Publish,
    AuthRequest,
    AuthAck,
    Update,
    MfStart,
    Module,
    PublishShard,
    /// Any other type number.
    Unknown(u16),
}

impl PacketKind {
    /// Whether nodes send it all the time, with what they know of others: PING, PONG, MEET.
    pub fn is_heartbeat(self) -> bool {
        match self {
            PacketKind::Ping | PacketKind::Pong | PacketKind::Meet => true,
            PacketKind::Fail
            | PacketKind::Publish
            | PacketKind::AuthRequest
            | PacketKind::AuthAck
            | PacketKind::Update
            | PacketKind::MfStart
            | PacketKind::Module
            | PacketKind::PublishShard
            | PacketKind::Unknown(_) => false,
        }
    }
}

/// Node flag of a master, cluster-bus.md section 3.
pub const MASTER_FLAG: u16 = 1;

/// The header every packet carries, cluster-bus.md section 2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Id the sender gives itself.
    pub sender: NodeId,
    /// Sender's view of the cluster epoch.
    pub current_epoch: u64,
    /// Sender's configEpoch; its master's if it is a replica (BUS-12).
    pub config_epoch: u64,
    /// Replication offset in bytes.
    pub offset: u64,
    /// Own slots, or the master's if the sender is a replica.
    pub slots: SlotSet,
    /// The sender's master; none for a master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<NodeId>,
    /// Raw node flags, cluster-bus.md section 3.
    pub flags: u16,
    /// Raw first byte of the message flags: 1 paused, 2 force-ack, 4 extensions.
    pub message_flags: u8,
    /// Whether the sender believes the cluster ok.
    pub state_ok: bool,
}

impl Header {
    /// Whether the sender says it is a master: no `slaveof` (BUS-12).
    pub fn is_master(&self) -> bool {
        self.master.is_none()
    }

    /// Whether the header is a claim to slots: of a master that has some (CF-01, BUS-12).
    pub fn claims_slots(&self) -> bool {
        self.is_master() && self.flags & MASTER_FLAG != 0 && !self.slots.is_empty()
    }

    /// Whether the sender holds back writes for a manual failover (PAUSED, MF-06).
    pub fn is_paused(&self) -> bool {
        self.message_flags & 1 != 0
    }

    /// Whether an AUTH_REQUEST asks for the vote of a manual failover (FORCEACK).
    pub fn has_force_ack(&self) -> bool {
        self.message_flags & 2 != 0
    }
}

/// What the sender says about a third node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GossipEntry {
    /// The node spoken of.
    pub id: NodeId,
    /// Raw node flags: 4 PFAIL, 8 FAIL.
    pub flags: u16,
}

/// What follows the header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// PING, PONG, MEET; equal lists may be shared.
    Gossip(Arc<[GossipEntry]>),
    /// FAIL: the node that failed.
    Failed(NodeId),
    /// UPDATE: who owns what, by which epoch.
    Owner {
        /// The owner.
        id: NodeId,
        /// Its configEpoch.
        config_epoch: u64,
        /// Its slots.
        slots: SlotSet,
    },
    /// Nothing of interest to a checker.
    Nothing,
}

/// A packet that one node sent to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packet {
    /// When it was seen leaving, ns since the start.
    pub time: u64,
    /// When the receiver's kernel had all of it, if that was seen (R2: capture is not delivery).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<u64>,
    /// Sending process, by address.
    pub from: NodeName,
    /// Receiving process, by address.
    pub to: NodeName,
    /// Sender's socket address.
    pub source: SocketAddrV4,
    /// Receiver's socket address.
    pub target: SocketAddrV4,
    /// Type.
    pub kind: PacketKind,
    /// Header.
    pub header: Header,
    /// Body.
    pub body: Body,
}
