//! Wrong clocks together with a failure: voters and candidates that wait by them.
//!
//! Who is cut off itself is at most set forward: set back, it would serve for longer than any
//! promise allows, and that is no promise that could be broken.

use slotquake_checkers::observation::FaultKind;

use super::stage::Stage;
use crate::nemesis::Dose;

/// A master is cut off or stands still, while the clocks of nodes that have to replace it are set
/// forward or back, or run too fast or too slow (EL-06, VO-05, FD-08).
pub(super) fn wrong_clocks(stage: &mut Stage) {
    stage.plan.replicas = 2;
    let timeout = stage.plan.node_timeout_ms;
    let mut begin_ms = 0;
    for _ in 0..3 {
        let shard = stage.any_shard();
        let master = stage.master(shard);
        let away_ms = stage.failover_ms() + 1_000 + stage.rng.below(2 * timeout);
        match stage.rng.chance(50) {
            true => {
                let cuts = stage.isolation(&master);
                stage.cut(begin_ms, FaultKind::Partition, &master, cuts, away_ms);
            }
            false => stage.strike(begin_ms, FaultKind::Pause, &master, away_ms),
        }
        let other = stage.other_shard(shard);
        let voter = stage.master(other);
        for node in [stage.replica(shard, 1), stage.replica(shard, 2), voter] {
            if stage.rng.chance(60) {
                let at_ms = begin_ms + stage.rng.below(away_ms);
                let dose = a_dose(stage);
                let lasts_ms = 200 + stage.rng.below(away_ms);
                stage.clock(at_ms, &node, dose, lasts_ms);
            }
        }
        if stage.rng.chance(30) {
            // Who is cut off may believe that it slept; set back, it would serve for longer.
            let ahead_ms = 50 + stage.rng.below(3 * timeout) as i64;
            stage.clock(begin_ms + 1, &master, Dose::StepMs(ahead_ms), away_ms);
        }
        begin_ms += 2 * away_ms + 5_000;
    }
}

fn a_dose(stage: &mut Stage) -> Dose {
    let sign = match stage.rng.chance(50) {
        true => 1,
        false => -1,
    };
    match stage.rng.chance(75) {
        true => Dose::StepMs(sign * (50 + stage.rng.below(5 * stage.plan.node_timeout_ms) as i64)),
        false => Dose::DriftPpm(sign * (1_000 + stage.rng.below(50_000) as i64)),
    }
}
