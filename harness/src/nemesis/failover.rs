//! Manual failovers: an operator promotes a replica, in the three forms of CLUSTER FAILOVER.
//!
//! The plain form must lose nothing (MF-01); FORCE does not wait for the master's last writes, and
//! TAKEOVER asks nobody (MF-03), so it is ordered only where no other fault is in force. Now and
//! then the plain form is asked of a replica whose master stands still: it has to give up.

use slotquake_checkers::observation::{FaultKind, NodeName};
use slotquake_workloads::rng::Rng;

use super::order::Order;
use super::picture::{Condition, NodePicture, Picture, Role};
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// The plain form's line in the registry.
pub const PLAIN: Nemesis = Nemesis {
    kind: FaultKind::Failover,
    help: "CLUSTER FAILOVER on a replica: a promotion that must lose nothing",
    share: Share::Percent(25),
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan: plan_plain,
};

/// The line of FORCE in the registry.
pub const FORCE: Nemesis = Nemesis {
    kind: FaultKind::ForcedFailover,
    help: "CLUSTER FAILOVER FORCE: a promotion by votes, without the master's help",
    share: Share::Percent(25),
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan: plan_forced,
};

/// The line of TAKEOVER in the registry.
pub const TAKEOVER: Nemesis = Nemesis {
    kind: FaultKind::Takeover,
    help: "CLUSTER FAILOVER TAKEOVER: a promotion without votes",
    share: Share::Percent(25),
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan: plan_takeover,
};

/// Share of plain failovers asked of a replica whose master is under another fault, percent.
const HOPELESS_PERCENT: u64 = 15;
/// After this time a manual failover was carried out or given up, ms (MF-11).
const OVER_MS: u64 = 5_200;
/// After this time everybody was told of a takeover, ms.
const TOLD_MS: u64 = 1_000;

fn plan_plain(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let is_hopeless = rng.chance(HOPELESS_PERCENT);
    let replica = match replica_of_struck(picture).filter(|_| is_hopeless) {
        Some(replica) => replica,
        None => pick(picture, rng)?,
    };
    Ok(strike(replica, "", OVER_MS))
}

fn plan_forced(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    Ok(strike(pick(picture, rng)?, " FORCE", OVER_MS))
}

fn plan_takeover(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    if picture.has_struck() {
        return Err(Skip("another fault is in force"));
    }
    Ok(strike(pick(picture, rng)?, " TAKEOVER", TOLD_MS))
}

fn pick<'a>(picture: &'a Picture, rng: &mut Rng) -> Result<&'a NodePicture, Skip> {
    let replicas = picture.strikable_replicas();
    let picked = rng.pick(&replicas).copied();
    picked.ok_or(Skip("no replica of a settled master is settled"))
}

fn replica_of_struck(picture: &Picture) -> Option<&NodePicture> {
    let is_struck = |name: &NodeName| {
        let node = picture.nodes.iter().find(|node| node.name == *name);
        node.is_some_and(|node| node.condition == Condition::Struck)
    };
    let mut nodes = picture.nodes.iter();
    nodes.find(|node| match &node.role {
        Role::Replica { of } => node.condition == Condition::Settled && is_struck(of),
        Role::Master { .. } | Role::Slotless | Role::Other => false,
    })
}

fn strike(replica: &NodePicture, form: &str, duration_ms: u64) -> Strike {
    let words = format!("CLUSTER FAILOVER{form}");
    Strike {
        targets: vec![replica.name.clone()],
        note: format!("{words} on {}", replica.describe()),
        duration_ms,
        orders: vec![Order::once(&replica.name, words)],
        ..Strike::default()
    }
}
