//! Hand-made packets: a host says what a test wants, on the link that the test chooses.

use std::net::IpAddr;

use super::{Event, LOCALHOST, Rig};
use crate::bus::packet::{Body, Gossip, Header, Heartbeat, NodeFlags, Packet};
use crate::cluster::members::{Member, MemberIndex};
use crate::cluster::turn::Turn;
use crate::cluster::{Cluster, Effect};
use crate::ids::{LinkId, NodeId};

impl Rig {
    /// A packet with the header that a host would send now, adjusted.
    pub fn packet(&mut self, from: usize, body: Body, adjust: impl FnOnce(&mut Header)) -> Packet {
        let mut header = self.header_of(from);
        adjust(&mut header);
        Packet { header, body }
    }

    /// A host says this on its own link to another.
    pub fn say(&mut self, from: usize, to: usize, body: Body, adjust: impl FnOnce(&mut Header)) {
        let packet = self.packet(from, body, adjust);
        self.inject(to, from, packet);
    }

    /// A host says this on the link that the other one opened to it.
    pub fn reply(&mut self, from: usize, to: usize, body: Body, adjust: impl FnOnce(&mut Header)) {
        let packet = self.packet(from, body, adjust);
        let link = self.view(to, from).open_link().expect("an open link");
        self.deliver(to, link, packet);
    }

    /// Somebody without a host opens a link to a host, at one of its addresses.
    pub fn accept(&mut self, to: usize, local_ip: IpAddr) -> LinkId {
        self.accepted += 1;
        let link = LinkId::inbound(self.accepted);
        self.with(to, |cluster, around, fx| {
            cluster.on_link_accepted(link, LOCALHOST, local_ip, around, fx);
        });
        link
    }

    /// A packet comes in on a link.
    pub fn deliver(&mut self, to: usize, link: LinkId, packet: Packet) {
        self.queue
            .push_back((to, Event::Packet(link, Box::new(packet))));
        self.settle();
    }

    /// A stopped host goes on: what came in meanwhile is read first.
    pub fn resume(&mut self, index: usize) {
        self.paused.remove(&index);
        let held = std::mem::take(&mut self.held);
        self.queue.extend(held);
        self.settle();
    }

    /// Looks into a host, or reaches into it, within one turn.
    pub fn turn<R>(&mut self, index: usize, act: impl FnOnce(&mut Cluster, &mut Turn) -> R) -> R {
        let mut result = None;
        self.with(index, |cluster, around, fx: &mut Vec<Effect>| {
            result = Some(act(cluster, &mut Turn::new(around, fx)));
        });
        self.settle();
        result.expect("the host runs")
    }

    /// Changes how one host sees another.
    pub fn alter(&mut self, of: usize, about: usize, change: impl FnOnce(&mut Member)) {
        let id = self.id(about);
        self.turn(of, |cluster, _| {
            let index = cluster.members.find(id).expect("it knows that node");
            change(&mut cluster.members[index]);
            cluster.stir();
        });
    }

    /// Where a host keeps another.
    pub fn index(&self, of: usize, about: usize) -> MemberIndex {
        let found = self.at(of).members.find(self.id(about));
        found.expect("it knows that node")
    }

    /// What a host would tell about another that it sees as alive.
    pub fn gossip(&self, of: usize, about: usize) -> Gossip {
        let member = self.view(of, about);
        Gossip {
            id: member.id,
            ping_sent_s: 0,
            pong_received_s: (self.now.0 / 1000) as u32,
            ip: member.address.ip,
            port: member.address.port,
            bus_port: member.address.bus_port,
            second_port: member.address.second_port,
            flags: NodeFlags(NodeFlags::MASTER),
        }
    }

    /// The heartbeats that a host sent, oldest first, and to whom.
    pub fn beats_of(&self, from: usize) -> Vec<(Option<usize>, &Packet, &Heartbeat)> {
        let sent = self.sent.iter().filter(|sent| sent.from == from);
        sent.filter_map(|sent| Some((sent.to, &sent.packet, heartbeat(&sent.packet.body)?)))
            .collect()
    }
}

/// PING, PONG or MEET.
fn heartbeat(body: &Body) -> Option<&Heartbeat> {
    match body {
        Body::Ping(heartbeat) | Body::Pong(heartbeat) | Body::Meet(heartbeat) => Some(heartbeat),
        Body::Fail { .. } | Body::Publish { .. } | Body::PublishShard { .. } => None,
        Body::AuthRequest | Body::AuthAck | Body::MfStart | Body::Module => None,
        Body::Update { .. } | Body::Unknown(_) => None,
    }
}

/// A heartbeat that says this about third nodes.
pub fn telling(entries: impl Into<Vec<Gossip>>) -> Heartbeat {
    Heartbeat {
        gossip: entries.into(),
        extensions: Vec::new(),
    }
}

/// An id that nobody has.
pub fn nobody() -> NodeId {
    NodeId::parse(&[b'z'; 40]).expect("an id")
}

/// Nothing to adjust.
pub fn as_is(_: &mut Header) {}

/// PING, PONG and MEET that say nothing but their header.
pub fn plain_beats() -> [Body; 3] {
    [
        Body::Ping(Heartbeat::default()),
        Body::Pong(Heartbeat::default()),
        Body::Meet(Heartbeat::default()),
    ]
}
