//! A hand-made recording: six nodes, a killed master, an election, a partition, lost writes.

use std::sync::Arc;

use std::net::{Ipv4Addr, SocketAddrV4};

use slotquake_checkers::history::{Event, EventKind, Function, Value};
use slotquake_checkers::observation::setting::{NodeSetting, Server, Setting};
use slotquake_checkers::observation::{
    Body, Directives, Fault, FaultKind, FaultPhase, Header, Lifecycle, LifecycleKind, NodeId,
    NodeName, Packet, PacketKind, SlotSet, View, ViewEntry,
};
use slotquake_checkers::recording::Recording;

/// A master is killed at 5 s, its replica n4 is promoted at 7 s; n2 is cut off from 15 s to 20 s
/// and replaced by n5 at 17 s; adds that n2 acknowledged meanwhile are lost.
pub fn failover() -> Recording {
    let mut sample = Recording {
        setting: setting(),
        events: events().into(),
        packets: packets(),
        views: Vec::new(),
        faults: faults(),
        lifecycles: lifecycles(),
    };
    sample.views = views(&sample.packets);
    sample
}

fn setting() -> Setting {
    Setting {
        format: 1,
        world: "local".into(),
        nodes: (1..=6).map(node_setting).collect(),
        node_timeout_ms: 1_000,
        config: Directives::default(),
        bus_captured: true,
        bus_packets_lost: 0,
        canary_delay_ms: 3,
        cluster_ok_ms: 642,
        healed_at: Some(25 * SECOND),
        ended_at: 30 * SECOND,
        datasets: Vec::new(),
    }
}

fn node_setting(number: usize) -> NodeSetting {
    NodeSetting {
        name: NodeName::numbered(number),
        address: address(number),
        bus_port: 16_379,
        server: Server::Reference,
    }
}

fn address(number: usize) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(127, 0, 1, number as u8), 6_379)
}

fn id(number: usize) -> NodeId {
    NodeId(format!("{number:040x}").into())
}

/// Master of each node, its config epoch, and its slots if it is a master, at a time.
fn role(number: usize, time: u64) -> (Option<usize>, u64, &'static str) {
    let (after_kill, after_cut, healed) = (
        time >= 7 * SECOND,
        time >= 17 * SECOND,
        time >= 20 * SECOND + 300_000_000,
    );
    match number {
        1 if after_kill => (Some(4), 7, ""),
        1 => (None, 1, "0-5460"),
        2 if healed => (Some(5), 8, ""),
        2 => (None, 2, "5461-10922"),
        3 => (None, 3, "10923-16383"),
        4 if after_kill => (None, 7, "0-5460"),
        4 => (Some(1), 1, ""),
        5 if after_cut => (None, 8, "5461-10922"),
        5 => (Some(2), 2, ""),
        _ => (Some(3), 3, ""),
    }
}

fn is_down(number: usize, time: u64) -> bool {
    number == 1 && (5 * SECOND..11 * SECOND).contains(&time)
}

fn packets() -> Vec<Packet> {
    let mut packets = Vec::new();
    for time in (0..30 * SECOND).step_by(100_000_000) {
        for from in (1..=6).filter(|node| !is_down(*node, time)) {
            let to = from % 6 + 1;
            packets.push(packet(
                time + from as u64 * 1_000_000,
                from,
                to,
                PacketKind::Ping,
            ));
        }
    }
    for (start, failed, candidate, by, epoch) in
        [(6_400 * MS, 1, 4, 2, 7), (16_500 * MS, 2, 5, 3, 8)]
    {
        let mut fail = packet(start, by, candidate, PacketKind::Fail);
        fail.body = Body::Failed(id(failed));
        packets.push(fail);
        for voter in [1, 2, 3, 4]
            .into_iter()
            .filter(|node| ![failed, candidate].contains(node))
        {
            let mut ask = packet(start + 300 * MS, candidate, voter, PacketKind::AuthRequest);
            ask.header.current_epoch = epoch;
            packets.push(ask);
            let is_old_master = voter == 1 && epoch == 8;
            if !is_old_master && !is_down(voter, start) {
                let late = start + 304 * MS + voter as u64 * MS;
                let mut vote = packet(late, voter, candidate, PacketKind::AuthAck);
                vote.header.current_epoch = epoch;
                packets.push(vote);
            }
        }
    }
    packets.sort_by_key(|packet| packet.time);
    packets
}

fn packet(time: u64, from: usize, to: usize, kind: PacketKind) -> Packet {
    let (master, config_epoch, slots) = role(from, time);
    let slots: SlotSet = match master {
        Some(master) => role(master, 0).2.parse().unwrap(),
        None => slots.parse().unwrap(),
    };
    Packet {
        time,
        delivered: Some(time + 50_000),
        from: NodeName::numbered(from),
        to: NodeName::numbered(to),
        source: address(from),
        target: address(to),
        kind,
        header: Header {
            sender: id(from),
            current_epoch: config_epoch.max(3),
            config_epoch,
            offset: time / 1_000,
            slots,
            master: master.map(id),
            flags: if master.is_some() { 2 } else { 1 },
            message_flags: 0,
            state_ok: true,
        },
        body: Body::Nothing,
    }
}

fn views(packets: &[Packet]) -> Vec<View> {
    let mut views = Vec::new();
    for packet in packets
        .iter()
        .filter(|packet| packet.time % (500 * MS) < 10 * MS)
    {
        let number: usize = packet.from.0[1..].parse().unwrap();
        let cut = number == 2 && (15 * SECOND..20 * SECOND + 300 * MS).contains(&packet.time);
        let seen = if cut { 15 * SECOND } else { packet.time };
        views.push(View {
            time: packet.time,
            asked: packet.time - MS.min(packet.time),
            node: packet.from.clone(),
            id: id(number),
            state_ok: true,
            current_epoch: 8,
            my_epoch: packet.header.config_epoch,
            size: 3,
            table: Arc::new((1..=6).map(|node| entry(node, number, seen)).collect()),
        });
    }
    views
}

fn entry(node: usize, asked: usize, time: u64) -> ViewEntry {
    let (master, config_epoch, slots) = role(node, time);
    let flags = match (node == asked, master) {
        (true, None) => "myself,master",
        (true, Some(_)) => "myself,slave",
        (false, None) => "master",
        (false, Some(_)) => "slave",
    };
    ViewEntry {
        id: id(node),
        address: format!("{}@16379", address(node)),
        flags: flags.into(),
        master: master.map(id),
        config_epoch,
        connected: true,
        slots: slots.parse().unwrap(),
        open_slots: Vec::new(),
    }
}

fn fault(time: u64, number: u32, kind: FaultKind, phase: FaultPhase, note: &str) -> Fault {
    let target = if kind == FaultKind::Kill {
        1
    } else {
        2 + number as usize % 2
    };
    Fault {
        time,
        begun: time.saturating_sub(MS),
        id: number,
        kind,
        phase,
        targets: vec![NodeName::numbered(target)],
        cuts: Vec::new(),
        note: note.into(),
    }
}

fn faults() -> Vec<Fault> {
    use FaultKind::{Kill, Partition, Pause};
    let skipped = FaultPhase::Skipped("no second master may be cut while n2 is".into());
    vec![
        fault(
            5 * SECOND,
            1,
            Kill,
            FaultPhase::Installed,
            "kill n1 (master of 0-5460)",
        ),
        fault(11 * SECOND, 1, Kill, FaultPhase::Healed, "restart n1"),
        fault(
            15 * SECOND,
            2,
            Partition,
            FaultPhase::Installed,
            "isolate n2 (master of 5461-10922)",
        ),
        fault(18 * SECOND, 4, Partition, skipped, "isolate n3"),
        fault(
            20 * SECOND,
            2,
            Partition,
            FaultPhase::Healed,
            "reconnect n2",
        ),
        fault(
            23 * SECOND,
            3,
            Pause,
            FaultPhase::Installed,
            "pause n3 <master>",
        ),
        fault(23_600 * MS, 3, Pause, FaultPhase::Healed, "resume n3"),
    ]
}

fn lifecycles() -> Vec<Lifecycle> {
    let step = |time, node, incarnation, what| Lifecycle {
        time,
        node: NodeName::numbered(node),
        incarnation,
        what,
        detail: String::new(),
    };
    let mut steps: Vec<Lifecycle> = (1..=6)
        .map(|node| step(0, node, 1, LifecycleKind::Started))
        .collect();
    steps.push(step(5 * SECOND, 1, 1, LifecycleKind::Killed));
    steps.push(step(11 * SECOND, 1, 2, LifecycleKind::Started));
    steps
}

/// Keys of the sets, one on each shard; slots 3300, 7365 and 11731.
const KEYS: [&str; 3] = ["b", "c", "a"];

fn events() -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut sets: [Vec<Value>; 3] = Default::default();
    for number in 0..6_000_i64 {
        let (shard, time) = (number as usize % 3, 500 * MS + number as u64 * 4 * MS);
        let latency = 300_000 + (number as u64 * 7_919 % 97) * 15_000;
        let shard_down = shard == 0 && (5 * SECOND..7 * SECOND).contains(&time);
        let minority = shard == 1 && (15 * SECOND..16 * SECOND).contains(&time);
        let refused = shard == 1 && (16 * SECOND..17 * SECOND).contains(&time);
        let (kind, latency) = match (shard_down, refused) {
            (true, _) if time < 5_100 * MS => (EventKind::Info, SECOND),
            (true, _) | (_, true) => (EventKind::Fail, latency * 3),
            (false, false) => (EventKind::Ok, latency),
        };
        if kind == EventKind::Ok && !(minority && number % 9 == 1) {
            sets[shard].push(Value::Int(number));
        }
        let process = number as u32 % 300;
        let base = Event {
            index: 0,
            time,
            process,
            kind: EventKind::Invoke,
            f: Function::Add,
            key: Some(KEYS[shard].into()),
            value: Value::Int(number),
            node: None,
            hops: Vec::new(),
            error: None,
            replicas: None,
            final_read: false,
        };
        let mut done = base.clone();
        (done.time, done.kind) = (time + latency, kind);
        done.node = Some(NodeName::numbered([1, 2, 3][shard]));
        done.error = (kind != EventKind::Ok).then(|| "CLUSTERDOWN The cluster is down".into());
        events.extend([base, done]);
    }
    for (shard, elements) in sets.into_iter().enumerate() {
        events.extend(final_read(shard, elements));
    }
    events.sort_by_key(|event| event.time);
    for (index, event) in events.iter_mut().enumerate() {
        event.index = index as u64;
    }
    events
}

fn final_read(shard: usize, elements: Vec<Value>) -> [Event; 2] {
    let invoke = Event {
        index: 0,
        time: 29 * SECOND,
        process: 900 + shard as u32,
        kind: EventKind::Invoke,
        f: Function::Read,
        key: Some(KEYS[shard].into()),
        value: Value::Nil,
        node: None,
        hops: Vec::new(),
        error: None,
        replicas: None,
        final_read: true,
    };
    let mut done = invoke.clone();
    (done.time, done.kind, done.value) = (29_010 * MS, EventKind::Ok, Value::List(elements));
    [invoke, done]
}

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
