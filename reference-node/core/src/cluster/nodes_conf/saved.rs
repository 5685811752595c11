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
use crate::cluster::members::Address;
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
    pub lines: Vec<SavedLine>,
    /// The logical clock.
    pub current_epoch: CurrentEpoch,
    /// The last epoch this node voted in.
    pub last_vote_epoch: CurrentEpoch,
}

/// A node's line with its times.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedLine {
    /// All but the times.
    pub line: Arc<Line>,
    /// When the ping left that waits for its answer.
    pub ping_sent: Millis,
    /// When the last answer came.
    pub pong_received: Millis,
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
    /// On this node's own line: slot, arrow and peer, ascending (PS-05, SM-17).
    pub open: Vec<(Slot, &'static str, NodeId)>,
}

impl Saved {
    /// The file's text (PS-02).
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(LINE_BYTES_USUAL * (self.lines.len() + 1));
        for saved in &self.lines {
            let times = [saved.ping_sent, saved.pong_received];
            saved.line.append(times, &mut text);
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
    pub fn append(&self, times: [Millis; 2], text: &mut String) {
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
        for (slot, arrow, peer) in &self.open {
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
