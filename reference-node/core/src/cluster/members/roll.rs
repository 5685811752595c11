//! The roll: what is asked about all nodes at once, in a few bytes for each.
//!
//! Ten times a second the clockwork asks whether anybody is silent, suspected or without a link,
//! and each heartbeat draws nodes to tell about. With a thousand nodes nobody can look at every
//! record for that. So the table of nodes notes which records may have changed, and the roll takes
//! these in before it is read: marks with their counts, who follows whom, and the times of pings.

use super::{Health, Member, MemberIndex};
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
        [self.ping_sent, self.pong_received].map(|time| Millis(time.saturating_sub(1)))
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

/// A place in the table where nobody stands: never late.
const NOBODY: Pulse = Pulse {
    ping_sent: u64::MAX,
    pong_received: 0,
};
const NO_MASTER: u16 = u16::MAX;

#[derive(Debug, Clone, Copy)]
struct Row {
    marks: u16,
    master: u16,
    /// The record may say something else.
    is_changed: bool,
    /// The record may have changed since it was written to nodes.conf.
    is_unsaved: bool,
}

/// The nodes, by place in the table.
#[derive(Debug, Clone, Default)]
pub struct Roll {
    rows: Vec<Row>,
    pulses: Vec<Pulse>,
    /// Number of replicas that are not FAIL, by their master.
    working: Vec<u16>,
    counts: [u16; MARKS],
    changed: Vec<MemberIndex>,
}

impl Roll {
    /// Notes that the record of a node may have changed.
    #[inline]
    pub(super) fn note(&mut self, index: MemberIndex) {
        let place = usize::from(index.0);
        if place >= self.rows.len() {
            let blank = Row {
                marks: 0,
                master: NO_MASTER,
                is_changed: false,
                is_unsaved: false,
            };
            self.rows.resize(place + 1, blank);
            self.pulses.resize(place + 1, NOBODY);
            self.working.resize(place + 1, 0);
        }
        let row = &mut self.rows[place];
        row.is_unsaved = true;
        if !row.is_changed {
            row.is_changed = true;
            self.changed.push(index);
        }
    }

    /// A node that was noted and not taken in since.
    pub(super) fn next_changed(&mut self) -> Option<MemberIndex> {
        self.changed.pop()
    }

    /// Takes in the record of a node that was noted; none if it is gone.
    pub(super) fn take_in(&mut self, index: MemberIndex, member: Option<&Member>, is_me: bool) {
        let place = usize::from(index.0);
        let old = self.rows[place];
        let marks = member.map_or(0, |member| marks_of(member, is_me));
        let master = member.and_then(Member::master);
        let master = master.map_or(NO_MASTER, |master| master.0);
        self.pulses[place] = member.map_or(NOBODY, Pulse::of);
        self.rows[place] = Row {
            marks,
            master,
            is_changed: false,
            ..old
        };
        let mut different = old.marks ^ marks;
        while different != 0 {
            let count = &mut self.counts[different.trailing_zeros() as usize];
            match marks & different & different.wrapping_neg() {
                0 => *count -= 1,
                _ => *count += 1,
            }
            different &= different - 1;
        }
        let (before, after) = (works_for(old.master, old.marks), works_for(master, marks));
        if before != after {
            if let Some(count) = self.working.get_mut(usize::from(before)) {
                *count -= 1;
            }
            if let Some(count) = self.working.get_mut(usize::from(after)) {
                *count += 1;
            }
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
        let row = &self.rows[usize::from(index.0)];
        let master = works_for(row.master, row.marks);
        (master != NO_MASTER).then_some(MemberIndex(master))
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
    pub fn pulses(&self) -> &[Pulse] {
        &self.pulses
    }

    /// When a node was last heard, as [`Member::pong_received`]; none if it has a ping to answer.
    #[inline]
    pub(super) fn heard(&self, index: MemberIndex) -> Option<Option<Millis>> {
        let pulse = self.pulses[usize::from(index.0)];
        let pong = pulse.pong_received.checked_sub(1).map(Millis);
        (pulse.ping_sent == 0).then_some(pong)
    }

    /// A node was heard at that time.
    #[inline]
    pub(super) fn hear(&mut self, index: MemberIndex, at: Millis) {
        self.pulses[usize::from(index.0)].pong_received = packed(Some(at));
    }

    /// The ping of a node that is out, else its last pong; 0 for never.
    pub fn last_contact(&self, index: MemberIndex) -> Millis {
        let packed = self.pulses[usize::from(index.0)].last_contact();
        Millis(packed.saturating_sub(1))
    }

    /// The oldest of these of all nodes but this one; late ones show here.
    pub fn oldest_contact(&self, me: MemberIndex) -> Millis {
        let (before, after) = self.pulses.split_at(usize::from(me.0));
        let oldest = |pulses: &[Pulse]| {
            let contacts = pulses.iter().map(|pulse| pulse.last_contact());
            contacts.fold(u64::MAX, u64::min)
        };
        Millis(oldest(before).min(oldest(&after[1..])).saturating_sub(1))
    }
}

fn works_for(master: u16, marks: u16) -> u16 {
    if marks & bit(Mark::Failed) == 0 {
        master
    } else {
        NO_MASTER
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
