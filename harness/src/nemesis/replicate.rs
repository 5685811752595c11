//! A replica is sent to another master, and perhaps back later. Its old master may be left without
//! one: then a replica of a master that has several migrates to it (RM-01).

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use super::order::Order;
use super::picture::{Condition, NodePicture, Picture, Role};
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    kind: FaultKind::Replicate,
    help: "CLUSTER REPLICATE: send a replica to another master, perhaps back later",
    share: Share::Percent(25),
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan,
};

/// Share of replicas that are sent back, percent.
const BACK_PERCENT: u64 = 60;

fn plan(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let replicas = picture.strikable_replicas();
    let replica = rng.pick(&replicas).copied();
    let replica = replica.ok_or(Skip("no replica of a settled master is settled"))?;
    let Role::Replica { of } = &replica.role else {
        return Err(Skip("no replica of a settled master is settled"));
    };
    let is_other = |node: &&NodePicture| node.name != *of && node.condition == Condition::Settled;
    let others: Vec<&NodePicture> = picture.masters().filter(is_other).collect();
    let other = rng.pick(&others).copied();
    let other = other.ok_or(Skip("no other master is settled"))?;
    let order = |master| Order::once(&replica.name, format!("CLUSTER REPLICATE {{id:{master}}}"));
    let undo = match rng.chance(BACK_PERCENT) {
        // Refused if the old master is none any more; it is at home where it is, then.
        true => vec![order(of)],
        false => Vec::new(),
    };
    Ok(Strike {
        targets: vec![replica.name.clone()],
        note: format!("send {} to {}", replica.describe(), other.describe()),
        duration_ms: 1_000 + rng.below(4 * picture.node_timeout_ms),
        orders: vec![order(&other.name)],
        undo,
        ..Strike::default()
    })
}
