//! A replica leaves the cluster by CLUSTER RESET and joins it again: soft (it keeps its id) or hard
//! (it comes back as somebody new, and the old one is forgotten). Sometimes it is met again at
//! once, as a master without slots, and made a replica only at the heal.

use slotquake_checkers::observation::{FaultKind, NodeName};
use slotquake_workloads::rng::Rng;

use super::order::Order;
use super::picture::{Condition, NodePicture, Picture, Role};
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    kind: FaultKind::Reset,
    help: "CLUSTER RESET of a replica, soft or hard: it leaves, and joins again as it is or anew",
    share: Share::Percent(25),
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan,
};

/// Share of resets after which the node is met at once, percent.
const SLOTLESS_PERCENT: u64 = 40;

fn plan(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let replicas = picture.strikable_replicas();
    let replica = rng.pick(&replicas).copied();
    let replica = replica.ok_or(Skip("no replica of a settled master is settled"))?;
    let Role::Replica { of } = &replica.role else {
        return Err(Skip("no replica of a settled master is settled"));
    };
    let name = &replica.name;
    let slot = slot_of(picture, of).ok_or(Skip("its master has no slots"))?;
    let is_host = |node: &&NodePicture| node.condition == Condition::Settled && node.name != *name;
    let hosts: Vec<&NodePicture> = picture.masters().filter(is_host).collect();
    let host = rng.pick(&hosts).copied();
    let host = &host.ok_or(Skip("no master is settled"))?.name;
    let is_hard = rng.chance(50);
    let mut orders = vec![Order::accepted(
        name,
        match is_hard {
            true => "CLUSTER RESET HARD",
            false => "CLUSTER RESET SOFT",
        },
    )];
    let forget = format!("CLUSTER FORGET {{was:{name}}}");
    let others = picture.nodes.iter().filter(|node| node.name != *name);
    let forgets = others.map(|node| Order::answered(&node.name, forget.as_str()));
    let forgets: Vec<Order> = forgets.collect();
    if is_hard {
        // Whoever still has the old id would pass it on: all let go of it, whenever they answer.
        orders.extend(forgets.iter().cloned());
    }
    let meet = format!("CLUSTER MEET {{ip:{name}}} {{port:{name}}} {{bus:{name}}}");
    let is_slotless = rng.chance(SLOTLESS_PERCENT);
    let mut undo = Vec::new();
    if is_hard {
        undo.extend(forgets);
    }
    if is_slotless {
        orders.push(Order::accepted(host, meet.as_str()));
    }
    // Once more in any case: the host may have been down.
    undo.push(Order::accepted(format!("owner:{slot}"), meet));
    undo.push(Order::accepted(
        name,
        format!("CLUSTER REPLICATE {{id:owner:{slot}}}"),
    ));
    Ok(Strike {
        targets: vec![name.clone()],
        note: format!(
            "reset {}{}{}",
            replica.describe(),
            if is_hard { ", hard" } else { ", soft" },
            if is_slotless { ", and meet it" } else { "" }
        ),
        duration_ms: 500 + rng.below(2_000 + 4 * picture.node_timeout_ms),
        orders,
        undo,
        ..Strike::default()
    })
}

fn slot_of(picture: &Picture, master: &NodeName) -> Option<u16> {
    let mut masters = picture.masters();
    let master = masters.find(|node| node.name == *master)?;
    master.slots().iter().next()
}
