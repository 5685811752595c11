//! MIGRATE: what is sent, what the answers do, and who waits meanwhile.

use bytes::Bytes;

use super::fixture::Fixture;
use crate::commands::{self, migrate};
use crate::ids::{ClientId, PeerId};
use crate::input::PeerEvent;
use crate::time::Millis;

const PEER: PeerId = PeerId(1);

impl Fixture {
    fn peer_opens(&mut self) -> Vec<String> {
        self.on(|parts| migrate::happened(parts, PEER, PeerEvent::Opened))
    }

    fn peer_says(&mut self, text: &'static str) -> Vec<String> {
        self.on(|parts| migrate::happened(parts, PEER, PeerEvent::Bytes(text.into())))
    }

    fn peer_breaks(&mut self, peer: PeerId) -> Vec<String> {
        self.on(|parts| migrate::happened(parts, peer, PeerEvent::Closed))
    }

    /// Client 1 sends `MIGRATE h 7 <rest>`, with `""` for the empty key.
    fn migrates(&mut self, rest: &str) -> Vec<String> {
        let words = format!("MIGRATE h 7 {rest}");
        let args = words.split(' ').map(|word| match word {
            "\"\"" => Bytes::new(),
            word => Bytes::copy_from_slice(word.as_bytes()),
        });
        let args = args.collect();
        self.on(|parts| commands::client_command(parts, ClientId(1), args))
    }
}

/// A node whose MIGRATE of `{k}1` and `{k}2` has been sent and not answered.
fn under_way(options: &str) -> Fixture {
    let mut node = Fixture::new();
    node.reply("MSET {k}1 x {k}2 y");
    let opens = node.migrates(&format!("\"\" 0 500 {options}KEYS {{k}}1 {{k}}2 {{k}}3"));
    assert_eq!(opens, ["peer 1: h:7"]);
    node.peer_opens();
    node.stream();
    node
}

#[test]
fn acknowledged_keys_are_deleted_and_replicated_as_one_del() {
    let mut node = Fixture::new();
    node.reply("MSET {k}1 x {k}2 y");
    node.reply("PEXPIRE {k}2 300");
    node.stream();
    let opens = node.migrates("\"\" 0 500 KEYS {k}1 {k}2 {k}3");
    assert_eq!(opens, ["peer 1: h:7"]);
    let sent = "peer 1: SELECT 0 RESTORE-ASKING {k}1 0 <13> RESTORE-ASKING {k}2 300 <13>";
    assert_eq!(node.peer_opens(), [sent]);
    assert_eq!(node.peer_says("+OK\r\n+OK\r\n+O"), [""; 0]);
    assert_eq!(node.peer_says("K\r\n"), ["1: +OK"]);
    assert_eq!(node.stream(), ["DEL {k}1 {k}2"]);
    assert_eq!(node.reply("EXISTS {k}1 {k}2"), ":0");
}

#[test]
fn a_kept_connection_is_used_again_without_select_and_closed_after_ten_seconds() {
    let mut node = under_way("");
    node.peer_says("+OK\r\n+OK\r\n+OK\r\n");
    node.reply("SET a 1");
    let sent = "peer 1: RESTORE-ASKING a 0 <13> REPLACE";
    assert_eq!(node.migrates("a 0 500 REPLACE"), [sent]);
    assert_eq!(node.peer_says("+OK\r\n"), ["1: +OK"]);
    assert_eq!(node.passes(10_000), [""; 0]);
    assert_eq!(node.passes(1), ["peer 1: closed"]);
}

#[test]
fn copy_keeps_the_keys() {
    let mut node = under_way("COPY ");
    assert_eq!(node.peer_says("+OK\r\n+OK\r\n+OK\r\n"), ["1: +OK"]);
    assert_eq!(node.stream(), [""; 0]);
    assert_eq!(node.reply("EXISTS {k}1 {k}2"), ":2");
}

#[test]
fn authenticates_first_and_moves_nothing_if_that_fails() {
    let mut node = Fixture::new();
    node.reply("SET a 1");
    node.migrates("a 3 500 AUTH2 me secret");
    let sent = "peer 1: AUTH me secret SELECT 3 RESTORE-ASKING a 0 <13>";
    assert_eq!(node.peer_opens(), [sent]);
    let reply = node.peer_says("-WRONGPASS no\r\n+OK\r\n+OK\r\n");
    assert_eq!(
        reply,
        ["1: -ERR Target instance replied with error: WRONGPASS no"]
    );
    assert_eq!(node.reply("EXISTS a"), ":1");
}

#[test]
fn a_key_the_target_refused_stays() {
    let mut node = under_way("");
    let reply = node.peer_says("+OK\r\n-BUSYKEY Target key name already exists.\r\n+OK\r\n");
    let text =
        "1: -ERR Target instance replied with error: BUSYKEY Target key name already exists.";
    assert_eq!(reply, [text]);
    assert_eq!(node.stream(), ["DEL {k}2"]);
    assert_eq!(node.reply("EXISTS {k}1 {k}2"), ":1");
}

#[test]
fn bad_requests_are_refused_in_upstreams_words() {
    let mut node = Fixture::new();
    node.reply("SET a 1");
    for (rest, reply) in [
        ("b 0 500", "1: +NOKEY"),
        ("a 0 500 NONSENSE", "1: -ERR syntax error"),
        ("a 0 500 AUTH", "1: -ERR syntax error"),
        (
            "a 0 soon",
            "1: -ERR value is not an integer or out of range",
        ),
        (
            "a 0 500 KEYS a",
            "1: -ERR When using MIGRATE KEYS option, the key argument must be set to the empty \
             string",
        ),
    ] {
        assert_eq!(node.migrates(rest), [reply], "{rest}");
    }
}

#[test]
fn connecting_and_reading_have_their_timeouts() {
    let mut node = Fixture::new();
    node.reply("SET a 1");
    node.migrates("a 0 500");
    let late = [
        "peer 1: closed",
        "1: -IOERR error or timeout connecting to the client",
    ];
    assert_eq!(node.passes(500), late);
    let mut node = under_way("");
    node.peer_says("+OK\r\n+OK\r\n");
    let late = [
        "peer 1: closed",
        "1: -IOERR error or timeout reading to target instance",
    ];
    assert_eq!(node.passes(500), late);
    assert_eq!(
        node.stream(),
        ["DEL {k}1"],
        "what was acknowledged has gone"
    );
}

#[test]
fn a_broken_connection_is_tried_once_more_unless_a_key_was_answered() {
    let mut node = under_way("");
    assert_eq!(node.peer_breaks(PEER), ["peer 2: h:7"]);
    let refused = ["1: -IOERR error or timeout connecting to the client"];
    assert_eq!(node.peer_breaks(PeerId(2)), refused);
    let mut node = under_way("");
    node.peer_says("+OK\r\n+OK\r\n");
    let broken = ["1: -IOERR error or timeout reading to target instance"];
    assert_eq!(node.peer_breaks(PEER), broken);
}

#[test]
fn nobody_touches_keys_on_their_way() {
    let mut node = under_way("");
    assert_eq!(node.says(2, "SET {k}1 new"), [""; 0]);
    assert_eq!(node.says(3, "GET other"), ["3: $-1"]);
    assert_eq!(node.says(3, "MIGRATE h 7 other 0 500"), [""; 0]);
    let replies = node.peer_says("+OK\r\n+OK\r\n+OK\r\n");
    assert_eq!(replies, ["1: +OK", "2: +OK", "3: +NOKEY"]);
    assert_eq!(node.stream(), ["DEL {k}1 {k}2", "SET {k}1 new"]);
}

#[test]
fn a_blocked_mover_waits_for_keys_on_their_way() {
    let mut node = Fixture::new();
    node.reply("RPUSH {k}1 x");
    node.says(2, "BLMOVE {k}0 {k}1 LEFT RIGHT 0");
    node.migrates("{k}1 0 500");
    node.peer_opens();
    assert_eq!(node.says(3, "RPUSH {k}0 y"), ["3: :1"]);
    let replies = node.peer_says("+OK\r\n-NO\r\n");
    let error = "1: -ERR Target instance replied with error: NO";
    assert_eq!(replies, [error, "2: $1 y"]);
}

/// Proves RP-09, RP-12.
#[test]
fn a_node_that_becomes_a_replica_deletes_nothing() {
    let mut node = under_way("");
    node.says(2, "GET {k}1");
    node.cluster.is_replica = true;
    let replies = node.on(commands::demoted);
    assert_eq!(replies[0], "peer 1: closed");
    assert!(replies[1].starts_with("1: -UNBLOCKED"), "{replies:?}");
    assert_eq!(node.peer_says("+OK\r\n+OK\r\n+OK\r\n"), [""; 0]);
    assert_eq!(node.stream(), [""; 0]);
}

/// Proves MF-05.
#[test]
fn deletes_nothing_while_writes_are_paused() {
    let mut node = under_way("");
    let until = node.now + Millis(2000);
    node.on(|parts| commands::pause_writes(parts, until));
    assert_eq!(node.peer_says("+OK\r\n+OK\r\n+OK\r\n"), [""; 0]);
    assert_eq!(node.passes(1000), [""; 0]);
    assert_eq!(node.stream(), [""; 0]);
    assert_eq!(node.on(commands::resume_writes), ["1: +OK"]);
    assert_eq!(node.stream(), ["DEL {k}1 {k}2"]);
}

#[test]
fn goes_on_when_its_client_is_gone() {
    let mut node = under_way("");
    node.on(|parts| commands::client_closed(parts, ClientId(1)));
    node.peer_says("+OK\r\n+OK\r\n+OK\r\n");
    assert_eq!(node.stream(), ["DEL {k}1 {k}2"]);
}

#[test]
fn a_target_that_sends_an_endless_line_is_given_up() {
    let mut node = under_way("");
    let line: &'static str = Box::leak("x".repeat(100_000).into_boxed_str());
    let replies = node.peer_says(line);
    let broken = "1: -IOERR error or timeout reading to target instance";
    assert_eq!(replies, ["peer 1: closed", broken]);
}
