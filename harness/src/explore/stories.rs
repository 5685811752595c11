//! Stories: short courses of events that chance alone brings about too seldom.
//!
//! Some rules are put to the test only by a coincidence: a candidate that is cut off between the
//! failure and its promotion, a replica whose data is old when its master fails, two candidates in
//! one moment. Every third seed of a campaign therefore plays one of these, in turn, with times and
//! nodes drawn. A story is a script like any other: it replays, and shrinks.
//!
//! Pure. Nodes are named as a script names them: `n1` to `nM` are the masters, then come the first
//! replicas, then the second ones.

mod clocks;
mod moments;
mod news;
mod paths;
mod shards;
mod stage;

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use crate::nemesis::order::Order;
use crate::plan::Plan;
use stage::{Stage, both_ways};

/// Every story, and how it is told.
const STORIES: &[fn(&mut Stage)] = &[
    stutter,
    old_data,
    lone_candidate,
    there_and_back,
    rivals,
    behind,
    orphan,
    held_back,
    moments::acts_in_one_moment,
    moments::deaf_candidate,
    moments::who_comes_back,
    shards::orphan_while_down,
    shards::open_slots,
    shards::importer_dies,
    paths::torn_paths,
    paths::two_apart,
    clocks::wrong_clocks,
    news::epochs_unheard,
    news::claim_unheard,
    news::two_answers,
    news::request_under_way,
    news::forgotten_by_some,
];

/// Whether a seed plays a story.
pub fn is_told_in(seed: u64) -> bool {
    seed.is_multiple_of(STORY_EVERY)
}

/// The plan with the story whose turn it is instead of drawn faults: as many seeds as there are
/// stories tell each of them once.
pub fn with_story(plan: Plan) -> Plan {
    let rng = Rng::named(plan.seed, "story");
    let turn = plan.seed / STORY_EVERY % STORIES.len() as u64;
    let mut stage = Stage::new(plan, rng);
    STORIES[turn as usize](&mut stage);
    stage.told()
}

/// From one seed with a story to the next.
const STORY_EVERY: u64 = 3;

/// One master stands still again and again, hardly longer than the node timeout: it is suspected by
/// some, cleared, and suspected by others (FD-04, FD-06, FD-14).
fn stutter(stage: &mut Stage) {
    stage.plan.masters = stage.plan.masters.max(4);
    let (master, timeout) = (stage.any_master(), stage.plan.node_timeout_ms);
    let mut at_ms = 0;
    for _ in 0..8 {
        let duration_ms = timeout + stage.rng.below(timeout);
        stage.strike(at_ms, FaultKind::Pause, &master, duration_ms);
        at_ms += duration_ms + 100 + stage.rng.below(timeout);
    }
}

/// A replica gets no data for so long that it may not replace its master, which then is cut off
/// from the bus (EL-03).
fn old_data(stage: &mut Stage) {
    (stage.plan.replicas, stage.plan.node_timeout_ms) = (1, 300);
    let shard = stage.any_shard();
    let (master, replica) = (stage.master(shard), stage.replica(shard, 1));
    let old_ms = 10_000 + 12 * stage.plan.node_timeout_ms + 2_000;
    let away_ms = stage.failover_ms() + 2_000 + stage.rng.below(1_000);
    let cuts = both_ways(&replica, &master);
    stage.cut(0, FaultKind::DataCut, &replica, cuts, old_ms + away_ms);
    let cuts = stage.isolation(&master);
    stage.cut(old_ms, FaultKind::BusCut, &master, cuts, away_ms);
}

/// A replica is cut off between its master's failure and its promotion: its sibling wins, and it
/// asks again and again, until it is back (EL-25, VO-02, VO-03, VO-05, VO-06).
fn lone_candidate(stage: &mut Stage) {
    stage.plan.replicas = 2;
    let timeout = stage.plan.node_timeout_ms;
    let mut at_ms = 0;
    for shard in 0..2 {
        let candidate = stage.rng.within(1, 2) as u16;
        let (master, candidate) = (stage.master(shard), stage.replica(shard, candidate));
        let away_ms = 2 * (4 * timeout).max(4_000) + stage.rng.below(2_000);
        stage.strike(at_ms, FaultKind::Pause, &master, away_ms);
        let known_ms = timeout + timeout / 2 + stage.rng.below(timeout + 500);
        let mut cuts = stage.isolation(&candidate);
        if stage.rng.chance(50) {
            // Its requests leave, the votes do not arrive.
            cuts.retain(|(_, to)| *to == candidate);
        }
        stage.cut(
            at_ms + known_ms,
            FaultKind::Partition,
            &candidate,
            cuts,
            away_ms,
        );
        at_ms += known_ms + away_ms + 2_000;
    }
}

/// A replica takes over by order, its old master takes back, and again, as quickly as they can
/// (VT-08, KW-02).
fn there_and_back(stage: &mut Stage) {
    stage.plan.replicas = stage.plan.replicas.max(1);
    let shards = u64::from(stage.plan.masters.min(3));
    for shard in 0..shards {
        let (master, replica) = (stage.master(shard as u16), stage.replica(shard as u16, 1));
        let words = "CLUSTER FAILOVER";
        let orders = vec![
            Order::once(&replica, words),
            Order::accepted(&master, words),
            Order::accepted(&replica, words),
        ];
        stage.failover(shard * 9_000, &replica, orders);
    }
}

/// Several replicas are told to take over in one moment, some of them of one master (VO-02, VO-03,
/// VO-05).
fn rivals(stage: &mut Stage) {
    stage.plan.replicas = 2;
    let masters = u64::from(stage.plan.masters);
    for round in 0..4 {
        let first = stage.rng.below(masters);
        for (shard, number) in [(first, 1), (first, 2), ((first + 1) % masters, 1)] {
            let replica = stage.replica(shard as u16, number);
            let orders = vec![Order::once(&replica, "CLUSTER FAILOVER")];
            stage.failover(round * 6_500, &replica, orders);
        }
    }
}

/// A master fails while one of its two replicas has older data than the other (EL-07).
fn behind(stage: &mut Stage) {
    stage.plan.replicas = 2;
    let mut at_ms = 0;
    for shard in 0..2 {
        let late = stage.rng.within(1, 2) as u16;
        let (master, replica) = (stage.master(shard), stage.replica(shard, late));
        let before_ms = 600 + stage.rng.below(1_500);
        let away_ms = stage.failover_ms() + 1_000 + stage.rng.below(1_000);
        let cuts = both_ways(&replica, &master);
        let cut_ms = before_ms + away_ms;
        stage.cut(at_ms, FaultKind::DataCut, &replica, cuts, cut_ms);
        stage.strike(at_ms + before_ms, FaultKind::Pause, &master, away_ms);
        at_ms += cut_ms + 3_000;
    }
}

/// Both replicas of a master die, so that a spare one of another must move to it; about then a
/// second master fails (RM-03 to RM-06).
fn orphan(stage: &mut Stage) {
    stage.plan.replicas = 2;
    let timeout = stage.plan.node_timeout_ms;
    let (shard, other) = (stage.any_shard(), stage.rng.below(2));
    let masters = stage.plan.masters;
    let dead_ms = 3 * timeout + 9_000;
    for number in [1, 2] {
        let replica = stage.replica(shard, number);
        stage.strike(0, FaultKind::Kill, &replica, dead_ms);
    }
    let second = stage.master((shard + 1 + other as u16) % masters);
    let at_ms = 3_500 + stage.rng.below(4_500);
    let away_ms = stage.failover_ms() + 500 + stage.rng.below(1_000);
    stage.strike(at_ms, FaultKind::Pause, &second, away_ms);
}

/// A manual failover that is given up, for the replica gets no data any more (MF-11).
fn held_back(stage: &mut Stage) {
    stage.plan.replicas = stage.plan.replicas.max(1);
    for shard in 0..2_u16 {
        let at_ms = u64::from(shard) * 12_000;
        let (master, replica) = (stage.master(shard), stage.replica(shard, 1));
        let cuts = both_ways(&master, &replica);
        let cut_ms = 5_000 + stage.rng.below(2_000);
        stage.cut(at_ms, FaultKind::DataCut, &master, cuts, cut_ms);
        let orders = vec![Order::once(&replica, "CLUSTER FAILOVER")];
        let asked_ms = at_ms + 200 + stage.rng.below(500);
        stage.failover(asked_ms, &replica, orders);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_story_is_a_plan_that_can_be_played() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..400 {
            let plan = with_story(Plan {
                seed,
                world: crate::plan::WorldKind::Sim,
                ..Plan::default()
            });
            assert_eq!(plan.validate(), Ok(()), "{plan:?}");
            let steps = plan.script.as_ref().expect("a story is a script");
            kinds.extend(steps.iter().map(|step| step.kind));
            assert_eq!(with_story(plan.clone()).script, plan.script);
        }
        assert_eq!(kinds.len(), 14, "{kinds:?}");
    }
}
