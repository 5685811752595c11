//! A run as data: what the command line says, validated once.
//!
//! [`Plan::validate`] is the only place that refuses a plan; behind it nothing is checked again.
//! Names of workloads, faults and scenarios are those of their registries.

use serde::{Deserialize, Serialize};
use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::registry::WORKLOADS;

use crate::director::scenario::{self, SCENARIOS};
use crate::nemesis::{self, NEMESES};

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
    /// Which weaknesses its reference nodes have.
    #[serde(default)]
    pub profile: Profile,
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
    #[error("{masters} masters cannot share 16384 slots")]
    TooManyMasters { masters: u16 },
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
    #[error("rate {given} is above {RATE_MAX} operations per second")]
    Rate { given: u64 },
    #[error("no workload is named {given:?}; there are: {known}")]
    UnknownWorkload { given: String, known: String },
    #[error("--workload names none while --rate is {rate}; there are: {known}")]
    NoWorkload { rate: u64, known: String },
    #[error("no fault is named {given:?}; there are: {known}, all, none")]
    UnknownFault { given: String, known: String },
    #[error("fault {given:?} cannot be drawn; there are: {known}")]
    UndrawableFault { given: String, known: String },
    #[error("no scenario is named {given:?}; there are: {known}")]
    UnknownScenario { given: String, known: String },
    #[error("scenario {scenario} needs {needed}")]
    Scenario {
        scenario: &'static str,
        needed: &'static str,
    },
}

/// Most nodes of one run.
pub const NODES_MAX: u32 = 1000;
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
            masters: 3,
            replicas: 1,
            node_timeout_ms: 1000,
            workloads: workloads.map(|entry| entry.name.into()).collect(),
            faults: NEMESES.iter().map(|nemesis| nemesis.kind).collect(),
            fault_interval_ms: 5000,
            time_limit_ms: 30_000,
            rate: 200,
            concurrency: 10,
            scenario: None,
        }
    }
}

impl Plan {
    /// Number of nodes.
    pub fn node_count(&self) -> u32 {
        u32::from(self.masters) * (1 + u32::from(self.replicas))
    }

    /// Says why the plan is impossible, if it is.
    ///
    /// # Errors
    /// The first thing found wrong, with what to do instead.
    pub fn validate(&self) -> Result<(), PlanError> {
        self.validate_topology()?;
        self.validate_times()?;
        self.validate_load()?;
        self.validate_names()
    }

    fn validate_topology(&self) -> Result<(), PlanError> {
        let (masters, nodes) = (self.masters, self.node_count());
        if masters == 0 {
            return Err(PlanError::NoMasters);
        }
        if masters > 16_384 {
            return Err(PlanError::TooManyMasters { masters });
        }
        if nodes > NODES_MAX {
            return Err(PlanError::TooManyNodes { nodes });
        }
        if masters < 3 && !self.faults.is_empty() {
            return Err(PlanError::NoMajority { masters });
        }
        Ok(())
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
        if self.fault_interval_ms == 0 && !self.faults.is_empty() {
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
        if rate > 0 && self.concurrency == 0 {
            return Err(PlanError::NoClients { rate });
        }
        if rate > 0 && self.workloads.is_empty() {
            let known = workload_names();
            return Err(PlanError::NoWorkload { rate, known });
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
    let names: Vec<&str> = NEMESES.iter().map(|nemesis| nemesis.name).collect();
    names.join(", ")
}

fn scenario_names() -> String {
    let names: Vec<&str> = SCENARIOS.iter().map(|entry| entry.name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = Plan::default();
        change(&mut plan);
        let error = plan.validate().expect_err("an impossible plan");
        error.to_string()
    }

    #[test]
    fn the_default_is_possible() {
        assert_eq!(Plan::default().validate(), Ok(()));
    }

    #[test]
    fn refuses_what_is_impossible_in_one_clear_line() {
        let cases = [
            (refusal(|plan| plan.masters = 0), "at least 1 master"),
            (refusal(|plan| plan.masters = 2), "--masters 3"),
            (refusal(|plan| plan.replicas = 400), "1203 nodes"),
            (
                refusal(|plan| plan.node_timeout_ms = 1),
                "node timeout 1 ms",
            ),
            (refusal(|plan| plan.time_limit_ms = 0), "--time-limit is 0"),
            (refusal(|plan| plan.time_limit_ms = u64::MAX), "one week"),
            (
                refusal(|plan| plan.fault_interval_ms = 0),
                "--fault-interval",
            ),
            (refusal(|plan| plan.concurrency = 0), "--concurrency is 0"),
            (refusal(|plan| plan.concurrency = 99_999), "99999 clients"),
            (refusal(|plan| plan.rate = u64::MAX), "rate"),
            (
                refusal(|plan| plan.workloads = vec!["x".into()]),
                "register, set",
            ),
            (refusal(|plan| plan.workloads = vec![]), "register, set"),
            (
                refusal(|plan| plan.faults = vec![FaultKind::Failover]),
                "kill",
            ),
            (
                refusal(|plan| plan.scenario = Some("x".into())),
                "double-manual-failover",
            ),
        ];
        for (message, expected) in cases {
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn reads_fault_lists() {
        let all = parse_faults("all").expect("known");
        assert_eq!(parse_faults("kill, pause,partition,kill"), Ok(all));
        assert_eq!(parse_faults("none"), Ok(Vec::new()));
        let error = parse_faults("kil").expect_err("unknown").to_string();
        assert!(error.contains("kill, pause, partition"), "{error}");
    }

    #[test]
    fn survives_its_own_json() {
        let text = serde_json::to_string(&Plan::default()).expect("plain data");
        let back: Plan = serde_json::from_str(&text).expect("just written");
        assert_eq!(back, Plan::default());
    }
}
