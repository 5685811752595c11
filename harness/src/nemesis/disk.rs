//! Disks: syncs that take long, and disks without room.
//!
//! A node waits for a sync and does nothing else meanwhile (DU-03, VO-07): whatever depends on it
//! leaves late. A node that cannot save its nodes.conf ends (PS-13).

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use super::picture::Picture;
use super::{Dose, Hold, Nemesis, Share, Skip, Strike, Worlds};

/// The line of slow disks in the registry.
pub const SLOW: Nemesis = Nemesis {
    kind: FaultKind::SlowDisk,
    help: "what a node syncs takes up to 2 node timeouts, and the node waits for it",
    share: Share::Percent(20),
    worlds: Worlds::Simulation,
    hold: Hold::Targets,
    plan: plan_slow,
};

/// The line of full disks in the registry.
pub const FULL: Nemesis = Nemesis {
    kind: FaultKind::FullDisk,
    help: "a node can write nothing; if it ends by it, it is started again later",
    share: Share::Percent(10),
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan: plan_full,
};

/// Share of masters among the struck, percent.
const MASTER_PERCENT: u64 = 75;

fn plan_slow(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let node = picture.pick(MASTER_PERCENT, rng)?;
    let delay_ms = 10 + rng.below(2 * picture.node_timeout_ms);
    Ok(Strike {
        targets: vec![node.name.clone()],
        dose: Some(Dose::DelayMs(delay_ms)),
        note: format!("each sync of {} takes {delay_ms} ms", node.describe()),
        duration_ms: 1_000 + rng.below(3 * picture.failover_ms()),
        ..Strike::default()
    })
}

fn plan_full(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let node = picture.pick(MASTER_PERCENT, rng)?;
    Ok(Strike {
        targets: vec![node.name.clone()],
        note: format!("no room on the disk of {}", node.describe()),
        duration_ms: picture.failover_ms() + rng.below(2 * picture.failover_ms()),
        ..Strike::default()
    })
}
