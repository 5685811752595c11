//! Faults that can be drawn: one small file each, one line here.
//!
//! A nemesis is pure. It looks at the director's [`Picture`] of the cluster and a stream of random
//! numbers and says what to break and for how long, or why nothing can be broken now. It breaks at
//! most what leaves a majority of masters, prefers masters (so that elections happen), and takes a
//! master only if a replica is there to replace it. The world carries the fault out.

pub mod bump_epoch;
pub mod disconnect;
pub mod failover;
pub mod forget;
pub mod kill;
pub mod open_slot;
pub mod order;
pub mod partition;
pub mod pause;
pub mod picture;
pub mod port_cut;
pub mod replicate;
pub mod reset;
pub mod reshard;
pub mod slow_net;

use serde::{Deserialize, Serialize};
use slotquake_checkers::observation::{FaultKind, NodeName};
use slotquake_workloads::rng::Rng;

pub use order::{Insist, Order};
pub use picture::{Condition, NodePicture, Picture, Role};

/// A fault as the command line and the report know it.
#[derive(Debug, Clone, Copy)]
pub struct Nemesis {
    /// Its name on the command line.
    pub name: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// What it does.
    pub kind: FaultKind,
    /// Picks what to break.
    pub plan: fn(&Picture, &mut Rng) -> Result<Strike, Skip>,
}

/// What to break, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strike {
    /// Nodes killed, paused, ordered about, or on the side cut off.
    pub targets: Vec<NodeName>,
    /// Directed pairs to cut (partitions only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<(NodeName, NodeName)>,
    /// One line for people.
    #[serde(default)]
    pub note: String,
    /// From installed to heal, ms.
    pub duration_ms: u64,
    /// Commands that are the fault (acts of an operator only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<Order>,
    /// Commands that heal it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Order>,
}

impl Strike {
    /// The same in a cluster whose nodes have other names; `new_name` gives none for a node that is
    /// gone. None if no target is left, or no path to cut. The note stays as it is.
    pub fn renamed(&self, new_name: &dyn Fn(&NodeName) -> Option<NodeName>) -> Option<Strike> {
        let targets: Vec<NodeName> = self.targets.iter().filter_map(new_name).collect();
        let cuts = self.cuts.iter();
        let cuts = cuts.filter_map(|(from, to)| Some((new_name(from)?, new_name(to)?)));
        let cuts: Vec<(NodeName, NodeName)> = cuts.collect();
        if targets.is_empty() || (cuts.is_empty() && !self.cuts.is_empty()) {
            return None;
        }
        Some(Strike {
            targets,
            cuts,
            ..self.clone()
        })
    }
}

/// Why nothing was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip(pub &'static str);

/// Every fault that can be drawn.
pub const NEMESES: &[Nemesis] = &[
    kill::NEMESIS,
    pause::NEMESIS,
    partition::NEMESIS,
    port_cut::BUS,
    port_cut::DATA,
    slow_net::NEMESIS,
    disconnect::NEMESIS,
    failover::PLAIN,
    failover::FORCE,
    failover::TAKEOVER,
    replicate::NEMESIS,
    reshard::NEMESIS,
    open_slot::NEMESIS,
    bump_epoch::NEMESIS,
    forget::NEMESIS,
    reset::NEMESIS,
];

/// The faults of a run that names none: the plain damage that every world can do.
pub fn usual() -> impl Iterator<Item = &'static Nemesis> {
    let is_usual =
        |nemesis: &&Nemesis| !nemesis.kind.is_administrative() && !needs_simulation(nemesis.kind);
    NEMESES.iter().filter(is_usual)
}

/// Whether only the simulated world can do it.
pub fn needs_simulation(kind: FaultKind) -> bool {
    match kind {
        FaultKind::BusCut | FaultKind::DataCut | FaultKind::SlowNet | FaultKind::Disconnect => true,
        FaultKind::Kill
        | FaultKind::Pause
        | FaultKind::Partition
        | FaultKind::Failover
        | FaultKind::ForcedFailover
        | FaultKind::Takeover
        | FaultKind::Replicate
        | FaultKind::Reshard
        | FaultKind::OpenSlot
        | FaultKind::BumpEpoch
        | FaultKind::Forget
        | FaultKind::Reset => false,
    }
}

/// Whether the targets of such a fault are out of action, so that nothing else may strike them.
pub fn holds_targets(kind: FaultKind) -> bool {
    match kind {
        FaultKind::OpenSlot | FaultKind::BumpEpoch | FaultKind::SlowNet | FaultKind::Disconnect => {
            false
        }
        FaultKind::Kill
        | FaultKind::Pause
        | FaultKind::Partition
        | FaultKind::BusCut
        | FaultKind::DataCut
        | FaultKind::Failover
        | FaultKind::ForcedFailover
        | FaultKind::Takeover
        | FaultKind::Replicate
        | FaultKind::Reshard
        | FaultKind::Forget
        | FaultKind::Reset => true,
    }
}

/// The fault of this name.
pub fn find(name: &str) -> Option<&'static Nemesis> {
    NEMESES.iter().find(|nemesis| nemesis.name == name)
}

/// The fault of this kind; none for kinds that only scenarios use.
pub fn of(kind: FaultKind) -> Option<&'static Nemesis> {
    NEMESES.iter().find(|nemesis| nemesis.kind == kind)
}

#[cfg(test)]
mod tests;
