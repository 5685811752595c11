//! Where the nodes' views of slot ownership differed, and for how long.
//!
//! Each node's latest view counts until its next one. Only differences are kept: a stretch of
//! time, and for each group of nodes that agree, what they believe.

use std::collections::BTreeMap;

use serde::Serialize;
use slotquake_checkers::observation::{NodeId, View};

use super::evidence::{Evidence, Tick};

/// A stretch of time with differing views.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// From.
    pub from: Tick,
    /// To.
    pub to: Tick,
    /// What each group believes: positions of its nodes, and the owners in short.
    pub camps: Vec<(Vec<usize>, String)>,
}

/// The stretches, in order; at most `STRETCHES_MAX`, the longest ones.
pub fn divergences(evidence: &Evidence<'_>) -> Vec<Divergence> {
    let (index, ids) = (evidence.node_index(), evidence.id_index());
    let mut beliefs: BTreeMap<usize, String> = BTreeMap::new();
    let mut found: Vec<Divergence> = Vec::new();
    let mut open: Option<Divergence> = None;
    for view in evidence.views {
        let Some(node) = index.get(&view.node) else {
            continue;
        };
        let at = Tick::from_ns(view.time);
        beliefs.insert(*node, belief(view, &ids));
        let camps = camps(&beliefs);
        if open.as_ref().is_some_and(|stretch| stretch.camps == camps) {
            continue;
        }
        found.extend(open.take().map(|stretch| Divergence { to: at, ..stretch }));
        open = (camps.len() > 1).then_some(Divergence {
            from: at,
            to: at,
            camps,
        });
    }
    let end = Tick::from_ns(evidence.end());
    found.extend(open.map(|stretch| Divergence { to: end, ..stretch }));
    found.sort_by_key(|stretch| std::cmp::Reverse(stretch.to.0 - stretch.from.0));
    found.truncate(STRETCHES_MAX);
    found.sort_by_key(|stretch| stretch.from);
    found
}

/// Owners as this view has them: `n1 0-5460 @1; n2 …`.
fn belief(view: &View, ids: &BTreeMap<NodeId, usize>) -> String {
    let mut parts: Vec<String> = Vec::new();
    for line in view.table.iter().filter(|line| !line.slots.is_empty()) {
        let name = match ids.get(&line.id) {
            Some(node) => format!("n{}", node + 1),
            None => line.id.0.chars().take(8).collect(),
        };
        parts.push(format!(
            "{} → {name} (epoch {})",
            line.slots, line.config_epoch
        ));
    }
    parts.sort();
    parts.join("; ")
}

fn camps(beliefs: &BTreeMap<usize, String>) -> Vec<(Vec<usize>, String)> {
    let mut camps: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (node, belief) in beliefs {
        camps.entry(belief).or_default().push(*node);
    }
    let mut camps: Vec<_> = camps
        .into_iter()
        .map(|(belief, nodes)| (nodes, belief.clone()))
        .collect();
    camps.sort_by_key(|(nodes, _)| (std::cmp::Reverse(nodes.len()), nodes.clone()));
    camps
}

const STRETCHES_MAX: usize = 60;
