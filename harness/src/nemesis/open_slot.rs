//! A slot that no client uses is opened at one end or both, in any order, whatever else happens to
//! its masters meanwhile, and closed at the heal. A failover of either end forgets the opening
//! (MG-05); nobody may own the slot twice (CF-01), and all must agree again (CF-05).

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use super::order::Order;
use super::picture::{Condition, NodePicture, Picture};
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    kind: FaultKind::OpenSlot,
    help: "CLUSTER SETSLOT MIGRATING and IMPORTING of an idle slot, in any order; STABLE later",
    share: Share::Percent(25),
    worlds: Worlds::All,
    hold: Hold::Nothing,
    plan,
};

/// Slots tried before giving up on finding an idle one.
const TRIES_MAX: u32 = 20;

fn plan(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let is_up = |node: &&NodePicture| node.condition == Condition::Settled;
    let masters: Vec<&NodePicture> = picture.masters().filter(is_up).collect();
    let source = rng.pick(&masters).copied();
    let source = source.ok_or(Skip("no master is settled"))?;
    let others = masters.iter().filter(|node| node.name != source.name);
    let others: Vec<&NodePicture> = others.copied().collect();
    let target = rng.pick(&others).copied();
    let target = target.ok_or(Skip("no other master is settled"))?;
    let slots: Vec<u16> = source.slots().iter().collect();
    let mut drawn = (0..TRIES_MAX).filter_map(|_| rng.pick(&slots).copied());
    let slot = drawn.find(|slot| picture.busy_slots.binary_search(slot).is_err());
    let slot = slot.ok_or(Skip("no slot of the master is idle"))?;
    let setslot = |to: &NodePicture, what: &str, peer: &NodePicture| {
        let peer = &peer.name;
        Order::once(
            &to.name,
            format!("CLUSTER SETSLOT {slot} {what} {{id:{peer}}}"),
        )
    };
    let importing = setslot(target, "IMPORTING", source);
    let migrating = setslot(source, "MIGRATING", target);
    let orders = match rng.below(5) {
        0 => vec![importing],
        1 => vec![migrating],
        2 => vec![migrating, importing],
        _ => vec![importing, migrating],
    };
    Ok(Strike {
        targets: vec![source.name.clone(), target.name.clone()],
        note: format!(
            "open slot {slot} between {} and {}",
            source.name, target.name
        ),
        duration_ms: 1_000 + rng.below(picture.failover_ms() + 4 * picture.node_timeout_ms),
        orders,
        undo: close(slot, target, picture),
        ..Strike::default()
    })
}

/// A key that a client put there after all goes to the owner before the slot is closed.
fn close(slot: u16, target: &NodePicture, picture: &Picture) -> Vec<Order> {
    let stable = format!("CLUSTER SETSLOT {slot} STABLE");
    let owner = format!("owner:{slot}");
    let migrate = format!("MIGRATE {{ip:{owner}}} {{port:{owner}}} \"\" 0 2000 KEYS {{keys}}");
    let mut orders = vec![
        Order::answered(&owner, stable.as_str()),
        Order::answered(&target.name, format!("CLUSTER GETKEYSINSLOT {slot} 1000")),
        Order::once(&target.name, migrate),
    ];
    // Replicas refuse: they have no open slots.
    let everybody = picture.nodes.iter();
    orders.extend(everybody.map(|node| Order::answered(&node.name, stable.as_str())));
    orders
}
