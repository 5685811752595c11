//! Why a plan is impossible, and which of its fields says so.

use super::config::ConfigError;
use super::network::NETWORK_US_MAX;
use super::script::ScriptError;
use super::{
    CLIENTS_MAX, NODE_TIMEOUT_MS_MAX, NODE_TIMEOUT_MS_MIN, NODES_MAX, RATE_MAX, SLOTLESS_MAX,
    TIME_LIMIT_MS_MAX,
};

/// Why a plan is impossible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PlanError {
    #[error("a cluster needs at least 1 master; --masters is 0")]
    NoMasters,
    #[error(
        "{masters} masters cannot elect a replacement when one of them is gone: faults need \
         --masters 3 or more, or --faults none"
    )]
    NoMajority { masters: u16 },
    #[error("{nodes} nodes are more than the {NODES_MAX} that a run can have")]
    TooManyNodes { nodes: u32 },
    #[error("--slotless {given} is above {SLOTLESS_MAX}, the most masters without slots of a run")]
    TooManySlotless { given: u16 },
    #[error(
        "--wait {given} asks for more replicas than a master has ({replicas}): every WAIT would \
         time out; give --wait {replicas} or --replicas {given}"
    )]
    WaitsInVain { given: u8, replicas: u16 },
    #[error("--replica-reads needs replicas: give --replicas 1 or more, or leave it out")]
    NoReplicaToRead,
    #[error("{masters} masters cannot share 16384 slots")]
    TooManyMasters { masters: u16 },
    #[error("{given} us on the way is above {NETWORK_US_MAX} us (one second)")]
    Network { field: &'static str, given: u64 },
    #[error("only the simulated network can be given a shape: --world sim")]
    NetworkIsReal,
    #[error("node timeout {given} ms is outside {NODE_TIMEOUT_MS_MIN} to {NODE_TIMEOUT_MS_MAX} ms")]
    NodeTimeout { given: u64 },
    #[error("--time-limit is 0: nothing would be tested")]
    NoTime,
    #[error("time limit {given} ms is above {TIME_LIMIT_MS_MAX} ms (one week)")]
    TooLong { given: u64 },
    #[error("--fault-interval is 0: give the mean time from one fault to the next")]
    NoFaultInterval,
    #[error("--concurrency is 0 while --rate is {rate}: nobody would do the operations")]
    NoClients { rate: u64 },
    #[error("{given} clients are more than the {CLIENTS_MAX} that a run can have")]
    TooManyClients { given: u32 },
    #[error(
        "--concurrency times --pipeline is {given}, more than the {CLIENTS_MAX} operations that a \
         run can have on their way"
    )]
    TooManyInFlight { given: u32 },
    #[error("there is no client {given}: with a concurrency of {clients} they count from 0")]
    UnknownClient { given: u32, clients: u32 },
    #[error("rate {given} is above {RATE_MAX} operations per second")]
    Rate { given: u64 },
    #[error("load: {field} is {why}")]
    Load { field: &'static str, why: String },
    #[error("no workload is named {given:?}; there are: {known}")]
    UnknownWorkload { given: String, known: String },
    #[error("--workload names none while --rate is {rate}; there are: {known}")]
    NoWorkload { rate: u64, known: String },
    #[error("no fault is named {given:?}; there are: {known}, all, none")]
    UnknownFault { given: String, known: String },
    #[error("fault {given:?} cannot be drawn; there are: {known}")]
    UndrawableFault { given: String, known: String },
    #[error("only the simulation can do {given}: --world sim")]
    NeedsSimulation { given: String },
    #[error("no scenario is named {given:?}; there are: {known}")]
    UnknownScenario { given: String, known: String },
    #[error("scenario {scenario} needs {needed}")]
    Scenario {
        scenario: &'static str,
        needed: &'static str,
    },
    #[error("a plan has a script or a scenario, not both")]
    ScriptAndScenario,
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Script(#[from] ScriptError),
}

impl PlanError {
    /// The field of the plan that is at fault: `masters`, `script[2].strike.targets`.
    pub fn field(&self) -> String {
        let field = match self {
            PlanError::NoMasters
            | PlanError::NoMajority { .. }
            | PlanError::TooManyMasters { .. } => "masters",
            PlanError::TooManyNodes { .. } => "replicas",
            PlanError::TooManySlotless { .. } => "slotless",
            PlanError::WaitsInVain { .. } => "load.wait_replicas",
            PlanError::NoReplicaToRead => "load.replica_reads_percent",
            PlanError::Network { field, .. } => field,
            PlanError::NetworkIsReal => "network",
            PlanError::NodeTimeout { .. } => "node_timeout_ms",
            PlanError::NoTime | PlanError::TooLong { .. } => "time_limit_ms",
            PlanError::NoFaultInterval => "fault_interval_ms",
            PlanError::NoClients { .. } | PlanError::TooManyClients { .. } => "concurrency",
            PlanError::TooManyInFlight { .. } => "load.pipeline",
            PlanError::UnknownClient { .. } => "operations",
            PlanError::Rate { .. } => "rate",
            PlanError::UnknownWorkload { .. } | PlanError::NoWorkload { .. } => "workloads",
            PlanError::UnknownFault { .. }
            | PlanError::UndrawableFault { .. }
            | PlanError::NeedsSimulation { .. } => "faults",
            PlanError::UnknownScenario { .. } | PlanError::Scenario { .. } => "scenario",
            PlanError::ScriptAndScenario => "script",
            PlanError::Load { field, .. } => return format!("load.{field}"),
            PlanError::Config(error) => return format!("config.{}", error.name),
            PlanError::Script(error) => return error.field(),
        };
        field.into()
    }
}
