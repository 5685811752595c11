//! Moments: who acts while it, or somebody else, cannot know yet what has just happened.
//!
//! Rules about epochs that are over and claims that are outdated (VO-02, VO-06, UP-12, EP-20) are
//! put to the test only in the few ms, or the half node timeout of a cut, in which nodes differ.

use slotquake_checkers::observation::FaultKind;

use super::stage::{Act, Stage, both_ways};

/// Two to four acts in one moment, on nodes of one shard and perhaps of another, again and again.
/// A shard whose master is told to take a new epoch is not told to fail over as well: two would
/// have it with one epoch, by nobody's consent (R8).
pub(super) fn acts_in_one_moment(stage: &mut Stage) {
    stage.plan.replicas = stage.plan.replicas.max(2);
    for round in 0..4 {
        let (shard, begin_ms) = (stage.any_shard(), round * 7_500);
        let (other, bumps) = (stage.other_shard(shard), stage.rng.chance(50));
        let span_ms = *stage.rng.pick(&[1, 5, 40, 400]).expect("a choice of spans");
        for _ in 0..stage.rng.within(2, 4) {
            let at_ms = begin_ms + stage.rng.below(span_ms);
            match stage.rng.chance(60) {
                true => a_failover(stage, at_ms, shard),
                false if bumps => {
                    let master = stage.master(other);
                    stage.act(at_ms, Act::BumpEpoch, &master);
                }
                false => a_failover(stage, at_ms, other),
            }
        }
    }
}

/// A replica hears nobody any more, while its words still arrive: its links live on for half a node
/// timeout. Others take new epochs, perhaps its own shard, and then it is told to take over.
pub(super) fn deaf_candidate(stage: &mut Stage) {
    stage.plan.replicas = 2;
    stage.plan.node_timeout_ms = stage.plan.node_timeout_ms.max(1_000);
    let timeout = stage.plan.node_timeout_ms;
    let mut begin_ms = 0;
    for _ in 0..3 {
        let shard = stage.any_shard();
        let number = stage.rng.within(1, 2) as u16;
        let (candidate, sibling) = (
            stage.replica(shard, number),
            stage.replica(shard, 3 - number),
        );
        let mut cuts = stage.isolation(&candidate);
        cuts.retain(|(_, to)| *to == candidate);
        let kind = match stage.rng.chance(50) {
            true => FaultKind::BusCut,
            false => FaultKind::Partition,
        };
        let deaf_ms = timeout / 2 + stage.rng.below(timeout);
        stage.cut(begin_ms, kind, &candidate, cuts, deaf_ms);
        let mut at_ms = begin_ms + 1;
        for act in 0..stage.rng.within(1, 3) {
            at_ms += stage.rng.below(timeout / 8);
            match stage.rng.chance(50) && act == 0 {
                true => stage.act(at_ms, Act::Takeover, &sibling),
                false => {
                    let other = stage.other_shard(shard);
                    a_failover(stage, at_ms, other);
                }
            }
        }
        at_ms += 10 + stage.rng.below(timeout / 8);
        stage.act(at_ms, Act::Force, &candidate);
        begin_ms += deaf_ms + stage.failover_ms() + 6_000;
    }
}

/// A replica is away while others take new epochs; as it comes back it is told to take over.
pub(super) fn who_comes_back(stage: &mut Stage) {
    stage.plan.replicas = 2;
    let timeout = stage.plan.node_timeout_ms;
    let mut begin_ms = 0;
    for _ in 0..3 {
        let shard = stage.any_shard();
        let number = stage.rng.within(1, 2) as u16;
        let (node, sibling) = (
            stage.replica(shard, number),
            stage.replica(shard, 3 - number),
        );
        let away_ms = 1_000 + stage.rng.below(2 * timeout);
        match stage.rng.below(3) {
            0 => stage.strike(begin_ms, FaultKind::Kill, &node, away_ms),
            1 => stage.strike(begin_ms, FaultKind::Pause, &node, away_ms),
            _ => {
                let cuts = stage.isolation(&node);
                stage.cut(begin_ms, FaultKind::Partition, &node, cuts, away_ms);
            }
        }
        for act in 0..stage.rng.within(1, 2) {
            let at_ms = begin_ms + stage.rng.below(away_ms);
            match stage.rng.chance(50) && act == 0 {
                true => stage.act(at_ms, Act::Takeover, &sibling),
                false => {
                    let other = stage.other_shard(shard);
                    a_failover(stage, at_ms, other);
                }
            }
        }
        let span_ms = *stage.rng.pick(&[3, 30, 300]).expect("a choice of spans");
        let at_ms = begin_ms + away_ms + stage.rng.below(span_ms);
        stage.act(at_ms, Act::Force, &node);
        if stage.rng.chance(30) {
            // Who won cannot tell it.
            let cuts = both_ways(&node, &sibling);
            stage.cut(
                begin_ms + 1,
                FaultKind::BusCut,
                &node,
                cuts,
                away_ms + timeout,
            );
        }
        begin_ms += away_ms + stage.failover_ms() + 7_000;
    }
}

/// A failover of one of the first two replicas of a shard.
fn a_failover(stage: &mut Stage, at_ms: u64, shard: u16) {
    let number = stage.rng.within(1, 2) as u16;
    let replica = stage.replica(shard, number);
    let act = match stage.rng.below(5) {
        0 => Act::Failover,
        1 | 2 => Act::Force,
        _ => Act::Takeover,
    };
    stage.act(at_ms, act, &replica);
}
