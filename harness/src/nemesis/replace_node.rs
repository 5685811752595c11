//! A master without slots is taken out of the cluster as `redis-cli --cluster del-node` does (all
//! others forget it, then it is reset), and joins again at the heal: a new node with a new id.

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use super::order::Order;
use super::picture::{Condition, NodePicture, Picture, Role};
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    kind: FaultKind::ReplaceNode,
    help: "a master without slots is taken out by FORGET and RESET HARD; MEET of a new node later",
    share: Share::Percent(30),
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan,
};

fn plan(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let is_idle = |node: &&NodePicture| {
        node.role == Role::Slotless
            && node.condition == Condition::Settled
            && picture.replicas_of(&node.name).next().is_none()
    };
    let idle: Vec<&NodePicture> = picture.nodes.iter().filter(is_idle).collect();
    let name = rng.pick(&idle).map(|node| &node.name);
    let name = name.ok_or(Skip("no settled master is without slots"))?;
    let is_up = |node: &&NodePicture| node.condition == Condition::Settled;
    let hosts: Vec<&NodePicture> = picture.masters().filter(is_up).collect();
    let host = rng.pick(&hosts).ok_or(Skip("no master is settled"))?;
    let slot = host.slots().iter().next();
    let slot = slot.ok_or(Skip("no master is settled"))?;
    let others = picture.nodes.iter().filter(|node| node.name != *name);
    let forget = format!("CLUSTER FORGET {{was:{name}}}");
    let forgets: Vec<Order> = others
        .map(|node| Order::answered(&node.name, forget.as_str()))
        .collect();
    let mut orders = forgets.clone();
    orders.push(Order::accepted(name, "CLUSTER RESET HARD"));
    // Whoever was out of reach may have passed the old id on.
    let mut undo = forgets;
    // The host may be down by then; whoever has its slots will do as well.
    undo.push(Order::accepted(
        format!("owner:{slot}"),
        format!("CLUSTER MEET {{ip:{name}}} {{port:{name}}} {{bus:{name}}}"),
    ));
    Ok(Strike {
        targets: vec![name.clone()],
        note: format!("take {name} out of the cluster"),
        duration_ms: 500 + rng.below(2_000 + 4 * picture.node_timeout_ms),
        orders,
        undo,
        ..Strike::default()
    })
}
