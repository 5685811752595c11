//! Clocks: one node's is set forward or back and later set right, or runs too fast or too slow.
//!
//! Servers measure their waits by the wall clock. Set forward, a node believes that it slept; set
//! back, it waits longer than it should. Nothing else strikes meanwhile: what a wrong clock and a
//! cut do together (a minority that serves for longer) is no promise that could be broken.

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use super::picture::Picture;
use super::{Dose, Hold, Nemesis, Share, Skip, Strike, Worlds};

/// The line of steps in the registry.
pub const STEP: Nemesis = Nemesis {
    kind: FaultKind::ClockStep,
    help: "a node's clock is set forward or back by up to 5 node timeouts, later set right",
    share: Share::Percent(15),
    worlds: Worlds::Simulation,
    hold: Hold::Targets,
    plan: plan_step,
};

/// The line of drift in the registry.
pub const DRIFT: Nemesis = Nemesis {
    kind: FaultKind::ClockDrift,
    help: "a node's clock runs too fast or too slow by up to 2 %, later it is set right",
    share: Share::Percent(15),
    worlds: Worlds::Simulation,
    hold: Hold::Nothing,
    plan: plan_drift,
};

/// Share of masters among those with a wrong clock, percent.
const MASTER_PERCENT: u64 = 85;
const DRIFT_PPM_MAX: u64 = 20_000;

fn plan_step(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    if picture.has_struck() {
        return Err(Skip("another fault is in force"));
    }
    let node = picture.pick(MASTER_PERCENT, rng)?;
    let step_ms = 50 + rng.below(5 * picture.node_timeout_ms) as i64;
    let (step_ms, where_to) = match rng.chance(50) {
        true => (step_ms, "forward"),
        false => (-step_ms, "back"),
    };
    let by_ms = step_ms.abs();
    Ok(Strike {
        targets: vec![node.name.clone()],
        dose: Some(Dose::StepMs(step_ms)),
        note: format!(
            "set the clock of {} {where_to} by {by_ms} ms",
            node.describe()
        ),
        duration_ms: 200 + rng.below(picture.failover_ms() + 2 * picture.node_timeout_ms),
        ..Strike::default()
    })
}

fn plan_drift(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let node = rng.pick(&picture.nodes).ok_or(Skip("there is no node"))?;
    let ppm = 100 + rng.below(DRIFT_PPM_MAX) as i64;
    let (ppm, how) = match rng.chance(50) {
        true => (ppm, "fast"),
        false => (-ppm, "slow"),
    };
    let by_ppm = ppm.abs();
    Ok(Strike {
        targets: vec![node.name.clone()],
        dose: Some(Dose::DriftPpm(ppm)),
        note: format!("the clock of {} is {by_ppm} ppm too {how}", node.name),
        duration_ms: 2_000 + rng.below(4 * picture.failover_ms()),
        ..Strike::default()
    })
}
