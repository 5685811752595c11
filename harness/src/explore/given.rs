//! What the caller of a campaign decided, and what that leaves open.
//!
//! Each field has the name of the plan's field that it decides. What is not given is drawn
//! ([`super::swarm`]), or is as a plan has it by default.

use slotquake_checkers::observation::{Directives, FaultKind};
use slotquake_workloads::load::Load;

use crate::plan::{Network, Plan, Profile, WorldKind};

/// What the caller decided; the names are those of [`Plan`].
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "the plan's own fields say it")]
pub struct Given {
    pub profile: Profile,
    pub mutant: Option<String>,
    pub masters: Option<u16>,
    pub replicas: Option<u16>,
    pub slotless: Option<u16>,
    pub network: Option<Network>,
    pub node_timeout_ms: Option<u64>,
    pub config: Directives,
    pub workloads: Option<Vec<String>>,
    pub faults: Option<Vec<FaultKind>>,
    pub fault_interval_ms: Option<u64>,
    pub time_limit_ms: Option<u64>,
    pub rate: Option<u64>,
    pub concurrency: Option<u32>,
    pub load: Load,
    pub scenario: Option<String>,
}

impl Given {
    /// Whether a story may be told: it brings faults, nodes and times of its own.
    pub(super) fn leaves_the_course_open(&self) -> bool {
        let is_open = self.masters.is_none() && self.replicas.is_none() && self.faults.is_none();
        is_open && self.node_timeout_ms.is_none() && self.time_limit_ms.is_none()
    }

    /// The plan of a story with the load that was given.
    pub(super) fn kept_in(&self, plan: Plan) -> Plan {
        Plan {
            config: match self.config.is_empty() {
                true => plan.config,
                false => self.config.clone(),
            },
            workloads: self.workloads.clone().unwrap_or(plan.workloads),
            rate: self.rate.unwrap_or(plan.rate),
            concurrency: self.concurrency.unwrap_or(plan.concurrency),
            ..plan
        }
    }

    /// The plan with the defaults where nothing was given.
    pub(super) fn fixed(&self, seed: u64) -> Plan {
        let usual = Plan::default();
        Plan {
            seed,
            world: WorldKind::Sim,
            target: usual.target,
            profile: self.profile,
            mutant: self.mutant.clone(),
            masters: self.masters.unwrap_or(usual.masters),
            replicas: self.replicas.unwrap_or(usual.replicas),
            slotless: self.slotless.unwrap_or(usual.slotless),
            network: self.network.unwrap_or(usual.network),
            node_timeout_ms: self.node_timeout_ms.unwrap_or(usual.node_timeout_ms),
            config: self.config.clone(),
            workloads: self.workloads.clone().unwrap_or(usual.workloads),
            faults: self.faults.clone().unwrap_or(usual.faults),
            fault_interval_ms: self.fault_interval_ms.unwrap_or(usual.fault_interval_ms),
            time_limit_ms: self.time_limit_ms.unwrap_or(usual.time_limit_ms),
            rate: self.rate.unwrap_or(usual.rate),
            concurrency: self.concurrency.unwrap_or(usual.concurrency),
            load: self.load,
            scenario: self.scenario.clone(),
            script: None,
            operations: None,
        }
    }
}
