//! What CLUSTER INFO and CLUSTER NODES say, as a value.
//!
//! For those in the same process who look often, such as a simulation: two outlines that are equal
//! print the same, but for the times of pings and pongs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Cluster;
use super::members::{Address, Member, MemberIndex};
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
    /// How often the table had changed in this life of the node when it last said so.
    pub table_changes: u64,
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
    /// Whether this node would print now what this outline says, which it made in this life. As
    /// long as the table does not change after that, the next look at it is a short one.
    pub fn shows(&self, outline: &mut Outline) -> bool {
        if !self.shows_state(outline) {
            return false;
        }
        let changes = self.members.changes();
        if changes != outline.table_changes {
            if !self.shows_lines(outline) {
                return false;
            }
            outline.table_changes = changes;
        }
        true
    }

    /// Whether all but the lines of the nodes is as the outline says.
    fn shows_state(&self, outline: &Outline) -> bool {
        let marks = |marks: &BTreeMap<Slot, NodeId>, shown: &[(Slot, NodeId)]| {
            marks.len() == shown.len() && marks.iter().zip(shown).all(|(a, b)| a == (&b.0, &b.1))
        };
        self.is_ok() == outline.is_ok
            && self.current_epoch == outline.current_epoch
            && self.config_epoch() == outline.my_epoch
            && self.state.size() == outline.size
            && marks(&self.slots.migrating, &outline.migrating)
            && marks(&self.slots.importing, &outline.importing)
    }

    fn shows_lines(&self, outline: &Outline) -> bool {
        let me = self.members.my_index();
        let id_of = |index: MemberIndex| self.members[index].id;
        let is_line = |(index, member): (MemberIndex, &Member), line: &MemberOutline| {
            member.id == line.id
                && is_connected(member, index == me) == line.is_connected
                && shown_flags(member, index == me) == line.flags
                && member.address == line.address
                && member.master().map(id_of) == line.master
                && self.members[member.master().unwrap_or(index)].config_epoch == line.config_epoch
                && member.hostname == line.hostname
                && (Arc::ptr_eq(&member.slots, &line.slots) || member.slots == line.slots)
        };
        let mut lines = self.members.iter().zip(&outline.members);
        self.members[me].id == outline.myself
            && self.members.len() == outline.members.len()
            && lines.all(|(member, line)| is_line(member, line))
    }

    /// What this node would print now.
    pub fn outline(&self) -> Outline {
        let me = self.members.my_index();
        let line = |(index, member): (MemberIndex, &Member)| MemberOutline {
            id: member.id,
            address: member.address,
            hostname: member.hostname.clone(),
            flags: shown_flags(member, index == me),
            master: member.master().map(|master| self.members[master].id),
            // PS-06: a replica shows its master's epoch.
            config_epoch: self.members[member.master().unwrap_or(index)].config_epoch,
            is_connected: is_connected(member, index == me),
            slots: Arc::clone(&member.slots),
        };
        let open =
            |marks: &BTreeMap<Slot, NodeId>| marks.iter().map(|(slot, id)| (*slot, *id)).collect();
        Outline {
            myself: self.members[me].id,
            is_ok: self.is_ok(),
            current_epoch: self.current_epoch,
            my_epoch: self.config_epoch(),
            size: self.state.size(),
            members: self.members.iter().map(line).collect(),
            table_changes: self.members.changes(),
            migrating: open(&self.slots.migrating),
            importing: open(&self.slots.importing),
        }
    }
}

fn is_connected(member: &Member, is_me: bool) -> bool {
    is_me || member.outbound.is_some()
}
