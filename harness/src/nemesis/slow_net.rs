//! A slow network: everything takes tens of milliseconds, unevenly, so that links overtake each
//! other, and now and then a segment has to be sent again.

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use super::picture::Picture;
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    kind: FaultKind::SlowNet,
    help: "latency of up to 30 ms on every path, with jitter and stalls",
    share: Share::Percent(40),
    worlds: Worlds::Simulation,
    hold: Hold::Nothing,
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
