//! A replica is forgotten by all others, or by some, and met again at the heal. Who forgot it does
//! not take it back on hearsay for a minute (RS-02), and newer servers make the others forget it as
//! long (RS-04): the heal waits until the minute is over.

use slotquake_checkers::observation::{FaultKind, NodeName};
use slotquake_workloads::rng::Rng;

use super::order::Order;
use super::picture::{NodePicture, Picture};
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    kind: FaultKind::Forget,
    help: "CLUSTER FORGET of a replica at all other nodes or some; MEET later",
    // It outlasts most runs.
    share: Share::Percent(8),
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan,
};

/// Share of replicas that everybody forgets, percent.
const ALL_PERCENT: u64 = 50;
/// How long who forgot a node does not take it back, and a little, ms.
pub const BLACKLISTED_MS: u64 = 60_500;

/// The commands that make a node forget this one, and meet it again.
pub fn orders_about(name: &NodeName) -> (String, String) {
    let forget = format!("CLUSTER FORGET {{was:{name}}}");
    let meet = format!("CLUSTER MEET {{ip:{name}}} {{port:{name}}} {{bus:{name}}}");
    (forget, meet)
}

fn plan(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let replicas = picture.strikable_replicas();
    let replica = rng.pick(&replicas).copied();
    let replica = replica.ok_or(Skip("no replica of a settled master is settled"))?;
    let others = picture
        .nodes
        .iter()
        .filter(|node| node.name != replica.name);
    let everybody: Vec<&NodePicture> = others.collect();
    let mut others = everybody.clone();
    if !rng.chance(ALL_PERCENT) {
        let wanted = 1 + rng.below(everybody.len() as u64) as usize;
        while others.len() > wanted {
            others.remove(rng.below(others.len() as u64) as usize);
        }
    }
    let name = &replica.name;
    let (forget, meet) = orders_about(name);
    Ok(Strike {
        targets: vec![name.clone()],
        note: format!(
            "{} of {} nodes forget {}",
            others.len(),
            everybody.len(),
            replica.describe()
        ),
        duration_ms: BLACKLISTED_MS + rng.below(2_000),
        orders: others
            .iter()
            .map(|node| Order::once(&node.name, forget.as_str()))
            .collect(),
        undo: everybody
            .iter()
            .map(|node| Order::answered(&node.name, meet.as_str()))
            .collect(),
        ..Strike::default()
    })
}
