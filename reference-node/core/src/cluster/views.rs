//! What operators and files see: node lines, CLUSTER INFO, counters of messages.
//!
//! A line of CLUSTER NODES is also a line of nodes.conf; the latter leaves out handshakes and adds
//! the epochs. Clauses: ST-11, ST-13, HS-18, PS-02 to PS-07, SM-17; cluster-commands.md 2.2, 2.3.

use std::fmt::Write as _;
use std::sync::Arc;

use super::Cluster;
use super::members::{Health, Mark, Member, MemberIndex};
use super::nodes_conf::saved::{Line, Saved};
use crate::bus::codec::kind_of;
use crate::bus::packet::{Body, NodeFlags};
use crate::ids::NodeId;
use crate::slot::{Slot, SlotSet};

/// Names of the message types, by number (cluster-bus.md section 4).
const MESSAGE_NAMES: [&str; 11] = [
    "ping",
    "pong",
    "meet",
    "fail",
    "publish",
    "auth-req",
    "auth-ack",
    "update",
    "mfstart",
    "module",
    "publishshard",
];

/// Names of the flags, in the order in which they are printed.
const FLAG_NAMES: [(u16, &str); 8] = [
    (NodeFlags::MYSELF, "myself"),
    (NodeFlags::MASTER, "master"),
    (NodeFlags::SLAVE, "slave"),
    (NodeFlags::PFAIL, "fail?"),
    (NodeFlags::FAIL, "fail"),
    (NodeFlags::HANDSHAKE, "handshake"),
    (NodeFlags::NOADDR, "noaddr"),
    (NodeFlags::NOFAILOVER, "nofailover"),
];

/// Messages by type.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters {
    sent: [u64; MESSAGE_NAMES.len()],
    received: [u64; MESSAGE_NAMES.len()],
    dropped_kind: Option<u16>,
}

impl Counters {
    pub fn count_sent(&mut self, body: &Body) {
        if let Some(count) = self.sent.get_mut(usize::from(kind_of(body))) {
            *count += 1;
        }
    }

    pub fn count_received(&mut self, body: &Body) {
        if let Some(count) = self.received.get_mut(usize::from(kind_of(body))) {
            *count += 1;
        }
    }

    /// Whether packets of this type are dropped on purpose (cluster-bus.md section 9, step 5).
    pub fn drops(&self, body: &Body) -> bool {
        self.dropped_kind == Some(kind_of(body))
    }
}

impl Cluster {
    /// DEBUG DROP-CLUSTER-PACKET-FILTER: from now on packets of this type are ignored.
    pub fn drop_packets_of_type(&mut self, kind: Option<u16>) {
        self.counters.dropped_kind = kind;
    }

    /// The content of nodes.conf (PS-02). Lines that are as they were are shared with the version
    /// before.
    pub(super) fn nodes_conf(&mut self) -> Saved {
        let (current_epoch, last_vote_epoch) = (self.current_epoch, self.last_vote_epoch);
        assert!(
            last_vote_epoch <= current_epoch,
            "no vote is ahead of the clock: {last_vote_epoch:?}, {current_epoch:?}"
        );
        self.members.roll();
        // HS-18: handshakes are not saved.
        let known = self.members.order().iter().copied();
        let known = known.filter(|index| !self.members.has(*index, Mark::Stranger));
        let order: Vec<MemberIndex> = known.collect();
        let roll = self.members.roll();
        let unsaved = order
            .iter()
            .copied()
            .filter(|index| roll.is_unsaved(*index));
        for index in unsaved.collect::<Vec<MemberIndex>>() {
            let line = self.line_of(index);
            self.kept_lines.put(index, line);
        }
        self.kept_lines.arrange(order);
        self.members.saved();
        Saved {
            lines: self.kept_lines.clone(),
            pulses: self.members.roll().pulses(),
            open: self.open_slots(),
            current_epoch,
            last_vote_epoch,
        }
    }

    /// CLUSTER NODES.
    pub(super) fn nodes_text(&self) -> String {
        let mut text = String::new();
        for (index, _) in self.members.iter() {
            self.append_node_line(index, &mut text);
            text.push('\n');
        }
        text
    }

    /// One node, without line feed.
    pub(super) fn node_line(&self, index: MemberIndex) -> String {
        let mut line = String::new();
        self.append_node_line(index, &mut line);
        line
    }

    fn append_node_line(&self, index: MemberIndex, line: &mut String) {
        let member = &self.members[index];
        let times = [member.ping_sent, member.pong_received];
        let times = times.map(Option::unwrap_or_default);
        let open = match index == self.members.my_index() {
            true => self.open_slots(),
            false => Vec::new(),
        };
        self.line_of(index).append(times, &open, line);
    }

    fn line_of(&self, index: MemberIndex) -> Line {
        let member = &self.members[index];
        let is_me = index == self.members.my_index();
        Line {
            id: member.id,
            address: member.address,
            hostname: member.hostname.clone(),
            flags: shown_flags(member, is_me),
            master: member.master().map(|master| self.members[master].id),
            // PS-06: a replica shows its master's epoch.
            config_epoch: self.members[member.master().unwrap_or(index)].config_epoch,
            is_connected: is_me || member.outbound.is_some(),
            slots: Arc::clone(&member.slots),
        }
    }

    /// PS-05, SM-17: in ascending order of slots, on my line only.
    fn open_slots(&self) -> Vec<(Slot, &'static str, NodeId)> {
        let marked = |arrow| move |(slot, id): (&Slot, &NodeId)| (*slot, arrow, *id);
        let migrating = self.slots.migrating.iter().map(marked("->-"));
        let importing = self.slots.importing.iter().map(marked("-<-"));
        let mut open: Vec<_> = migrating.chain(importing).collect();
        open.sort();
        open
    }

    /// CLUSTER INFO (ST-11, ST-13).
    pub(super) fn info_text(&self) -> String {
        let (mut ok, mut pfail, mut fail) = (0, 0, 0);
        for (_, member) in self.members.iter() {
            let count = match member.health {
                Health::Alive => &mut ok,
                Health::Suspected => &mut pfail,
                Health::Failed { .. } => &mut fail,
            };
            *count += member.slot_count;
        }
        let state = if self.is_ok() { "ok" } else { "fail" };
        let mut text = format!(
            "cluster_state:{state}\r\n\
             cluster_slots_assigned:{}\r\n\
             cluster_slots_ok:{ok}\r\n\
             cluster_slots_pfail:{pfail}\r\n\
             cluster_slots_fail:{fail}\r\n\
             cluster_known_nodes:{}\r\n\
             cluster_size:{}\r\n\
             cluster_current_epoch:{}\r\n\
             cluster_my_epoch:{}\r\n",
            self.slots.assigned(),
            self.members.len(),
            self.state.size(),
            self.current_epoch.0,
            self.config_epoch().0,
        );
        append_counters("sent", &self.counters.sent, &mut text);
        append_counters("received", &self.counters.received, &mut text);
        let exceeded = self.links.buffer_limit_exceeded;
        let _ = write!(
            text,
            "total_cluster_links_buffer_limit_exceeded:{exceeded}\r\n"
        );
        text
    }
}

fn append_counters(direction: &str, counts: &[u64], text: &mut String) {
    for (name, count) in MESSAGE_NAMES
        .iter()
        .zip(counts)
        .filter(|(_, count)| **count > 0)
    {
        let _ = write!(
            text,
            "cluster_stats_messages_{name}_{direction}:{count}\r\n"
        );
    }
    let total: u64 = counts.iter().sum();
    let _ = write!(text, "cluster_stats_messages_{direction}:{total}\r\n");
}

/// The flags of a line, `myself` among them.
pub(super) fn shown_flags(member: &Member, is_me: bool) -> NodeFlags {
    let mut flags = member.flags();
    if is_me {
        flags.0 |= NodeFlags::MYSELF;
    }
    flags
}

/// PS-07: as CLUSTER NODES prints them.
pub fn flags_text(flags: NodeFlags) -> String {
    let mut text = String::new();
    append_flags(flags, &mut text);
    text
}

/// The same, appended.
pub(super) fn append_flags(flags: NodeFlags, line: &mut String) {
    let set = FLAG_NAMES.iter().filter(|(bit, _)| flags.has(*bit));
    let mut is_first = true;
    for (_, name) in set {
        if !std::mem::take(&mut is_first) {
            line.push(',');
        }
        line.push_str(name);
    }
    if is_first {
        line.push_str("noflags");
    }
}

/// All slots of a set as flat pairs of ends.
pub(super) fn range_ends(slots: &SlotSet) -> Vec<Slot> {
    slots
        .ranges()
        .into_iter()
        .flat_map(|(first, last)| [first, last])
        .collect()
}
