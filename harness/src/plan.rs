//! A run as data: what the command line says, validated once.

use serde::{Deserialize, Serialize};
use slotquake_checkers::observation::FaultKind;

/// Where a run happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorldKind {
    /// Processes on this machine.
    Local,
    /// The node core in virtual time.
    Sim,
}

/// Everything that decides a run; `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Root of all randomness.
    pub seed: u64,
    /// Where.
    pub world: WorldKind,
    /// What is tested, as given: `reference`, `redis@7.0.15`, a path, or a mix.
    pub target: String,
    /// Masters.
    pub masters: u16,
    /// Replicas of each master.
    pub replicas: u16,
    /// cluster-node-timeout, ms.
    pub node_timeout_ms: u64,
    /// Workloads by name; processes are dealt to them in turn.
    pub workloads: Vec<String>,
    /// Kinds of faults to draw from; empty for none.
    pub faults: Vec<FaultKind>,
    /// Mean time from one fault to the next, ms.
    pub fault_interval_ms: u64,
    /// How long the disturbed phase lasts, ms.
    pub time_limit_ms: u64,
    /// Operations per second over all clients; 0 for no load.
    pub rate: u64,
    /// Clients at work at the same time.
    pub concurrency: u32,
    /// A fixed course of events instead of drawn faults: `double-manual-failover`.
    #[serde(default)]
    pub scenario: Option<String>,
}
