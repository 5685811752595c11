//! Ping extensions: which to send to whom, and what is made of those that come in.
//!
//! A peer that has not shown that it understands extensions gets none (BUS-28), but for a hostname
//! that the operator configured, as 7.0 does (BUS-21). Clauses: BUS-21 to BUS-28, RS-04.

use super::Cluster;
use super::members::MemberIndex;
use super::turn::Turn;
use crate::bus::packet::{Extension, Heartbeat};
use crate::ids::{LinkId, NodeId};
use crate::output::Durability;
use crate::time::Millis;

// CF-15: for the extension only.
const HUMAN_NODENAME_DIRECTIVE: &str = "cluster-announce-human-nodename";

impl Cluster {
    /// The extensions of a heartbeat on this link.
    pub(super) fn extensions_for(
        &self,
        to: Option<MemberIndex>,
        link: LinkId,
        turn: &Turn,
    ) -> Vec<Extension> {
        let mut extensions = self.upstream_extensions(to, link, turn);
        extensions.extend(self.open_slots_for(to));
        extensions
    }

    fn upstream_extensions(
        &self,
        to: Option<MemberIndex>,
        link: LinkId,
        turn: &Turn,
    ) -> Vec<Extension> {
        let mut extensions = Vec::new();
        let hostname = &self.members.me().hostname;
        if !hostname.is_empty() {
            extensions.push(Extension::Hostname(hostname.clone()));
        }
        let is_known_to_speak = to.is_some_and(|index| self.members[index].speaks_extensions);
        let has_spoken = self
            .links
            .get(link)
            .is_some_and(|entry| entry.speaks_extensions);
        // BUS-23: others would drop the whole packet (BUS-22).
        if !is_known_to_speak && !has_spoken {
            return extensions;
        }
        let nodename = turn.config.other.get(HUMAN_NODENAME_DIRECTIVE);
        if let Some(nodename) = nodename.filter(|name| !name.is_empty()) {
            extensions.push(Extension::HumanNodename(nodename.clone()));
        }
        // RS-04: one FORGET spreads.
        for (id, ttl) in self.blacklist.entries(turn.now) {
            let ttl_s = ttl.0.div_ceil(1000);
            extensions.push(Extension::ForgottenNode { id, ttl_s });
        }
        // BUS-22: in every heartbeat to those who understand.
        extensions.push(Extension::ShardId(self.shard_of(self.members.my_index())));
        extensions
    }

    /// Takes in the extensions of a known sender (BUS-27).
    pub(super) fn hear_extensions(
        &mut self,
        sender: MemberIndex,
        heartbeat: &Heartbeat,
        turn: &mut Turn,
    ) {
        let (mut hostname, mut nodename, mut shard) = ("", "", None);
        let mut open = None;
        for extension in &heartbeat.extensions {
            match extension {
                Extension::Hostname(name) => hostname = name,
                Extension::HumanNodename(name) => nodename = name,
                Extension::ShardId(id) => shard = Some(*id),
                Extension::ForgottenNode { id, ttl_s } => self.hear_forgotten(*id, *ttl_s, turn),
                Extension::OpenSlots(slots) => open = Some(slots),
                Extension::Unknown(_) => {}
            }
        }
        // A FORGOTTEN_NODE may have named the sender itself.
        if !self.members.contains(sender) {
            return;
        }
        self.hear_open_slots(sender, open);
        // BUS-24: absence means none.
        if self.members[sender].hostname != hostname {
            self.members[sender].hostname = hostname.to_owned();
            self.pending.save(Durability::Buffered);
        }
        if self.members[sender].human_nodename != nodename {
            self.members[sender].human_nodename = nodename.to_owned();
        }
        if self.members[sender].shard != shard {
            self.members[sender].shard = shard;
        }
        // BUS-26: a replica is of its master's shard, also once it has taken over.
        let is_of_my_master = self.members.me().master() == Some(sender);
        if shard.is_some() && is_of_my_master && self.members.me().shard != shard {
            self.members.me_mut().shard = shard;
        }
    }

    /// BUS-25: somebody was told to forget a node.
    fn hear_forgotten(&mut self, id: NodeId, ttl_s: u64, turn: &mut Turn) {
        let Some(index) = self.members.find(id) else {
            return;
        };
        let is_mine = index == self.members.my_index() || self.members.me().master() == Some(index);
        if is_mine {
            return;
        }
        let until = turn.now + Millis(ttl_s.saturating_mul(1000));
        self.blacklist.add(id, until, turn.now);
        self.remove_member(index, turn);
        self.pending.evaluate_state = true;
        self.pending.save(Durability::Buffered);
    }

    /// The shard of a node: as told, else its master's, else named after the master itself.
    pub(super) fn shard_of(&self, index: MemberIndex) -> NodeId {
        let member = &self.members[index];
        let master = &self.members[member.master().unwrap_or(index)];
        // BUS-26: a replica is in its master's shard.
        master.shard.or(member.shard).unwrap_or(master.id)
    }
}
