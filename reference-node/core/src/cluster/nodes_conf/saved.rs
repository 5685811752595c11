//! What nodes.conf is to hold, as a value: its text is made when somebody reads it.
//!
//! The file is replaced whole whenever a promise changes, and nearly all of it is as it was. So the
//! lines are kept, and shared by all versions of the file for as long as they stay the same; only
//! the times of pings and pongs belong to one version. Clauses: PS-02 to PS-07, PS-16, HS-18.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use super::seal;
use crate::bus::packet::NodeFlags;
use crate::cluster::members::{Address, MemberIndex, Pulse};
use crate::cluster::views::append_flags;
use crate::digits;
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::slot::{Slot, SlotSet};
use crate::time::Millis;

/// One version of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// One for each known node.
    pub lines: Lines,
    /// When pings left and pongs came, by place of the node.
    pub pulses: Vec<Pulse>,
    /// Open slots, on this node's own line: slot, arrow and peer, ascending (PS-05, SM-17).
    pub open: Vec<OpenMark>,
    /// The logical clock.
    pub current_epoch: CurrentEpoch,
    /// The last epoch this node voted in.
    pub last_vote_epoch: CurrentEpoch,
}

/// An open slot: slot, arrow and peer.
pub type OpenMark = (Slot, &'static str, NodeId);

/// The lines of all nodes, in chunks that versions share.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lines {
    /// By place of the node in the table; a place that nobody has any more keeps its last line.
    chunks: Vec<Arc<[Option<Line>; CHUNK]>>,
    /// The order of the lines in the file.
    order: Arc<Vec<MemberIndex>>,
}

/// How many lines are copied when one of them changes.
const CHUNK: usize = 32;

impl Lines {
    /// The line of a node from now on.
    pub fn put(&mut self, index: MemberIndex, line: Line) {
        let place = usize::from(index.number());
        while place / CHUNK >= self.chunks.len() {
            self.chunks.push(Arc::new([const { None }; CHUNK]));
        }
        let chunk = &mut self.chunks[place / CHUNK];
        if chunk[place % CHUNK].as_ref() != Some(&line) {
            Arc::make_mut(chunk)[place % CHUNK] = Some(line);
        }
    }

    /// The nodes that have a line from now on.
    pub fn arrange(&mut self, order: Vec<MemberIndex>) {
        if *self.order != order {
            self.order = Arc::new(order);
        }
    }

    /// The lines in the order of the file.
    fn iter(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.order.iter().filter_map(|index| {
            let place = usize::from(index.number());
            let line = self.chunks[place / CHUNK][place % CHUNK].as_ref()?;
            Some((place, line))
        })
    }
}

/// What a line of nodes.conf and of CLUSTER NODES says, but for the times.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names of the line's fields")]
pub struct Line {
    pub id: NodeId,
    pub address: Address,
    pub hostname: String,
    pub flags: NodeFlags,
    pub master: Option<NodeId>,
    pub config_epoch: ConfigEpoch,
    pub is_connected: bool,
    pub slots: Arc<SlotSet>,
}

impl Saved {
    /// The file's text (PS-02).
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(LINE_BYTES_USUAL * (self.lines.order.len() + 1));
        for (place, line) in self.lines.iter() {
            let open: &[OpenMark] = match line.flags.has(NodeFlags::MYSELF) {
                true => &self.open,
                false => &[],
            };
            line.append(self.pulses[place].times(), open, &mut text);
            text.push('\n');
        }
        let (current, vote) = (self.current_epoch.0, self.last_vote_epoch.0);
        let _ = write!(text, "vars currentEpoch {current} lastVoteEpoch {vote}");
        let seal = seal::sealed(&text);
        let _ = writeln!(text, " {seal}");
        text
    }
}

impl Line {
    /// Appends the line, without line feed; the times are those of ping and pong.
    pub fn append(&self, times: [Millis; 2], open: &[OpenMark], text: &mut String) {
        text.push_str(self.id.as_str());
        text.push(' ');
        self.append_address(text);
        text.push(' ');
        append_flags(self.flags, text);
        text.push(' ');
        text.push_str(self.master.as_ref().map_or("-", NodeId::as_str));
        for at in times {
            text.push(' ');
            digits::push(text, at.0);
        }
        text.push(' ');
        digits::push(text, self.config_epoch.0);
        text.push_str(match self.is_connected {
            true => " connected",
            false => " disconnected",
        });
        append_slots(&self.slots, text);
        for (slot, arrow, peer) in open {
            let _ = write!(text, " [{}{arrow}{peer}]", slot.number());
        }
    }

    /// `ip:port@busport[,hostname]`; without an ip, nothing stands before the colon.
    fn append_address(&self, text: &mut String) {
        match self.address.ip {
            Some(IpAddr::V4(ip)) => {
                for (place, octet) in ip.octets().into_iter().enumerate() {
                    if place > 0 {
                        text.push('.');
                    }
                    digits::push(text, u64::from(octet));
                }
            }
            Some(IpAddr::V6(ip)) => {
                let _ = write!(text, "{ip}");
            }
            None => {}
        }
        text.push(':');
        digits::push(text, u64::from(self.address.port));
        text.push('@');
        digits::push(text, u64::from(self.address.bus_port));
        if !self.hostname.is_empty() {
            text.push(',');
            text.push_str(&self.hostname);
        }
    }
}

fn append_slots(slots: &SlotSet, text: &mut String) {
    if slots.is_empty() {
        return;
    }
    for (first, last) in slots.ranges() {
        text.push(' ');
        digits::push(text, u64::from(first.number()));
        if first != last {
            text.push('-');
            digits::push(text, u64::from(last.number()));
        }
    }
}

/// About as long is a line.
const LINE_BYTES_USUAL: usize = 128;
