//! Faults that can be drawn: one small file each, one line here.
//!
//! A nemesis is pure. It looks at the director's [`Picture`] of the cluster and a stream of random
//! numbers and says what to break and for how long, or why nothing can be broken now. It breaks at
//! most what leaves a majority of masters, prefers masters (so that elections happen), and takes a
//! master only if a replica is there to replace it. The world carries the fault out.

pub mod bump_epoch;
pub mod clock;
pub mod disconnect;
pub mod disk;
pub mod dose;
pub mod failover;
pub mod forget;
pub mod kill;
mod left_keys;
pub mod moment;
pub mod open_slot;
pub mod order;
pub mod partition;
pub mod pause;
pub mod picture;
pub mod port_cut;
pub mod replace_node;
pub mod replicate;
pub mod reset;
pub mod reshard;
pub mod slow_net;

use serde::{Deserialize, Serialize};
use slotquake_checkers::observation::{FaultKind, NodeName};
use slotquake_workloads::rng::Rng;

pub use dose::Dose;
pub use moment::Moment;
pub use order::{Insist, Order, OrderError};
pub use picture::{Condition, NodePicture, Picture, Role};

/// A fault as the command line, the campaign and the report know it.
#[derive(Debug, Clone, Copy)]
pub struct Nemesis {
    /// What it does; its name is that of the kind.
    pub kind: FaultKind,
    /// One line of help.
    pub help: &'static str,
    /// How often it is drawn where nobody says which faults to draw.
    pub share: Share,
    /// Who can do it.
    pub worlds: Worlds,
    /// Whether something else may strike its targets meanwhile.
    pub hold: Hold,
    /// Picks what to break.
    pub plan: fn(&Picture, &mut Rng) -> Result<Strike, Skip>,
}

impl Nemesis {
    /// Its name on the command line.
    pub const fn name(&self) -> &'static str {
        self.kind.name()
    }
}

/// How often a fault is drawn where nobody says which faults to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Plain damage: drawn by every run, and by about half of a campaign's seeds, at least one
    /// such kind by each.
    Usual,
    /// By no single run, and by this share of a campaign's disturbed seeds, percent.
    Percent(u64),
}

/// Which worlds can do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worlds {
    /// All of them.
    All,
    /// The simulated one.
    Simulation,
}

/// What a fault keeps other faults away from while it is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Its targets: they are out of action.
    Targets,
    /// Nothing: who is struck works on.
    Nothing,
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
    /// How much of it (clocks and slow disks only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose: Option<Dose>,
    /// None: it strikes its targets when its time has come. Otherwise it waits from then on, and
    /// strikes whichever of its targets is the first to come to this moment (simulation only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaits: Option<Moment>,
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
    /// gone. None if no target is left, no path to cut, or no order of several. The note stays.
    pub fn renamed(&self, new_name: &dyn Fn(&NodeName) -> Option<NodeName>) -> Option<Strike> {
        let targets: Vec<NodeName> = self.targets.iter().filter_map(new_name).collect();
        let cuts = self.cuts.iter();
        let cuts = cuts.filter_map(|(from, to)| Some((new_name(from)?, new_name(to)?)));
        let cuts: Vec<(NodeName, NodeName)> = cuts.collect();
        let renamed = |orders: &[Order]| -> Vec<Order> {
            let kept = orders.iter().filter_map(|order| order.renamed(new_name));
            kept.collect()
        };
        let (orders, undo) = (renamed(&self.orders), renamed(&self.undo));
        let is_idle = cuts.is_empty() && !self.cuts.is_empty()
            || orders.is_empty() && !self.orders.is_empty();
        if targets.is_empty() || is_idle {
            return None;
        }
        Some(Strike {
            targets,
            cuts,
            orders,
            undo,
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
    clock::STEP,
    clock::DRIFT,
    disk::SLOW,
    disk::FULL,
    failover::PLAIN,
    failover::FORCE,
    failover::TAKEOVER,
    replicate::NEMESIS,
    reshard::NEMESIS,
    open_slot::NEMESIS,
    bump_epoch::NEMESIS,
    forget::NEMESIS,
    reset::NEMESIS,
    replace_node::NEMESIS,
];

/// The faults of a run that names none: the plain damage that every world can do.
pub fn usual() -> impl Iterator<Item = &'static Nemesis> {
    NEMESES
        .iter()
        .filter(|nemesis| nemesis.share == Share::Usual)
}

/// The fault of this name.
pub fn find(name: &str) -> Option<&'static Nemesis> {
    NEMESES.iter().find(|nemesis| nemesis.name() == name)
}

/// The fault of this kind; none for kinds that only scenarios use.
pub fn of(kind: FaultKind) -> Option<&'static Nemesis> {
    NEMESES.iter().find(|nemesis| nemesis.kind == kind)
}

#[cfg(test)]
mod tests;
