//! What the nemesis did, and what became of the processes (`faults.jsonl`).

use serde::{Deserialize, Serialize};

use super::names::NodeName;

/// Kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// SIGKILL, later a restart from the same directory.
    Kill,
    /// SIGSTOP, later SIGCONT.
    Pause,
    /// Packets between nodes are dropped, by direction.
    Partition,
    /// CLUSTER FAILOVER sent to a replica.
    Failover,
}

/// How far a fault is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultPhase {
    /// It is in force, as confirmed.
    Installed,
    /// It is over, as confirmed.
    Healed,
    /// It was not tried, and why.
    Skipped(String),
    /// It was tried and nobody knows whether it is in force, and why.
    Indeterminate(String),
}

/// One step of one fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When the step was confirmed, ns since the start.
    pub time: u64,
    /// When the step was begun, ns since the start.
    pub begun: u64,
    /// Number of the fault; all its steps share it.
    pub id: u32,
    /// Kind.
    pub kind: FaultKind,
    /// How far it is.
    pub phase: FaultPhase,
    /// The nodes it is aimed at: killed, paused, or the side cut off.
    pub targets: Vec<NodeName>,
    /// Directed pairs whose packets are dropped (partitions only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<(NodeName, NodeName)>,
    /// One line for people: `isolate n2`, `kill n1 (master of 0-5460)`.
    pub note: String,
}

/// What happened to a node's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LifecycleKind {
    /// The process was started; `incarnation` counts from 1.
    Started,
    /// The process was killed by the nemesis.
    Killed,
    /// The process ended by itself: a crash of the system under test.
    Died,
}

/// A process began or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// When, ns since the start.
    pub time: u64,
    /// The node.
    pub node: NodeName,
    /// How often this node was started so far, this time included.
    pub incarnation: u32,
    /// What happened.
    pub what: LifecycleKind,
    /// Exit status or signal of a process that died.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Adds the step of a pause to the list of its begin and end times.
pub fn note_pause(pauses: &mut Vec<(u64, u64)>, phase: &FaultPhase, begun: u64, time: u64) {
    match phase {
        FaultPhase::Installed | FaultPhase::Indeterminate(_) => pauses.push((begun, u64::MAX)),
        FaultPhase::Healed => {
            if let Some(open) = pauses.iter_mut().rfind(|pause| pause.1 == u64::MAX) {
                open.1 = time;
            }
        }
        FaultPhase::Skipped(_) => {}
    }
}
