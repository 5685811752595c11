//! MULTI, EXEC and WATCH.

use super::fixture::{Fixture, node};

#[test]
fn runs_queued_commands_at_exec_and_replicates_them_as_one() {
    let mut node = Fixture::new();
    assert_eq!(node.reply("MULTI"), "+OK");
    assert_eq!(node.reply("SET a 1"), "+QUEUED");
    assert_eq!(node.reply("INCR a"), "+QUEUED");
    assert_eq!(node.stream(), [""; 0]);
    assert_eq!(node.reply("EXEC"), "*2 +OK :2");
    assert_eq!(node.stream(), ["MULTI", "SET a 1", "INCR a", "EXEC"]);
}

#[test]
fn replicates_a_transaction_of_one_write_without_wrapping_it() {
    let mut node = Fixture::new();
    for line in ["MULTI", "GET a", "SET a 1", "EXEC"] {
        node.reply(line);
    }
    assert_eq!(node.stream(), ["SET a 1"]);
}

#[test]
fn aborts_when_another_client_changed_a_watched_key() {
    let mut node = Fixture::new();
    node.reply("WATCH a");
    node.says(2, "SET a 1");
    node.reply("MULTI");
    node.reply("GET a");
    assert_eq!(node.reply("EXEC"), "*-1");
    node.reply("WATCH a");
    node.says(2, "SADD other x");
    node.reply("MULTI");
    assert_eq!(node.reply("EXEC"), "*0", "an untouched key does not abort");
}

#[test]
fn aborts_when_a_watched_key_expired_meanwhile() {
    let mut node = Fixture::new();
    node.reply("SET a 1 PX 100");
    node.reply("WATCH a");
    node.reply("MULTI");
    node.passes(200);
    assert_eq!(node.reply("EXEC"), "*-1");
}

/// Proves RD-10.
#[test]
fn tells_a_redirection_when_queueing_and_aborts_at_exec() {
    let mut server = Fixture::new();
    server.reply("MULTI");
    server.cluster.owner = Some(node('c'));
    assert_eq!(server.reply("SET a 1"), "-MOVED 15495 10.0.0.9:7000");
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(server.reply("EXEC"), aborted);
    assert_eq!(server.reply("EXEC"), "-ERR EXEC without MULTI");
}

/// Proves RD-11.
#[test]
fn redirects_exec_itself_when_the_slot_moved_meanwhile() {
    let mut server = Fixture::new();
    server.reply("MULTI");
    server.reply("SET a 1");
    server.cluster.owner = Some(node('c'));
    assert_eq!(server.reply("EXEC"), "-MOVED 15495 10.0.0.9:7000");
    assert_eq!(server.reply("DISCARD"), "-ERR DISCARD without MULTI");
    assert_eq!(server.stream(), [""; 0]);
}

/// Proves RD-11.
#[test]
fn refuses_a_transaction_over_several_slots() {
    let mut node = Fixture::new();
    for line in ["MULTI", "SET a 1", "SET b 1"] {
        node.reply(line);
    }
    assert_eq!(
        node.reply("EXEC"),
        "-CROSSSLOT Keys in request don't hash to the same slot"
    );
}

#[test]
fn forgets_a_half_received_transaction_of_the_master() {
    let mut node = Fixture::new();
    node.cluster.is_replica = true;
    assert_eq!(node.master_says("MULTI"), crate::commands::Applied::Queued);
    node.master_says("SET a 1");
    node.on(crate::commands::master_link_lost);
    assert_eq!(node.master_says("SET b 1"), crate::commands::Applied::Now);
    assert_eq!(node.keyspace.len(), 1, "only what was complete is there");
}
