//! What CLUSTER INFO and CLUSTER NODES say, as a value.
//!
//! For those in the same process who look often, such as a simulation: two outlines that are equal
//! print the same, but for the times of pings and pongs.

use std::sync::Arc;

use super::Cluster;
use super::members::Address;
use super::views::shown_flags;
use crate::bus::packet::NodeFlags;
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::slot::{Slot, SlotSet};

/// The cluster as one node sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// The node that looks.
    pub myself: NodeId,
    /// `cluster_state:ok`.
    pub is_ok: bool,
    /// `cluster_current_epoch`.
    pub current_epoch: CurrentEpoch,
    /// `cluster_my_epoch`.
    pub my_epoch: ConfigEpoch,
    /// `cluster_size`.
    pub size: usize,
    /// One for each line of CLUSTER NODES.
    pub members: Vec<MemberOutline>,
    /// Slots of mine on their way to another node (PS-05).
    pub migrating: Vec<(Slot, NodeId)>,
    /// Slots of another node on their way to me.
    pub importing: Vec<(Slot, NodeId)>,
}

/// A line of CLUSTER NODES.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names of the line's fields")]
pub struct MemberOutline {
    pub id: NodeId,
    pub address: Address,
    pub hostname: String,
    pub flags: NodeFlags,
    pub master: Option<NodeId>,
    pub config_epoch: ConfigEpoch,
    pub is_connected: bool,
    pub slots: Arc<SlotSet>,
}

impl Cluster {
    /// What this node would print now.
    pub fn outline(&self) -> Outline {
        let me = self.members.my_index();
        let line = |(index, member): (_, &super::members::Member)| MemberOutline {
            id: member.id,
            address: member.address,
            hostname: member.hostname.clone(),
            flags: shown_flags(member, index == me),
            master: member.master().map(|master| self.members[master].id),
            // PS-06: a replica shows its master's epoch.
            config_epoch: self.members[member.master().unwrap_or(index)].config_epoch,
            is_connected: index == me || member.outbound.is_some(),
            slots: Arc::clone(&member.slots),
        };
        let open = |marks: &std::collections::BTreeMap<Slot, NodeId>| {
            marks.iter().map(|(slot, id)| (*slot, *id)).collect()
        };
        Outline {
            myself: self.members[me].id,
            is_ok: self.is_ok(),
            current_epoch: self.current_epoch,
            my_epoch: self.config_epoch(),
            size: self.state.size(),
            members: self.members.iter().map(line).collect(),
            migrating: open(&self.slots.migrating),
            importing: open(&self.slots.importing),
        }
    }
}
