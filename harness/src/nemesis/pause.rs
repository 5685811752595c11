//! Pause: a node stands still, keeps its connections, and goes on later as if nothing had been.

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use super::picture::Picture;
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    kind: FaultKind::Pause,
    help: "SIGSTOP a node, SIGCONT it later",
    share: Share::Usual,
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan,
};

/// Share of masters among the paused, percent.
const MASTER_PERCENT: u64 = 85;
/// Share of pauses too short for a failover, percent.
const SHORT_PERCENT: u64 = 15;

fn plan(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let node = picture.pick(MASTER_PERCENT, rng)?;
    let duration_ms = match rng.chance(SHORT_PERCENT) {
        true => 50 + rng.below(picture.node_timeout_ms),
        false => picture.failover_ms() + rng.below(2 * picture.node_timeout_ms),
    };
    Ok(Strike {
        targets: vec![node.name.clone()],
        note: format!("pause {}", node.describe()),
        duration_ms,
        ..Strike::default()
    })
}
