//! Pipelines, on nodes that say what a test wants.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slotquake_checkers::history::EventKind;
use slotquake_workloads::client::resp::RespParser;

use super::*;

/// A node that gives one answer to each request; none ends the connection.
struct Node {
    address: SocketAddrV4,
    connections: Arc<AtomicUsize>,
}

impl Node {
    fn start(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Node {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let (connections, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || serve(stream, port, &*answer));
            }
        });
        Node {
            address,
            connections,
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, port: u16, answer: &dyn Fn(&str) -> Option<String>) {
    let (mut parser, mut bytes) = (RespParser::default(), [0; 4096]);
    while let Ok(length @ 1..) = stream.read(&mut bytes) {
        parser.feed(&bytes[..length]);
        while let Ok(Some(RespValue::Array(Some(words)))) = parser.next_reply() {
            let words: Vec<&str> = words.iter().filter_map(RespValue::text).collect();
            let said = match words.as_slice() {
                ["CLUSTER", "SLOTS"] => Some(format!(
                    "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n"
                )),
                words => answer(&words.join(" ")),
            };
            let Some(said) = said else {
                return;
            };
            if stream.write_all(said.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn fleet(pipeline: usize, node: &Node) -> Fleet {
    let size = Size {
        clients: 1,
        pipeline,
        haste: Haste::Latency,
    };
    Fleet::open(size, vec![node.address]).expect("a fleet")
}

/// Waits until so many operations are over, and gives how each process's ended.
fn ended(fleet: &mut Fleet, count: usize) -> BTreeMap<Process, (EventKind, String)> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut ended = BTreeMap::new();
    while ended.len() < count {
        assert!(
            Instant::now() < deadline,
            "only these ended in 10 s: {ended:?}"
        );
        fleet.wait(Duration::from_millis(20)).expect("it waits");
        while let Some((process, outcome)) = fleet.take_done() {
            let error = outcome.error.unwrap_or_default();
            ended.insert(process, (outcome.kind, error));
        }
    }
    ended
}

fn ok() -> (EventKind, String) {
    (EventKind::Ok, String::new())
}

fn write(number: u32) -> Op {
    Op::write(format!("k{number}").into(), i64::from(number))
}

#[test]
fn the_processes_of_a_client_share_its_connection() {
    let node = Node::start(|_| Some("+OK\r\n".into()));
    let mut fleet = fleet(4, &node);
    for round in 0..3 {
        for process in 0..4 {
            fleet.invoke(process, &write(process + round));
        }
        let ended = ended(&mut fleet, 4);
        assert!(ended.values().all(|end| *end == ok()), "{ended:?}");
    }
    assert_eq!(node.connections(), 1);
}

#[test]
fn a_watch_has_a_connection_that_no_other_process_uses() {
    let node = Node::start(|request| match request {
        "GET k" => Some("$1\r\n1\r\n".into()),
        "EXEC" => Some("*1\r\n+OK\r\n".into()),
        _ => Some("+OK\r\n".into()),
    });
    let mut fleet = fleet(2, &node);
    fleet.invoke(0, &write(7));
    fleet.invoke(1, &Op::cas("k".into(), 1, 2));
    let ended = ended(&mut fleet, 2);
    assert!(ended.values().all(|end| *end == ok()), "{ended:?}");
    assert_eq!(node.connections(), 2);
}

#[test]
fn a_broken_connection_leaves_the_whole_pipeline_unknown() {
    let asked = AtomicUsize::new(0);
    // The first write is answered, the fourth one ends the connection.
    let node = Node::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Some("+OK\r\n".into()),
        1 | 2 => Some(String::new()),
        _ => None,
    });
    let mut fleet = fleet(4, &node);
    for process in 0..4 {
        fleet.invoke(process, &write(process));
    }
    let ended = ended(&mut fleet, 4);
    let lost = (EventKind::Info, "connection lost".to_string());
    assert_eq!(ended.values().filter(|end| **end == ok()).count(), 1);
    assert_eq!(ended.values().filter(|end| **end == lost).count(), 3);
}

#[test]
fn who_loses_patience_takes_the_connection_from_the_others() {
    let node = Node::start(|_| Some(String::new()));
    let mut fleet = fleet(2, &node);
    let hasty = Op {
        patience_ms: 60,
        ..write(0)
    };
    fleet.invoke(0, &hasty);
    fleet.invoke(1, &write(1));
    let ended = ended(&mut fleet, 2);
    assert_eq!(ended[&0], (EventKind::Info, "timed out".into()));
    assert_eq!(ended[&1], (EventKind::Info, "connection lost".into()));
}

#[test]
fn a_redirection_is_followed_by_its_own_operation_alone() {
    let other = Node::start(|_| Some("+OK\r\n".into()));
    let (to, slot) = (
        other.address,
        slotquake_checkers::observation::slots::slot_of_key(b"k2"),
    );
    let node = Node::start(move |request| match request {
        "SET k2 2" => Some(format!("-MOVED {slot} {to}\r\n")),
        _ => Some("+OK\r\n".into()),
    });
    let mut fleet = fleet(4, &node);
    for process in 0..4 {
        fleet.invoke(process, &write(process));
    }
    let ended = ended(&mut fleet, 4);
    assert!(ended.values().all(|end| *end == ok()), "{ended:?}");
    assert_eq!((node.connections(), other.connections()), (1, 1));
}

#[test]
fn nobody_listening_is_a_refusal_and_no_doubt() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("it listens").port();
    drop(listener);
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let size = Size {
        clients: 1,
        pipeline: 1,
        haste: Haste::Throughput,
    };
    let mut fleet = Fleet::open(size, vec![address]).expect("a fleet");
    fleet.invoke(0, &write(1));
    let ended = ended(&mut fleet, 1);
    assert_eq!(ended[&0].0, EventKind::Fail, "{ended:?}");
}
