//! Clients that wait: for keys, for replicas, for the end of a pause.

use bytes::Bytes;

use super::fixture::{Fixture, node};
use crate::commands;
use crate::ids::ClientId;
use crate::time::Millis;

#[test]
fn serves_blocked_clients_in_the_order_they_came() {
    let mut node = Fixture::new();
    assert_eq!(node.says(2, "BLPOP a 0"), [""; 0]);
    assert_eq!(node.says(3, "BLPOP a 0"), [""; 0]);
    assert_eq!(node.says(1, "RPUSH a x"), ["1: :1", "2: *2 $1 a $1 x"]);
    assert_eq!(node.stream(), ["RPUSH a x", "LPOP a"]);
    assert_eq!(node.says(1, "RPUSH a y z"), ["1: :2", "3: *2 $1 a $1 y"]);
}

#[test]
fn keeps_a_client_blocked_while_its_key_has_another_type() {
    let mut node = Fixture::new();
    node.says(2, "BLPOP a 0");
    assert_eq!(node.says(1, "SET a x"), ["1: +OK"]);
    node.says(1, "DEL a");
    assert_eq!(node.says(1, "LPUSH a x"), ["1: :1", "2: *2 $1 a $1 x"]);
}

#[test]
fn passes_an_element_on_through_blocked_movers() {
    let mut node = Fixture::new();
    node.says(2, "BLMOVE {k}1 {k}2 LEFT LEFT 0");
    node.says(3, "BLPOP {k}2 0");
    let replies = node.says(1, "RPUSH {k}1 x");
    assert_eq!(replies, ["1: :1", "2: $1 x", "3: *2 $4 {k}2 $1 x"]);
}

#[test]
fn runs_what_a_blocked_client_sent_meanwhile_when_its_wait_ends() {
    let mut node = Fixture::new();
    node.says(2, "BLPOP a 0.5");
    assert_eq!(node.says(2, "PING"), [""; 0]);
    assert_eq!(node.passes(600), ["2: *-1", "2: +PONG"]);
}

#[test]
fn closes_a_blocked_client_that_sends_too_much_ahead() {
    let mut node = Fixture::new();
    node.says(2, "BLPOP a 0");
    let megabyte = Bytes::from(vec![b'x'; 1 << 20]);
    let mut replies = Vec::new();
    for _ in 0..1024 {
        let args = vec![Bytes::from_static(b"ECHO"), megabyte.clone()];
        replies.extend(node.on(|parts| commands::client_command(parts, ClientId(2), args)));
    }
    let closing = "log: Closing client that reached max query buffer length";
    assert_eq!(replies, [closing, "2: closed"]);
}

#[test]
fn never_blocks_inside_a_transaction() {
    let mut node = Fixture::new();
    node.reply("MULTI");
    node.reply("BLPOP a 0");
    assert_eq!(node.reply("EXEC"), "*1 *-1");
}

/// Proves RD-13.
#[test]
fn redirects_a_blocked_client_within_about_a_second_of_its_slot_moving() {
    let mut server = Fixture::new();
    server.says(2, "BLPOP a 0");
    server.cluster.owner = Some(node('c'));
    assert_eq!(server.passes(1100), ["2: -MOVED 15495 10.0.0.9:7000"]);
    server.cluster.owner = Some(node('a'));
    server.says(2, "BLPOP a 0");
    server.cluster.is_ok = false;
    assert_eq!(server.passes(1100), ["2: -CLUSTERDOWN The cluster is down"]);
}

/// Proves RP-12.
#[test]
fn sends_blocked_clients_away_when_it_becomes_a_replica() {
    let mut node = Fixture::new();
    node.says(2, "BLPOP a 0");
    let text = "2: -UNBLOCKED force unblock from blocking operation, instance state changed \
                (master -> replica?)";
    assert_eq!(node.on(commands::demoted), [text, "2: closed"]);
}

/// Proves MF-05, MF-11 and MF-18: reads go on.
#[test]
fn holds_back_writes_and_runs_them_in_order_when_the_pause_ends() {
    let mut node = Fixture::new();
    let until = node.now + Millis(10_000);
    node.on(|parts| commands::pause_writes(parts, until));
    assert_eq!(node.says(1, "SET a 1"), [""; 0]);
    assert_eq!(node.says(2, "INCR a"), [""; 0]);
    assert_eq!(node.says(3, "GET a"), ["3: $-1"]);
    assert_eq!(node.on(commands::resume_writes), ["1: +OK", "2: :2"]);
}

/// Proves MF-05.
#[test]
fn does_not_expire_keys_while_writes_are_paused() {
    let mut node = Fixture::new();
    node.reply("SET a 1 PX 100");
    let until = node.now + Millis(1000);
    node.on(|parts| commands::pause_writes(parts, until));
    node.stream();
    node.passes(500);
    assert_eq!(node.reply("GET a"), "$-1", "a due key is hidden");
    assert_eq!(node.stream(), [""; 0], "but nothing is replicated");
    node.passes(600);
    assert_eq!(node.stream(), ["DEL a"]);
}

/// Proves RW-38.
#[test]
fn wait_ends_when_enough_replicas_acknowledged_or_time_is_up() {
    let mut node = Fixture::new();
    node.reply("SET a 1");
    assert_eq!(node.reply("WAIT 1 1000"), "nothing");
    node.replication.acked = 1;
    assert_eq!(node.on(commands::replicas_acknowledged), ["1: :1"]);
    assert_eq!(node.reply("WAIT 2 100"), "nothing");
    assert_eq!(node.passes(100), ["1: :1"]);
}

#[test]
fn client_pause_holds_back_what_it_says_until_its_end() {
    let mut node = Fixture::new();
    node.reply("CLIENT PAUSE 100 WRITE");
    assert_eq!(node.says(2, "SET a 1"), [""; 0]);
    assert_eq!(node.says(3, "PING"), ["3: +PONG"]);
    assert_eq!(node.passes(100), ["2: +OK"]);
    node.reply("CLIENT PAUSE 1000 WRITE");
    node.says(2, "SET a 2");
    assert_eq!(node.says(1, "CLIENT UNPAUSE"), ["1: +OK", "2: +OK"]);
}
