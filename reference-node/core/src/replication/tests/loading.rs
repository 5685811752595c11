//! Snapshots that take their time, on either side.

use super::{Millis, Pair, SECOND};
use crate::commands::ReplicationDoor;
use crate::replication::LoadState;

fn slow(pace: &str) -> Pair {
    let mut pair = Pair::new();
    pair.master.set("a", "1", &mut Vec::new());
    pair.master.set("b", "2", &mut Vec::new());
    for side in [&mut pair.master, &mut pair.replica] {
        side.config.other.insert(pace.into(), "1500000".into());
    }
    pair.pass(SECOND);
    pair
}

fn load_state(pair: &Pair) -> LoadState {
    pair.replica.room.load_state_now(&pair.replica.config)
}

/// Proves RP-13: until it is loaded, a replica has no offset and no link.
#[test]
fn data_that_is_being_loaded_counts_for_nothing() {
    let mut pair = slow("key-load-delay");
    assert_eq!(load_state(&pair), LoadState::Loading);
    assert_eq!(pair.replica.room.figures().offset, 0);
    assert!(!pair.is_linked());
    pair.set("c", "3");
    pair.pass(Millis(1900));
    assert!(!pair.is_linked());
    pair.pass(SECOND + SECOND);
    assert_eq!(load_state(&pair), LoadState::Idle);
    pair.assert_same();
}

#[test]
fn loading_that_is_hurried_on_is_done_at_once() {
    let mut pair = slow("key-load-delay");
    pair.replica.config.other.remove("key-load-delay");
    pair.pass(Millis(0));
    pair.assert_same();
}

#[test]
fn a_link_that_breaks_while_loading_leaves_the_old_data() {
    let mut pair = slow("key-load-delay");
    pair.cut();
    pair.pass(Millis(5));
    assert_eq!(load_state(&pair), LoadState::Idle);
    assert!(pair.replica.keyspace.is_empty());
}

#[test]
fn a_snapshot_that_is_slow_to_come_is_followed_by_all_that_was_written_since() {
    let mut pair = slow("rdb-key-save-delay");
    let swapdb = ("repl-diskless-load".to_string(), "swapdb".to_string());
    pair.replica.config.other.extend([swapdb]);
    assert_eq!(load_state(&pair), LoadState::LoadingBeside);
    pair.set("c", "3");
    assert!(pair.replica.keyspace.is_empty());
    pair.pass(Millis(3000));
    pair.assert_same();
    assert_eq!(pair.replica.keyspace.len(), 3);
}

/// Proves RW-28 and RW-34: what a newer master sends and this node does not know ends in a full
/// copy, and the data stays until that is here.
#[test]
fn a_command_that_is_not_known_costs_a_full_copy_and_no_data() {
    let mut pair = Pair::new();
    pair.master.set("a", "1", &mut Vec::new());
    pair.pass(SECOND);
    pair.assert_same();
    let (full, now, mut out) = (pair.master.room.counts().sync_full, pair.now, Vec::new());
    let replica = &mut pair.replica;
    let rng = &mut replica.rng;
    replica.room.refuse_command(b"HSETEX", (rng, now), &mut out);
    pair.settle(Vec::new(), out);
    assert!(!pair.is_linked());
    assert!(pair.replica.value("a").is_some());
    pair.pass(SECOND);
    pair.assert_same();
    assert_eq!(pair.master.room.counts().sync_full, full + 1);
}
