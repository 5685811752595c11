//! The cluster room as commands see it: their effects wait until the command is done.

use bytes::Bytes;

use crate::cluster::{Cluster, Effect, PublishKind, Surroundings};
use crate::commands::{ClusterDoor, ClusterReads};
use crate::config::Config;
use crate::ids::NodeId;
use crate::output::Outputs;
use crate::resp::Reply;
use crate::slot::Slot;

/// The cluster room with room for the effects of one command.
pub struct OpenDoor<'a> {
    /// The room.
    pub cluster: &'a mut Cluster,
    /// What its CLUSTER commands asked for.
    pub effects: &'a mut Vec<Effect>,
    /// Messages to be sent over the bus.
    pub published: &'a mut Vec<Message>,
}

/// A message to be sent over the bus.
#[derive(Debug, Clone)]
pub struct Message {
    /// PUBLISH or SPUBLISH.
    pub kind: PublishKind,
    /// Where.
    pub channel: Bytes,
    /// What.
    pub content: Bytes,
}

impl ClusterDoor for OpenDoor<'_> {
    fn command(&mut self, around: &Surroundings, args: &[Bytes], _out: &mut Outputs) -> Reply {
        self.cluster.command(args, around, self.effects)
    }

    fn publish(&mut self, channel: &Bytes, message: &Bytes, kind: PublishKind, _out: &mut Outputs) {
        let (channel, content) = (channel.clone(), message.clone());
        self.published.push(Message {
            kind,
            channel,
            content,
        });
    }

    fn reads(&self) -> &dyn ClusterReads {
        self.cluster
    }
}

impl ClusterReads for OpenDoor<'_> {
    fn is_ok(&self) -> bool {
        self.cluster.is_ok()
    }

    fn myself(&self) -> NodeId {
        ClusterReads::myself(self.cluster)
    }

    fn my_master(&self) -> Option<NodeId> {
        ClusterReads::my_master(self.cluster)
    }

    fn is_replica(&self) -> bool {
        self.cluster.is_replica()
    }

    fn slot_owner(&self, slot: Slot) -> Option<NodeId> {
        ClusterReads::slot_owner(self.cluster, slot)
    }

    fn migrating_to(&self, slot: Slot) -> Option<NodeId> {
        self.cluster.migrating_to(slot)
    }

    fn importing_from(&self, slot: Slot) -> Option<NodeId> {
        self.cluster.importing_from(slot)
    }

    fn endpoint_of(&self, node: NodeId, config: &Config) -> (String, u16) {
        ClusterReads::endpoint_of(self.cluster, node, config)
    }
}
