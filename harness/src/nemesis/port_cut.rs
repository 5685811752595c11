//! Cuts of one class of ports: a node that hears no bus but serves and replicates, or a replica
//! that hears the bus but no data. Shapes of the former are those of a partition.

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use super::partition;
use super::picture::{Picture, Role};
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// The line of the bus in the registry.
pub const BUS: Nemesis = Nemesis {
    kind: FaultKind::BusCut,
    help: "a partition of the cluster bus alone: replication and clients go on",
    share: Share::Percent(40),
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan: plan_bus,
};

/// The line of replication in the registry.
pub const DATA: Nemesis = Nemesis {
    kind: FaultKind::DataCut,
    help: "no replication between a replica and its master, while the bus works",
    share: Share::Percent(40),
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan: plan_data,
};

fn plan_bus(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let strike = partition::plan(picture, rng)?;
    Ok(Strike {
        note: format!("on the bus: {}", strike.note),
        ..strike
    })
}

fn plan_data(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let replicas = picture.strikable_replicas();
    let replica = rng.pick(&replicas).copied();
    let replica = replica.ok_or(Skip("no replica of a settled master is settled"))?;
    let Role::Replica { of } = &replica.role else {
        return Err(Skip("no replica of a settled master is settled"));
    };
    let (name, of) = (replica.name.clone(), of.clone());
    Ok(Strike {
        targets: vec![name.clone()],
        cuts: vec![(name.clone(), of.clone()), (of, name)],
        note: format!("no data for {}", replica.describe()),
        duration_ms: 200 + rng.below(picture.failover_ms() + picture.node_timeout_ms),
        ..Strike::default()
    })
}
