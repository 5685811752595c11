//! A bus packet as a type. Bits and offsets live in [`super::codec`] only.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::slot::{Slot, SlotSet};

/// Node flags, cluster-bus.md section 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeFlags(pub u16);

#[expect(missing_docs, reason = "the names are the protocol's own")]
impl NodeFlags {
    pub const MASTER: u16 = 1;
    pub const SLAVE: u16 = 2;
    pub const PFAIL: u16 = 4;
    pub const FAIL: u16 = 8;
    pub const MYSELF: u16 = 16;
    pub const HANDSHAKE: u16 = 32;
    pub const NOADDR: u16 = 64;
    pub const MEET: u16 = 128;
    pub const MIGRATE_TO: u16 = 256;
    pub const NOFAILOVER: u16 = 512;

    /// Whether all of these bits are set.
    pub fn has(self, bits: u16) -> bool {
        self.0 & bits == bits
    }
}

/// Message flags, cluster-bus.md section 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageFlags {
    /// Bit 1: the sender, a master, has paused its clients for a manual failover.
    pub paused: bool,
    /// Bit 2: vote although the master is not failing.
    pub force_ack: bool,
    /// Bit 4: extensions are carried, or understood.
    pub ext_data: bool,
    /// Ours, bit 128 of the third byte, which upstream leaves at zero and never reads: the sender,
    /// a replica, keeps the open slots of its master (SM-20).
    pub keeps_open_slots: bool,
}

/// What every packet begins with, cluster-bus.md section 2.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Sender's id; none if the bytes are no valid id (BUS-43): an unknown sender.
    pub sender: Option<NodeId>,
    /// Client port.
    pub port: u16,
    /// Bus port.
    pub bus_port: u16,
    /// Secondary client port.
    pub second_port: u16,
    /// Sender's view of the cluster epoch.
    pub current_epoch: CurrentEpoch,
    /// configEpoch of the sender, or of its master.
    pub config_epoch: ConfigEpoch,
    /// Replication offset, bytes.
    pub offset: u64,
    /// Own slots, or the master's. Shared: a broadcast does not copy it.
    pub slots: Arc<SlotSet>,
    /// The sender's master.
    pub master: Option<NodeId>,
    /// Announced ip, if any.
    pub ip: Option<IpAddr>,
    /// Sender's own flags.
    pub flags: NodeFlags,
    /// Whether the sender believes the cluster ok.
    pub state_ok: bool,
    /// Message flags.
    pub message_flags: MessageFlags,
}

/// What the sender says about a third node, cluster-bus.md 5.1.
#[derive(Debug, Clone, PartialEq)]
pub struct Gossip {
    /// The node spoken of; entries with an invalid id are left out by the codec.
    pub id: NodeId,
    /// Seconds since the Unix epoch of the last unanswered ping.
    pub ping_sent_s: u32,
    /// Seconds since the Unix epoch of the last pong.
    pub pong_received_s: u32,
    /// Its address; none if the text is no ip.
    pub ip: Option<IpAddr>,
    /// Client port.
    pub port: u16,
    /// Bus port.
    pub bus_port: u16,
    /// Secondary client port.
    pub second_port: u16,
    /// The sender's view of its flags.
    pub flags: NodeFlags,
}

/// The open slots of a master, and the other end of each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenSlots {
    /// Slots of its own on their way to another node.
    pub migrating: BTreeMap<Slot, NodeId>,
    /// Slots of another node on their way to it.
    pub importing: BTreeMap<Slot, NodeId>,
}

/// A ping extension, cluster-bus.md section 6.
#[derive(Debug, Clone, PartialEq)]
pub enum Extension {
    /// Type 0.
    Hostname(String),
    /// Type 1.
    HumanNodename(String),
    /// Type 2.
    ForgottenNode {
        /// The node.
        id: NodeId,
        /// For how long still, s.
        ttl_s: u64,
    },
    /// Type 3.
    ShardId(NodeId),
    /// Ours, type 65535: the open slots of the sender, for replicas that keep them.
    OpenSlots(OpenSlots),
    /// Any other.
    Unknown(u16),
}

/// PING, PONG or MEET.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heartbeat {
    /// About third nodes.
    pub gossip: Vec<Gossip>,
    /// Extensions.
    pub extensions: Vec<Extension>,
}

/// What follows the header; the variant is the packet's type, cluster-bus.md section 4.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names are the protocol's own")]
pub enum Body {
    Ping(Heartbeat),
    Pong(Heartbeat),
    Meet(Heartbeat),
    Fail {
        failed: Option<NodeId>,
    },
    Publish {
        channel: Bytes,
        message: Bytes,
    },
    AuthRequest,
    AuthAck,
    Update {
        owner: Option<NodeId>,
        config_epoch: ConfigEpoch,
        slots: Arc<SlotSet>,
    },
    MfStart,
    Module,
    PublishShard {
        channel: Bytes,
        message: Bytes,
    },
    /// A type this node does not know: refreshes liveness and epochs only (BUS-44).
    Unknown(u16),
}

/// One packet.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Header.
    pub header: Header,
    /// Type and body.
    pub body: Body,
}
