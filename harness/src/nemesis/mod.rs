//! Faults that can be drawn: one small file each, one line here.
//!
//! A nemesis is pure. It looks at the director's [`Picture`] of the cluster and a stream of random
//! numbers and says what to break and for how long, or why nothing can be broken now. It breaks at
//! most what leaves a majority of masters, prefers masters (so that elections happen), and takes a
//! master only if a replica is there to replace it. The world carries the fault out.

pub mod kill;
pub mod partition;
pub mod pause;
pub mod picture;

use serde::{Deserialize, Serialize};
use slotquake_checkers::observation::{FaultKind, NodeName};
use slotquake_workloads::rng::Rng;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strike {
    /// Nodes killed, paused, or on the side cut off.
    pub targets: Vec<NodeName>,
    /// Directed pairs to cut (partitions only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<(NodeName, NodeName)>,
    /// One line for people.
    #[serde(default)]
    pub note: String,
    /// From installed to heal, ms.
    pub duration_ms: u64,
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
pub const NEMESES: &[Nemesis] = &[kill::NEMESIS, pause::NEMESIS, partition::NEMESIS];

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
