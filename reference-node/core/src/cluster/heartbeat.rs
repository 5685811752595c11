//! What this node says: the header of every packet, PING, PONG and MEET, and broadcasts.
//!
//! A packet is queued for the end of the turn, never sent at once (BUS-10), and only on an open
//! link: without one it is dropped (BUS-06). Clauses: BUS-07, BUS-12, BUS-35, GO-05, MF-06.

use std::sync::Arc;

use super::manual_failover::ManualFailover;
use super::members::MemberIndex;
use super::turn::Turn;
use super::{Cluster, Profile};
use crate::bus::packet::{Body, Header, Heartbeat, MessageFlags, NodeFlags, Packet};
use crate::ids::LinkId;
use crate::mutants::Mutant;

/// Which heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Expects a PONG.
    Ping,
    /// Answers, or announces something new.
    Pong,
    /// A PING that asks to be taken in.
    Meet,
}

impl Cluster {
    /// The header of a packet of this node, as of now.
    pub(super) fn header(&self, turn: &Turn) -> Header {
        let me = self.members.me();
        // BUS-12: a replica shows the slots and the epoch of its master.
        let master = &self.members[self.members.my_shard_master()];
        // INV-05.
        assert!(
            !me.is_master() || me.config_epoch.0 <= self.current_epoch.0,
            "configEpoch {:?} is never ahead of currentEpoch {:?}",
            me.config_epoch,
            self.current_epoch
        );
        Header {
            sender: Some(me.id),
            port: me.address.port,
            bus_port: me.address.bus_port,
            second_port: me.address.second_port,
            current_epoch: self.current_epoch,
            config_epoch: master.config_epoch,
            offset: match me.is_replica() && self.mutant.is(Mutant::OffsetNotTold) {
                true => 0,
                false => turn.replication.offset,
            },
            slots: Arc::clone(&master.slots),
            master: me.master().map(|index| self.members[index].id),
            ip: self.clockwork.announced_ip,
            flags: NodeFlags(me.flags().0 | NodeFlags::MYSELF),
            state_ok: self.state.is_ok(),
            message_flags: MessageFlags {
                // MF-06: every header of a master in a manual failover.
                paused: matches!(self.manual, ManualFailover::Pausing { .. }),
                force_ack: false,
                ext_data: false,
                // Others ignore it (SM-20).
                keeps_open_slots: self.profile == Profile::Reference,
            },
        }
    }

    /// Queues a packet on a link.
    pub(super) fn send(&mut self, link: LinkId, body: Body, turn: &Turn) {
        let header = self.header(turn);
        self.send_packet(link, Packet { header, body });
    }

    /// Queues a ready packet on a link.
    pub(super) fn send_packet(&mut self, link: LinkId, packet: Packet) {
        self.counters.count_sent(&packet.body);
        let packet = self.recycled.boxed(packet);
        self.pending.packets.push((link, packet));
    }

    /// Queues a packet on the outbound link to a node, if there is one.
    pub(super) fn send_to(&mut self, to: MemberIndex, body: Body, turn: &Turn) {
        if let Some(link) = self.members[to].open_link() {
            self.send(link, body, turn);
        }
    }

    /// BUS-07: to every node but this one and those in handshake.
    pub(super) fn broadcast(&mut self, body: &Body, turn: &Turn) {
        self.broadcast_packet(&Packet {
            header: self.header(turn),
            body: body.clone(),
        });
    }

    /// BUS-07, with a header made by the caller.
    pub(super) fn broadcast_packet(&mut self, packet: &Packet) {
        let others = self
            .members
            .others()
            .filter(|(_, member)| member.is_known());
        let links: Vec<LinkId> = others
            .filter_map(|(_, member)| member.open_link())
            .collect();
        for link in links {
            self.send_packet(link, packet.clone());
        }
    }

    /// Queues a heartbeat on a link towards a node, which is none if its id is unknown.
    pub(super) fn send_beat(
        &mut self,
        link: LinkId,
        to: Option<MemberIndex>,
        beat: Beat,
        turn: &Turn,
    ) {
        let heartbeat = Heartbeat {
            gossip: self.gossip_for(to),
            extensions: self.extensions_for(to, link, turn),
        };
        let mut header = self.header(turn);
        header.message_flags.ext_data = !heartbeat.extensions.is_empty();
        let body = match beat {
            Beat::Ping => Body::Ping(heartbeat),
            Beat::Pong => Body::Pong(heartbeat),
            Beat::Meet => Body::Meet(heartbeat),
        };
        self.send_packet(link, Packet { header, body });
    }

    /// Pings a node on its outbound link (GO-05).
    pub(super) fn ping(&mut self, to: MemberIndex, turn: &Turn) {
        self.members.note_ping(to, turn.now);
        if let Some(link) = self.members[to].open_link() {
            self.send_beat(link, Some(to), Beat::Ping, turn);
        }
    }

    /// Tells every node of a change (EL-20, SM-13).
    pub(super) fn broadcast_pong(&mut self, turn: &Turn) {
        let others: Vec<MemberIndex> = self
            .members
            .others()
            .filter(|(_, member)| member.is_known())
            .map(|(index, _)| index)
            .collect();
        self.pong_to(&others, turn);
    }

    /// Tells some nodes of a change (EL-08).
    pub(super) fn pong_to(&mut self, nodes: &[MemberIndex], turn: &Turn) {
        for index in nodes {
            if let Some(link) = self.members[*index].open_link() {
                self.send_beat(link, Some(*index), Beat::Pong, turn);
            }
        }
    }
}
