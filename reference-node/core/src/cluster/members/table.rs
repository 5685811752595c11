//! The table of nodes: found by id, walked in the order in which they became known.
//!
//! Whoever changes a record gets it through here, so that the roll knows whose to look at again.

use std::ops::{Index, IndexMut};

use super::roll::{Mark, Roll};
use super::{MEMBERS_MAX, Member, MemberIndex, Role};
use crate::bus::packet::{Gossip, Header};
use crate::cluster::lookup::Lookup;
use crate::ids::NodeId;
use crate::rng::Rng;
use crate::time::Millis;

/// All known nodes, in the order in which they became known.
#[derive(Debug, Clone)]
pub struct Members {
    table: Vec<Option<Member>>,
    /// By the first bytes of the ids: ids are random, so hardly any two begin alike.
    by_id: Lookup,
    order: Vec<MemberIndex>,
    free: Vec<MemberIndex>,
    me: MemberIndex,
    roll: Roll,
    changes: u64,
}

impl Members {
    /// A table with only this node in it.
    pub fn new(myself: Member) -> Members {
        let me = MemberIndex(0);
        let mut members = Members {
            by_id: Lookup::default(),
            table: Vec::new(),
            order: vec![me],
            free: Vec::new(),
            me,
            roll: Roll::default(),
            changes: 0,
        };
        members.by_id.insert(myself.id.head(), u32::from(me.0));
        members.roll.name(me, myself.id);
        members.table.push(Some(myself));
        members
    }

    /// Grows with each change, but for what packets and pings bring all the time: while it stays
    /// the same, every record says the same but for offsets and times.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Where this node itself stands.
    pub fn my_index(&self) -> MemberIndex {
        self.me
    }

    /// This node itself.
    pub fn me(&self) -> &Member {
        &self[self.me]
    }

    /// This node itself, to change.
    pub fn me_mut(&mut self) -> &mut Member {
        let me = self.me;
        &mut self[me]
    }

    /// Whose slots I serve or copy: my master, or myself.
    pub fn my_shard_master(&self) -> MemberIndex {
        self.me().master().unwrap_or(self.me)
    }

    /// The node of this id.
    pub fn find(&self, id: NodeId) -> Option<MemberIndex> {
        let headed = self.by_id.under(id.head());
        headed
            .map(|number| MemberIndex(number as u16))
            .find(|index| *self.roll.id(*index) == id)
    }

    /// Takes in a node; none if its id is known already or the table is full.
    pub fn add(&mut self, member: Member) -> Option<MemberIndex> {
        if self.find(member.id).is_some() || self.order.len() >= MEMBERS_MAX {
            return None;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.table.push(None);
            MemberIndex((self.table.len() - 1) as u16)
        });
        self.by_id.insert(member.id.head(), u32::from(index.0));
        self.order.push(index);
        self.changes += 1;
        self.roll.name(index, member.id);
        self.table[usize::from(index.0)] = Some(member);
        Some(index)
    }

    /// Forgets a node, and what others keep about it.
    ///
    /// # Panics
    /// If it is this node itself.
    pub fn remove(&mut self, index: MemberIndex) -> Option<Member> {
        assert!(index != self.me, "a node cannot forget itself");
        let member = self.table.get_mut(usize::from(index.0))?.take()?;
        self.unlist(member.id, index);
        self.order.retain(|other| *other != index);
        self.free.push(index);
        self.changes += 1;
        self.roll.note(index);
        for other in self.order.clone() {
            let record = &self[other];
            let is_reported = record.reports.iter().any(|report| report.by == index);
            // RS-06.
            let is_replica = record.master() == Some(index);
            if is_reported {
                self[other].reports.retain(|report| report.by != index);
            }
            if is_replica {
                self[other].role = Role::Replica { of: None };
            }
        }
        Some(member)
    }

    /// Gives a node its real id (HS-11). The new id must be unknown so far.
    pub fn rename(&mut self, index: MemberIndex, id: NodeId) {
        assert!(self.find(id).is_none(), "{id} is known already");
        let old = std::mem::replace(&mut self[index].id, id);
        self.unlist(old, index);
        self.by_id.insert(id.head(), u32::from(index.0));
        self.roll.name(index, id);
    }

    fn unlist(&mut self, id: NodeId, index: MemberIndex) {
        let was_listed = self.by_id.remove(id.head(), u32::from(index.0));
        assert!(was_listed, "{id} has its place by id");
    }

    /// Whether somebody stands there.
    pub fn contains(&self, index: MemberIndex) -> bool {
        let place = self.table.get(usize::from(index.0));
        place.is_some_and(Option::is_some)
    }

    /// Number of known nodes, this one included (HS-18).
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Never: this node is always known.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// All nodes, in the order in which they became known.
    pub fn iter(&self) -> impl Iterator<Item = (MemberIndex, &Member)> {
        self.order.iter().map(|index| (*index, &self[*index]))
    }

    /// Where all nodes stand, in the order in which they became known.
    pub fn order(&self) -> &[MemberIndex] {
        &self.order
    }

    /// What is known about all at once, as of now.
    pub fn roll(&mut self) -> &Roll {
        self.update();
        &self.roll
    }

    fn update(&mut self) {
        while let Some(index) = self.roll.next_changed() {
            let member = self.table[usize::from(index.0)].as_ref();
            self.roll.take_in(index, member, index == self.me);
        }
    }

    /// What gossip says about a node, as of the last look at the roll.
    pub fn gossip(&self, index: MemberIndex) -> Gossip {
        self.roll.gossip(index)
    }

    /// Whether a node has a mark, and its record has not changed since the last look at the roll.
    pub fn has(&self, index: MemberIndex, mark: Mark) -> bool {
        self.roll.has(index, mark)
    }

    /// How many nodes have a mark.
    pub fn count(&mut self, mark: Mark) -> usize {
        self.roll().count(mark)
    }

    /// The nodes with a mark, in the order in which they became known.
    pub fn marked(&mut self, mark: Mark) -> Vec<MemberIndex> {
        if self.count(mark) == 0 {
            return Vec::new();
        }
        let marked = self.order.iter().copied();
        marked.filter(|index| self.roll.has(*index, mark)).collect()
    }

    /// Those others whose ping is out, or whose last pong came, longer ago than this.
    pub fn late(&mut self, now: Millis, than: Millis) -> Vec<MemberIndex> {
        self.update();
        if now.since(self.roll.oldest_contact()) <= than {
            return Vec::new();
        }
        let others = self.order.iter().copied().filter(|index| *index != self.me);
        let is_late = |index: &MemberIndex| now.since(self.roll.last_contact(*index)) > than;
        others.filter(is_late).collect()
    }

    /// The oldest ping that is out, or pong, of all others that have an address.
    pub fn oldest_contact(&mut self) -> Millis {
        if self.count(Mark::Addressless) == 0 {
            return self.roll.oldest_contact();
        }
        let others = self.order.iter().copied().filter(|index| *index != self.me);
        let asked = others.filter(|index| !self.roll.has(*index, Mark::Addressless));
        let oldest = asked.map(|index| self.roll.last_contact(index)).min();
        oldest.unwrap_or(Millis(u64::MAX))
    }

    /// GO-10 for a node that is well: it was heard by somebody. Tells whether that settles it.
    #[inline]
    pub fn vouch(&mut self, index: MemberIndex, heard_at: Millis, now: Millis) -> bool {
        if !self.roll.has(index, Mark::Plain) {
            return false;
        }
        if heard_at <= now + PLAUSIBLE_AHEAD && self.roll.hear(index, heard_at) {
            let member = self.table[usize::from(index.0)].as_mut();
            let member = member.expect("a node with a mark is there");
            member.pong_received = Some(heard_at);
        }
        true
    }

    /// A packet of a node came in (GO-23, BUS-44). The roll keeps nothing of what that changes.
    pub fn note_packet(&mut self, index: MemberIndex, header: &Header, now: Millis) {
        let is_me = index == self.me;
        let member = self.table[usize::from(index.0)].as_mut();
        let member = member.expect(LIVES);
        member.speaks_extensions |= header.message_flags.ext_data;
        member.keeps_open_slots = header.message_flags.keeps_open_slots;
        member.data_received = Some(now);
        if !is_me {
            member.repl_offset = header.offset;
        }
    }

    /// A ping leaves for a node (GO-05).
    pub fn note_ping(&mut self, index: MemberIndex, now: Millis) {
        self.change_times(index, |member| member.ping_sent = Some(now));
    }

    /// A node answered its ping (GO-06).
    pub fn note_pong(&mut self, index: MemberIndex, now: Millis) {
        self.change_times(index, |member| {
            member.pong_received = Some(now);
            member.ping_sent = None;
        });
    }

    /// Most changes of a record are these: the roll takes them in at once, and nothing else.
    fn change_times(&mut self, index: MemberIndex, change: impl FnOnce(&mut Member)) {
        let member = self.table[usize::from(index.0)].as_mut();
        let member = member.expect(LIVES);
        change(member);
        self.roll.take_in_times(index, member);
    }

    /// All that was noted so far is in nodes.conf.
    pub fn saved(&mut self) {
        self.roll.saved();
    }

    /// All nodes but this one.
    pub fn others(&self) -> impl Iterator<Item = (MemberIndex, &Member)> {
        self.iter().filter(|(index, _)| *index != self.me)
    }

    /// One of the known nodes.
    pub fn random(&self, rng: &mut Rng) -> MemberIndex {
        self.order[rng.below(self.order.len() as u64) as usize]
    }

    /// The replicas of a master.
    pub fn replicas_of(&self, master: MemberIndex) -> impl Iterator<Item = (MemberIndex, &Member)> {
        self.iter()
            .filter(move |(_, member)| member.master() == Some(master))
    }

    /// Whether any master has a replica (UP-19).
    pub fn masters_have_replicas(&mut self) -> bool {
        self.count(Mark::Follower) > 0
    }
}

impl Index<MemberIndex> for Members {
    type Output = Member;

    fn index(&self, index: MemberIndex) -> &Member {
        let member = self.table[usize::from(index.0)].as_ref();
        member.expect(LIVES)
    }
}

impl IndexMut<MemberIndex> for Members {
    fn index_mut(&mut self, index: MemberIndex) -> &mut Member {
        self.changes += 1;
        self.roll.note(index);
        let member = self.table[usize::from(index.0)].as_mut();
        member.expect(LIVES)
    }
}

const LIVES: &str = "an index lives as long as its member is known";

/// How far ahead of this node's clock a time in gossip may be (GO-10).
const PLAUSIBLE_AHEAD: Millis = Millis(500);
