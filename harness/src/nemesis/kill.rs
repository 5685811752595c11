//! Kill: a node's process dies at once and comes back later from what it had on disk.

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::rng::Rng;

use super::picture::{Picture, Role};
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    kind: FaultKind::Kill,
    help: "SIGKILL a node, start it again later from its directory",
    share: Share::Usual,
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan,
};

/// Share of kills that take a replica about to replace its master, where another one is left.
const CANDIDATE_PERCENT: u64 = 25;
/// Share of kills that take the last replica of a master, percent.
const LAST_PERCENT: u64 = 15;
/// Share of masters among the others, percent.
const MASTER_PERCENT: u64 = 90;
/// A master whose last replica is gone for as long as that beyond its detection is an orphan that
/// others must care for, ms (RM-06, RP-02).
const ORPHANED_MS: u64 = 7_500;

fn plan(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    let (candidates, lasts) = (picture.rival_candidates(), picture.last_replicas());
    let is_to_orphan = rng.chance(LAST_PERCENT);
    let node = match (rng.pick(&candidates).copied(), rng.pick(&lasts).copied()) {
        (_, Some(last)) if is_to_orphan => last,
        (Some(candidate), _) if rng.chance(CANDIDATE_PERCENT) => candidate,
        (_, _) => picture.pick(MASTER_PERCENT, rng)?,
    };
    let duration_ms = match node.role {
        // A master that came back before its replica took over would come back empty and pass its
        // emptiness on (HI-07): a kill of a master always lasts until a failover is over.
        Role::Master { .. } => {
            picture.failover_ms() + 500 + rng.below(2 * picture.node_timeout_ms + 500)
        }
        Role::Replica { .. } if is_to_orphan => {
            3 * picture.node_timeout_ms + ORPHANED_MS + rng.below(1_000)
        }
        Role::Replica { .. } | Role::Slotless | Role::Other => {
            200 + rng.below(3 * picture.node_timeout_ms)
        }
    };
    Ok(Strike {
        targets: vec![node.name.clone()],
        note: format!("kill {}", node.describe()),
        duration_ms,
        ..Strike::default()
    })
}
