//! Paths: cuts that divide nobody from everybody, so that nodes differ about who is there.
//!
//! Two sides of a partition agree each on its own; here some hear what others do not, and news
//! takes the way over third parties.

use slotquake_checkers::observation::{FaultKind, NodeName};

use super::stage::{Stage, both_ways};

/// Some of all paths between nodes are cut, each by a throw of dice; a master may fail meanwhile.
pub(super) fn torn_paths(stage: &mut Stage) {
    stage.plan.replicas = stage.plan.replicas.clamp(1, 2);
    let timeout = stage.plan.node_timeout_ms;
    let mut begin_ms = 0;
    for _ in 0..3 {
        let torn_percent = stage.rng.within(5, 30);
        let first = stage.any_node();
        let all = (1..=stage.plan.node_count() as usize).map(NodeName::numbered);
        let all: Vec<_> = all.collect();
        let mut cuts = Vec::new();
        for from in &all {
            for to in all.iter().filter(|to| *to != from) {
                if stage.rng.chance(torn_percent) {
                    cuts.push((from.clone(), to.clone()));
                }
            }
        }
        if cuts.is_empty() {
            cuts = stage.isolation(&first);
        }
        let lasts_ms = stage.failover_ms() + stage.rng.below(3 * timeout);
        stage.cut(begin_ms, FaultKind::BusCut, &first, cuts, lasts_ms);
        let shard = stage.any_shard();
        let master = stage.master(shard);
        let at_ms = begin_ms + stage.rng.below(timeout);
        let away_ms = stage.failover_ms() + stage.rng.below(timeout);
        stage.strike(at_ms, FaultKind::Pause, &master, away_ms);
        begin_ms += lasts_ms.max(at_ms - begin_ms + away_ms) + 4_000;
    }
}

/// A master fails while one replica and the one that will win, or a voter, do not hear each other;
/// the old master comes back and does not hear its successor (UP-12, CF-07).
pub(super) fn two_apart(stage: &mut Stage) {
    stage.plan.replicas = stage.plan.replicas.clamp(1, 2);
    let timeout = stage.plan.node_timeout_ms;
    let mut begin_ms = 0;
    for shard in 0..3 {
        let (master, replica) = (stage.master(shard), stage.replica(shard, 1));
        let other = match stage.rng.below(3) {
            0 => stage.any_node(),
            1 if stage.plan.replicas > 1 => stage.replica(shard, 2),
            _ => master.clone(),
        };
        let away_ms = stage.failover_ms() + stage.rng.below(2_000);
        stage.strike(begin_ms, FaultKind::Pause, &master, away_ms);
        if other != replica {
            let cuts = both_ways(&replica, &other);
            let lasts_ms = away_ms + timeout + stage.rng.below(3_000);
            stage.cut(begin_ms, FaultKind::BusCut, &replica, cuts, lasts_ms);
        }
        begin_ms += away_ms + timeout + 6_000;
    }
}
