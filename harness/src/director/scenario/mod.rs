//! Scenarios: fixed courses of events, one small file each, one line here.
//!
//! A scenario takes the place of the drawn faults and of the workloads. It is pure: the director
//! tells it what it sees ([`Beat`]), it says what to do ([`Act`]).

pub mod adds;
pub mod deposed_master_resumes;
pub mod double_manual_failover;
pub mod source_fails_over;

use bytes::Bytes;
use slotquake_checkers::observation::{Fault, FaultKind, NodeName, NodeSetting, View};
use slotquake_workloads::client::RespValue;
use slotquake_workloads::workload::Workload;

use crate::nemesis::{Picture, Strike};
use crate::plan::Plan;

/// A scenario as the command line and the report know it.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name on the command line.
    pub name: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// Sets what the scenario prescribes; called once, before the plan is validated.
    pub adapt: fn(&mut Plan),
    /// Says what the scenario needs that the plan lacks.
    pub check: fn(&Plan) -> Result<(), &'static str>,
    /// Begins it on a cluster that is up.
    pub make: Make,
}

/// Begins a scenario, or says why it cannot be played on this cluster.
pub type Make = fn(&Picture, &[NodeSetting]) -> Result<Box<dyn Scenario>, String>;

/// A course of events.
pub trait Scenario {
    /// The load that goes with it.
    fn workload(&self) -> Box<dyn Workload>;

    /// Takes in one beat and says what to do. `now` in ns.
    fn on(&mut self, now: u64, beat: Beat<'_>) -> Vec<Act>;
}

/// What a scenario is told.
#[derive(Debug, Clone, Copy)]
pub enum Beat<'a> {
    /// The warm phase is over.
    Begin,
    /// A node gave its view.
    View(&'a View),
    /// An [`Act::Ask`] was answered.
    Answer {
        /// The question's.
        tag: u64,
        /// The reply, or why there is none.
        reply: &'a Result<RespValue, String>,
    },
    /// A step of an [`Act::Strike`] was carried out, or not.
    Fault(&'a Fault),
    /// A time asked for has come.
    Woke,
}

/// What a scenario may do.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Send a command to a node.
    Ask {
        /// Which.
        node: NodeName,
        /// Its arguments.
        args: Vec<Bytes>,
        /// Given back in the answer.
        tag: u64,
    },
    /// Ask a node for its view.
    Look(NodeName),
    /// Break something for a while; each step is told by [`Beat::Fault`].
    Strike(FaultKind, Strike),
    /// Write down a step of a fault that the scenario brought about itself.
    Record(Fault),
    /// Be told [`Beat::Woke`] at this time, ns.
    WakeAt(u64),
    /// The course is over.
    Done,
}

/// Every scenario.
pub const SCENARIOS: &[Entry] = &[
    double_manual_failover::ENTRY,
    deposed_master_resumes::ENTRY,
    source_fails_over::ENTRY,
];

/// The scenario of this name.
pub fn find(name: &str) -> Option<&'static Entry> {
    SCENARIOS.iter().find(|entry| entry.name == name)
}

/// What a failover needs.
fn check_failover(plan: &Plan) -> Result<(), &'static str> {
    match () {
        () if plan.replicas == 0 => Err("a replica: --replicas 1 or more"),
        () if plan.masters < 3 => Err("three masters: --masters 3 or more"),
        () => Ok(()),
    }
}
