//! News that reaches some and not others: what has happened is known here and not there.
//!
//! Rules that compare what a packet says with what its hearer knows (VO-02, VO-06, UP-13, MF-08,
//! RS-02) are put to the test only by a packet whose sender could not know better.

use slotquake_checkers::observation::{FaultKind, NodeName};

use super::stage::{Act, Stage, both_ways};
use crate::nemesis::forget;
use crate::nemesis::order::Order;

/// A replica hears nobody, while its words still arrive: two others take over by order, each with a
/// new epoch that everybody else knows at once, and then it asks for votes in an epoch that is over
/// (VO-02).
pub(super) fn epochs_unheard(stage: &mut Stage) {
    stage.plan.replicas = stage.plan.replicas.max(1);
    stage.plan.node_timeout_ms = stage.plan.node_timeout_ms.max(2_000);
    let timeout = stage.plan.node_timeout_ms;
    let mut begin_ms = 0;
    for _ in 0..2 {
        let shard = stage.any_shard();
        let candidate = stage.replica(shard, 1);
        let mut cuts = stage.isolation(&candidate);
        cuts.retain(|(_, to)| *to == candidate);
        let deaf_ms = 7_000 + timeout;
        stage.cut(begin_ms, FaultKind::BusCut, &candidate, cuts, deaf_ms);
        let mut at_ms = begin_ms;
        for further in [1, 2] {
            let other = stage.replica((shard + further) % stage.plan.masters, 1);
            at_ms += 20 + stage.rng.below(timeout / 10);
            stage.act(at_ms, Act::Takeover, &other);
        }
        at_ms += 50 + stage.rng.below(timeout / 10);
        stage.act(at_ms, Act::Force, &candidate);
        begin_ms += deaf_ms + timeout + 4_000;
    }
}

/// A replica and its master do not hear each other, when the master takes a new configEpoch by
/// order. All others know it by the time the replica is told to take over: its claim is outdated
/// (VO-06).
pub(super) fn claim_unheard(stage: &mut Stage) {
    stage.plan.replicas = stage.plan.replicas.max(1);
    let timeout = stage.plan.node_timeout_ms;
    let first = stage.any_shard();
    let known_ms = timeout + 1_000;
    for (round, shard) in [first, stage.other_shard(first)].into_iter().enumerate() {
        let begin_ms = round as u64 * (4 * timeout + 16_000);
        let (master, candidate) = (stage.master(shard), stage.replica(shard, 1));
        let cuts = both_ways(&master, &candidate);
        let cut_ms = 2 * known_ms + 7_000;
        stage.cut(begin_ms, FaultKind::BusCut, &candidate, cuts, cut_ms);
        // Who has the largest configEpoch already takes no new one.
        let other = stage.other_shard(shard);
        let other = stage.master(other);
        stage.act(begin_ms + 1, Act::BumpEpoch, &other);
        stage.act(begin_ms + known_ms, Act::BumpEpoch, &master);
        let asked_ms = begin_ms + 2 * known_ms + stage.rng.below(1_000);
        stage.act(asked_ms, Act::Force, &candidate);
    }
}

/// A master that was replaced comes back and does not hear its successor. Few of those that do have
/// heard of the successor's second epoch, most only of its first: their answers to the old claim
/// differ, and the last one is likely to be the older (UP-12, UP-13).
pub(super) fn two_answers(stage: &mut Stage) {
    stage.plan.replicas = 1;
    let timeout = stage.plan.node_timeout_ms;
    let (shard, masters) = (stage.any_shard(), stage.plan.masters);
    let (master, heir) = (stage.master(shard), stage.replica(shard, 1));
    let others = (1..masters).map(|further| (shard + further) % masters);
    let others: Vec<u16> = others.collect();
    let witness = stage.master(others[0]);
    let replaced_ms = stage.failover_ms() + timeout;
    let known_ms = timeout + 1_000;
    stage.strike(0, FaultKind::Kill, &master, replaced_ms + 3 * known_ms);
    // Fewer masters than could have the heir fail, and every replica.
    let deaf_masters = others.iter().rev().take(usize::from(masters / 2));
    let mut deaf: Vec<NodeName> = deaf_masters.map(|other| stage.master(*other)).collect();
    deaf.extend(others.iter().map(|other| stage.replica(*other, 1)));
    deaf.push(master);
    let cuts = deaf.iter().flat_map(|node| both_ways(node, &heir));
    let cut_ms = 3 * known_ms + timeout + 1_500;
    stage.cut(
        replaced_ms,
        FaultKind::BusCut,
        &heir,
        cuts.collect(),
        cut_ms,
    );
    // Who has the largest configEpoch already takes no new one.
    stage.act(replaced_ms + known_ms, Act::BumpEpoch, &witness);
    stage.act(replaced_ms + 2 * known_ms, Act::BumpEpoch, &heir);
}

/// A replica's request to pause is long under way, while it hears its master and gets its writes:
/// until the master has paused, no offset is the last one (MF-08).
pub(super) fn request_under_way(stage: &mut Stage) {
    stage.plan.replicas = stage.plan.replicas.max(1);
    stage.plan.node_timeout_ms = stage.plan.node_timeout_ms.max(1_000);
    stage.plan.rate = stage.plan.rate.max(100);
    let timeout = stage.plan.node_timeout_ms;
    let first = stage.any_shard();
    for round in 0..3_u16 {
        let begin_ms = u64::from(round) * (timeout + 6_500);
        let shard = (first + round) % stage.plan.masters;
        let (master, replica) = (stage.master(shard), stage.replica(shard, 1));
        let words = vec![(replica.clone(), master)];
        let cut_ms = timeout / 3 + stage.rng.below(timeout / 2);
        stage.cut(begin_ms, FaultKind::BusCut, &replica, words, cut_ms);
        let asked_ms = begin_ms + 1 + stage.rng.below(20);
        stage.act(asked_ms, Act::Failover, &replica);
    }
}

/// Some nodes are told to forget a replica, while others go on speaking of it (RS-02).
pub(super) fn forgotten_by_some(stage: &mut Stage) {
    stage.plan.replicas = stage.plan.replicas.max(1);
    stage.plan.rate = 20;
    let shard = stage.any_shard();
    let replica = stage.replica(shard, 1);
    let all = (1..=stage.plan.node_count() as usize).map(NodeName::numbered);
    let others: Vec<NodeName> = all.filter(|node| *node != replica).collect();
    let told = 1 + stage.rng.below(others.len() as u64 - 1) as usize;
    let first = stage.rng.below(others.len() as u64) as usize;
    let (forget, meet) = forget::orders_about(&replica);
    let told = others.iter().cycle().skip(first).take(told);
    let orders = told.map(|node| Order::once(node, forget.as_str()));
    let orders: Vec<Order> = orders.collect();
    let undo = others
        .iter()
        .map(|node| Order::answered(node, meet.as_str()));
    let undo: Vec<Order> = undo.collect();
    let note = format!(
        "{} of {} nodes forget {replica}",
        orders.len(),
        others.len()
    );
    let strike = stage.step(
        500,
        FaultKind::Forget,
        forget::BLACKLISTED_MS,
        &replica,
        note,
    );
    (strike.orders, strike.undo) = (orders, undo);
}
