//! Limits of a node: clients, their silence, what they send and do not read; bus peers likewise.
//!
//! Each limit is upstream's, with its directive and its words, and is tried on the real process.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use slotquake_tests::bare::{BareNode, Line, wait_until};
use slotquake_workloads::client::resp::RespValue;

const HARNESS: &str = env!("CARGO_BIN_EXE_slotquake-under-test");

fn ok(line: &mut Line, words: &[&str]) {
    assert_eq!(line.text(words).as_deref(), Some("OK"), "{words:?}");
}

/// A node that owns all slots.
fn whole(options: &[&str]) -> BareNode {
    let node = BareNode::running(HARNESS, options);
    let mut line = node.line();
    ok(&mut line, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    wait_until("the cluster to be ok", || {
        let state = line.field(&["CLUSTER", "INFO"], "cluster_state");
        state.as_deref() == Some("ok")
    });
    node
}

#[test]
fn one_client_too_many_is_told_so_and_sent_away() {
    let node = BareNode::running(HARNESS, &["--maxclients", "5"]);
    let mut lines: Vec<Line> = (0..5).map(|_| node.line()).collect();
    for line in &mut lines {
        assert_eq!(line.text(&["PING"]).as_deref(), Some("PONG"));
    }
    let mut refused = node.line();
    let reply = refused.next_reply();
    let text = "ERR max number of clients reached";
    assert_eq!(reply, Some(RespValue::Error(text.into())));
    assert_eq!(refused.next_reply(), None, "and the connection is closed");
    let seen = lines[0].field(&["INFO", "stats"], "rejected_connections");
    assert_eq!(seen.as_deref(), Some("1"));
    ok(&mut lines[0], &["CONFIG", "SET", "maxclients", "6"]);
    let sixth = node.line().text(&["PING"]);
    assert_eq!(sixth.as_deref(), Some("PONG"));
    drop(lines.pop());
    wait_until("a place to be free", || {
        node.line().text(&["PING"]).as_deref() == Some("PONG")
    });
}

#[test]
fn a_client_that_says_nothing_for_too_long_is_sent_away_but_no_subscriber() {
    let node = BareNode::running(HARNESS, &["--timeout", "1"]);
    let mut silent = node.line();
    assert_eq!(silent.text(&["PING"]).as_deref(), Some("PONG"));
    let mut subscriber = node.line();
    subscriber.call(&["SUBSCRIBE", "c"]).unwrap();
    let mut blocked = node.line();
    blocked.stream.write_all(b"PING\r\n").unwrap();
    assert!(blocked.next_reply().is_some());
    assert_eq!(silent.next_reply(), None, "closed after a second");
    assert!(
        subscriber.call(&["PING"]).is_some(),
        "a subscriber may be silent"
    );
}

#[test]
fn a_request_longer_than_the_buffer_limit_ends_the_connection() {
    let node = BareNode::running(HARNESS, &["--client-query-buffer-limit", "1mb"]);
    let mut line = node.line();
    line.stream
        .write_all(b"*2\r\n$4\r\nECHO\r\n$20000000\r\n")
        .unwrap();
    let chunk = vec![b'x'; 64 << 10];
    let mut sent = 0_usize;
    while line.stream.write_all(&chunk).is_ok() && sent < 20_000_000 {
        sent += chunk.len();
    }
    assert!(sent < 20_000_000, "it took {sent} bytes");
    assert_eq!(node.line().text(&["PING"]).as_deref(), Some("PONG"));
}

#[test]
fn an_argument_longer_than_proto_max_bulk_len_is_refused() {
    let node = BareNode::running(HARNESS, &["--proto-max-bulk-len", "1mb"]);
    let mut line = node.line();
    line.stream
        .write_all(b"*2\r\n$4\r\nECHO\r\n$1048577\r\n")
        .unwrap();
    let text = "ERR Protocol error: invalid bulk length";
    assert_eq!(line.next_reply(), Some(RespValue::Error(text.into())));
    assert_eq!(line.next_reply(), None);
    let mut line = node.line();
    ok(&mut line, &["CONFIG", "SET", "proto-max-bulk-len", "2mb"]);
    line.stream
        .write_all(b"*2\r\n$4\r\nECHO\r\n$1048577\r\n")
        .unwrap();
    line.stream.write_all(&vec![b'x'; 1_048_577]).unwrap();
    line.stream.write_all(b"\r\n").unwrap();
    let Some(RespValue::Bulk(Some(echo))) = line.next_reply() else {
        panic!("an echo");
    };
    assert_eq!(echo.len(), 1_048_577);
}

#[test]
fn a_subscriber_that_does_not_read_is_sent_away_and_memory_stays_bounded() {
    let limit = "pubsub 2mb 1mb 60";
    let node = whole(&["--client-output-buffer-limit", limit]);
    let mut deaf = node.line();
    deaf.call(&["SUBSCRIBE", "c"]).unwrap();
    let mut loud = node.line();
    let message = "x".repeat(100_000);
    let mut count = 0;
    // Sockets hold some megabytes themselves.
    while loud.call(&["PUBLISH", "c", &message]) == Some(RespValue::Integer(1)) {
        count += 1;
        assert!(count < 1000, "100 MB were taken for a deaf subscriber");
    }
    assert!(
        node.resident_bytes() < 64 << 20,
        "{}",
        node.resident_bytes()
    );
}

#[test]
fn a_client_that_does_not_read_replies_is_not_read_from_either() {
    let node = whole(&[]);
    let mut line = node.line();
    ok(&mut line, &["SET", "k", &"x".repeat(1_000_000)]);
    let mut greedy = node.line();
    let request = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".repeat(2000);
    let writer = greedy.stream.try_clone().unwrap();
    writer.set_nonblocking(true).unwrap();
    let _as_much_as_fits = (&writer).write(&request).unwrap();
    writer.set_nonblocking(false).unwrap();
    for _ in 0..20 {
        assert_eq!(
            line.text(&["PING"]).as_deref(),
            Some("PONG"),
            "others are served"
        );
    }
    assert!(
        node.resident_bytes() < 128 << 20,
        "{}",
        node.resident_bytes()
    );
    let first = greedy.next_reply();
    assert!(matches!(first, Some(RespValue::Bulk(Some(bytes))) if bytes.len() == 1_000_000));
}

/// Many connections that say nothing, some that say half a request.
#[test]
fn a_thousand_idle_connections_cost_little() {
    let node = BareNode::running(HARNESS, &[]);
    let mut line = node.line();
    let before = node.resident_bytes();
    let idle: Vec<TcpStream> = (0..IDLE)
        .map(|number| {
            let mut stream = TcpStream::connect(("127.0.0.1", node.port)).unwrap();
            if number % 2 == 0 {
                stream
                    .write_all(b"*2\r\n$4\r\nECHO\r\n$1000000000")
                    .unwrap();
            }
            stream
        })
        .collect();
    let expected = (IDLE + 1).to_string();
    wait_until("all of them to be known", || {
        line.field(&["INFO", "clients"], "connected_clients")
            .as_deref()
            == Some(&expected)
    });
    let each = (node.resident_bytes() - before.min(node.resident_bytes())) / IDLE as u64;
    println!("{each} bytes of resident memory for an idle connection");
    assert!(each < 16 << 10, "{each} bytes each");
    drop(idle);
    wait_until("all of them to be gone", || {
        line.field(&["INFO", "clients"], "connected_clients")
            .as_deref()
            == Some("1")
    });
}

/// Proves BUS-08: nonsense on the bus ends that connection and nothing else.
#[test]
fn garbage_on_the_bus_ends_its_connection() {
    let node = BareNode::running(HARNESS, &[]);
    let huge = [b"RCmb".as_slice(), &u32::MAX.to_be_bytes(), &[0, 1]].concat();
    let short = [b"RCmb".as_slice(), &100_u32.to_be_bytes(), &[0, 1]].concat();
    for bytes in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), huge, short] {
        let mut peer = node.bus();
        peer.write_all(&bytes).unwrap();
        let mut end = [0; 16];
        let read = peer.read(&mut end);
        let is_closed = matches!(read, Ok(0)) || read.is_err_and(|error| error.kind() != TIMED_OUT);
        assert!(is_closed, "the connection stays open after {bytes:?}");
    }
    assert_eq!(node.line().text(&["PING"]).as_deref(), Some("PONG"));
}

/// Proves BUS-08: what a peer announces costs nothing before it comes.
#[test]
fn a_bus_peer_that_announces_much_and_sends_little_costs_little() {
    let node = BareNode::running(HARNESS, &[]);
    let before = node.resident_bytes();
    let head = [b"RCmb".as_slice(), &(60_u32 << 20).to_be_bytes(), &[0, 1]].concat();
    let peers: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut peer = node.bus();
            peer.write_all(&head).unwrap();
            peer.write_all(&[0; 4096]).unwrap();
            peer
        })
        .collect();
    let mut line = node.line();
    for _ in 0..50 {
        assert_eq!(line.text(&["PING"]).as_deref(), Some("PONG"));
    }
    let grown = node.resident_bytes().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes for {} peers", peers.len());
}

/// A request that comes byte by byte is read like any other.
#[test]
fn a_slow_sender_is_served() {
    let node = BareNode::running(HARNESS, &[]);
    let mut slow = node.line();
    for byte in b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n" {
        slow.stream.write_all(&[*byte]).unwrap();
        std::thread::park_timeout(Duration::from_millis(1));
    }
    let reply = slow.next_reply();
    assert_eq!(reply, Some(RespValue::Bulk(Some("hello".into()))));
}

const IDLE: usize = 1000;
const TIMED_OUT: std::io::ErrorKind = std::io::ErrorKind::WouldBlock;
