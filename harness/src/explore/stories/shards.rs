//! Shards in trouble: one without replicas while another is gone, and slots on their way for long.
//!
//! What a node may do meanwhile is a matter of the whole cluster's state, or of a mark on one slot,
//! which it keeps over a restart.

use slotquake_checkers::observation::{FaultKind, NodeName, slots::SLOT_COUNT, slots::slot_of_key};
use slotquake_workloads::stray;

use super::stage::Stage;
use crate::nemesis::order::Order;
use crate::nemesis::reshard::Move;

/// One shard loses its replicas for good; another stands still whole, so that the state is fail
/// when the orphan's time is up: a spare replica of a third waits until the state is ok (RM-03).
pub(super) fn orphan_while_down(stage: &mut Stage) {
    stage.plan.replicas = 2;
    let timeout = stage.plan.node_timeout_ms;
    let orphan = stage.any_shard();
    let down = stage.other_shard(orphan);
    // Marked FAIL, an orphan for 5 s, and some time to move.
    let moves_ms = 3 * timeout + 5_000 + 2_000;
    for number in [1, 2] {
        let replica = stage.replica(orphan, number);
        stage.strike(0, FaultKind::Kill, &replica, moves_ms + 8_000);
    }
    let begin_ms = stage.rng.below(4_000);
    let until_ms = moves_ms + stage.rng.below(2_000);
    let master = stage.master(down);
    let whole = [master, stage.replica(down, 1), stage.replica(down, 2)];
    for node in whole {
        stage.strike(begin_ms, FaultKind::Pause, &node, until_ms - begin_ms);
    }
}

/// Slots in use are opened at both ends, or at one, and left so for seconds, while clients without
/// a map ask anybody for their keys (SM-01 to SM-06, RD-05).
pub(super) fn open_slots(stage: &mut Stage) {
    let stray = stray::ENTRY.name;
    stage.plan.workloads.truncate(1);
    stage.plan.workloads.retain(|name| name != stray);
    stage.plan.workloads.push(stray.into());
    stage.plan.rate = stage.plan.rate.max(100);
    stage.plan.concurrency = stage.plan.concurrency.max(4);
    importer_dies(stage);
    let masters: Vec<NodeName> = (0..stage.plan.masters)
        .map(|shard| stage.master(shard))
        .collect();
    for position in 0..3 {
        let slot = slot_of_key(stray::key(position, 0).as_bytes());
        let source = stage.shard_of(slot);
        let target = stage.other_shard(source);
        let way = Move {
            slot,
            source: &masters[usize::from(source)],
            target: &masters[usize::from(target)],
        };
        let mut orders = way.steps();
        orders.truncate(1 + stage.rng.below(5) as usize);
        let undo = way.finish(&masters);
        let lasts_ms = 1_500 + stage.rng.below(3_000);
        let note = format!("move slot {slot}: {} of 7 steps", orders.len());
        let at_ms = position * 6_500 + stage.rng.below(500);
        let strike = stage.step(at_ms, FaultKind::Reshard, lasts_ms, way.target, note);
        strike.targets.push(way.source.clone());
        (strike.orders, strike.undo) = (orders, undo);
    }
}

/// A master without slots is told to import a slot, dies, and comes back with the mark (MG-05): it
/// has no replica that could replace it, and no data to lose. The owner of the slot is told
/// nothing, so that no client is sent there.
pub(super) fn importer_dies(stage: &mut Stage) {
    stage.plan.slotless = stage.plan.slotless.max(1);
    let with_slots = stage.plan.masters * (1 + stage.plan.replicas);
    let importer = NodeName::numbered(usize::from(with_slots) + 1);
    let mut at_ms = stage.rng.below(1_000);
    for _ in 0..3 {
        let slot = stage.rng.below(u64::from(SLOT_COUNT)) as u16;
        let shard = stage.shard_of(slot);
        let owner = stage.master(shard);
        let (open_ms, dead_ms) = (500 + stage.rng.below(1_000), 200 + stage.rng.below(2_000));
        let lasts_ms = open_ms + dead_ms + 1_500;
        let note = format!("open slot {slot} at {importer}");
        let importing = format!("CLUSTER SETSLOT {slot} IMPORTING {{id:{owner}}}");
        let stable = format!("CLUSTER SETSLOT {slot} STABLE");
        let strike = stage.step(at_ms, FaultKind::OpenSlot, lasts_ms, &importer, note);
        strike.orders = vec![Order::once(&importer, importing)];
        strike.undo = vec![Order::answered(&importer, stable)];
        stage.strike(at_ms + open_ms, FaultKind::Kill, &importer, dead_ms);
        at_ms += lasts_ms + 1_000;
    }
}
