//! Epochs without consensus: CLUSTER BUMPEPOCH on a master, or on two at once, which then have the
//! same one and must part (CE-05, CE-06).

use slotquake_checkers::observation::{FaultKind, NodeName};
use slotquake_workloads::rng::Rng;

use super::order::Order;
use super::picture::{Condition, Picture};
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    kind: FaultKind::BumpEpoch,
    help: "CLUSTER BUMPEPOCH on one or two masters at once: they may collide",
    share: Share::Percent(25),
    worlds: Worlds::All,
    hold: Hold::Nothing,
    plan,
};

/// Share of bumps on two masters, percent.
const TWO_PERCENT: u64 = 60;
/// It is done as it is ordered, ms.
const DURATION_MS: u64 = 100;

fn plan(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let up = picture
        .masters()
        .filter(|node| node.condition != Condition::Struck);
    let mut masters: Vec<&NodeName> = up.map(|node| &node.name).collect();
    let wanted = if rng.chance(TWO_PERCENT) { 2 } else { 1 };
    while masters.len() > wanted {
        masters.remove(rng.below(masters.len() as u64) as usize);
    }
    if masters.is_empty() {
        return Err(Skip("no master is up"));
    }
    let names: Vec<String> = masters.iter().map(ToString::to_string).collect();
    let orders = masters
        .iter()
        .map(|name| Order::once(name, "CLUSTER BUMPEPOCH"));
    Ok(Strike {
        targets: masters.iter().map(|name| (*name).clone()).collect(),
        note: format!("CLUSTER BUMPEPOCH on {}", names.join(" and ")),
        duration_ms: DURATION_MS,
        orders: orders.collect(),
        ..Strike::default()
    })
}
