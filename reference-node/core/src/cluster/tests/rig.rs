//! The rig: hosts with a `Cluster` each, joined by wires that lose nothing unless cut.
//!
//! Packets travel through the codec and take no time; the clock jumps to the next wake-up. A host
//! keeps its nodes.conf over kill and restart. Nothing here checks anything: tests do. Hand-made
//! packets are made in [`probe`].

pub mod probe;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;

use crate::bus::codec;
use crate::bus::packet::{Body, Packet};
use crate::cluster::{
    Cluster, Effect, KeysBySlot, LinkFigures, Member, ReplicationFigures, Surroundings,
};
use crate::config::Config;
use crate::ids::{LinkId, NodeId};
use crate::output::{Durability, File, Output};
use crate::resp::Reply;
use crate::rng::Rng;
use crate::slot::Slot;
use crate::time::Millis;

pub const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Number of keys by slot; what is asked for them is their slot's number.
#[derive(Debug, Default, Clone)]
pub struct FakeKeys(pub BTreeMap<Slot, usize>);

impl KeysBySlot for FakeKeys {
    fn count_in_slot(&self, slot: Slot) -> usize {
        self.0.get(&slot).copied().unwrap_or(0)
    }

    fn keys_in_slot(&self, slot: Slot, count: usize) -> Vec<Bytes> {
        let key = Bytes::from(slot.number().to_string());
        vec![key; self.count_in_slot(slot).min(count)]
    }

    fn has_no_keys(&self) -> bool {
        self.0.values().sum::<usize>() == 0
    }
}

pub struct Host {
    pub cluster: Option<Cluster>,
    pub config: Config,
    pub keys: FakeKeys,
    pub replication: ReplicationFigures,
    pub nodes_conf: Option<Bytes>,
    /// Effects that are no outputs.
    pub effects: Vec<Effect>,
}

enum Event {
    Opened(LinkId),
    Accepted(LinkId),
    Packet(LinkId, Box<Packet>),
    Closed(LinkId),
}

/// A packet that left a host, and what was on that host's disk at that moment.
pub struct Sent {
    pub from: usize,
    /// Who gets it; none if nobody is at the other end.
    pub to: Option<usize>,
    pub link: LinkId,
    pub packet: Packet,
    pub nodes_conf: Bytes,
}

pub struct Rig {
    pub now: Millis,
    pub hosts: Vec<Host>,
    pub sent: Vec<Sent>,
    pub cuts: BTreeSet<(usize, usize)>,
    /// Hosts that were stopped: they can be connected to, but do nothing.
    pub paused: BTreeSet<usize>,
    /// Links that were asked for: by whom, to which port.
    pub opened: Vec<(usize, u16)>,
    /// Saves of nodes.conf: whose, and how surely.
    pub saves: Vec<(usize, Durability)>,
    wires: BTreeMap<(usize, LinkId), (usize, LinkId)>,
    queue: VecDeque<(usize, Event)>,
    held: VecDeque<(usize, Event)>,
    accepted: u64,
    boots: u64,
}

impl Rig {
    /// Hosts that do not know each other.
    pub fn strangers(count: usize) -> Rig {
        Rig::strangers_with(count, |_| {})
    }

    pub fn strangers_with(count: usize, adjust: impl Fn(&mut Config)) -> Rig {
        let mut rig = Rig {
            now: Millis(1_700_000_000_000),
            hosts: Vec::new(),
            sent: Vec::new(),
            cuts: BTreeSet::new(),
            paused: BTreeSet::new(),
            opened: Vec::new(),
            saves: Vec::new(),
            wires: BTreeMap::new(),
            queue: VecDeque::new(),
            held: VecDeque::new(),
            accepted: 0,
            boots: 0,
        };
        for index in 0..count {
            let mut config = Config {
                port: 7000 + index as u16,
                cluster_enabled: true,
                cluster_node_timeout: Millis(1000),
                cluster_writable_delay: Millis(0),
                ..Config::default()
            };
            adjust(&mut config);
            rig.hosts.push(Host {
                cluster: None,
                config,
                keys: FakeKeys::default(),
                replication: figures(rig.now),
                nodes_conf: None,
                effects: Vec::new(),
            });
            rig.start(index);
        }
        rig
    }

    /// Masters that share all slots, each with as many replicas, in state ok. The replicas of
    /// master `m` are hosts `masters + m`, `2 * masters + m`, and so on.
    pub fn cluster(masters: usize, replicas: usize) -> Rig {
        Rig::cluster_with(masters, replicas, |_| {})
    }

    pub fn cluster_with(masters: usize, replicas: usize, adjust: impl Fn(&mut Config)) -> Rig {
        let mut rig = Rig::strangers_with(masters * (1 + replicas), adjust);
        for index in 0..masters {
            let first = index * 16_384 / masters;
            let last = (index + 1) * 16_384 / masters - 1;
            rig.run(index, &format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1));
            rig.run(index, &format!("CLUSTER ADDSLOTSRANGE {first} {last}"));
        }
        for index in 1..rig.hosts.len() {
            rig.run(0, &format!("CLUSTER MEET 127.0.0.1 {}", 7000 + index));
        }
        let count = rig.hosts.len();
        rig.until("a full mesh", 20_000, |rig| {
            (0..count)
                .all(|index| rig.at(index).members().filter(|m| m.is_known()).count() == count)
        });
        for index in masters..count {
            let master = rig.id(index % masters);
            rig.run(index, &format!("CLUSTER REPLICATE {master}"));
        }
        rig.until("state ok, replicas known", 30_000, |rig| {
            let is_settled = |index| {
                let replicas = rig.at(index).members().filter(|m| m.is_replica()).count();
                rig.at(index).is_ok() && replicas == masters * replicas_per(count, masters)
            };
            (0..count).all(is_settled)
        });
        rig.run_for(2500);
        rig.sent.clear();
        rig
    }

    pub fn at(&self, index: usize) -> &Cluster {
        self.hosts[index].cluster.as_ref().expect("the host runs")
    }

    pub fn id(&self, index: usize) -> NodeId {
        self.at(index).my_id()
    }

    /// How one host sees another.
    pub fn view(&self, of: usize, about: usize) -> &Member {
        self.at(of)
            .member(self.id(about))
            .expect("it knows that node")
    }

    pub fn start(&mut self, index: usize) {
        self.boots += 1;
        let rng = Rng::new(self.boots * 7919 + index as u64);
        let host = &mut self.hosts[index];
        let mut fx = Vec::new();
        let cluster = Cluster::boot(
            &host.config,
            host.nodes_conf.as_deref(),
            rng,
            self.now,
            &mut fx,
        );
        host.cluster = Some(cluster.expect("a nodes.conf of its own"));
        self.carry_out(index, fx);
    }

    pub fn kill(&mut self, index: usize) {
        self.hosts[index].cluster = None;
        let mine: Vec<(usize, LinkId)> = self
            .wires
            .keys()
            .filter(|(host, _)| *host == index)
            .copied()
            .collect();
        for end in mine {
            self.unplug(end);
        }
        self.queue.retain(|(host, _)| *host != index);
        self.settle();
    }

    /// Packets between the two are lost, in both directions.
    pub fn cut(&mut self, a: usize, b: usize) {
        self.cuts.extend([(a, b), (b, a)]);
    }

    pub fn isolate(&mut self, index: usize) {
        for other in (0..self.hosts.len()).filter(|other| *other != index) {
            self.cut(index, other);
        }
    }

    pub fn heal(&mut self) {
        self.cuts.clear();
    }

    /// Runs a command; its reply.
    pub fn run(&mut self, index: usize, text: &str) -> Reply {
        let args: Vec<Bytes> = text
            .split(' ')
            .map(|arg| Bytes::copy_from_slice(arg.as_bytes()))
            .collect();
        let mut reply = Reply::None;
        self.with(index, |cluster, around, fx| {
            reply = cluster.command(&args, around, fx)
        });
        self.settle();
        reply
    }

    /// Hands a packet to a host on its inbound link from another.
    pub fn inject(&mut self, to: usize, from: usize, packet: Packet) {
        assert!(
            self.try_inject(to, from, packet),
            "host {from} has a link to {to}"
        );
    }

    /// The same, if there is such a link.
    pub fn try_inject(&mut self, to: usize, from: usize, packet: Packet) -> bool {
        let mut ends = self.wires.iter();
        let wire = ends
            .find(|((host, link), (peer, _))| *host == from && *peer == to && !link.is_inbound());
        let Some((_, (_, link))) = wire else {
            return false;
        };
        self.queue
            .push_back((to, Event::Packet(*link, Box::new(packet))));
        self.settle();
        true
    }

    pub fn run_for(&mut self, span_ms: u64) {
        let end = self.now + Millis(span_ms);
        while let Some(next) = self.next_wakeup().filter(|next| *next <= end) {
            self.wake_at(next);
        }
        self.now = end;
    }

    /// Runs until the condition holds; the time it took, ms.
    pub fn until(&mut self, what: &str, limit_ms: u64, holds: impl Fn(&Rig) -> bool) -> u64 {
        let begin = self.now;
        while !holds(self) {
            let next = self.next_wakeup().expect("somebody is awake");
            assert!(
                next.since(begin) <= Millis(limit_ms),
                "waited {limit_ms} ms for {what}"
            );
            self.wake_at(next);
        }
        self.now.since(begin).0
    }

    fn next_wakeup(&self) -> Option<Millis> {
        let awake = |index: &usize| !self.paused.contains(index);
        let running = (0..self.hosts.len()).filter(awake);
        running
            .filter_map(|index| self.hosts[index].cluster.as_ref())
            .map(|cluster| cluster.next_wakeup())
            .min()
    }

    fn wake_at(&mut self, at: Millis) {
        self.now = self.now.max(at);
        for index in 0..self.hosts.len() {
            let host = &self.hosts[index];
            let is_due = |cluster: &Cluster| cluster.next_wakeup() <= self.now;
            if host.cluster.as_ref().is_some_and(is_due) && !self.paused.contains(&index) {
                self.with(index, |cluster, around, fx| cluster.on_wake(around, fx));
                self.settle();
            }
        }
    }

    /// One input to one host, and the end of its turn.
    pub fn with(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Cluster, &Surroundings, &mut Vec<Effect>),
    ) {
        let host = &mut self.hosts[index];
        let Some(mut cluster) = host.cluster.take() else {
            return;
        };
        let mut fx = Vec::new();
        let around = Surroundings {
            now: self.now,
            config: &host.config,
            keyspace: &host.keys,
            replication: host.replication,
        };
        act(&mut cluster, &around, &mut fx);
        cluster.before_sleep(&around, &mut fx);
        host.cluster = Some(cluster);
        self.carry_out(index, fx);
    }

    fn settle(&mut self) {
        while let Some((index, event)) = self.queue.pop_front() {
            if self.paused.contains(&index) {
                self.held.push_back((index, event));
                continue;
            }
            self.with(index, |cluster, around, fx| match event {
                Event::Opened(link) => cluster.on_link_opened(link, LOCALHOST, around, fx),
                Event::Accepted(link) => {
                    cluster.on_link_accepted(link, LOCALHOST, LOCALHOST, around, fx);
                }
                Event::Packet(link, packet) => cluster.on_packet(link, &packet, around, fx),
                Event::Closed(link) => cluster.on_link_closed(link, around, fx),
            });
        }
    }

    fn carry_out(&mut self, index: usize, fx: Vec<Effect>) {
        for effect in fx {
            match effect {
                Effect::Do(output) => self.output(index, output),
                Effect::Follow(_) | Effect::Lead => {
                    self.hosts[index].effects.push(effect);
                }
                other => self.hosts[index].effects.push(other),
            }
        }
    }

    fn output(&mut self, index: usize, output: Output) {
        match output {
            Output::Persist {
                file,
                content,
                durability,
            } => {
                assert_eq!(file, File::NodesConf, "the room has one file");
                self.saves.push((index, durability));
                self.hosts[index].nodes_conf = Some(content.bytes());
            }
            Output::OpenLink { link, port, .. } => self.plug(index, link, port),
            Output::CloseLink { link } => self.unplug((index, link)),
            Output::SendPacket { link, packet } => self.transmit(index, link, *packet),
            Output::Log { .. } => {}
            other => panic!("the room does not ask for {other:?}"),
        }
    }

    fn plug(&mut self, from: usize, link: LinkId, port: u16) {
        self.opened.push((from, port));
        let to = usize::from(port).wrapping_sub(17_000);
        if self.cuts.contains(&(from, to)) {
            return;
        }
        if self.hosts.get(to).is_none_or(|host| host.cluster.is_none()) {
            self.queue.push_back((from, Event::Closed(link)));
            return;
        }
        self.accepted += 1;
        let other = LinkId::inbound(self.accepted);
        self.wires.insert((from, link), (to, other));
        self.wires.insert((to, other), (from, link));
        self.queue.push_back((to, Event::Accepted(other)));
        self.queue.push_back((from, Event::Opened(link)));
    }

    fn unplug(&mut self, end: (usize, LinkId)) {
        if let Some(other) = self.wires.remove(&end) {
            self.wires.remove(&other);
            self.queue.push_back((other.0, Event::Closed(other.1)));
        }
    }

    fn transmit(&mut self, from: usize, link: LinkId, packet: Packet) {
        let bytes = codec::encode(&packet);
        assert_eq!(
            codec::frame_length(&bytes),
            Ok(Some(bytes.len())),
            "frames fit"
        );
        let decoded = codec::decode(&bytes).expect("what is sent can be read");
        assert_eq!(decoded, packet, "what is read is what was sent");
        let nodes_conf = self.hosts[from].nodes_conf.clone().unwrap_or_default();
        let peer = self.wires.get(&(from, link)).copied();
        self.sent.push(Sent {
            from,
            to: peer.map(|(to, _)| to),
            link,
            packet,
            nodes_conf,
        });
        let Some((to, other)) = peer else {
            return;
        };
        if !self.cuts.contains(&(from, to)) {
            self.queue
                .push_back((to, Event::Packet(other, Box::new(decoded))));
        }
    }

    /// Votes that left: voter and epoch.
    pub fn votes(&self) -> Vec<(usize, u64)> {
        let acks = self
            .sent
            .iter()
            .filter(|sent| sent.packet.body == Body::AuthAck);
        acks.map(|sent| (sent.from, sent.packet.header.current_epoch.0))
            .collect()
    }

    /// A header as this host would send it now.
    pub fn header_of(&mut self, index: usize) -> crate::bus::Header {
        let mut header = None;
        self.with(index, |cluster, around, fx| {
            header = Some(cluster.header(&crate::cluster::turn::Turn::new(around, fx)));
        });
        header.expect("the host runs")
    }
}

fn replicas_per(count: usize, masters: usize) -> usize {
    count / masters - 1
}

fn figures(now: Millis) -> ReplicationFigures {
    // Far ahead of now, so that the link always seems alive.
    let last_interaction = now + Millis(1 << 40);
    ReplicationFigures {
        offset: 100,
        link: LinkFigures::Up { last_interaction },
    }
}

/// The text of an error.
pub fn error_text(reply: &Reply) -> &str {
    match reply {
        Reply::Error(text) => text,
        other => panic!("an error expected, got {other:?}"),
    }
}
