//! Partition: packets between nodes are dropped. Clients reach every node throughout.
//!
//! Three shapes: one node isolated; a minority (a master, with or without its own replica, and
//! perhaps replicas of others) cut from the majority; one direction only. The side cut off never
//! holds a majority of masters, and at least one shard of a cut master keeps a replica with the
//! majority, so that an election can be won there.

use slotquake_checkers::observation::{FaultKind, NodeName};
use slotquake_workloads::rng::Rng;

use super::picture::{NodePicture, Picture, Role};
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    kind: FaultKind::Partition,
    help: "drop packets between nodes: isolate one, cut off a minority, or one way only",
    share: Share::Usual,
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan,
};

/// Share of masters among the isolated, percent.
const MASTER_PERCENT: u64 = 90;
/// Share of partitions too short for a failover, percent.
const SHORT_PERCENT: u64 = 15;

/// One side and the rest; what is cut between them is the caller's to say.
pub(super) fn plan(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    if picture.has_struck() {
        return Err(Skip("another fault is in force"));
    }
    let first = picture.pick(MASTER_PERCENT, rng)?;
    let (side, shape) = match rng.below(3) {
        0 => (minority_with(first, picture, rng), Shape::BothWays),
        1 => (vec![first.name.clone()], Shape::BothWays),
        _ if rng.chance(50) => (vec![first.name.clone()], Shape::Deaf),
        _ => (vec![first.name.clone()], Shape::Mute),
    };
    let duration_ms = match rng.chance(SHORT_PERCENT) {
        true => 50 + rng.below(picture.node_timeout_ms),
        false => picture.failover_ms() + rng.below(3 * picture.node_timeout_ms),
    };
    Ok(Strike {
        cuts: cuts(&side, picture, shape),
        note: note(&side, first, shape),
        targets: side,
        duration_ms,
        ..Strike::default()
    })
}

/// Which directions are cut, seen from the side cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    BothWays,
    /// It hears nothing.
    Deaf,
    /// Nobody hears it.
    Mute,
}

/// The node, and replicas of other shards, each by a throw of a coin.
fn minority_with(first: &NodePicture, picture: &Picture, rng: &mut Rng) -> Vec<NodeName> {
    let own_master = match &first.role {
        Role::Replica { of } => of,
        Role::Master { .. } | Role::Slotless | Role::Other => &first.name,
    };
    let mut side = vec![first.name.clone()];
    for node in &picture.nodes {
        let is_foreign_replica = match &node.role {
            Role::Replica { of } => of != own_master,
            Role::Master { .. } | Role::Slotless | Role::Other => false,
        };
        if is_foreign_replica && node.name != first.name && rng.chance(50) {
            side.push(node.name.clone());
        }
    }
    side.sort();
    side
}

fn cuts(side: &[NodeName], picture: &Picture, shape: Shape) -> Vec<(NodeName, NodeName)> {
    let rest = picture
        .nodes
        .iter()
        .filter(|node| !side.contains(&node.name));
    let mut cuts = Vec::new();
    for other in rest {
        for node in side {
            if shape != Shape::Deaf {
                cuts.push((node.clone(), other.name.clone()));
            }
            if shape != Shape::Mute {
                cuts.push((other.name.clone(), node.clone()));
            }
        }
    }
    cuts
}

fn note(side: &[NodeName], first: &NodePicture, shape: Shape) -> String {
    match (shape, side) {
        (Shape::BothWays, [_]) => format!("isolate {}", first.describe()),
        (Shape::BothWays, _) => {
            let names: Vec<String> = side.iter().map(NodeName::to_string).collect();
            format!("cut off {} with {}", names.join(", "), first.describe())
        }
        (Shape::Deaf, _) => format!("{} hears nobody", first.describe()),
        (Shape::Mute, _) => format!("nobody hears {}", first.describe()),
    }
}
