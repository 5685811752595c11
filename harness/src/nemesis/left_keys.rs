//! An idle slot changes hands with a key in it: the operator tells the new owner alone, and the old
//! one hears of it on the bus. What it holds of the slot it must delete (MG-02).
//!
//! The key is the operator's own, written just before, so that nobody misses it. In the simulation
//! only: before 7.2 a redis-server does not tell its replicas what it deletes (redis#10967), and
//! DEBUG DIGEST would show it in every run.

use slotquake_checkers::observation::slots::slot_of_key;
use slotquake_workloads::rng::Rng;

use super::Strike;
use super::order::Order;
use super::picture::{NodePicture, Picture};
use super::reshard::Move;
use crate::plan::WorldKind;

/// Keys tried before giving up on finding one in an idle slot of the source.
const TRIES_MAX: u32 = 200;
/// Keys are named by a number below this.
const NAMES: u64 = 1_000_000;

/// The strike; none if no idle slot was found, or among real processes.
pub fn strike(
    source: &NodePicture,
    target: &NodePicture,
    picture: &Picture,
    rng: &mut Rng,
) -> Option<Strike> {
    match picture.world {
        WorldKind::Sim => {}
        WorldKind::Local => return None,
    }
    let slots = source.slots();
    let is_idle = |slot: u16| slots.contains(slot) && !picture.busy_slots.contains(&slot);
    let mut drawn = (0..TRIES_MAX).map(|_| format!("left{}", rng.below(NAMES)));
    let key = drawn.find(|key| is_idle(slot_of_key(key.as_bytes())))?;
    let slot = slot_of_key(key.as_bytes());
    let (source, target) = (&source.name, &target.name);
    let way = Move {
        slot,
        source,
        target,
    };
    let set = format!("SET {key} 1");
    let count = format!("CLUSTER COUNTKEYSINSLOT {slot}");
    let stable = format!("CLUSTER SETSLOT {slot} STABLE");
    Some(Strike {
        note: format!("give slot {slot} of {source} to {target} with a key in it"),
        duration_ms: 200 + rng.below(2_000),
        orders: vec![
            Order::once(source, set),
            way.setslot(target, "IMPORTING", source),
            way.setslot(target, "NODE", target),
        ],
        undo: vec![
            Order::once(source, count),
            Order::answered(target, stable.as_str()),
        ],
        ..Strike::default()
    })
}
