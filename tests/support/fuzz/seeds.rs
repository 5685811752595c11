//! Inputs to start from where nobody has a corpus: one of each kind, made by our own encoders.
//!
//! The committed corpus began with these, with payloads and files of real servers of three
//! versions, and with what a coverage-guided fuzzer made of them.

use slotquake_checkers::history::binary::BinaryWriter;
use slotquake_checkers::history::edn;
use std::sync::Arc;

use bytes::Bytes;
use slotquake_core::bus::codec::encode;
use slotquake_core::bus::packet::{
    Body, Extension, Gossip, Header, Heartbeat, MessageFlags, NodeFlags, Packet,
};
use slotquake_core::epoch::{ConfigEpoch, CurrentEpoch};
use slotquake_core::ids::NodeId;
use slotquake_core::slot::{Slot, SlotSet};

use super::rig::{IDS, Part, nodes_conf};
use crate::sample;

/// Inputs for the target of this name.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "bus_codec" => packets().iter().map(encode).collect(),
        "bus_node" => stories(),
        "resp_request" => texts(REQUESTS),
        "resp_reply" => texts(REPLIES),
        "nodes_conf" => files(),
        "rdb_dump" => vec![b"\x00\x05hello".to_vec(), b"\x01\x02\x01a\x01b".to_vec()],
        "rdb_file" => vec![b"REDIS0009\xfe\x00\x00\x01k\x01v".to_vec()],
        "upstream" => texts(MASTERS),
        "history" => histories(),
        other => panic!("no target is called {other}"),
    }
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn files() -> Vec<Vec<u8>> {
    let [a, b, ..] = IDS;
    let plain = nodes_conf(Part::Master);
    let named = plain.replace(
        "17002 master",
        "17002,host-b,tls-port=0,shard-id=".to_owned().as_str(),
    );
    let named = named.replacen("shard-id=", &format!("shard-id={b} master"), 1);
    let open = plain.replace("0-5460", &format!("0-5459 5460 [93->-{b}] [7000-<-{b}]"));
    let odd = format!(
        "vars currentEpoch 6 lastVoteEpoch 6 other 1\n\n{a} :7000 myself,slave,nofailover {b} 0 1 \
         3 connected\n{b} ::1:7001@17001 fail,master,noaddr - 1 0 9 disconnected\n"
    );
    [plain, nodes_conf(Part::Replica), named, open, odd]
        .map(String::into_bytes)
        .into()
}

fn histories() -> Vec<Vec<u8>> {
    let sample = sample::failover();
    let mut files: Vec<(&'static str, Vec<u8>)> = Vec::new();
    for name in [
        "history.jsonl",
        "views.jsonl",
        "faults.jsonl",
        "lifecycle.jsonl",
    ] {
        let mut cut = sample.clone();
        cut.events.unpacked().truncate(12);
        cut.views.truncate(2);
        cut.faults.truncate(4);
        let mut found = Vec::new();
        let shared = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        cut.write(|file| Ok(Sink(shared.clone(), file == name)))
            .expect("memory");
        found.append(&mut shared.borrow_mut());
        files.push((name, found));
    }
    let mut seeds: Vec<Vec<u8>> = files.into_iter().map(|(_, bytes)| bytes).collect();
    let mut binary = BinaryWriter::new(Vec::new()).expect("memory");
    let mut text = Vec::new();
    for event in sample.events.iter().take(12) {
        binary.write(&event).expect("memory");
        edn::write(&mut text, &event).expect("memory");
    }
    seeds.extend([binary.finish().expect("memory"), text]);
    seeds.push(
        b"INFO  jepsen.util - 0\t:invoke\t:cas\t[0 1]\nINFO  jepsen.util - 0\t:ok\t:cas\t[0 1]\n"
            .to_vec(),
    );
    seeds
}

/// Keeps what is written to the one file of interest.
struct Sink(std::rc::Rc<std::cell::RefCell<Vec<u8>>>, bool);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.1 {
            self.0.borrow_mut().extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn id(index: usize) -> NodeId {
    NodeId::parse(IDS[index].as_bytes()).expect("an id")
}

fn slots(first: u64, last: u64) -> Arc<SlotSet> {
    let slot = |number| Slot::new(number).expect("a slot");
    let mut slots = SlotSet::default();
    slots.insert_range(slot(first), slot(last));
    Arc::new(slots)
}

// From the node of this index in the rig's cluster.
fn header(sender: usize, current_epoch: u64) -> Header {
    let thirds = [(0, 5460), (5461, 10_922), (10_923, 16_383)];
    let master = [None, None, None, Some(0), Some(1)][sender];
    let range = thirds[master.unwrap_or(sender)];
    Header {
        sender: Some(id(sender)),
        port: 7001 + sender as u16,
        bus_port: 17_001 + sender as u16,
        second_port: 0,
        current_epoch: CurrentEpoch(current_epoch),
        config_epoch: ConfigEpoch(1 + master.unwrap_or(sender) as u64),
        offset: 0,
        slots: slots(range.0, range.1),
        master: master.map(id),
        ip: None,
        flags: NodeFlags(if master.is_some() { 2 } else { 1 }),
        state_ok: true,
        message_flags: MessageFlags::default(),
    }
}

fn heartbeat(about: usize) -> Heartbeat {
    let gossip = Gossip {
        id: id(about),
        ping_sent_s: 0,
        pong_received_s: 900,
        ip: Some([127, 0, 0, 1].into()),
        port: 7001 + about as u16,
        bus_port: 17_001 + about as u16,
        second_port: 0,
        flags: NodeFlags(9),
    };
    Heartbeat {
        gossip: vec![gossip],
        extensions: Vec::new(),
    }
}

fn named(about: usize) -> Heartbeat {
    let forgotten = Extension::ForgottenNode {
        id: id(4),
        ttl_s: 60,
    };
    let extensions = vec![
        Extension::Hostname("host-1".into()),
        Extension::HumanNodename("n1".into()),
        forgotten,
        Extension::ShardId(id(0)),
    ];
    Heartbeat {
        extensions,
        ..heartbeat(about)
    }
}

fn bodies() -> Vec<Body> {
    let word = |text: &'static str| Bytes::from_static(text.as_bytes());
    vec![
        Body::Ping(heartbeat(2)),
        Body::Pong(named(2)),
        Body::Meet(heartbeat(0)),
        Body::Fail {
            failed: Some(id(2)),
        },
        Body::Publish {
            channel: word("c"),
            message: word("hello"),
        },
        Body::AuthRequest,
        Body::AuthAck,
        Body::Update {
            owner: Some(id(1)),
            config_epoch: ConfigEpoch(8),
            slots: slots(5000, 10_922),
        },
        Body::MfStart,
        Body::Module,
        Body::PublishShard {
            channel: word("c"),
            message: word("hello"),
        },
        Body::Unknown(11),
    ]
}

fn packets() -> Vec<Packet> {
    let with_extensions = |body: &Body| matches!(body, Body::Pong(_));
    let packets = bodies().into_iter().map(|body| {
        let mut header = header(1, 5);
        header.message_flags.ext_data = with_extensions(&body);
        Packet { header, body }
    });
    packets.collect()
}

/// Short sequences: what one node says, an election, a takeover of slots, a collision of epochs.
fn stories() -> Vec<Vec<u8>> {
    let from = |sender, epoch, body| Packet {
        header: header(sender, epoch),
        body,
    };
    let mut request = from(4, 6, Body::AuthRequest);
    request.header.message_flags.force_ack = true;
    let fail = from(
        2,
        5,
        Body::Fail {
            failed: Some(id(1)),
        },
    );
    let mut promoted = from(4, 6, Body::Pong(heartbeat(1)));
    promoted.header.master = None;
    promoted.header.flags = NodeFlags(1);
    promoted.header.config_epoch = ConfigEpoch(6);
    let mut collision = from(2, 6, Body::Ping(heartbeat(1)));
    collision.header.config_epoch = ConfigEpoch(1);
    let stories = [
        vec![from(1, 5, Body::Ping(heartbeat(2)))],
        vec![fail, request.clone(), promoted.clone()],
        vec![request, promoted, from(1, 5, Body::Ping(heartbeat(4)))],
        vec![collision, from(3, 6, Body::MfStart)],
        packets().into_iter().take(4).collect(),
        packets().into_iter().skip(4).take(4).collect(),
    ];
    let bytes = |story: &Vec<Packet>| story.iter().flat_map(encode).collect();
    stories.iter().map(bytes).collect()
}

const REQUESTS: &[&str] = &[
    "*1\r\n$4\r\nPING\r\n",
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
    "*0\r\n*-1\r\n\r\nPING\r\n",
    "SET \"a\\x41\\n\" 'it\\'s' plain\r\n",
    "*1\r\n$512000000\r\n",
    "*1000000000\r\n$1\r\n",
    "*11\r\n$20000\r\n",
    "*1\r\n+x\r\n",
];

const REPLIES: &[&str] = &[
    "+OK\r\n-MOVED 1 127.0.0.1:7000\r\n:-5\r\n$5\r\nhello\r\n$-1\r\n*-1\r\n",
    "*2\r\n*2\r\n:0\r\n:5460\r\n*1\r\n$1\r\na\r\n",
    "%1\r\n+k\r\n,1.5\r\n~1\r\n#t\r\n_\r\n=7\r\ntxt:abc\r\n>1\r\n(123\r\n!3\r\nERR\r\n",
    "|1\r\n+a\r\n+b\r\n:1\r\n",
    "*16777216\r\n:1\r\n",
    "$536870912\r\n",
];

const MASTERS: &[&str] = &[
    "+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+FULLRESYNC 6666666666666666666666666666666666666666 7\r\n\
     $28\r\nREDIS0009\u{7f}",
    "+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+CONTINUE 6666666666666666666666666666666666666666\r\n\
     *1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
    "+PONG\r\n-NOAUTH x\r\n",
    "-LOADING Redis is loading\r\n",
];
