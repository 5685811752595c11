//! A slow network: everything takes tens of milliseconds, unevenly, so that links overtake each
//! other, and now and then a segment has to be sent again.

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use super::picture::Picture;
use super::{Nemesis, Skip, Strike};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    name: "slow-net",
    help: "latency of up to 30 ms on every path, with jitter and stalls (simulation)",
    kind: FaultKind::SlowNet,
    plan,
};

fn plan(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    Ok(Strike {
        targets: picture.nodes.iter().map(|node| node.name.clone()).collect(),
        note: "a slow and uneven network".into(),
        duration_ms: 2_000 + rng.below(2 * picture.failover_ms()),
        ..Strike::default()
    })
}
