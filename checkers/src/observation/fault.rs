//! What the nemesis did, and what became of the processes (`faults.jsonl`).

use serde::{Deserialize, Serialize};

use super::names::NodeName;

/// What a fault does to processes and to what they stand on. Acts of operators do none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A process ends, and comes back.
    Kill,
    /// A process stands still.
    Pause,
    /// Packets between nodes are dropped, by direction.
    Cut(Ports),
    /// The network has other troubles.
    Net(NetTrouble),
    /// A node's clock is wrong.
    Clock(ClockTrouble),
    /// A node's disk is.
    Disk(DiskTrouble),
}

/// Which packets between nodes a cut concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// All of them.
    All,
    /// Those of the cluster bus.
    Bus,
    /// Replication and MIGRATE.
    Data,
}

/// A trouble of the network that cuts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetTrouble {
    /// Everything takes long, unevenly.
    Slow,
    /// Connections end, and what was on its way is lost.
    Reset,
}

/// How a clock is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockTrouble {
    /// It is set to another time, and set right at the heal.
    Step,
    /// It runs too fast or too slow.
    Drift,
}

/// What is wrong with a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskTrouble {
    /// What must be synced takes long, and the process waits for it.
    Slow,
    /// Nothing can be written.
    Full,
}

/// The kinds of faults, a line each: name in recordings, plans and on the command line; damage, or
/// none for an act of an operator (R8): commands that a node accepts.
macro_rules! fault_kinds {
    ($($(#[$doc:meta])+ $kind:ident, $name:literal, $damage:expr;)+) => {
        /// Kind of a fault.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum FaultKind {
            $($(#[$doc])+ #[serde(rename = $name)] $kind,)+
        }

        impl FaultKind {
            /// Every kind.
            pub const ALL: &[FaultKind] = &[$(FaultKind::$kind),+];

            /// Its name in recordings, plans and on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(FaultKind::$kind => $name,)+
                }
            }

            /// What it damages; none if it is an act of an operator (R8).
            pub fn damage(self) -> Option<Damage> {
                match self {
                    $(FaultKind::$kind => $damage,)+
                }
            }
        }
    };
}

fault_kinds! {
    /// SIGKILL, later a restart from the same directory.
    Kill, "kill", Some(Damage::Kill);
    /// SIGSTOP, later SIGCONT.
    Pause, "pause", Some(Damage::Pause);
    /// Packets between nodes are dropped, by direction.
    Partition, "partition", Some(Damage::Cut(Ports::All));
    /// Packets of the cluster bus are dropped between nodes, those of clients and replication pass.
    BusCut, "bus-cut", Some(Damage::Cut(Ports::Bus));
    /// The other way round: replication and MIGRATE are cut, the bus is not.
    DataCut, "data-cut", Some(Damage::Cut(Ports::Data));
    /// The network is slow and uneven.
    SlowNet, "slow-net", Some(Damage::Net(NetTrouble::Slow));
    /// All connections of a node are reset; what was on its way is lost.
    Disconnect, "disconnect", Some(Damage::Net(NetTrouble::Reset));
    /// A node's clock is set to another time, later set right.
    ClockStep, "clock-step", Some(Damage::Clock(ClockTrouble::Step));
    /// A node's clock runs too fast or too slow, later it is set right.
    ClockDrift, "clock-drift", Some(Damage::Clock(ClockTrouble::Drift));
    /// What a node syncs takes long.
    SlowDisk, "slow-disk", Some(Damage::Disk(DiskTrouble::Slow));
    /// A node can write nothing; if it dies of it, it is started again at the heal.
    FullDisk, "full-disk", Some(Damage::Disk(DiskTrouble::Full));
    /// CLUSTER FAILOVER sent to a replica.
    Failover, "failover", None;
    /// CLUSTER FAILOVER FORCE: votes, but no help from the master.
    ForcedFailover, "forced-failover", None;
    /// CLUSTER FAILOVER TAKEOVER: no votes either.
    Takeover, "takeover", None;
    /// CLUSTER REPLICATE: a replica is sent to another master.
    Replicate, "replicate", None;
    /// A slot in use moves from one master to another, stopped at any step, finished at the heal.
    Reshard, "reshard", None;
    /// A slot nobody uses is opened, in any order, and closed again at the heal.
    OpenSlot, "open-slot", None;
    /// CLUSTER BUMPEPOCH on one or two masters.
    BumpEpoch, "bump-epoch", None;
    /// CLUSTER FORGET of a node at some or all others, and MEET at the heal.
    Forget, "forget", None;
    /// CLUSTER RESET of a replica, which leaves and joins again at the heal.
    Reset, "reset", None;
    /// A master without slots is taken out of the cluster, and joins as a new node at the heal.
    ReplaceNode, "replace-node", None;
}

impl FaultKind {
    /// Whether it is an act of an operator (R8), not damage.
    pub fn is_administrative(self) -> bool {
        self.damage().is_none()
    }

    /// Whether it is CLUSTER FAILOVER in one of its forms.
    pub fn is_manual_failover(self) -> bool {
        self == FaultKind::Failover || self.ignores_the_master()
    }

    /// Whether it is an act that leaves nothing to undo or to finish.
    pub fn is_over_when_done(self) -> bool {
        self.is_manual_failover() || self == FaultKind::BumpEpoch
    }

    /// Whether it is an act that moves no slot but to an elected or appointed successor, and leaves
    /// everybody a member.
    pub fn keeps_slots(self) -> bool {
        self.is_over_when_done() || self == FaultKind::Replicate
    }

    /// Whether it promotes a replica that need not have all that its master has.
    pub fn ignores_the_master(self) -> bool {
        matches!(self, FaultKind::ForcedFailover | FaultKind::Takeover)
    }
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
    /// A node answered one of the commands that an act is made of. `targets` has the node, `note`
    /// the command, `begun` is when it was sent; the answer is as RESP writes it (`+OK`, `:5`,
    /// `-ERR …`), or `?` and why there was none: then it may still be carried out.
    Answered(String),
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
    /// Exit status or signal of a process that died; of one that was killed, the epochs that its
    /// nodes.conf held then, and its open slots: `vars currentEpoch 6 lastVoteEpoch 6 open
    /// 7->-1f3a…`.
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
        FaultPhase::Skipped(_) | FaultPhase::Answered(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_kind_is_that_of_the_recording() {
        for kind in FaultKind::ALL {
            let written = serde_json::to_string(&kind).expect("a plain name");
            assert_eq!(written, format!("\"{}\"", kind.name()));
        }
    }
}
