//! Builds recordings for tests: a small cluster told step by step, times in milliseconds.
//!
//! Three masters n1 to n3 own a third of the slots each and have the replicas n4 to n6. A step
//! changes the model or emits what the model says (heartbeats, views, operations); tests then break
//! one thing by hand.

use std::sync::Arc;

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::history::{Event, EventKind, Function, Value};
use crate::observation::bounds::MILLISECOND;
use crate::observation::{
    Body, Directives, Fault, FaultKind, FaultPhase, GossipEntry, Header, Lifecycle, LifecycleKind,
    NodeId, NodeName, NodeSetting, Packet, PacketKind, Server, Setting, SlotSet, View, ViewEntry,
};
use crate::recording::Recording;

/// A node of the model.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub master: Option<usize>,
    pub slots: SlotSet,
    pub config_epoch: u64,
    pub current_epoch: u64,
    pub offset: u64,
    pub is_up: bool,
    pub incarnation: u32,
    pub is_state_ok: bool,
    pub is_failed: bool,
}

/// The builder.
#[derive(Debug, Clone)]
pub(crate) struct RecordingBuilder {
    pub recording: Recording,
    pub nodes: Vec<Model>,
}

/// A completion of an operation.
pub(crate) enum Ends {
    Ok(Value),
    Fail,
    Info,
}

pub(crate) fn name(node: usize) -> NodeName {
    NodeName::numbered(node)
}

pub(crate) fn id(node: usize) -> NodeId {
    let letter = char::from(b'a' + u8::try_from(node - 1).unwrap());
    NodeId(letter.to_string().repeat(40).into())
}

fn address(node: usize, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, u8::try_from(node).unwrap()), port)
}

pub(crate) fn int(value: i64) -> Value {
    Value::Int(value)
}

pub(crate) fn ints(values: &[i64]) -> Value {
    Value::List(values.iter().copied().map(Value::Int).collect())
}

impl RecordingBuilder {
    /// A cluster of six that has just formed; nothing has happened.
    pub fn cluster(server: Server) -> RecordingBuilder {
        let slots = ["0-5460", "5461-10922", "10923-16383"];
        let model = |node: usize| Model {
            master: (node > 3).then(|| node - 3),
            slots: slots[(node - 1) % 3].parse().unwrap(),
            config_epoch: u64::try_from((node - 1) % 3 + 1).unwrap(),
            current_epoch: 3,
            offset: 100,
            is_up: true,
            incarnation: 1,
            is_state_ok: true,
            is_failed: false,
        };
        let setting = |node: usize| NodeSetting {
            name: name(node),
            address: address(node, 7000),
            bus_port: 17_000,
            server: server.clone(),
        };
        let setting = Setting {
            format: 1,
            world: "sim".into(),
            nodes: (1..=6).map(setting).collect(),
            node_timeout_ms: 1000,
            config: Directives::default(),
            bus_captured: true,
            bus_packets_lost: 0,
            canary_delay_ms: 1,
            cluster_ok_ms: 700,
            healed_at: None,
            ended_at: 0,
            datasets: Vec::new(),
        };
        RecordingBuilder {
            recording: Recording::empty(setting),
            nodes: (1..=6).map(model).collect(),
        }
    }

    /// A good run: load, a killed master, its failover, a restart, a final read.
    pub fn good() -> RecordingBuilder {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(0, 2000);
        run.add(1000, 0, "set", 1, 1);
        run.write(1100, 1, "r{1}", 7, 2);
        run.kill(2000, 1);
        run.calm(2100, 3500);
        run.fail(3450, 1, 2);
        run.calm(3500, 4000);
        run.elect(4100, 4, 4, &[2, 3]);
        run.calm(4200, 5000);
        run.restart_as_replica(5000, 1, 4);
        run.op(5500, 100, 2, Function::Add, "set", int(2), Ends::Info);
        run.calm(5100, 20_000);
        run.read(19_000, 0, "r{1}", int(7), 2);
        run.final_read(19_500, "set", ints(&[1, 2]), 4);
        run.final_read(19_600, "r{1}", int(7), 2);
        run.healed(6000);
        run
    }

    pub fn build(mut self) -> Recording {
        let recording = &mut self.recording;
        recording.events.unpacked().sort_by_key(|event| event.time);
        for (index, event) in recording.events.iter_mut().enumerate() {
            event.index = index as u64;
        }
        recording.packets.sort_by_key(|packet| packet.time);
        recording.views.sort_by_key(|view| view.time);
        let ended = recording.merged().last().map_or(0, |last| last.time());
        recording.setting.ended_at = ended;
        self.recording
    }

    pub fn node(&mut self, node: usize) -> &mut Model {
        &mut self.nodes[node - 1]
    }

    pub fn healed(&mut self, at: u64) {
        self.recording.setting.healed_at = Some(at * MILLISECOND);
    }

    /// Heartbeats and views every 100 ms.
    pub fn calm(&mut self, from: u64, until: u64) {
        for at in (from..until).step_by(100) {
            self.beat(at);
            self.views(at + 10);
        }
    }

    /// A heartbeat of every node to every other.
    pub fn beat(&mut self, at: u64) {
        for from in 1..=6 {
            for to in (1..=6).filter(|to| *to != from) {
                self.packet(at, from, to, PacketKind::Ping);
            }
        }
    }

    /// A packet as the model has it, on the link from one to the other; lost if either is down.
    pub fn packet(&mut self, at: u64, from: usize, to: usize, kind: PacketKind) {
        let model = &self.nodes[from - 1];
        if !model.is_up || !self.nodes[to - 1].is_up {
            return;
        }
        let body = match kind {
            PacketKind::Ping | PacketKind::Pong => Body::Gossip([].into()),
            _ => Body::Nothing,
        };
        let port = 30_000 + u16::try_from(to * 100).unwrap();
        self.recording.packets.push(Packet {
            time: at * MILLISECOND,
            delivered: Some((at + 1) * MILLISECOND),
            from: name(from),
            to: name(to),
            source: address(from, port + u16::try_from(model.incarnation).unwrap()),
            target: address(to, 17_000),
            kind,
            header: Header {
                sender: id(from),
                current_epoch: model.current_epoch,
                config_epoch: model.config_epoch,
                offset: model.offset,
                slots: model.slots.clone(),
                master: model.master.map(id),
                flags: if model.master.is_some() { 18 } else { 17 },
                message_flags: 0,
                state_ok: model.is_state_ok,
            },
            body,
        });
    }

    /// A view of every node that is up.
    pub fn views(&mut self, at: u64) {
        let entry = |node: usize, model: &Model| ViewEntry {
            id: id(node),
            address: format!("127.0.0.{node}:7000@17000"),
            flags: match (model.master.is_some(), model.is_failed) {
                (true, false) => "slave",
                (true, true) => "slave,fail",
                (false, false) => "master",
                (false, true) => "master,fail",
            }
            .into(),
            master: model.master.map(id),
            config_epoch: model.config_epoch,
            connected: true,
            slots: match model.master {
                Some(_) => SlotSet::default(),
                None => model.slots.clone(),
            },
            open_slots: Vec::new(),
        };
        let models = || (1..).zip(&self.nodes);
        let table: Vec<ViewEntry> = models().map(|(node, model)| entry(node, model)).collect();
        let views = models()
            .filter(|(_, model)| model.is_up)
            .map(|(node, model)| View {
                time: at * MILLISECOND,
                asked: (at - 5) * MILLISECOND,
                node: name(node),
                id: id(node),
                state_ok: model.is_state_ok,
                current_epoch: model.current_epoch,
                my_epoch: model.config_epoch,
                size: 3,
                table: Arc::new(table.clone()),
            });
        self.recording.views.extend(views);
    }

    /// An election: request, votes, promotion of the replica over its master.
    pub fn elect(&mut self, at: u64, candidate: usize, epoch: u64, voters: &[usize]) {
        self.request_and_vote(at, candidate, epoch, voters);
        self.promote(at + 20, candidate, epoch);
    }

    pub fn request_and_vote(&mut self, at: u64, candidate: usize, epoch: u64, voters: &[usize]) {
        self.node(candidate).current_epoch = epoch;
        for to in (1..=6).filter(|to| *to != candidate) {
            self.packet(at, candidate, to, PacketKind::AuthRequest);
        }
        for voter in voters {
            self.node(*voter).current_epoch = epoch;
            self.packet(at + 10, *voter, candidate, PacketKind::AuthAck);
        }
    }

    /// The other masters report a master to this one, which marks it and tells everybody.
    pub fn fail(&mut self, at: u64, failed: usize, by: usize) {
        let about = GossipEntry {
            id: id(failed),
            flags: 4,
        };
        for master in (1..=3).filter(|master| ![failed, by].contains(master)) {
            self.packet(at - 10, master, by, PacketKind::Ping);
            if let Some(report) = self.recording.packets.last_mut() {
                report.body = Body::Gossip([about.clone()].into());
            }
        }
        for to in (1..=6).filter(|to| *to != by) {
            let before = self.recording.packets.len();
            self.packet(at, by, to, PacketKind::Fail);
            for packet in &mut self.recording.packets[before..] {
                packet.body = Body::Failed(id(failed));
            }
        }
        self.node(failed).is_failed = true;
        for model in &mut self.nodes {
            model.is_state_ok = false;
        }
    }

    /// The replica claims its master's slots with this epoch; others follow.
    pub fn promote(&mut self, at: u64, candidate: usize, epoch: u64) {
        let old = self.node(candidate).master.take().expect("a replica");
        let slots = self.node(candidate).slots.clone();
        for node in 1..=6 {
            let model = self.node(node);
            model.current_epoch = model.current_epoch.max(epoch);
            if model.master == Some(old) {
                model.master = Some(candidate);
            }
        }
        self.node(candidate).config_epoch = epoch;
        for model in &mut self.nodes {
            model.is_state_ok = true;
        }
        for to in (1..=6).filter(|to| *to != candidate) {
            self.packet(at, candidate, to, PacketKind::Pong);
        }
        if self.node(old).is_up {
            let model = self.node(old);
            model.master = Some(candidate);
            model.config_epoch = epoch;
            model.slots = slots;
        } else {
            self.node(old).slots = SlotSet::default();
        }
    }

    /// The last request for votes becomes that of a manual failover.
    pub fn force_last_request(&mut self) {
        let requests = self.recording.packets.iter_mut();
        for packet in requests.filter(|packet| packet.kind == PacketKind::AuthRequest) {
            packet.header.message_flags = 2;
        }
    }

    pub fn kill(&mut self, at: u64, node: usize) {
        self.node(node).is_up = false;
        self.fault(at, 1, FaultKind::Kill, FaultPhase::Installed, node);
        self.lifecycle(at, node, LifecycleKind::Killed);
    }

    pub fn restart_as_replica(&mut self, at: u64, node: usize, of: usize) {
        let master = self.node(of).clone();
        let model = self.node(node);
        *model = Model {
            master: Some(of),
            incarnation: model.incarnation + 1,
            ..master
        };
        self.lifecycle(at, node, LifecycleKind::Started);
        self.fault(at, 1, FaultKind::Kill, FaultPhase::Healed, node);
    }

    pub fn lifecycle(&mut self, at: u64, node: usize, what: LifecycleKind) {
        let incarnation = self.node(node).incarnation;
        self.recording.lifecycles.push(Lifecycle {
            time: at * MILLISECOND,
            node: name(node),
            incarnation,
            what,
            detail: String::new(),
        });
    }

    pub fn fault(&mut self, at: u64, fault: u32, kind: FaultKind, phase: FaultPhase, node: usize) {
        let others = (1..=6).filter(|other| *other != node);
        let cuts = others.flat_map(|other| [(name(node), name(other)), (name(other), name(node))]);
        self.recording.faults.push(Fault {
            time: at * MILLISECOND,
            begun: at * MILLISECOND,
            id: fault,
            kind,
            phase,
            targets: vec![name(node)],
            cuts: match kind {
                FaultKind::Partition => cuts.collect(),
                _ => Vec::new(),
            },
            note: format!("{kind:?} n{node}"),
        });
    }

    /// A command to a node, sent and answered within a millisecond.
    pub fn ordered(&mut self, at: u64, node: usize, words: &str, reply: &str) {
        self.recording.faults.push(Fault {
            time: (at + 1) * MILLISECOND,
            begun: at * MILLISECOND,
            id: 1,
            kind: FaultKind::Reshard,
            phase: FaultPhase::Answered(reply.into()),
            targets: vec![name(node)],
            cuts: Vec::new(),
            note: words.into(),
        });
    }

    pub fn write(&mut self, at: u64, process: u32, key: &str, value: i64, node: usize) {
        let end = Ends::Ok(int(value));
        self.op(at, 5, process, Function::Write, key, int(value), end);
        self.at_node(node);
    }

    pub fn add(&mut self, at: u64, process: u32, key: &str, value: i64, node: usize) {
        let end = Ends::Ok(int(value));
        self.op(at, 5, process, Function::Add, key, int(value), end);
        self.at_node(node);
    }

    pub fn read(&mut self, at: u64, process: u32, key: &str, value: Value, node: usize) {
        self.op(
            at,
            5,
            process,
            Function::Read,
            key,
            Value::Nil,
            Ends::Ok(value),
        );
        self.at_node(node);
    }

    pub fn final_read(&mut self, at: u64, key: &str, value: Value, node: usize) {
        self.read(at, 99, key, value, node);
        for event in self.recording.events.iter_mut().rev().take(2) {
            event.final_read = true;
        }
    }

    fn at_node(&mut self, node: usize) {
        if let Some(last) = self.recording.events.last_mut() {
            last.node = Some(name(node));
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one line of a history, in its order"
    )]
    pub fn op(
        &mut self,
        at: u64,
        lasts: u64,
        process: u32,
        f: Function,
        key: &str,
        argument: Value,
        end: Ends,
    ) {
        let invoke = Event {
            index: 0,
            time: at * MILLISECOND,
            process,
            kind: EventKind::Invoke,
            f,
            key: Some(key.into()),
            value: argument.clone(),
            node: None,
            hops: Vec::new(),
            error: None,
            replicas: None,
            final_read: false,
        };
        let (kind, value) = match end {
            Ends::Ok(value) => (EventKind::Ok, value),
            Ends::Fail => (EventKind::Fail, argument),
            Ends::Info => (EventKind::Info, argument),
        };
        self.recording.events.push(invoke.clone());
        self.recording.events.push(Event {
            time: (at + lasts) * MILLISECOND,
            kind,
            value,
            ..invoke
        });
    }
}
