//! What the router reads: who owns a slot, which slots are open, how a node is named to clients.
//!
//! Reads only. Clauses: RD-05, RD-07, RD-17.

use super::Cluster;
use super::members::Member;
use crate::config::{Config, EndpointType};
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::mutants::Mutant;
use crate::slot::Slot;

impl Cluster {
    /// This node's id.
    pub fn my_id(&self) -> NodeId {
        self.members.me().id
    }

    /// Whether this node is a replica.
    pub fn is_replica(&self) -> bool {
        self.members.me().is_replica()
    }

    /// This node's master, if it is a replica and the master is known.
    pub fn my_master(&self) -> Option<&Member> {
        let master = self.members.me().master()?;
        Some(&self.members[master])
    }

    /// The node of this id.
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        self.members.find(id).map(|index| &self.members[index])
    }

    /// All known nodes, this one first.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().map(|(_, member)| member)
    }

    /// Whether the cluster state is ok (ST-01).
    pub fn is_ok(&self) -> bool {
        self.state.is_ok()
    }

    /// The owner of a slot.
    pub fn slot_owner(&self, slot: Slot) -> Option<&Member> {
        self.slots.owner(slot).map(|index| &self.members[index])
    }

    /// Whether this node owns a slot.
    pub fn is_mine(&self, slot: Slot) -> bool {
        self.slots.owner(slot) == Some(self.members.my_index())
    }

    /// Whether this node's master, or itself, owns a slot (RD-14, PU-07).
    pub fn is_my_shards(&self, slot: Slot) -> bool {
        self.slots.owner(slot) == Some(self.members.my_shard_master())
    }

    /// Where a slot of mine is going (SM-01).
    pub fn migrating_to(&self, slot: Slot) -> Option<NodeId> {
        if self.mutant.is(Mutant::AsksForEverySlot) {
            return self.slots.migrating.values().next().copied();
        }
        self.slots.migrating.get(&slot).copied()
    }

    /// Where a slot comes from (SM-01).
    pub fn importing_from(&self, slot: Slot) -> Option<NodeId> {
        self.slots.importing.get(&slot).copied()
    }

    /// The cluster's logical clock.
    pub fn current_epoch(&self) -> CurrentEpoch {
        self.current_epoch
    }

    /// The version of this node's claim, or of its master's.
    pub fn config_epoch(&self) -> ConfigEpoch {
        self.members[self.members.my_shard_master()].config_epoch
    }

    /// How MOVED and ASK name a node: host and port (RD-05, RD-07).
    pub fn endpoint_of(&self, id: NodeId, config: &Config) -> (String, u16) {
        match self.member(id) {
            Some(member) => (endpoint_text(member, config), member.address.port),
            None => (String::new(), 0),
        }
    }
}

/// RD-07: the host part of a redirection.
fn endpoint_text(member: &Member, config: &Config) -> String {
    match config.cluster_preferred_endpoint_type {
        EndpointType::Ip => ip_text(member),
        EndpointType::Hostname if member.hostname.is_empty() => "?".into(),
        EndpointType::Hostname => member.hostname.clone(),
        EndpointType::Unknown => String::new(),
    }
}

/// The ip of a node, empty if unknown (RD-17).
pub(super) fn ip_text(member: &Member) -> String {
    member
        .address
        .ip
        .map_or_else(String::new, |ip| ip.to_string())
}
