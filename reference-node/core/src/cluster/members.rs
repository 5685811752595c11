//! The nodes this node knows, itself among them.
//!
//! A member keeps its [`MemberIndex`] for as long as it is known, also when a handshake tells its
//! real id, so other tables (slot owners, links) point at it by index. Removing one here clears
//! master pointers and failure reports that name it; its slots and links are the business of those
//! who hold them.

use std::net::IpAddr;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use crate::bus::packet::NodeFlags;
use crate::epoch::ConfigEpoch;
use crate::ids::{LinkId, NodeId};
use crate::rng::Rng;
use crate::slot::SlotSet;
use crate::time::Millis;

/// How many nodes are remembered at most: a bound against hostile gossip, far above any cluster.
pub const MEMBERS_MAX: usize = 16_384;

/// Where a member stands in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberIndex(u16);

impl MemberIndex {
    /// As a number, for index arrays; below [`MEMBERS_MAX`].
    pub(super) fn number(self) -> u16 {
        self.0
    }

    pub(super) fn from_number(number: u16) -> MemberIndex {
        MemberIndex(number)
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A master, with or without slots.
    Master,
    /// A replica; of nobody if its master is unknown here (GO-21).
    Replica {
        /// Its master.
        of: Option<MemberIndex>,
    },
    /// Not told yet: a handshake, or an open slot's peer that was only named (PS-21).
    Untold,
}

/// Whether a node is believed to be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It is.
    Alive,
    /// This node suspects it: PFAIL (FD-01).
    Suspected,
    /// A quorum agreed: FAIL (FD-10).
    Failed {
        /// When it was marked here.
        since: Millis,
    },
}

/// What the first packet to a new node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// MEET: it is to take us in (HS-05).
    Meet,
    /// PING: it knows us already, or will hear of us.
    Ping,
}

/// How well a node is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// By its real id.
    Known,
    /// By its address only, under a random id.
    Handshake,
}

/// Where a node is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Address {
    /// Its ip; none if unknown.
    pub ip: Option<IpAddr>,
    /// Client port.
    pub port: u16,
    /// Bus port.
    pub bus_port: u16,
    /// Secondary client port.
    pub second_port: u16,
}

/// A link of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberLink {
    /// Its name.
    pub id: LinkId,
    /// When it was asked for or accepted.
    pub created_at: Millis,
    /// Whether packets can be sent on it.
    pub phase: LinkPhase,
}

/// Whether a link is usable yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPhase {
    /// Asked for.
    Connecting,
    /// Open.
    Open,
}

/// A master said that this node fails (FD-05).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureReport {
    /// Who said so.
    pub by: MemberIndex,
    /// When it last did.
    pub at: Millis,
}

/// One node, as this node sees it.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "the clauses' own words, cluster-behaviour.md, introduction"
)]
pub struct Member {
    pub id: NodeId,
    pub role: Role,
    pub stage: Stage,
    pub greeting: Greeting,
    pub health: Health,
    pub is_without_address: bool,
    pub is_migration_target: bool,
    pub refuses_failover: bool,
    pub address: Address,
    pub hostname: String,
    pub human_nodename: String,
    pub shard: Option<NodeId>,
    pub speaks_extensions: bool,
    pub keeps_open_slots: bool,
    pub config_epoch: ConfigEpoch,
    pub slots: Arc<SlotSet>,
    pub slot_count: usize,
    pub ping_sent: Option<Millis>,
    pub pong_received: Option<Millis>,
    pub data_received: Option<Millis>,
    pub voted_at: Option<Millis>,
    pub orphaned_at: Option<Millis>,
    pub repl_offset: u64,
    pub created_at: Millis,
    pub reports: Vec<FailureReport>,
    pub outbound: Option<MemberLink>,
    pub inbound: Option<MemberLink>,
}

impl Member {
    /// A node of which only the id is known.
    pub fn new(id: NodeId, role: Role, now: Millis, no_slots: Arc<SlotSet>) -> Member {
        Member {
            id,
            role,
            stage: Stage::Known,
            greeting: Greeting::Ping,
            health: Health::Alive,
            is_without_address: false,
            is_migration_target: false,
            refuses_failover: false,
            address: Address::default(),
            hostname: String::new(),
            human_nodename: String::new(),
            shard: None,
            speaks_extensions: false,
            keeps_open_slots: false,
            config_epoch: ConfigEpoch(0),
            slots: no_slots,
            slot_count: 0,
            ping_sent: None,
            pong_received: None,
            data_received: None,
            voted_at: None,
            orphaned_at: None,
            repl_offset: 0,
            created_at: now,
            reports: Vec::new(),
            outbound: None,
            inbound: None,
        }
    }

    /// Whether it is a master.
    pub fn is_master(&self) -> bool {
        self.role == Role::Master
    }

    /// Whether it is a replica.
    pub fn is_replica(&self) -> bool {
        matches!(self.role, Role::Replica { .. })
    }

    /// Whether it is a master with slots: the only nodes with a voice (VO-01, FD-05, ST-04).
    pub fn has_voice(&self) -> bool {
        self.is_master() && self.slot_count > 0
    }

    /// Whether it is FAIL.
    pub fn is_failed(&self) -> bool {
        matches!(self.health, Health::Failed { .. })
    }

    /// Whether it is known by its real id.
    pub fn is_known(&self) -> bool {
        self.stage == Stage::Known
    }

    /// Its master, if it is a replica with a known one.
    pub fn master(&self) -> Option<MemberIndex> {
        match self.role {
            Role::Replica { of } => of,
            Role::Master | Role::Untold => None,
        }
    }

    /// The outbound link, if packets can be sent on it.
    pub fn open_link(&self) -> Option<LinkId> {
        let link = self.outbound.filter(|link| link.phase == LinkPhase::Open)?;
        Some(link.id)
    }

    /// Its flags on the wire and in text, but for MYSELF.
    pub fn flags(&self) -> NodeFlags {
        let role = match self.role {
            Role::Master => NodeFlags::MASTER,
            Role::Replica { .. } => NodeFlags::SLAVE,
            Role::Untold => 0,
        };
        let health = match self.health {
            Health::Alive => 0,
            Health::Suspected => NodeFlags::PFAIL,
            Health::Failed { .. } => NodeFlags::FAIL,
        };
        let set = |holds: bool, bit: u16| if holds { bit } else { 0 };
        NodeFlags(
            role | health
                | set(self.stage == Stage::Handshake, NodeFlags::HANDSHAKE)
                | set(self.is_without_address, NodeFlags::NOADDR)
                | set(self.is_migration_target, NodeFlags::MIGRATE_TO)
                | set(self.refuses_failover, NodeFlags::NOFAILOVER),
        )
    }
}

/// All known nodes, in the order in which they became known.
#[derive(Debug, Clone)]
pub struct Members {
    table: Vec<Option<Member>>,
    by_id: ById,
    order: Vec<MemberIndex>,
    free: Vec<MemberIndex>,
    me: MemberIndex,
}

/// Where the nodes stand, by the first bytes of their ids: ids are random, so hardly any two begin
/// alike.
#[derive(Debug, Clone)]
struct ById(Vec<(u64, MemberIndex)>);

impl ById {
    /// Those whose ids begin so.
    fn headed(&self, head: u64) -> impl Iterator<Item = &(u64, MemberIndex)> {
        let first = self.0.partition_point(|(other, _)| *other < head);
        self.0[first..]
            .iter()
            .take_while(move |(other, _)| *other == head)
    }

    fn insert(&mut self, id: NodeId, index: MemberIndex) {
        let place = self.0.partition_point(|(other, _)| *other < id.head());
        self.0.insert(place, (id.head(), index));
    }

    fn remove(&mut self, id: NodeId, index: MemberIndex) {
        let place = self.0.iter().position(|known| *known == (id.head(), index));
        self.0
            .remove(place.expect("each member has its place here"));
    }
}

impl Members {
    /// A table with only this node in it.
    pub fn new(myself: Member) -> Members {
        let me = MemberIndex(0);
        Members {
            by_id: ById(vec![(myself.id.head(), me)]),
            table: vec![Some(myself)],
            order: vec![me],
            free: Vec::new(),
            me,
        }
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
        let known = self.by_id.headed(id.head());
        known
            .map(|(_, index)| *index)
            .find(|index| self[*index].id == id)
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
        self.by_id.insert(member.id, index);
        self.order.push(index);
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
        self.by_id.remove(member.id, index);
        self.order.retain(|other| *other != index);
        self.free.push(index);
        for other in self.table.iter_mut().flatten() {
            other.reports.retain(|report| report.by != index);
            // RS-06.
            if other.role == (Role::Replica { of: Some(index) }) {
                other.role = Role::Replica { of: None };
            }
        }
        Some(member)
    }

    /// Gives a node its real id (HS-11). The new id must be unknown so far.
    pub fn rename(&mut self, index: MemberIndex, id: NodeId) {
        assert!(self.find(id).is_none(), "{id} is known already");
        let old = std::mem::replace(&mut self[index].id, id);
        self.by_id.remove(old, index);
        self.by_id.insert(id, index);
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

    /// Where all nodes stand, in the order in which they became known; the table may be changed
    /// meanwhile.
    pub(super) fn indexes(&self) -> Vec<MemberIndex> {
        self.order.clone()
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
    pub fn masters_have_replicas(&self) -> bool {
        self.iter().any(|(_, member)| member.master().is_some())
    }
}

impl Index<MemberIndex> for Members {
    type Output = Member;

    fn index(&self, index: MemberIndex) -> &Member {
        let member = self.table[usize::from(index.0)].as_ref();
        member.expect("an index lives as long as its member is known")
    }
}

impl IndexMut<MemberIndex> for Members {
    fn index_mut(&mut self, index: MemberIndex) -> &mut Member {
        let member = self.table[usize::from(index.0)].as_mut();
        member.expect("an index lives as long as its member is known")
    }
}
