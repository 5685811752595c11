//! How fast the simulation is, in one standard scenario.
//!
//! Three masters and three replicas, node timeout 1 s, one fault in ten virtual seconds drawn from
//! kill, pause and partition, four clients at five operations a second each; histories recorded and
//! every checker on. Measured is the CPU time of the thread, from boot to verdict. An event is one
//! the simulation took from its queue: a delivery, a wake-up of a node, a look, a timeout.

use std::collections::BTreeMap;
use std::time::Duration;

use slotquake_checkers::judge::judge;
use slotquake_checkers::observation::FaultKind;

use super::trial::thread_cpu;
use crate::director::play;
use crate::plan::{Plan, WorldKind};
use crate::world::sim::{Codec, SimWorld};

/// The standard scenario.
pub fn standard(seed: u64) -> Plan {
    Plan {
        seed,
        world: WorldKind::Sim,
        masters: 3,
        replicas: 1,
        node_timeout_ms: 1_000,
        faults: vec![FaultKind::Kill, FaultKind::Pause, FaultKind::Partition],
        fault_interval_ms: 10_000,
        time_limit_ms: TIME_LIMIT_MS,
        rate: 20,
        concurrency: 4,
        ..Plan::default()
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Seeds played.
    pub seeds: u64,
    /// Length of the runs, virtual ns.
    pub virtual_ns: u64,
    /// Events of the simulation.
    pub events: u64,
    /// Bus packets recorded.
    pub packets: u64,
    /// Views recorded.
    pub views: u64,
    /// Operations in the histories.
    pub operations: u64,
    /// CPU time of booting and playing.
    pub played: Duration,
    /// CPU time of judging.
    pub judged: Duration,
}

impl Figures {
    /// CPU time from boot to verdict.
    pub fn cpu(&self) -> Duration {
        self.played + self.judged
    }
}

/// Measures these many seeds.
///
/// # Errors
/// The cluster does not boot, or the run does not come to its end.
pub fn measure(seeds: u64, codec: Codec) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    for seed in 1..=seeds {
        let plan = standard(seed);
        let begun = thread_cpu();
        let mut world = SimWorld::boot_through(&plan, &BTreeMap::new(), codec)?;
        let played = play(&plan, &mut world, &mut |_| {});
        if let Some(trouble) = played.trouble {
            return Err(trouble);
        }
        let middle = thread_cpu();
        let judgement = judge(&played.recording);
        figures.judged += thread_cpu().saturating_sub(middle);
        figures.played += middle.saturating_sub(begun);
        figures.seeds += 1;
        figures.virtual_ns += played.recording.setting.ended_at;
        figures.events += world.events_played();
        figures.packets += judgement.coverage.packets;
        figures.views += judgement.coverage.views;
        figures.operations += judgement.coverage.ops;
    }
    Ok(figures)
}

/// Disturbed phase of each seed, virtual ms.
const TIME_LIMIT_MS: u64 = 300_000;
