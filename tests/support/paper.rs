//! A cluster on paper: nodes that exist in one nodes.conf only, and a bus port that plays them all.
//!
//! The node under test connects to them there; whatever it says is kept ([`Heard`]). They speak to
//! it over connections to its own bus port ([`Speaker`]): heartbeats with any epochs, and requests
//! for votes. Everything is made with the node's own codec.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use slotquake_core::bus::codec;
use slotquake_core::bus::packet::{Body, Header, Heartbeat, MessageFlags, NodeFlags, Packet};
use slotquake_core::epoch::{ConfigEpoch, CurrentEpoch};
use slotquake_core::ids::NodeId;
use slotquake_core::slot::{Slot, SlotSet};

/// Masters on paper; each has one replica.
pub const MASTERS: u64 = 4;
/// The first slot of the first of them; each has [`SLOTS_EACH`].
pub const SLOTS_FROM: u64 = 8_000;
/// Slots of each master.
pub const SLOTS_EACH: u64 = 2_000;

/// What the node under test said on the bus.
#[derive(Debug, Default)]
pub struct Heard {
    /// Links that it opened.
    pub links: u64,
    /// The epochs of its votes.
    pub votes: Vec<u64>,
    /// The greatest currentEpoch in any of its packets.
    pub current_epoch: u64,
    /// The greatest configEpoch in any of its packets.
    pub config_epoch: u64,
}

impl Heard {
    /// An epoch in which it voted twice.
    pub fn vote_given_twice(&self) -> Option<u64> {
        let mut seen = BTreeSet::new();
        self.votes
            .iter()
            .copied()
            .find(|epoch| !seen.insert(*epoch))
    }
}

/// The bus port of the nodes on paper.
pub struct Paper {
    /// The port.
    pub port: u16,
    heard: Arc<Mutex<Heard>>,
}

impl Paper {
    /// Listens, until the process ends.
    pub fn listen() -> Paper {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let shared = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), heard) = (stream, shared.clone()) else {
                    return;
                };
                std::thread::spawn(move || listen_to(stream, &heard));
            }
        });
        Paper { port, heard }
    }

    /// Looks at what was heard so far.
    pub fn heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.heard.lock().unwrap())
    }

    /// A connection to the bus port of the node under test, if it listens.
    pub fn speak_to(&self, bus_port: u16) -> Option<Speaker> {
        let stream = TcpStream::connect(("127.0.0.1", bus_port)).ok()?;
        let port = self.port;
        Some(Speaker { stream, port })
    }

    /// nodes.conf of the node under test: `myself` has this id, these ports and slots from 0 to
    /// `slots_to`; all others are here.
    pub fn nodes_conf(&self, myself: &str, ports: (u16, u16), slots_to: u64) -> String {
        let (port, bus_port) = ports;
        let mut text = format!(
            "{myself} 127.0.0.1:{port}@{bus_port} myself,master - 0 0 1 connected 0-{slots_to}\n"
        );
        for master in 0..MASTERS {
            let (id, replica) = (master_id(master), replica_id(master));
            let (first, last) = range(master);
            let (epoch, here) = (2 + master, format!("127.0.0.1:1@{}", self.port));
            text += &format!("{id} {here} master - 0 0 {epoch} connected {first}-{last}\n");
            text += &format!("{replica} {here} slave {id} 0 0 {epoch} connected\n");
        }
        text + "vars currentEpoch 5 lastVoteEpoch 0\n"
    }
}

fn listen_to(mut stream: TcpStream, heard: &Mutex<Heard>) {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    heard.lock().unwrap().links += 1;
    loop {
        while let Ok(Some(length)) = codec::frame_length(&bytes) {
            if bytes.len() < length {
                break;
            }
            let packet = codec::decode(&bytes[..length]).expect("a node sends packets");
            bytes.drain(..length);
            let mut heard = heard.lock().unwrap();
            let (current, config) = (packet.header.current_epoch.0, packet.header.config_epoch.0);
            heard.current_epoch = heard.current_epoch.max(current);
            heard.config_epoch = heard.config_epoch.max(config);
            if packet.body == Body::AuthAck {
                heard.votes.push(current);
            }
        }
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// A connection on which the nodes on paper speak to the node under test.
pub struct Speaker {
    stream: TcpStream,
    /// Where they say that they listen.
    port: u16,
}

impl Speaker {
    /// The replica of a master asks for a vote, as for a manual failover.
    pub fn ask_for_vote(&mut self, master: u64, epoch: u64) -> Option<()> {
        let mut header = self.header(master, epoch);
        header.sender = Some(id(&replica_id(master)));
        header.master = Some(id(&master_id(master)));
        header.flags = NodeFlags(NodeFlags::SLAVE);
        header.message_flags.force_ack = true;
        self.send(Packet {
            header,
            body: Body::AuthRequest,
        })
    }

    /// A master says that the clock of the cluster stands at this epoch.
    pub fn tell_epoch(&mut self, master: u64, epoch: u64) -> Option<()> {
        self.send(Packet {
            header: self.header(master, epoch),
            body: Body::Ping(Heartbeat::default()),
        })
    }

    fn send(&mut self, packet: Packet) -> Option<()> {
        self.stream.write_all(&codec::encode(&packet)).ok()
    }

    fn header(&self, master: u64, current_epoch: u64) -> Header {
        let (first, last) = range(master);
        let slot = |number| Slot::new(number).unwrap();
        let mut slots = SlotSet::default();
        slots.insert_range(slot(first), slot(last));
        Header {
            sender: Some(id(&master_id(master))),
            port: 1,
            bus_port: self.port,
            second_port: 0,
            current_epoch: CurrentEpoch(current_epoch),
            config_epoch: ConfigEpoch(2 + master),
            offset: 0,
            slots: slots.into(),
            master: None,
            ip: None,
            flags: NodeFlags(NodeFlags::MASTER),
            state_ok: true,
            message_flags: MessageFlags::default(),
        }
    }
}

/// The id of a master.
pub fn master_id(master: u64) -> String {
    format!("{master}").repeat(40)
}

fn replica_id(master: u64) -> String {
    format!("{master}a").repeat(20)
}

fn id(text: &str) -> NodeId {
    NodeId::parse(text.as_bytes()).unwrap()
}

fn range(master: u64) -> (u64, u64) {
    let first = SLOTS_FROM + master * SLOTS_EACH;
    (first, first + SLOTS_EACH - 1)
}
