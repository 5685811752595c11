//! Who serves the keys of a command: this node, another one, or nobody.
//!
//! One pure decision over what is known of the cluster, the keys and the client. The rules stand
//! in the order of RD-04; the first that applies decides. Commands without keys never come here
//! (RD-02), nor does the master link (RD-16).

use bytes::Bytes;

use crate::commands::ClusterReads;
use crate::config::Config;
use crate::ids::NodeId;
use crate::keyspace::Keyspace;
use crate::mutants::{Chosen, Mutant};
use crate::resp::errors::Refusal;
use crate::slot::Slot;
use crate::time::Millis;

#[cfg(test)]
mod tests;

/// What is to happen to a command with keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Run it here.
    Serve,
    /// Another node owns the slot.
    Moved(Slot, NodeId),
    /// The slot migrates and the keys are gone already, or not there yet.
    Ask(Slot, NodeId),
    /// Some of the keys are here, some are not.
    TryAgain,
    /// The keys are of several slots.
    CrossSlot,
    /// The cluster state is fail.
    Down,
    /// The same, for a write where reads are allowed.
    DownReadOnly,
    /// Nobody owns the slot.
    NotServed,
}

/// What a command does with its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads them.
    Read,
    /// May change them.
    Write,
    /// They are shard channels (PU-06).
    ShardChannel,
    /// MIGRATE: moves them itself (SM-09).
    Migrate,
}

/// A question for a route.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The keys, at least one; those of all queued commands for EXEC (RD-11).
    pub keys: &'a [&'a Bytes],
    /// What is done with them.
    pub access: Access,
    /// ASKING was said, or the command implies it (SM-06, SM-08).
    pub is_asking: bool,
    /// READONLY was said (RD-14).
    pub is_readonly: bool,
}

/// What is known.
pub struct Facts<'a> {
    /// The request.
    pub request: &'a Request<'a>,
    /// The cluster.
    pub cluster: &'a dyn ClusterReads,
    /// Settings.
    pub config: &'a Config,
    /// The data.
    pub keyspace: &'a Keyspace,
    /// Now: keys due before it count as missing (SM-10).
    pub now: Millis,
    slot: Slot,
    owner: Option<NodeId>,
}

/// One rule: a route, or nothing to say.
pub struct RouteRule {
    /// Its clause.
    pub clause: &'static str,
    /// The route, if the rule applies.
    pub applies: fn(&Facts) -> Option<Route>,
}

/// The rules, in the order of RD-04.
pub const RULES: &[RouteRule] = &[
    RouteRule {
        clause: "RD-09",
        applies: slot_is_unassigned,
    },
    RouteRule {
        clause: "RD-03",
        applies: keys_differ_in_slot,
    },
    RouteRule {
        clause: "RD-06",
        applies: cluster_is_down,
    },
    RouteRule {
        clause: "SM-23",
        applies: channel_of_my_shard,
    },
    RouteRule {
        clause: "SM-09",
        applies: migrate_of_an_open_slot,
    },
    RouteRule {
        clause: "SM-04",
        applies: half_migrated,
    },
    RouteRule {
        clause: "SM-03",
        applies: migrated_away,
    },
    RouteRule {
        clause: "SM-06",
        applies: asked_for_an_importing_slot,
    },
    RouteRule {
        clause: "RD-14",
        applies: read_on_a_replica,
    },
    RouteRule {
        clause: "RD-05",
        applies: owned_elsewhere,
    },
];

/// Decides where a command with keys is served.
///
/// # Panics
/// If there is no key: such commands are served here (RD-02).
pub fn decide(
    request: &Request,
    cluster: &dyn ClusterReads,
    config: &Config,
    keyspace: &Keyspace,
    now: Millis,
) -> Route {
    assert!(
        !request.keys.is_empty(),
        "a command without keys needs no route"
    );
    // RD-01: the first key names the slot.
    let slot = Slot::of_key(request.keys[0]);
    let owner = cluster.slot_owner(slot);
    let facts = Facts {
        request,
        cluster,
        config,
        keyspace,
        now,
        slot,
        owner,
    };
    // SM-02: what no rule sends elsewhere is here, on a migrating slot too.
    RULES
        .iter()
        .filter(|rule| !config.mutant.skips(rule.clause))
        .find_map(|rule| (rule.applies)(&facts))
        .unwrap_or(Route::Serve)
}

/// The error a client gets for a route; none if it is served.
pub fn refusal(route: Route, cluster: &dyn ClusterReads, config: &Config) -> Option<Refusal> {
    Some(match route {
        Route::Serve => return None,
        Route::Moved(slot, node) => {
            let (slot, node) = misdirected(slot, node, cluster, config.mutant);
            let (endpoint, port) = cluster.endpoint_of(node, config);
            let port = match config.mutant.is(Mutant::MovedToBusPort) {
                true => port.wrapping_add(10_000),
                false => port,
            };
            Refusal::Moved {
                slot: slot.number(),
                endpoint,
                port,
            }
        }
        Route::Ask(slot, node) => {
            let (endpoint, port) = cluster.endpoint_of(node, config);
            Refusal::Ask {
                slot: slot.number(),
                endpoint,
                port,
            }
        }
        Route::TryAgain => Refusal::TryAgain,
        Route::CrossSlot => Refusal::CrossSlot,
        Route::Down => Refusal::ClusterDown,
        Route::DownReadOnly => Refusal::ClusterDownReadOnly,
        Route::NotServed => Refusal::SlotNotServed,
    })
}

/// Seeded bugs: where MOVED points instead.
fn misdirected(
    slot: Slot,
    node: NodeId,
    cluster: &dyn ClusterReads,
    mutant: Chosen,
) -> (Slot, NodeId) {
    match (slot, node) {
        _ if mutant.is(Mutant::MovedToMyself) => (slot, cluster.myself()),
        _ if mutant.is(Mutant::MovedToOwnMaster) => (slot, cluster.my_master().unwrap_or(node)),
        _ if mutant.is(Mutant::MovedOneOff) => (
            Slot::new(u64::from(slot.number()) + 1).unwrap_or(slot),
            node,
        ),
        right => right,
    }
}

/// What a blocked client's key has become (RD-13): an error ends the wait.
pub fn decide_blocked(key: &[u8], cluster: &dyn ClusterReads) -> Option<Route> {
    let slot = Slot::of_key(key);
    if !cluster.is_ok() {
        return Some(Route::Down);
    }
    let Some(owner) = cluster.slot_owner(slot) else {
        return Some(Route::NotServed);
    };
    let is_here = owner == cluster.myself() || cluster.importing_from(slot).is_some();
    (!is_here).then_some(Route::Moved(slot, owner))
}

// RD-09, RD-04: an unassigned slot comes before CROSSSLOT and the state of the cluster.
fn slot_is_unassigned(facts: &Facts) -> Option<Route> {
    facts.owner.is_none().then_some(Route::NotServed)
}

// RD-03: all keys hash to one slot.
fn keys_differ_in_slot(facts: &Facts) -> Option<Route> {
    let mut keys = facts.request.keys[1..].iter();
    keys.any(|key| Slot::of_key(key) != facts.slot)
        .then_some(Route::CrossSlot)
}

// RD-06, PU-10: what is allowed while the state is fail.
fn cluster_is_down(facts: &Facts) -> Option<Route> {
    if facts.cluster.is_ok() {
        return None;
    }
    let is_allowed = facts.config.cluster_allow_reads_when_down;
    match facts.request.access {
        Access::ShardChannel if facts.config.cluster_allow_pubsubshard_when_down => None,
        Access::ShardChannel => Some(Route::Down),
        Access::Read if is_allowed || facts.config.mutant.is(Mutant::ReadsWhenDown) => None,
        Access::Write | Access::Migrate if is_allowed => Some(Route::DownReadOnly),
        Access::Read | Access::Write | Access::Migrate => Some(Route::Down),
    }
}

// SM-23, PU-07: the owner and its replicas serve a channel, whatever the marks on its slot.
fn channel_of_my_shard(facts: &Facts) -> Option<Route> {
    let owner = facts.owner?;
    let is_mine = owner == facts.cluster.myself() || facts.cluster.my_master() == Some(owner);
    match facts.request.access {
        Access::ShardChannel if is_mine => Some(Route::Serve),
        Access::ShardChannel => Some(Route::Moved(facts.slot, owner)),
        Access::Read | Access::Write | Access::Migrate => None,
    }
}

// SM-09: MIGRATE runs here on an open slot.
fn migrate_of_an_open_slot(facts: &Facts) -> Option<Route> {
    let is_open = facts.cluster.importing_from(facts.slot).is_some() || migrates(facts).is_some();
    let is_migrate = facts.request.access == Access::Migrate;
    (is_migrate && is_open).then_some(Route::Serve)
}

// SM-04: some keys here, some missing.
fn half_migrated(facts: &Facts) -> Option<Route> {
    migrates(facts)?;
    let missing = missing_keys(facts);
    if facts.config.mutant.is(Mutant::ServesHalf) {
        return None;
    }
    (missing > 0 && missing < facts.request.keys.len()).then_some(Route::TryAgain)
}

// SM-03: new keys are never created at the source.
fn migrated_away(facts: &Facts) -> Option<Route> {
    let target = migrates(facts)?;
    let sends_all = facts.config.mutant.is(Mutant::AsksForPresentKeys);
    let missing = missing_keys(facts);
    let is_half = missing > 0 && missing < facts.request.keys.len();
    if is_half && facts.config.mutant.is(Mutant::ServesHalf) {
        return None;
    }
    (missing > 0 || sends_all).then_some(Route::Ask(facts.slot, target))
}

// SM-05, SM-06: an importing slot serves those who ask, unless keys have still to come.
fn asked_for_an_importing_slot(facts: &Facts) -> Option<Route> {
    facts.cluster.importing_from(facts.slot)?;
    let is_asking = facts.request.is_asking || facts.config.mutant.is(Mutant::ImportsWithoutAsking);
    if !is_asking || facts.owner == Some(facts.cluster.myself()) {
        return None;
    }
    let first = facts.request.keys[0];
    let is_multiple = facts.request.keys.iter().any(|key| *key != first);
    let is_incomplete = is_multiple && missing_keys(facts) > 0;
    Some(if is_incomplete {
        Route::TryAgain
    } else {
        Route::Serve
    })
}

// RD-14, RP-08: reads of my master's slots, after READONLY.
fn read_on_a_replica(facts: &Facts) -> Option<Route> {
    let is_readonly =
        facts.request.is_readonly || facts.config.mutant.is(Mutant::ReplicasServeReads);
    let is_read = facts.request.access == Access::Read && is_readonly;
    let is_my_masters = facts.cluster.is_replica()
        && (facts.cluster.my_master() == facts.owner
            || facts.config.mutant.is(Mutant::ReadonlyServesAll));
    (is_read && is_my_masters).then_some(Route::Serve)
}

// RD-05, RD-17: everything else is the owner's.
fn owned_elsewhere(facts: &Facts) -> Option<Route> {
    let owner = facts.owner?;
    (owner != facts.cluster.myself()).then_some(Route::Moved(facts.slot, owner))
}

fn migrates(facts: &Facts) -> Option<NodeId> {
    let is_mine = facts.owner == Some(facts.cluster.myself());
    facts.cluster.migrating_to(facts.slot).filter(|_| is_mine)
}

// SM-10: looking at keys changes nothing; a due key is missing.
fn missing_keys(facts: &Facts) -> usize {
    let is_missing = |key: &&&Bytes| !facts.keyspace.contains(key, facts.now);
    facts.request.keys.iter().filter(is_missing).count()
}
