//! ASKING, READONLY and refusals on the way of a command.

use super::fixture::{Fixture, node};

/// Proves SM-07.
#[test]
fn asking_lasts_for_one_command() {
    let mut server = Fixture::new();
    server.cluster.owner = Some(node('c'));
    server.cluster.importing = Some(node('c'));
    assert_eq!(server.reply("SET a 1"), "-MOVED 15495 10.0.0.9:7000");
    assert_eq!(server.reply("ASKING"), "+OK");
    assert_eq!(server.reply("SET a 1"), "+OK");
    assert_eq!(server.reply("SET a 1"), "-MOVED 15495 10.0.0.9:7000");
}

/// Proves SM-07.
#[test]
fn asking_covers_a_whole_transaction() {
    let mut server = Fixture::new();
    server.cluster.owner = Some(node('c'));
    server.cluster.importing = Some(node('c'));
    for line in ["ASKING", "MULTI", "SET a 1", "INCR a"] {
        server.reply(line);
    }
    assert_eq!(server.reply("EXEC"), "*2 +OK :2");
    assert_eq!(server.reply("GET a"), "-MOVED 15495 10.0.0.9:7000");
}

/// Proves RD-14, RD-15.
#[test]
fn readonly_serves_reads_of_my_masters_slots_until_readwrite() {
    let mut server = Fixture::new();
    server.cluster.is_replica = true;
    server.cluster.owner = Some(node('b'));
    assert_eq!(server.reply("GET a"), "-MOVED 15495 10.0.0.9:7000");
    server.reply("READONLY");
    assert_eq!(server.reply("GET a"), "$-1");
    assert_eq!(server.reply("SET a 1"), "-MOVED 15495 10.0.0.9:7000");
    server.reply("READWRITE");
    assert_eq!(server.reply("GET a"), "-MOVED 15495 10.0.0.9:7000");
}

/// Proves RD-20.
#[test]
fn checks_arity_before_routing_and_replicas_after_it() {
    let mut server = Fixture::new();
    server.config.min_replicas_to_write = 1;
    server.cluster.owner = Some(node('c'));
    let arity = "-ERR wrong number of arguments for 'set' command";
    assert_eq!(server.reply("SET a"), arity);
    assert_eq!(server.reply("SET a 1"), "-MOVED 15495 10.0.0.9:7000");
    server.cluster.owner = Some(node('a'));
    assert_eq!(
        server.reply("SET a 1"),
        "-NOREPLICAS Not enough good replicas to write."
    );
    server.config.min_replicas_max_lag_s = 0;
    assert_eq!(server.reply("SET a 1"), "+OK");
    server.config.min_replicas_max_lag_s = 10;
    server.replication.good = 1;
    assert_eq!(server.reply("SET a 1"), "+OK");
}

#[test]
fn a_replica_refuses_writes_that_no_redirection_covers() {
    let mut server = Fixture::new();
    server.cluster.is_replica = true;
    let refused = "-READONLY You can't write against a read only replica.";
    assert_eq!(server.reply("FLUSHALL"), refused);
}

/// Proves RP-09, RP-10, RD-16.
#[test]
fn the_masters_commands_are_applied_whatever_the_slots_say() {
    let mut server = Fixture::new();
    server.cluster.is_replica = true;
    server.cluster.owner = Some(node('c'));
    server.cluster.is_ok = false;
    server.master_says("SET a 1 PXAT 1");
    assert_eq!(
        server.keyspace.len(),
        1,
        "only the master deletes what is due"
    );
    server.master_says("DEL a");
    assert!(server.keyspace.is_empty());
    assert_eq!(
        server.stream(),
        [""; 0],
        "a replica hands on bytes, not commands"
    );
}

/// Proves RD-02: whatever the state of the cluster and of the slots.
#[test]
fn serves_commands_without_keys_whatever_the_cluster_is_like() {
    let mut server = Fixture::new();
    server.reply("SET a 1");
    server.cluster.owner = None;
    server.cluster.is_ok = false;
    for (line, expected) in [
        ("PING", "+PONG"),
        ("ECHO hello", "$5 hello"),
        ("DBSIZE", ":1"),
        ("KEYS *", "*1 $1 a"),
        ("RANDOMKEY", "$1 a"),
        ("PUBLISH c hello", ":0"),
        ("WAIT 0 0", ":0"),
        ("FLUSHALL", "+OK"),
    ] {
        assert_eq!(server.reply(line), expected, "{line}");
    }
    let down = "-CLUSTERDOWN Hash slot not served";
    assert_eq!(server.reply("GET a"), down);
}

/// Proves RD-08: counted as rejected, not executed, and the client is as it was.
#[test]
fn a_redirection_changes_nothing_but_a_counter() {
    let mut server = Fixture::new();
    server.cluster.is_replica = true;
    server.cluster.owner = Some(node('b'));
    for line in ["CLIENT SETNAME me", "READONLY"] {
        assert_eq!(server.reply(line), "+OK");
    }
    for _ in 0..2 {
        assert_eq!(server.reply("INCR a"), "-MOVED 15495 10.0.0.9:7000");
    }
    assert_eq!(server.keyspace.len(), 0);
    assert_eq!(server.stream(), [""; 0]);
    assert_eq!(server.reply("CLIENT GETNAME"), "$2 me");
    assert_eq!(server.reply("GET a"), "$-1", "still READONLY");
    let stats = server.reply("INFO commandstats");
    let counted = "cmdstat_incr:calls=0,usec=0,usec_per_call=0.00,rejected_calls=2,failed_calls=0";
    assert!(stats.contains(counted), "{stats}");
    let errors = server.reply("INFO errorstats");
    assert!(errors.contains("errorstat_MOVED:count=2"), "{errors}");
}

/// Proves RD-19: stale data, or MASTERDOWN where that is forbidden; CLUSTERDOWN comes first.
#[test]
fn a_replica_without_its_master_reads_stale_data_unless_forbidden() {
    let mut server = Fixture::new();
    server.master_says("SET a 1");
    server.cluster.is_replica = true;
    server.cluster.owner = Some(node('b'));
    server.reply("READONLY");
    assert_eq!(server.reply("GET a"), "$1 1");
    server.config.replica_serve_stale_data = false;
    let stale = "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    assert_eq!(server.reply("GET a"), stale);
    assert_eq!(server.reply("PING"), stale);
    assert!(server.reply("INFO server").contains("redis_version"));
    server.cluster.is_ok = false;
    assert_eq!(server.reply("GET a"), "-CLUSTERDOWN The cluster is down");
}

/// Proves CF-01.
#[test]
fn refuses_cluster_commands_outside_cluster_mode() {
    let mut server = Fixture::new();
    server.config.cluster_enabled = false;
    for line in ["CLUSTER INFO", "ASKING", "READONLY", "READWRITE"] {
        let refused = "-ERR This instance has cluster support disabled";
        assert_eq!(server.reply(line), refused, "{line}");
    }
}

/// Proves RP-01, RP-14.
#[test]
fn refuses_what_a_cluster_does_not_have() {
    let mut server = Fixture::new();
    for (line, refused) in [
        (
            "REPLICAOF a 1",
            "-ERR REPLICAOF not allowed in cluster mode.",
        ),
        ("SELECT 1", "-ERR SELECT is not allowed in cluster mode"),
        ("SWAPDB 0 1", "-ERR SWAPDB is not allowed in cluster mode"),
        ("MOVE a 1", "-ERR MOVE is not allowed in cluster mode"),
        (
            "COPY {a}1 {a}2 DB 1",
            "-ERR Copying to another database is not allowed in cluster mode",
        ),
    ] {
        assert_eq!(server.reply(line), refused, "{line}");
    }
}

/// Proves PU-02, PU-04.
#[test]
fn publishes_over_the_bus_and_not_in_the_stream() {
    let mut server = Fixture::new();
    server.says(2, "SUBSCRIBE c");
    let replies = server.says(1, "PUBLISH c hello");
    assert_eq!(replies, ["2: *3 $7 message $1 c $5 hello", "1: :1"]);
    assert_eq!(server.cluster.published, 1);
    assert_eq!(server.stream(), [""; 0]);
}

/// Proves PU-09: the reply counts who heard it here; the message comes as `smessage`.
#[test]
fn a_shard_message_is_counted_where_it_was_published() {
    let mut server = Fixture::new();
    assert_eq!(server.reply("SPUBLISH c hello"), ":0");
    for client in [2, 3] {
        server.says(client, "SSUBSCRIBE c");
    }
    let replies = server.says(1, "SPUBLISH c hello");
    let push = "*3 $8 smessage $1 c $5 hello";
    assert_eq!(
        replies,
        [&format!("2: {push}"), &format!("3: {push}"), "1: :2"]
    );
    assert_eq!(server.cluster.published, 2);
    assert_eq!(
        server.says(1, "PUBLISH c hello"),
        ["1: :0"],
        "another name space"
    );
}

/// Proves PU-12, PU-13.
#[test]
fn tells_subscribers_of_a_shard_channel_that_its_slot_went_away() {
    let mut server = Fixture::new();
    assert_eq!(
        server.says(2, "SSUBSCRIBE c"),
        ["2: *3 $10 ssubscribe $1 c :1"]
    );
    assert_eq!(server.on(crate::commands::slots_changed), [""; 0]);
    server.cluster.owner = Some(node('c'));
    let told = server.on(crate::commands::slots_changed);
    assert_eq!(told, ["2: *3 $12 sunsubscribe $1 c :0"]);
}

/// Proves PU-11.
#[test]
fn never_redirects_sunsubscribe_without_channels() {
    let mut server = Fixture::new();
    server.cluster.owner = Some(node('c'));
    assert_eq!(server.reply("SUNSUBSCRIBE"), "*3 $12 sunsubscribe $-1 :0");
}
