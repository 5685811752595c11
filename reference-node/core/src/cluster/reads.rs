//! The cluster as commands and the router read it.

use super::Cluster;
use crate::commands::ClusterReads;
use crate::config::Config;
use crate::ids::NodeId;
use crate::slot::Slot;

impl ClusterReads for Cluster {
    fn is_ok(&self) -> bool {
        Cluster::is_ok(self)
    }

    fn myself(&self) -> NodeId {
        self.my_id()
    }

    fn my_master(&self) -> Option<NodeId> {
        Cluster::my_master(self).map(|master| master.id)
    }

    fn is_replica(&self) -> bool {
        Cluster::is_replica(self)
    }

    fn slot_owner(&self, slot: Slot) -> Option<NodeId> {
        Cluster::slot_owner(self, slot).map(|owner| owner.id)
    }

    fn migrating_to(&self, slot: Slot) -> Option<NodeId> {
        Cluster::migrating_to(self, slot)
    }

    fn importing_from(&self, slot: Slot) -> Option<NodeId> {
        Cluster::importing_from(self, slot)
    }

    fn endpoint_of(&self, node: NodeId, config: &Config) -> (String, u16) {
        Cluster::endpoint_of(self, node, config)
    }
}
