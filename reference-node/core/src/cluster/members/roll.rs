//! The roll: what is asked about all nodes at once, in a few bytes for each.
//!
//! Ten times a second the clockwork asks whether anybody is silent, suspected or without a link,
//! and each heartbeat draws nodes to tell about. With a thousand nodes nobody can look at every
//! record for that. So the table of nodes notes which records may have changed, and the roll takes
//! these in before it is read: marks with their counts, who follows whom, and the times of pings.

use super::{Address, Health, Member, MemberIndex};
use crate::bus::packet::{Gossip, NodeFlags};
use crate::ids::NodeId;
use crate::time::Millis;

/// What is counted of the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Another node, in handshake.
    Stranger,
    /// Another node, to which no link is open or asked for.
    Linkless,
    /// Another node with an address, to which no link is open.
    Unreached,
    /// Another node without address.
    Addressless,
    /// Another node that is PFAIL.
    Suspect,
    /// Another node that is PFAIL or FAIL.
    Unwell,
    /// FAIL.
    Failed,
    /// Owns slots and is FAIL.
    FailedOwner,
    /// A replica of a known master.
    Follower,
    /// A master with slots.
    Voice,
    /// A master with slots, believed alive.
    LiveVoice,
    /// A master with slots, FAIL.
    FailedVoice,
    /// A master with slots that should have a replica and is not FAIL (RM-02).
    Target,
    /// Noted as orphaned.
    Orphaned,
    /// Another node that a heartbeat may tell about, if it is drawn (GO-08).
    Tellable,
    /// Another node, alive and reported by nobody: good news of it is no news but for its time.
    Plain,
}

const MARKS: usize = Mark::Plain as usize + 1;

/// When a node was pinged and heard last, in sixteen bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// One more than the ms, 0 for never.
    ping_sent: u64,
    pong_received: u64,
}

impl Pulse {
    fn of(member: &Member) -> Pulse {
        Pulse {
            ping_sent: packed(member.ping_sent),
            pong_received: packed(member.pong_received),
        }
    }

    /// When the ping that is out was sent and the last pong came; 0 for never.
    pub fn times(self) -> [Millis; 2] {
        [self.ping_sent, self.pong_received].map(unpacked)
    }

    /// The ping that is out, else the last pong.
    fn last_contact(self) -> u64 {
        match self.ping_sent {
            0 => self.pong_received,
            sent => sent,
        }
    }
}

fn packed(time: Option<Millis>) -> u64 {
    time.map_or(0, |at| at.0.saturating_add(1))
}

fn unpacked(time: u64) -> Millis {
    Millis(time.saturating_sub(1))
}

const NO_MASTER: u16 = u16::MAX;
/// The last contact with this node itself, or with nobody: never late.
const NEVER_LATE: u64 = u64::MAX;

/// What gossip needs to know of a node stands together: memory far away is what it waits for.
#[derive(Debug, Clone, Copy)]
struct Row {
    id: NodeId,
    pulse: Pulse,
    marks: u16,
    flags: NodeFlags,
    address: Address,
    master: u16,
    /// The record may say something else.
    is_changed: bool,
    /// The record may have changed since it was written to nodes.conf.
    is_unsaved: bool,
}

const BLANK: Row = Row {
    id: NodeId::UNREADABLE,
    pulse: Pulse {
        ping_sent: 0,
        pong_received: 0,
    },
    marks: 0,
    flags: NodeFlags(0),
    address: Address {
        ip: None,
        port: 0,
        bus_port: 0,
        second_port: 0,
    },
    master: NO_MASTER,
    is_changed: false,
    is_unsaved: false,
};

/// The nodes, by place in the table.
#[derive(Debug, Clone, Default)]
pub struct Roll {
    rows: Vec<Row>,
    /// The last contact with each, or an earlier one: those that matter are looked up.
    contacts: Vec<u64>,
    /// Number of replicas that are not FAIL, by their master.
    working: Vec<u16>,
    counts: [u16; MARKS],
    changed: Vec<MemberIndex>,
}

impl Roll {
    /// Notes a new node, or a new id; its record may have changed.
    pub(super) fn name(&mut self, index: MemberIndex, id: NodeId) {
        let place = usize::from(index.0);
        if place >= self.rows.len() {
            self.rows.resize(place + 1, BLANK);
            self.contacts.resize(place + 1, NEVER_LATE);
            self.working.resize(place + 1, 0);
        }
        self.rows[place].id = id;
        self.note(index);
    }

    /// Who was named there last.
    #[inline]
    pub(super) fn id(&self, index: MemberIndex) -> &NodeId {
        &self.rows[usize::from(index.0)].id
    }

    /// Notes that the record of a node may have changed.
    #[inline]
    pub(super) fn note(&mut self, index: MemberIndex) {
        let row = &mut self.rows[usize::from(index.0)];
        row.is_unsaved = true;
        if !row.is_changed {
            row.is_changed = true;
            self.changed.push(index);
        }
    }

    /// A node that was noted and not taken in since.
    #[inline]
    pub(super) fn next_changed(&mut self) -> Option<MemberIndex> {
        self.changed.pop()
    }

    /// Takes in the record of a node that was noted; none if it is gone.
    pub(super) fn take_in(&mut self, index: MemberIndex, member: Option<&Member>, is_me: bool) {
        let place = usize::from(index.0);
        let old = self.rows[place];
        let new = member.map_or(BLANK, |member| row_of(member, is_me));
        self.rows[place] = Row {
            is_unsaved: old.is_unsaved,
            ..new
        };
        self.contacts[place] = match member {
            Some(_) if !is_me => new.pulse.last_contact(),
            Some(_) | None => NEVER_LATE,
        };
        let mut different = old.marks ^ new.marks;
        while different != 0 {
            let count = &mut self.counts[different.trailing_zeros() as usize];
            match new.marks & different & different.wrapping_neg() {
                0 => *count -= 1,
                _ => *count += 1,
            }
            different &= different - 1;
        }
        let (before, after) = (works_for(&old), works_for(&new));
        if before != after {
            if let Some(count) = self.working.get_mut(usize::from(before)) {
                *count -= 1;
            }
            if let Some(count) = self.working.get_mut(usize::from(after)) {
                *count += 1;
            }
        }
    }

    /// Takes in when a node was pinged and heard; who was noted is taken in whole later on.
    pub(super) fn take_in_times(&mut self, index: MemberIndex, member: &Member) {
        let place = usize::from(index.0);
        let row = &mut self.rows[place];
        if row.is_changed {
            return;
        }
        row.pulse = Pulse::of(member);
        if self.contacts[place] != NEVER_LATE {
            self.contacts[place] = row.pulse.last_contact();
        }
    }

    /// Whether a node has a mark, and its record has not changed since it was taken in.
    #[inline]
    pub fn has(&self, index: MemberIndex, mark: Mark) -> bool {
        let row = &self.rows[usize::from(index.0)];
        !row.is_changed && row.marks & bit(mark) != 0
    }

    /// How many nodes have a mark.
    pub fn count(&self, mark: Mark) -> usize {
        usize::from(self.counts[mark as usize])
    }

    /// Number of replicas of a master that are not FAIL.
    pub fn working_replicas(&self, master: MemberIndex) -> usize {
        usize::from(self.working[usize::from(master.0)])
    }

    /// The greatest number of replicas that are not FAIL.
    pub fn working_replicas_max(&self) -> usize {
        usize::from(self.working.iter().copied().max().unwrap_or(0))
    }

    /// The master a node works for: none if it is FAIL.
    pub fn supported_by(&self, index: MemberIndex) -> Option<MemberIndex> {
        let master = works_for(&self.rows[usize::from(index.0)]);
        (master != NO_MASTER).then_some(MemberIndex(master))
    }

    /// What gossip says about a node.
    pub fn gossip(&self, index: MemberIndex) -> Gossip {
        let row = &self.rows[usize::from(index.0)];
        let [ping_sent, pong_received] = row.pulse.times();
        Gossip {
            id: row.id,
            ping_sent_s: (ping_sent.0 / 1000) as u32,
            pong_received_s: (pong_received.0 / 1000) as u32,
            ip: row.address.ip,
            port: row.address.port,
            bus_port: row.address.bus_port,
            second_port: row.address.second_port,
            flags: row.flags,
        }
    }

    /// Whether the line of a node in nodes.conf may have to be written anew; it shows its master.
    pub fn is_unsaved(&self, index: MemberIndex) -> bool {
        let row = &self.rows[usize::from(index.0)];
        let master = self.rows.get(usize::from(row.master));
        row.is_unsaved || master.is_some_and(|master| master.is_unsaved)
    }

    /// All that was noted so far is in nodes.conf.
    pub(super) fn saved(&mut self) {
        for row in &mut self.rows {
            row.is_unsaved = false;
        }
    }

    /// The times of all nodes, by place.
    pub fn pulses(&self) -> Vec<Pulse> {
        self.rows.iter().map(|row| row.pulse).collect()
    }

    /// GO-10: notes when a node was heard, if it has no ping to answer and that is news.
    #[inline]
    pub(super) fn hear(&mut self, index: MemberIndex, at: Millis) -> bool {
        let pulse = &mut self.rows[usize::from(index.0)].pulse;
        let is_news = pulse.ping_sent == 0 && packed(Some(at)) > pulse.pong_received;
        if is_news {
            pulse.pong_received = packed(Some(at));
        }
        is_news
    }

    /// The ping of a node that is out, else its last pong; 0 for never.
    pub fn last_contact(&self, index: MemberIndex) -> Millis {
        unpacked(self.rows[usize::from(index.0)].pulse.last_contact())
    }

    /// The oldest of these of all nodes but this one; late ones show here.
    pub(super) fn oldest_contact(&mut self) -> Millis {
        let mut oldest = u64::MAX;
        for (place, contact) in self.contacts.iter_mut().enumerate() {
            if *contact < oldest {
                // News that came by gossip may have made it later.
                *contact = self.rows[place].pulse.last_contact();
                oldest = oldest.min(*contact);
            }
        }
        unpacked(oldest)
    }
}

fn row_of(member: &Member, is_me: bool) -> Row {
    Row {
        id: member.id,
        pulse: Pulse::of(member),
        marks: marks_of(member, is_me),
        flags: member.flags(),
        address: member.address,
        master: member.master().map_or(NO_MASTER, |master| master.0),
        is_changed: false,
        is_unsaved: false,
    }
}

fn works_for(row: &Row) -> u16 {
    match row.marks & bit(Mark::Failed) {
        0 => row.master,
        _ => NO_MASTER,
    }
}

fn bit(mark: Mark) -> u16 {
    1 << mark as u16
}

fn marks_of(member: &Member, is_me: bool) -> u16 {
    let is_failed = member.is_failed();
    let has_voice = member.has_voice();
    let is_alive = member.health == Health::Alive;
    let has_address = !member.is_without_address && member.address.ip.is_some();
    let is_worth_telling = member.is_known()
        && has_address
        && member.health != Health::Suspected
        && (member.outbound.is_some() || member.slot_count > 0);
    let of_others = [
        (Mark::Stranger, !member.is_known()),
        (Mark::Linkless, member.outbound.is_none()),
        (
            Mark::Unreached,
            !member.is_without_address && member.open_link().is_none(),
        ),
        (Mark::Addressless, member.is_without_address),
        (Mark::Suspect, member.health == Health::Suspected),
        (Mark::Unwell, !is_alive),
        (Mark::Tellable, is_worth_telling),
        (Mark::Plain, is_alive && member.reports.is_empty()),
    ];
    let of_all = [
        (Mark::Failed, is_failed),
        (Mark::FailedOwner, is_failed && member.slot_count > 0),
        (Mark::Follower, member.master().is_some()),
        (Mark::Voice, has_voice),
        (Mark::LiveVoice, has_voice && is_alive),
        (Mark::FailedVoice, has_voice && is_failed),
        (
            Mark::Target,
            has_voice && member.is_migration_target && !is_failed,
        ),
        (Mark::Orphaned, member.orphaned_at.is_some()),
    ];
    let set = |marks: u16, (mark, holds): (Mark, bool)| marks | if holds { bit(mark) } else { 0 };
    let marks = of_all.into_iter().fold(0, set);
    match is_me {
        true => marks,
        false => of_others.into_iter().fold(marks, set),
    }
}
