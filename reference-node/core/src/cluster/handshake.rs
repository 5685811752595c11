//! Becoming acquainted: MEET, handshake records, real ids, addresses that change.
//!
//! A handshake record has a random id until the first answer on its outbound link tells the real
//! one. Clauses: HS-01 to HS-16, HS-20, GO-16, GO-17, BUS-42, KW-06.

use std::net::IpAddr;

use super::Cluster;
use super::manual_failover::ManualFailover;
use super::members::{Address, Greeting, Health, Mark, Member, MemberIndex, Role, Stage};
use super::turn::Turn;
use crate::bus::packet::{Header, NodeFlags};
use crate::ids::{LinkId, NodeId};
use crate::mutants::Mutant;
use crate::output::Durability;
use crate::time::Millis;

/// What a heartbeat on an outbound link said about its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Introduction {
    /// It is who we thought.
    AsExpected,
    /// A handshake is complete: the record has its real id now.
    Completed,
    /// The record is gone, or its address is wrong: nothing more to do with this packet.
    Dismissed,
}

impl Cluster {
    /// HS-03, HS-04, HS-07: a record of a node of which only the address is known.
    pub(super) fn start_handshake(&mut self, address: Address, greeting: Greeting, now: Millis) {
        let is_same = |member: &Member| {
            member.address.ip == address.ip
                && member.address.port == address.port
                && member.address.bus_port == address.bus_port
        };
        let mut strangers = self.members.marked(Mark::Stranger).into_iter();
        let known = strangers.find(|index| is_same(&self.members[*index]));
        if let Some(index) = known {
            // HS-04: no second record; but a wish to MEET is not lost.
            if greeting == Greeting::Meet {
                self.members[index].greeting = Greeting::Meet;
            }
            return;
        }
        let id = NodeId::random(&mut self.rng);
        let mut member = Member::new(id, Role::Untold, now, self.no_slots.clone());
        member.stage = Stage::Handshake;
        member.greeting = greeting;
        member.address = address;
        self.members.add(member);
    }

    /// HS-13: records that got no answer are deleted.
    pub(super) fn expire_handshakes(&mut self, turn: &mut Turn) {
        let timeout = turn.node_timeout().max(Millis(1000));
        for index in self.members.marked(Mark::Stranger) {
            if turn.now.since(self.members[index].created_at) > timeout {
                self.remove_member(index, turn);
            }
        }
    }

    /// Forgets a node: its slots, links, marks and reports (RS-01).
    pub(super) fn remove_member(&mut self, index: MemberIndex, turn: &mut Turn) {
        self.close_links_of(index, turn);
        if self.slots.unbind_all(&mut self.members, index) > 0 {
            self.clockwork.slots_changed = true;
        }
        let id = self.members[index].id;
        self.slots.close_towards(id);
        if let ManualFailover::Pausing { replica, .. } = self.manual
            && replica == index
        {
            self.end_manual_failover(turn);
        }
        self.members.remove(index);
    }

    /// HS-14: learns our own ip from the socket a packet came in on.
    pub(super) fn learn_my_ip(&mut self, local_ip: Option<IpAddr>, turn: &Turn) {
        let me = self.members.me_mut();
        let is_announced = !turn.config.cluster_announce_ip.is_empty();
        if is_announced || local_ip.is_none() || me.address.ip == local_ip {
            return;
        }
        me.address.ip = local_ip;
        self.pending.save(Durability::Buffered);
    }

    /// A heartbeat came on our outbound link to `expected`: is it from whom we thought?
    pub(super) fn check_introduction(
        &mut self,
        expected: MemberIndex,
        link: LinkId,
        header: &Header,
        turn: &mut Turn,
    ) -> Introduction {
        if self.members[expected].stage == Stage::Known {
            if header.sender == Some(self.members[expected].id) {
                return Introduction::AsExpected;
            }
            self.blank_address(expected, turn);
            return Introduction::Dismissed;
        }
        let Some(id) = header.sender else {
            return Introduction::Dismissed;
        };
        if let Some(known) = self.members.find(id) {
            // HS-12: an old acquaintance, at a new address perhaps.
            self.adopt_address(known, link, header, turn);
            self.remove_member(expected, turn);
            return Introduction::Dismissed;
        }
        self.complete_handshake(expected, id, header.flags);
        Introduction::Completed
    }

    /// HS-11: the record gets its real id and role.
    fn complete_handshake(&mut self, index: MemberIndex, id: NodeId, flags: NodeFlags) {
        if !self.mutant.is(Mutant::ProvisionalIdStays) {
            self.members.rename(index, id);
        }
        let member = &mut self.members[index];
        member.stage = Stage::Known;
        member.role = role_of(flags);
        self.pending.save(Durability::Buffered);
    }

    /// BUS-42, GO-16: somebody else lives at that address.
    fn blank_address(&mut self, index: MemberIndex, turn: &mut Turn) {
        let member = &mut self.members[index];
        member.is_without_address = true;
        member.address = Address::default();
        self.close_outbound(index, turn);
        self.pending.save(Durability::Buffered);
    }

    /// GO-17, HS-12: the sender is at another address than we knew; takes that one.
    pub(super) fn adopt_address(
        &mut self,
        index: MemberIndex,
        link: LinkId,
        header: &Header,
        turn: &mut Turn,
    ) {
        let on_own_link = self.members[index]
            .outbound
            .is_some_and(|own| own.id == link);
        let ip = header
            .ip
            .or(self.links.get(link).and_then(|entry| entry.peer_ip));
        let address = address_of(header, ip);
        if on_own_link || ip.is_none() || self.members[index].address == address {
            return;
        }
        let member = &mut self.members[index];
        member.address = address;
        member.is_without_address = false;
        self.close_outbound(index, turn);
        self.pending.save(Durability::Buffered);
    }

    /// MEET from a stranger (HS-07).
    pub(super) fn welcome(&mut self, link: LinkId, header: &Header, turn: &Turn) {
        let peer_ip = self.links.get(link).and_then(|entry| entry.peer_ip);
        let address = address_of(header, header.ip.or(peer_ip));
        if address.ip.is_some() {
            // HS-08: it knows us already, so the next tick's link to it begins with a PING.
            self.start_handshake(address, Greeting::Ping, turn.now);
        }
    }
}

/// The address that a header gives.
fn address_of(header: &Header, ip: Option<IpAddr>) -> Address {
    Address {
        ip,
        port: header.port,
        bus_port: header.bus_port,
        second_port: header.second_port,
    }
}

/// The role that flags tell.
pub(super) fn role_of(flags: NodeFlags) -> Role {
    if flags.has(NodeFlags::MASTER) {
        Role::Master
    } else if flags.has(NodeFlags::SLAVE) {
        Role::Replica { of: None }
    } else {
        Role::Untold
    }
}

/// The health that flags tell (GO-12, PS-16).
pub(super) fn health_of(flags: NodeFlags, since: Millis) -> Health {
    if flags.has(NodeFlags::FAIL) {
        Health::Failed { since }
    } else if flags.has(NodeFlags::PFAIL) {
        Health::Suspected
    } else {
        Health::Alive
    }
}
