//! A run as data: what the command line says, validated once.
//!
//! [`Plan::validate`] is the only place that refuses a plan; behind it nothing is checked again.
//! Names of workloads, faults and scenarios are those of their registries. [`mod@file`] reads a
//! plan from JSON, [`script`] is the list of faults that a plan may fix.

pub mod config;
mod error;
pub mod file;
pub mod network;
pub mod script;
#[cfg(test)]
mod tests;
pub mod words;

use serde::{Deserialize, Serialize};
use slotquake_checkers::observation::{Directives, FaultKind};
use slotquake_workloads::load::Load;
use slotquake_workloads::registry::WORKLOADS;

use crate::director::scenario::{self, SCENARIOS};
use crate::nemesis::{self, NEMESES, Nemesis, Worlds};

use words::faults_text;

pub use error::PlanError;
pub use network::Network;
pub use script::ScriptedStrike;

/// Where a run happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorldKind {
    /// Processes on this machine.
    Local,
    /// The node core in virtual time.
    Sim,
}

/// Which weaknesses the reference nodes of a run have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Profile {
    /// None that is known.
    #[default]
    #[serde(rename = "default")]
    Default,
    /// The known ones of redis-server 7.0.
    #[serde(rename = "upstream-7.0")]
    Upstream70,
}

impl Profile {
    /// Its name on the command line, in plan.json and in redis.conf.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Default => "default",
            Profile::Upstream70 => "upstream-7.0",
        }
    }

    /// What redis.conf of a reference node needs for it.
    pub fn directive(self) -> Option<(&'static str, &'static str)> {
        match self {
            Profile::Default => None,
            Profile::Upstream70 => Some(("slotquake-profile", self.name())),
        }
    }
}

/// Everything that decides a run; `plan.json`. What a file leaves out is as in [`Plan::default`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// Root of all randomness.
    pub seed: u64,
    /// Where.
    pub world: WorldKind,
    /// What is tested, as given: `reference`, `redis@7.0.15`, a path, or a mix.
    pub target: String,
    /// Which weaknesses its reference nodes have.
    #[serde(default)]
    pub profile: Profile,
    /// The seeded bug of its nodes or clients, in builds that have them (docs/mutants.md).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutant: Option<String>,
    /// Masters.
    pub masters: u16,
    /// Replicas of each master.
    pub replicas: u16,
    /// Masters without slots, besides.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slotless: u16,
    /// What the simulated network is like.
    #[serde(default, skip_serializing_if = "Network::is_usual")]
    pub network: Network,
    /// cluster-node-timeout, ms.
    pub node_timeout_ms: u64,
    /// What else redis.conf of the nodes has.
    #[serde(skip_serializing_if = "Directives::is_empty")]
    pub config: Directives,
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
    /// What is asked of every workload.
    #[serde(skip_serializing_if = "Load::is_usual")]
    pub load: Load,
    /// A fixed course of events instead of drawn faults: `double-manual-failover`.
    #[serde(default)]
    pub scenario: Option<String>,
    /// The faults one by one, in order of time. With a script nothing is drawn, whatever `faults`
    /// says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Vec<ScriptedStrike>>,
    /// Client and number of each operation that is carried out, both from 0; the others are drawn
    /// and passed over. None: all are carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<(u32, u64)>>,
}

/// Most nodes of one run.
pub const NODES_MAX: u32 = 1000;
/// Most masters without slots: they serve nobody, and a few show all there is to see.
pub const SLOTLESS_MAX: u16 = 16;
/// Shortest node timeout, ms: below it a loaded machine alone causes failovers.
pub const NODE_TIMEOUT_MS_MIN: u64 = 100;
/// Longest node timeout, ms.
pub const NODE_TIMEOUT_MS_MAX: u64 = 600_000;
/// Longest disturbed phase, ms.
pub const TIME_LIMIT_MS_MAX: u64 = 7 * 24 * 3600 * 1000;
/// Most clients of one run.
pub const CLIENTS_MAX: u32 = 10_000;
/// Most operations per second.
pub const RATE_MAX: u64 = 1_000_000;

impl Default for Plan {
    fn default() -> Plan {
        let workloads = WORKLOADS.iter().filter(|entry| entry.is_default);
        Plan {
            seed: 1,
            world: WorldKind::Local,
            target: "reference".into(),
            profile: Profile::Default,
            mutant: None,
            masters: 3,
            replicas: 1,
            slotless: 0,
            network: Network::default(),
            node_timeout_ms: 1000,
            config: Directives::default(),
            workloads: workloads.map(|entry| entry.name.into()).collect(),
            faults: nemesis::usual().map(|nemesis| nemesis.kind).collect(),
            fault_interval_ms: 5000,
            time_limit_ms: 30_000,
            rate: 200,
            concurrency: 10,
            load: Load::default(),
            scenario: None,
            script: None,
            operations: None,
        }
    }
}

impl Plan {
    /// Number of nodes.
    pub fn node_count(&self) -> u32 {
        u32::from(self.masters) * (1 + u32::from(self.replicas)) + u32::from(self.slotless)
    }

    /// Number of processes that work at once: operations on their way at the most.
    pub fn process_count(&self) -> u32 {
        self.concurrency * u32::from(self.load.pipeline)
    }

    /// Whether faults are drawn, rather than scripted or absent.
    pub fn draws_faults(&self) -> bool {
        self.script.is_none() && !self.faults.is_empty()
    }

    /// Whether a fault of this kind may occur.
    pub fn can_bring(&self, kind: FaultKind) -> bool {
        let mut scripted = self.script.iter().flatten();
        self.draws_faults() && self.faults.contains(&kind) || scripted.any(|step| step.kind == kind)
    }

    /// The same plan with these faults instead of drawn ones.
    pub fn scripted(&self, script: Vec<ScriptedStrike>) -> Plan {
        Plan {
            faults: Vec::new(),
            script: Some(script),
            ..self.clone()
        }
    }

    /// The same plan with this seeded bug.
    pub fn with_mutant(self, mutant: Option<String>) -> Plan {
        Plan { mutant, ..self }
    }

    /// Says why the plan is impossible, if it is.
    ///
    /// # Errors
    /// The first thing found wrong, with what to do instead.
    pub fn validate(&self) -> Result<(), PlanError> {
        self.validate_topology()?;
        self.validate_network()?;
        self.validate_times()?;
        config::validate(&self.config, self.world)?;
        self.validate_load()?;
        self.validate_names()?;
        self.validate_script()
    }

    fn validate_script(&self) -> Result<(), PlanError> {
        match (&self.script, &self.scenario) {
            (None, _) => Ok(()),
            (Some(_), Some(_)) => Err(PlanError::ScriptAndScenario),
            (Some(steps), None) => Ok(script::validate(steps, self)?),
        }
    }

    fn validate_topology(&self) -> Result<(), PlanError> {
        let (masters, nodes) = (self.masters, self.node_count());
        if masters == 0 {
            return Err(PlanError::NoMasters);
        }
        if masters > 16_384 {
            return Err(PlanError::TooManyMasters { masters });
        }
        if self.slotless > SLOTLESS_MAX {
            let given = self.slotless;
            return Err(PlanError::TooManySlotless { given });
        }
        if nodes > NODES_MAX {
            return Err(PlanError::TooManyNodes { nodes });
        }
        if masters < 3 && self.draws_faults() {
            return Err(PlanError::NoMajority { masters });
        }
        Ok(())
    }

    fn validate_network(&self) -> Result<(), PlanError> {
        if let Some((field, given)) = self.network.out_of_bounds() {
            return Err(PlanError::Network { field, given });
        }
        match self.world {
            WorldKind::Local if !self.network.is_usual() => Err(PlanError::NetworkIsReal),
            WorldKind::Local | WorldKind::Sim => Ok(()),
        }
    }

    fn validate_times(&self) -> Result<(), PlanError> {
        if !(NODE_TIMEOUT_MS_MIN..=NODE_TIMEOUT_MS_MAX).contains(&self.node_timeout_ms) {
            let given = self.node_timeout_ms;
            return Err(PlanError::NodeTimeout { given });
        }
        if self.time_limit_ms == 0 {
            return Err(PlanError::NoTime);
        }
        if self.time_limit_ms > TIME_LIMIT_MS_MAX {
            let given = self.time_limit_ms;
            return Err(PlanError::TooLong { given });
        }
        if self.fault_interval_ms == 0 && self.draws_faults() {
            return Err(PlanError::NoFaultInterval);
        }
        Ok(())
    }

    fn validate_load(&self) -> Result<(), PlanError> {
        let rate = self.rate;
        if rate > RATE_MAX {
            return Err(PlanError::Rate { given: rate });
        }
        if self.concurrency > CLIENTS_MAX {
            let given = self.concurrency;
            return Err(PlanError::TooManyClients { given });
        }
        if let Err((field, why)) = self.load.validate() {
            return Err(PlanError::Load { field, why });
        }
        if self.process_count() > CLIENTS_MAX {
            let given = self.process_count();
            return Err(PlanError::TooManyInFlight { given });
        }
        if rate > 0 && self.concurrency == 0 {
            return Err(PlanError::NoClients { rate });
        }
        let listed = self.operations.iter().flatten();
        if let Some((given, _)) = listed
            .into_iter()
            .find(|(client, _)| *client >= self.process_count())
        {
            return Err(PlanError::UnknownClient {
                given: *given,
                clients: self.process_count(),
            });
        }
        self.validate_replicas()?;
        if rate > 0 && self.workloads.is_empty() {
            let known = workload_names();
            return Err(PlanError::NoWorkload { rate, known });
        }
        Ok(())
    }

    /// What the load asks of replicas must be possible, or it would be asked for in silence.
    fn validate_replicas(&self) -> Result<(), PlanError> {
        let (load, replicas) = (self.load, self.replicas);
        if u16::from(load.wait_replicas) > replicas {
            let given = load.wait_replicas;
            return Err(PlanError::WaitsInVain { given, replicas });
        }
        if load.replica_reads_percent > 0 && replicas == 0 {
            return Err(PlanError::NoReplicaToRead);
        }
        Ok(())
    }

    fn validate_names(&self) -> Result<(), PlanError> {
        let has_workload = |name: &&String| slotquake_workloads::registry::find(name).is_some();
        if let Some(given) = self.workloads.iter().find(|name| !has_workload(name)) {
            return Err(PlanError::UnknownWorkload {
                given: given.clone(),
                known: workload_names(),
            });
        }
        if let Some(kind) = self
            .faults
            .iter()
            .find(|kind| nemesis::of(**kind).is_none())
        {
            return Err(PlanError::UndrawableFault {
                given: format!("{kind:?}"),
                known: fault_names(),
            });
        }
        let mut kinds = self.faults.iter();
        let is_vain = kinds.all(|kind| nemesis::of(*kind).is_some_and(needs_simulation));
        if is_vain && self.draws_faults() && self.world == WorldKind::Local {
            return Err(PlanError::NeedsSimulation {
                given: faults_text(&self.faults),
            });
        }
        let Some(name) = &self.scenario else {
            return Ok(());
        };
        let Some(entry) = scenario::find(name) else {
            return Err(PlanError::UnknownScenario {
                given: name.clone(),
                known: scenario_names(),
            });
        };
        (entry.check)(self).map_err(|needed| PlanError::Scenario {
            scenario: entry.name,
            needed,
        })
    }
}

fn is_zero(count: &u16) -> bool {
    *count == 0
}

fn needs_simulation(nemesis: &Nemesis) -> bool {
    nemesis.worlds == Worlds::Simulation
}

/// Reads `kill,pause`, `all` or `none`.
///
/// # Errors
/// A name that no fault has.
pub fn parse_faults(text: &str) -> Result<Vec<FaultKind>, PlanError> {
    match text {
        "none" | "" => return Ok(Vec::new()),
        "all" => return Ok(NEMESES.iter().map(|nemesis| nemesis.kind).collect()),
        _ => {}
    }
    let mut kinds = Vec::new();
    for name in text.split(',').map(str::trim) {
        let nemesis = nemesis::find(name).ok_or_else(|| PlanError::UnknownFault {
            given: name.into(),
            known: fault_names(),
        })?;
        if !kinds.contains(&nemesis.kind) {
            kinds.push(nemesis.kind);
        }
    }
    Ok(kinds)
}

/// Reads `register,set`.
///
/// # Errors
/// A name that no workload has.
pub fn parse_workloads(text: &str) -> Result<Vec<String>, PlanError> {
    let mut names = Vec::new();
    for name in text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        if slotquake_workloads::registry::find(name).is_none() {
            return Err(PlanError::UnknownWorkload {
                given: name.into(),
                known: workload_names(),
            });
        }
        names.push(name.to_string());
    }
    Ok(names)
}

fn workload_names() -> String {
    let names: Vec<&str> = WORKLOADS.iter().map(|entry| entry.name).collect();
    names.join(", ")
}

fn fault_names() -> String {
    let names: Vec<&str> = NEMESES.iter().map(Nemesis::name).collect();
    names.join(", ")
}

fn scenario_names() -> String {
    let names: Vec<&str> = SCENARIOS.iter().map(|entry| entry.name).collect();
    names.join(", ")
}
