//! What a run put its cluster through: how many faults, elections, redirections, losses.
//!
//! A verdict is worth what it examined. These counts are part of every judgement, and they tell
//! whether the faults bit: whether anybody noticed them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::checker::Happening;
use crate::history::by_process::ByProcess;
use crate::history::{Event, EventKind, Function};
use crate::observation::bounds::MILLISECOND;
use crate::observation::{
    Bounds, Damage, Fault, FaultPhase, Lifecycle, LifecycleKind, PacketKind, Setting,
};
use crate::scene::Scene;

/// The counts of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the names say it; they are those of verdict.json"
)]
pub struct Coverage {
    pub faults_installed: u64,
    pub faults_skipped: u64,
    pub faults_indeterminate: u64,
    pub kills: u64,
    pub pauses: u64,
    pub partitions: u64,
    pub manual_failovers: u64,
    /// Acts of operators by kind, manual failovers among them.
    #[serde(default)]
    pub acts: BTreeMap<String, u64>,
    /// Processes that ended by themselves.
    pub crashes: u64,
    /// Candidates and epochs for which votes were asked.
    pub elections: u64,
    pub votes: u64,
    /// Replicas that became masters, as seen on the bus.
    pub promotions: u64,
    /// Changes of the owner of slots.
    pub failovers: u64,
    pub packets: u64,
    pub views: u64,
    pub ops: u64,
    pub ok_ops: u64,
    pub failed_ops: u64,
    pub indeterminate_ops: u64,
    /// Operations that were redirected on their way.
    pub redirects: u64,
    /// Operations that took longer than a quarter of the node timeout, and at least 250 ms.
    pub stalled_ops: u64,
    /// Acknowledged writes that were lost inside a documented window.
    pub losses_inside_windows: u64,
    /// Acknowledged writes that were lost outside every window: violations.
    pub losses_outside_windows: u64,
    /// The same losses by window: `HI-04`, ….
    #[serde(default)]
    pub losses: BTreeMap<String, u64>,
}

/// Counts happening by happening.
#[derive(Debug, Default)]
pub struct CoverageCounter {
    counts: Coverage,
    open: ByProcess<u64>,
    /// Latencies that may turn out to be stalls, ns.
    slow: Vec<u64>,
    fault_ids: BTreeSet<u32>,
    /// Operations after the first fault that failed, stayed unknown or were redirected.
    disturbed_ops: u64,
    /// FAIL messages after the first fault.
    failures_told: u64,
}

impl CoverageCounter {
    /// Takes in a happening.
    pub fn observe(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Op(event) => self.observe_event(event),
            Happening::Packet(packet) => {
                self.counts.packets += 1;
                let is_bitten = packet.kind == PacketKind::Fail && self.counts.faults_installed > 0;
                self.failures_told += u64::from(is_bitten);
            }
            Happening::View(_) => self.counts.views += 1,
            Happening::Fault(fault) => self.observe_fault(fault),
            Happening::Lifecycle(lifecycle) => self.observe_lifecycle(lifecycle),
        }
    }

    fn observe_event(&mut self, event: &Event) {
        let counts = &mut self.counts;
        if event.kind == EventKind::Invoke {
            counts.ops += 1;
            // Who waits for an element is not stalled.
            if event.value.wait_ms().is_none() {
                self.open.insert(event.process, event.time);
            }
            return;
        }
        let invoked = self.open.remove(event.process).unwrap_or(event.time);
        let latency = event.time.saturating_sub(invoked);
        // A subscriber takes its time.
        if latency >= STALL_MIN && event.f != Function::Receive {
            self.slow.push(latency);
        }
        // A compare and set that does not match is an answer like any other.
        let is_failure = event.kind == EventKind::Fail && event.f != Function::Cas;
        match event.kind {
            EventKind::Ok => counts.ok_ops += 1,
            EventKind::Fail => counts.failed_ops += 1,
            EventKind::Info => counts.indeterminate_ops += 1,
            EventKind::Invoke => {}
        }
        let is_redirected = !event.hops.is_empty();
        counts.redirects += u64::from(is_redirected);
        let is_disturbed = is_redirected || is_failure || event.kind == EventKind::Info;
        if is_disturbed && counts.faults_installed > 0 {
            self.disturbed_ops += 1;
        }
    }

    fn observe_fault(&mut self, fault: &Fault) {
        let counts = &mut self.counts;
        match &fault.phase {
            FaultPhase::Installed if self.fault_ids.insert(fault.id) => {
                counts.faults_installed += 1;
                match fault.kind.damage() {
                    Some(Damage::Kill) => counts.kills += 1,
                    Some(Damage::Pause) => counts.pauses += 1,
                    Some(Damage::Cut(_)) => counts.partitions += 1,
                    Some(Damage::Net(_) | Damage::Clock(_) | Damage::Disk(_)) => {}
                    None => *counts.acts.entry(fault.kind.name().into()).or_default() += 1,
                }
                counts.manual_failovers += u64::from(fault.kind.is_manual_failover());
            }
            FaultPhase::Installed | FaultPhase::Healed | FaultPhase::Answered(_) => {}
            FaultPhase::Skipped(_) => counts.faults_skipped += 1,
            FaultPhase::Indeterminate(_) => counts.faults_indeterminate += 1,
        }
    }

    fn observe_lifecycle(&mut self, lifecycle: &Lifecycle) {
        match lifecycle.what {
            LifecycleKind::Died => self.counts.crashes += 1,
            LifecycleKind::Started | LifecycleKind::Killed => {}
        }
    }

    /// The counts, with what the checkers counted themselves.
    pub fn finish(
        &self,
        setting: &Setting,
        figures: &BTreeMap<&'static str, u64>,
        scene: &Scene,
    ) -> Coverage {
        let promotions = scene.promotions();
        let stall = (Bounds::of(setting).node_timeout / 4).max(STALL_MIN);
        let losses = |inside: bool| {
            let named = figures
                .iter()
                .filter(move |(name, _)| name.starts_with("HI-"));
            named.filter(move |(name, _)| (**name != "HI-03") == inside)
        };
        Coverage {
            elections: promotions.elections() as u64,
            votes: promotions.votes().len() as u64,
            promotions: promotions.promotions().len() as u64,
            failovers: scene.ownership().takeovers().len() as u64,
            stalled_ops: self
                .slow
                .iter()
                .filter(|latency| **latency >= stall)
                .count() as u64,
            losses_inside_windows: losses(true).map(|(_, count)| count).sum(),
            losses_outside_windows: losses(false).map(|(_, count)| count).sum(),
            losses: losses(true)
                .map(|(name, count)| (name.to_string(), *count))
                .collect(),
            ..self.counts.clone()
        }
    }

    /// Whether anybody noticed the faults. An act of an operator was noticed by who said OK to it.
    pub fn did_bite(&self, coverage: &Coverage) -> bool {
        let noticed = coverage.elections + coverage.failovers + coverage.stalled_ops;
        noticed + self.disturbed_ops + self.failures_told > 0 || !coverage.acts.is_empty()
    }
}

/// Shorter operations are never called stalled, ns.
const STALL_MIN: u64 = 250 * MILLISECOND;
