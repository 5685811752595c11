//! What goes into the replication stream: effects (RW-34).

use super::fixture::Fixture;

/// Proves RW-34.
#[test]
fn replicates_effects_in_place_of_what_would_differ_elsewhere() {
    for (line, expected) in [
        ("SET a 1 EX 10", "SET a 1 PXAT 1010000"),
        ("SETEX a 10 1", "SET a 1 PXAT 1010000"),
        ("EXPIRE n 10", "PEXPIREAT n 1010000"),
        ("EXPIRE n -1", "DEL n"),
        ("GETEX n PX 5", "PEXPIREAT n 1000005"),
        ("GETDEL n", "DEL n"),
        ("INCRBYFLOAT n 0.5", "SET n 1.5 KEEPTTL"),
        ("SPOP s 2", "DEL s"),
        ("HINCRBYFLOAT h f 0.5", "HSET h f 0.5"),
        ("LMPOP 1 l LEFT COUNT 5", "LPOP l 2"),
        ("ZMPOP 1 z MAX", "ZPOPMAX z 1"),
    ] {
        let mut node = Fixture::new();
        for line in ["SET n 1", "SADD s a b", "RPUSH l 1 2", "ZADD z 1 a"] {
            node.reply(line);
        }
        node.stream();
        node.reply(line);
        assert_eq!(node.stream(), [expected], "{line}");
    }
}

/// Proves RW-34.
#[test]
fn replicates_nothing_for_commands_that_changed_nothing() {
    let mut node = Fixture::new();
    node.reply("SADD s a");
    node.stream();
    for line in [
        "SADD s a",
        "SREM s b",
        "DEL nope",
        "SETNX s 1",
        "GET s",
        "EXPIRE nope 1",
    ] {
        node.reply(line);
        assert_eq!(node.stream(), [""; 0], "{line}");
    }
}

/// Proves RW-34.
#[test]
fn replicates_expired_keys_as_deletions() {
    let mut node = Fixture::new();
    node.reply("SET a 1 PX 100");
    node.stream();
    node.passes(101);
    assert_eq!(node.stream(), ["DEL a"]);
    node.server.is_active_expiry_off = true;
    node.reply("SET a 1 PX 100");
    node.stream();
    node.passes(200);
    assert_eq!(node.reply("SETNX a 2"), ":1");
    assert_eq!(node.stream(), ["MULTI", "DEL a", "SETNX a 2", "EXEC"]);
}

#[test]
fn a_replica_hides_due_keys_but_leaves_them_to_its_master() {
    let mut node = Fixture::new();
    node.cluster.is_replica = true;
    node.master_says("SET a 1 PXAT 1000100");
    node.passes(200);
    assert_eq!(node.reply("GET a"), "$-1");
    assert_eq!(node.keyspace.len(), 1);
    assert_eq!(node.reply("TTL a"), ":-2");
}

/// Proves UP-07.
#[test]
fn deletes_the_keys_of_a_lost_slot_one_by_one() {
    let mut node = Fixture::new();
    node.reply("SET {a}1 x");
    node.reply("SET {a}2 x");
    node.stream();
    let slot = crate::slot::Slot::of_key(b"a");
    node.on(|parts| crate::commands::delete_slot(parts, slot));
    assert_eq!(node.stream(), ["DEL {a}1", "DEL {a}2"]);
    assert!(node.keyspace.is_empty());
}
