//! What operators and files see: node lines, CLUSTER INFO, counters of messages.
//!
//! A line of CLUSTER NODES is also a line of nodes.conf; the latter leaves out handshakes and adds
//! the epochs. Clauses: ST-11, ST-13, HS-18, PS-02 to PS-07, SM-17; cluster-commands.md 2.2, 2.3.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::Cluster;
use super::members::{Health, Member, MemberIndex};
use super::nodes_conf::seal;
use crate::bus::codec::kind_of;
use crate::bus::packet::{Body, NodeFlags};
use crate::digits;
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

/// About as long is a line of nodes.conf.
const LINE_BYTES_USUAL: usize = 128;

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

    /// The content of nodes.conf (PS-02).
    pub(super) fn nodes_conf_text(&self) -> String {
        let mut text = String::with_capacity(LINE_BYTES_USUAL * (self.members.len() + 1));
        for (index, member) in self.members.iter() {
            // HS-18: handshakes are not saved.
            if member.is_known() {
                self.append_node_line(index, &mut text);
                text.push('\n');
            }
        }
        let (current, vote) = (self.current_epoch.0, self.last_vote_epoch.0);
        assert!(
            vote <= current,
            "no vote is ahead of the clock: {vote}, {current}"
        );
        let _ = write!(text, "vars currentEpoch {current} lastVoteEpoch {vote}");
        let seal = seal::sealed(&text);
        let _ = writeln!(text, " {seal}");
        text
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
        let is_me = index == self.members.my_index();
        let master = member.master().map(|master| self.members[master].id);
        let master = master.as_ref().map_or("-", NodeId::as_str);
        // PS-06: a replica shows its master's epoch.
        let epoch = self.members[member.master().unwrap_or(index)]
            .config_epoch
            .0;
        let link = if is_me || member.outbound.is_some() {
            "connected"
        } else {
            "disconnected"
        };
        line.push_str(member.id.as_str());
        line.push(' ');
        append_address(member, line);
        line.push(' ');
        append_flags(shown_flags(member, is_me), line);
        line.push(' ');
        line.push_str(master);
        for at in [member.ping_sent, member.pong_received] {
            line.push(' ');
            digits::push(line, at.unwrap_or_default().0);
        }
        line.push(' ');
        digits::push(line, epoch);
        line.push(' ');
        line.push_str(link);
        append_slots(&member.slots, line);
        if is_me {
            self.append_open_slots(line);
        }
    }

    /// PS-05, SM-17: in ascending order of slots, on my line only.
    fn append_open_slots(&self, line: &mut String) {
        let migrating = self
            .slots
            .migrating
            .iter()
            .map(|(slot, id)| (*slot, "->-", *id));
        let importing = self
            .slots
            .importing
            .iter()
            .map(|(slot, id)| (*slot, "-<-", *id));
        let mut open: Vec<_> = migrating.chain(importing).collect();
        open.sort();
        for (slot, arrow, id) in open {
            let _ = write!(line, " [{}{arrow}{id}]", slot.number());
        }
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

/// `ip:port@busport[,hostname]`; without an ip, nothing stands before the colon.
fn append_address(member: &Member, line: &mut String) {
    match member.address.ip {
        Some(IpAddr::V4(ip)) => {
            for (place, octet) in ip.octets().into_iter().enumerate() {
                if place > 0 {
                    line.push('.');
                }
                digits::push(line, u64::from(octet));
            }
        }
        Some(IpAddr::V6(ip)) => {
            let _ = write!(line, "{ip}");
        }
        None => {}
    }
    line.push(':');
    digits::push(line, u64::from(member.address.port));
    line.push('@');
    digits::push(line, u64::from(member.address.bus_port));
    if !member.hostname.is_empty() {
        line.push(',');
        line.push_str(&member.hostname);
    }
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

fn append_flags(flags: NodeFlags, line: &mut String) {
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

fn append_slots(slots: &SlotSet, line: &mut String) {
    if slots.is_empty() {
        return;
    }
    for (first, last) in slots.ranges() {
        line.push(' ');
        digits::push(line, u64::from(first.number()));
        if first != last {
            line.push('-');
            digits::push(line, u64::from(last.number()));
        }
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
