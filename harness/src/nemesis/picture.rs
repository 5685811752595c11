//! The cluster as a nemesis sees it: who is what, and who may be struck.

use slotquake_checkers::observation::{NodeName, SlotSet};
use slotquake_workloads::rng::Rng;

use super::Skip;
use crate::plan::WorldKind;

/// What a node is, by the freshest trustworthy view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// A master with slots.
    Master {
        /// Its slots as ranges: `0-5460`.
        slots: String,
    },
    /// A replica of this node.
    Replica {
        /// Its master.
        of: NodeName,
    },
    /// A master without slots.
    Slotless,
    /// Not known.
    Other,
}

/// How a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// A fault is in force on it.
    Struck,
    /// No fault, but not yet long enough for it to have caught up.
    Recovering,
    /// Well for a while.
    Settled,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePicture {
    /// Its name.
    pub name: NodeName,
    /// What it is.
    pub role: Role,
    /// How it is.
    pub condition: Condition,
}

/// All nodes, in order of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The nodes.
    pub nodes: Vec<NodePicture>,
    /// cluster-node-timeout, ms.
    pub node_timeout_ms: u64,
    /// Slots whose keys clients have used so far, in order, and often those used now.
    pub busy_slots: Vec<u16>,
    /// Where the nodes are.
    pub world: WorldKind,
}

impl Picture {
    /// Masters with slots.
    pub fn masters(&self) -> impl Iterator<Item = &NodePicture> {
        let nodes = self.nodes.iter();
        nodes.filter(|node| matches!(node.role, Role::Master { .. }))
    }

    /// Replicas of this master.
    pub fn replicas_of<'a>(
        &'a self,
        master: &'a NodeName,
    ) -> impl Iterator<Item = &'a NodePicture> {
        let is_replica = move |node: &&NodePicture| match &node.role {
            Role::Replica { of } => of == master,
            Role::Master { .. } | Role::Slotless | Role::Other => false,
        };
        self.nodes.iter().filter(is_replica)
    }

    /// Whether any fault is in force on a node.
    pub fn has_struck(&self) -> bool {
        let mut nodes = self.nodes.iter();
        nodes.any(|node| node.condition == Condition::Struck)
    }

    /// How many more masters may be struck so that a majority is left.
    pub fn masters_spare(&self) -> usize {
        let masters = self.masters().count();
        let struck = self
            .masters()
            .filter(|node| node.condition != Condition::Settled);
        (masters.saturating_sub(1) / 2).saturating_sub(struck.count())
    }

    /// Masters that may be struck: settled, with a settled replica to replace them.
    pub fn strikable_masters(&self) -> Vec<&NodePicture> {
        if self.masters_spare() == 0 {
            return Vec::new();
        }
        let is_settled = |node: &NodePicture| node.condition == Condition::Settled;
        let replaceable = |node: &NodePicture| self.replicas_of(&node.name).any(is_settled);
        let masters = self.masters().filter(|node| is_settled(node));
        masters.filter(|node| replaceable(node)).collect()
    }

    /// Replicas that may be struck: settled, of a settled master.
    pub fn strikable_replicas(&self) -> Vec<&NodePicture> {
        let is_settled = |name: &NodeName| {
            let mut nodes = self.nodes.iter();
            nodes.any(|node| node.name == *name && node.condition == Condition::Settled)
        };
        let is_strikable = |node: &&NodePicture| match &node.role {
            Role::Replica { of } => node.condition == Condition::Settled && is_settled(of),
            Role::Master { .. } | Role::Slotless | Role::Other => false,
        };
        self.nodes.iter().filter(is_strikable).collect()
    }

    /// Settled replicas of settled masters that have no other one at work.
    pub fn last_replicas(&self) -> Vec<&NodePicture> {
        let mut strikable = self.strikable_replicas();
        strikable.retain(|node| match &node.role {
            Role::Replica { of } => {
                let replicas = self.replicas_of(of);
                replicas
                    .filter(|other| other.condition != Condition::Struck)
                    .count()
                    == 1
            }
            Role::Master { .. } | Role::Slotless | Role::Other => false,
        });
        strikable
    }

    /// Settled replicas of struck masters that have another settled one: rivals in an election.
    pub fn rival_candidates(&self) -> Vec<&NodePicture> {
        let struck = self
            .masters()
            .filter(|node| node.condition == Condition::Struck);
        let mut candidates = Vec::new();
        for master in struck {
            let replicas = self.replicas_of(&master.name);
            let settled = replicas.filter(|node| node.condition == Condition::Settled);
            let settled: Vec<&NodePicture> = settled.collect();
            if settled.len() > 1 {
                candidates.extend(settled);
            }
        }
        candidates
    }

    /// One node to strike: a master in `master_percent` of 100 draws, if one may be struck.
    ///
    /// # Errors
    /// No node may be struck now.
    pub fn pick(&self, master_percent: u64, rng: &mut Rng) -> Result<&NodePicture, Skip> {
        let (masters, replicas) = (self.strikable_masters(), self.strikable_replicas());
        let first = match rng.chance(master_percent) {
            true => [&masters, &replicas],
            false => [&replicas, &masters],
        };
        let candidates = first.into_iter().find(|nodes| !nodes.is_empty());
        let picked = candidates.and_then(|nodes| rng.pick(nodes).copied());
        picked.ok_or(Skip(
            "no node can be spared: others are struck or catching up",
        ))
    }

    /// How long a fault must last at least for a replica to be elected, ms: PFAIL by 1.5 node
    /// timeouts, FAIL within 2, the election's fixed and random delay within 1 s (T_elect).
    pub fn failover_ms(&self) -> u64 {
        2 * self.node_timeout_ms + 1500
    }
}

impl NodePicture {
    /// Its slots; none unless it is a master.
    pub fn slots(&self) -> SlotSet {
        match &self.role {
            Role::Master { slots } => slots.parse().unwrap_or_default(),
            Role::Replica { .. } | Role::Slotless | Role::Other => SlotSet::default(),
        }
    }

    /// `n1 (master of 0-5460)`.
    pub fn describe(&self) -> String {
        match &self.role {
            Role::Master { slots } => format!("{} (master of {slots})", self.name),
            Role::Replica { of } => format!("{} (replica of {of})", self.name),
            Role::Slotless => format!("{} (without slots)", self.name),
            Role::Other => self.name.to_string(),
        }
    }
}
