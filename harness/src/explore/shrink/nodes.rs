//! Fewer nodes: a shard less, or a replica less in each shard.
//!
//! Nodes are numbered without gaps (masters first, then the first replica of each, then the
//! second), so those behind the ones that go get new names, in the script too. A smaller cluster is
//! another course of events by the same seed: a few other seeds are tried as well.

use std::collections::BTreeMap;

use slotquake_checkers::observation::NodeName;

use super::Sight;
use super::passes::{note_of, with_other_seeds};
use crate::plan::{Plan, ScriptedStrike};

/// Proposes clusters with one shard or one row of replicas less.
pub fn fewer_nodes(plan: &Plan, _sight: &Sight) -> Vec<Plan> {
    let smaller = without_an_idle_node(plan).into_iter();
    let smaller = smaller.chain(without_a_shard(plan));
    let smaller = smaller.chain(without_replicas(plan));
    smaller.flat_map(with_other_seeds).collect()
}

/// Where a node stands: its shard, and its row: 0 for the master, 1 for the first replica. Masters
/// without slots stand behind all rows, each in a shard of its own that no other node is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seat {
    shard: u32,
    row: u32,
}

/// Shards from this number on are masters without slots: no plan has so many shards.
const IDLE: u32 = 1 << 16;

fn seats(plan: &Plan) -> Vec<Seat> {
    let masters = u32::from(plan.masters);
    let rows = 1 + u32::from(plan.replicas);
    let seat = |index| match index < masters * rows {
        true => Seat {
            shard: index % masters,
            row: index / masters,
        },
        false => Seat {
            shard: IDLE + index,
            row: rows,
        },
    };
    (0..plan.node_count()).map(seat).collect()
}

/// Of the masters without slots the one goes that least is done to.
fn without_an_idle_node(plan: &Plan) -> Option<Plan> {
    let slotless = plan.slotless.checked_sub(1)?;
    let seats = seats(plan);
    let first = seats.len() - usize::from(plan.slotless);
    let least = (first..seats.len()).min_by_key(|index| strikes_at(plan, *index))?;
    let kept: Vec<bool> = (0..seats.len()).map(|index| index != least).collect();
    let smaller = Plan {
        slotless,
        ..plan.clone()
    };
    Some(renamed(smaller, &kept, &seats))
}

/// Shards that nothing is done to go first.
fn without_a_shard(plan: &Plan) -> Vec<Plan> {
    if plan.masters < 2 {
        return Vec::new();
    }
    let seats = seats(plan);
    let strikes = |shard: u32| {
        let nodes = seats
            .iter()
            .enumerate()
            .filter(|(_, seat)| seat.shard == shard);
        nodes
            .map(|(index, _)| strikes_at(plan, index))
            .sum::<usize>()
    };
    let mut shards: Vec<u32> = (0..u32::from(plan.masters)).collect();
    shards.sort_by_key(|shard| (strikes(*shard), std::cmp::Reverse(*shard)));
    let without = |shard: u32| {
        let kept: Vec<bool> = seats.iter().map(|seat| seat.shard != shard).collect();
        let smaller = Plan {
            masters: plan.masters - 1,
            ..plan.clone()
        };
        renamed(smaller, &kept, &seats)
    };
    shards.into_iter().map(without).collect()
}

/// Of each shard the replica goes that least is done to.
fn without_replicas(plan: &Plan) -> Option<Plan> {
    let replicas = plan.replicas.checked_sub(1)?;
    let seats = seats(plan);
    let mut kept = vec![true; seats.len()];
    for shard in 0..u32::from(plan.masters) {
        let nodes = seats.iter().enumerate();
        let rows = nodes.filter(|(_, seat)| seat.shard == shard && seat.row > 0);
        let least = rows
            .min_by_key(|(index, seat)| (strikes_at(plan, *index), std::cmp::Reverse(seat.row)));
        if let Some((index, _)) = least {
            kept[index] = false;
        }
    }
    let smaller = Plan {
        replicas,
        ..plan.clone()
    };
    Some(renamed(smaller, &kept, &seats))
}

/// How often the script strikes this node.
fn strikes_at(plan: &Plan, index: usize) -> usize {
    let name = NodeName::numbered(index + 1);
    let steps = plan.script.iter().flatten();
    steps
        .filter(|step| step.strike.targets.contains(&name))
        .count()
}

/// The smaller plan, with the new names of the nodes that are kept in its script.
fn renamed(mut smaller: Plan, kept: &[bool], seats: &[Seat]) -> Plan {
    let mut names: BTreeMap<NodeName, NodeName> = BTreeMap::new();
    // Seats are numbered row by row, with gaps or without.
    let mut left: Vec<(usize, Seat)> = seats.iter().copied().enumerate().collect();
    left.retain(|(index, _)| kept[*index]);
    let row_of = |(index, seat): &(usize, Seat)| {
        if seat.shard >= IDLE {
            return usize::MAX;
        }
        let ahead = left
            .iter()
            .filter(|(other, other_seat)| other_seat.shard == seat.shard && other < index);
        ahead.count()
    };
    let mut order: Vec<(usize, Seat)> = left.clone();
    order.sort_by_key(|place| (row_of(place), place.1.shard));
    for (new, (old, _)) in order.into_iter().enumerate() {
        names.insert(NodeName::numbered(old + 1), NodeName::numbered(new + 1));
    }
    smaller.script = smaller.script.map(|steps| {
        let renamed = steps.iter().filter_map(|step| {
            let strike = step.strike.renamed(&|name| names.get(name).cloned())?;
            let mut renamed = ScriptedStrike {
                strike,
                ..step.clone()
            };
            // The note may name slots, which are others now.
            renamed.strike.note = note_of(&renamed);
            Some(renamed)
        });
        renamed.collect()
    });
    smaller
}
