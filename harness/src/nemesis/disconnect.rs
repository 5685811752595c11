//! Connection resets: every connection of a node ends at once, and what was on its way is lost.

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use super::picture::{Condition, NodePicture, Picture};
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    kind: FaultKind::Disconnect,
    help: "reset all connections of a node; what was on its way is lost",
    share: Share::Percent(40),
    worlds: Worlds::Simulation,
    hold: Hold::Nothing,
    plan,
};

fn plan(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let is_up = |node: &&NodePicture| node.condition != Condition::Struck;
    let up: Vec<&NodePicture> = picture.nodes.iter().filter(is_up).collect();
    let node = rng.pick(&up).copied().ok_or(Skip("no node is up"))?;
    Ok(Strike {
        targets: vec![node.name.clone()],
        note: format!("reset the connections of {}", node.describe()),
        duration_ms: 10,
        ..Strike::default()
    })
}
