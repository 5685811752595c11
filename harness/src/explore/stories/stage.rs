//! The stage of a story: the plan it changes, the dice, and the steps told so far.
//!
//! Names of nodes are those of a script; what a step does to whom is worked out here, so that a
//! story reads as one.

use slotquake_checkers::observation::{FaultKind, NodeName, slots::SLOT_COUNT};
use slotquake_workloads::rng::Rng;

use crate::nemesis::{Dose, Strike, order::Order};
use crate::plan::{Plan, ScriptedStrike};

/// A plan and the steps so far.
pub(super) struct Stage {
    pub plan: Plan,
    pub rng: Rng,
    steps: Vec<ScriptedStrike>,
}

impl Stage {
    /// Before the first step.
    pub fn new(plan: Plan, rng: Rng) -> Stage {
        let steps = Vec::new();
        Stage { plan, rng, steps }
    }

    /// The plan with the steps as its script, and the time for them.
    pub fn told(mut self) -> Plan {
        self.steps.sort_by_key(|step| step.at_ms);
        let ends = self.steps.iter().map(ScriptedStrike::end_ms);
        let end_ms = ends.max().unwrap_or(0) + 1_000;
        let time_limit_ms = self.plan.time_limit_ms.max(end_ms);
        let plan = Plan {
            time_limit_ms,
            ..self.plan
        };
        plan.scripted(self.steps)
    }

    /// A shard by its number, from 0.
    pub fn any_shard(&mut self) -> u16 {
        self.rng.below(u64::from(self.plan.masters)) as u16
    }

    /// The first master of a shard.
    pub fn any_master(&mut self) -> NodeName {
        let shard = self.any_shard();
        self.master(shard)
    }

    /// The first master of this shard.
    pub fn master(&self, shard: u16) -> NodeName {
        NodeName::numbered(usize::from(shard) + 1)
    }

    /// The first replica of a shard, or the second.
    pub fn replica(&self, shard: u16, number: u16) -> NodeName {
        NodeName::numbered(usize::from(number * self.plan.masters + shard) + 1)
    }

    /// How long a master must be away for a replica to be elected, ms.
    pub fn failover_ms(&self) -> u64 {
        2 * self.plan.node_timeout_ms + 1_500
    }

    /// Every path from and to a node.
    pub fn isolation(&self, node: &NodeName) -> Vec<(NodeName, NodeName)> {
        let all = (1..=self.plan.node_count() as usize).map(NodeName::numbered);
        let others = all.filter(|other| other != node);
        others.flat_map(|other| both_ways(node, &other)).collect()
    }

    /// Kills or pauses a node.
    pub fn strike(&mut self, at_ms: u64, kind: FaultKind, target: &NodeName, duration_ms: u64) {
        let note = format!("{} {target}", kind.name());
        self.step(at_ms, kind, duration_ms, target, note);
    }

    /// Cuts these paths.
    pub fn cut(
        &mut self,
        at_ms: u64,
        kind: FaultKind,
        target: &NodeName,
        cuts: Vec<(NodeName, NodeName)>,
        duration_ms: u64,
    ) {
        let note = format!("{} of {target}", kind.name());
        self.step(at_ms, kind, duration_ms, target, note).cuts = cuts;
    }

    /// A plain manual failover, or several in a row.
    pub fn failover(&mut self, at_ms: u64, replica: &NodeName, orders: Vec<Order>) {
        let note = format!("CLUSTER FAILOVER on {replica}");
        let kind = FaultKind::Failover;
        self.step(at_ms, kind, FAILOVER_MS, replica, note).orders = orders;
    }

    /// Another shard than this one.
    pub fn other_shard(&mut self, shard: u16) -> u16 {
        let masters = u64::from(self.plan.masters);
        let further = 1 + self.rng.below(masters - 1) as u16;
        (shard + further) % self.plan.masters
    }

    /// The shard that owns a slot at the beginning.
    pub fn shard_of(&self, slot: u16) -> u16 {
        let (count, masters) = (usize::from(SLOT_COUNT), usize::from(self.plan.masters));
        let begins_before = |shard: &u16| usize::from(*shard) * count / masters <= slot.into();
        let shards = 0..self.plan.masters;
        shards.rev().find(begins_before).unwrap_or_default()
    }

    /// Any node.
    pub fn any_node(&mut self) -> NodeName {
        NodeName::numbered(self.rng.within(1, u64::from(self.plan.node_count())) as usize)
    }

    /// One act of an operator that is over when it is done.
    pub fn act(&mut self, at_ms: u64, act: Act, node: &NodeName) {
        let (kind, words, duration_ms) = match act {
            Act::Failover => (FaultKind::Failover, "CLUSTER FAILOVER", FAILOVER_MS),
            Act::Force => (
                FaultKind::ForcedFailover,
                "CLUSTER FAILOVER FORCE",
                FAILOVER_MS,
            ),
            Act::Takeover => (FaultKind::Takeover, "CLUSTER FAILOVER TAKEOVER", TOLD_MS),
            Act::BumpEpoch => (FaultKind::BumpEpoch, "CLUSTER BUMPEPOCH", TOLD_MS),
        };
        let note = format!("{words} on {node}");
        let orders = vec![Order::once(node, words)];
        self.step(at_ms, kind, duration_ms, node, note).orders = orders;
    }

    /// A wrong clock: a step, or a drift.
    pub fn clock(&mut self, at_ms: u64, node: &NodeName, dose: Dose, duration_ms: u64) {
        let kind = match dose {
            Dose::DriftPpm(_) => FaultKind::ClockDrift,
            Dose::StepMs(_) | Dose::DelayMs(_) => FaultKind::ClockStep,
        };
        let note = format!("the clock of {node} is wrong by {dose}");
        self.step(at_ms, kind, duration_ms, node, note).dose = Some(dose);
    }

    /// Any step.
    pub fn step(
        &mut self,
        at_ms: u64,
        kind: FaultKind,
        duration_ms: u64,
        target: &NodeName,
        note: String,
    ) -> &mut Strike {
        self.steps.push(ScriptedStrike {
            at_ms,
            kind,
            strike: Strike {
                targets: vec![target.clone()],
                note,
                duration_ms,
                ..Strike::default()
            },
        });
        let last = self.steps.last_mut();
        &mut last.expect("it was just put there").strike
    }
}

/// Both directions between two nodes.
pub(super) fn both_ways(a: &NodeName, b: &NodeName) -> Vec<(NodeName, NodeName)> {
    vec![(a.clone(), b.clone()), (b.clone(), a.clone())]
}

/// An act of an operator that needs no finishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Failover,
    Force,
    Takeover,
    BumpEpoch,
}

/// After this time everybody was told of a takeover or a new epoch, ms.
const TOLD_MS: u64 = 1_000;
/// After this time a manual failover was carried out or given up, ms (MF-11).
const FAILOVER_MS: u64 = 5_200;
