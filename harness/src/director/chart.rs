//! The director's chart of the cluster, drawn from the nodes' views.
//!
//! Roles come from the freshest view of a node no fault is aimed at; a view of a higher epoch
//! beats a fresher one. Says who may be struck ([`Chart::picture`]) and whether all nodes agree.

use std::collections::BTreeMap;

use slotquake_checkers::observation::{NodeId, NodeName, View, ViewEntry};

use crate::nemesis::{Condition, NodePicture, Picture, Role};
use crate::plan::WorldKind;

/// Age beyond which a view says nothing about roles, ns.
const VIEW_AGE_NS_MAX: u64 = 3_000_000_000;

/// What is known of the nodes.
#[derive(Debug)]
pub struct Chart {
    nodes: Vec<Marker>,
    node_timeout_ms: u64,
}

/// What is known of one node.
#[derive(Debug)]
struct Marker {
    name: NodeName,
    view: Option<View>,
    /// When it was asked and has not answered yet, ns.
    asked: Option<u64>,
    /// Faults in force on it.
    strikes: u32,
    /// Since when no fault is in force on it, ns.
    free_since: u64,
}

impl Chart {
    /// A chart of these nodes, all well since now.
    pub fn new(names: impl Iterator<Item = NodeName>, node_timeout_ms: u64, now: u64) -> Chart {
        let marker = |name| Marker {
            name,
            view: None,
            asked: None,
            strikes: 0,
            free_since: now,
        };
        Chart {
            nodes: names.map(marker).collect(),
            node_timeout_ms,
        }
    }

    /// Nodes to ask now: those that owe no answer, or owe it for a second.
    pub fn to_ask(&mut self, now: u64) -> Vec<NodeName> {
        let mut names = Vec::new();
        for marker in &mut self.nodes {
            if marker
                .asked
                .is_none_or(|asked| asked + 1_000_000_000 <= now)
            {
                marker.asked = Some(now);
                names.push(marker.name.clone());
            }
        }
        names
    }

    /// Takes in a view.
    pub fn take(&mut self, view: &View) {
        if let Some(marker) = self.marker(&view.node) {
            marker.asked = None;
            if marker.view.as_ref().is_none_or(|old| old.time <= view.time) {
                marker.view = Some(view.clone());
            }
        }
    }

    /// A fault is in force on this node.
    pub fn strike(&mut self, name: &NodeName) {
        if let Some(marker) = self.marker(name) {
            marker.strikes += 1;
        }
    }

    /// A fault on this node is over.
    pub fn release(&mut self, name: &NodeName, now: u64) {
        if let Some(marker) = self.marker(name) {
            marker.strikes = marker.strikes.saturating_sub(1);
            marker.free_since = now;
        }
    }

    fn marker(&mut self, name: &NodeName) -> Option<&mut Marker> {
        self.nodes.iter_mut().find(|marker| marker.name == *name)
    }

    /// The cluster as a nemesis sees it.
    pub fn picture(&self, now: u64) -> Picture {
        let names = self.names();
        let table = self
            .best_view(now)
            .map_or(&[][..], |view| view.table.as_slice());
        let entry_of = |name: &NodeName| {
            let is_it = |entry: &&ViewEntry| names.get(&entry.id) == Some(&name);
            table.iter().find(is_it)
        };
        let nodes = self.nodes.iter().map(|marker| {
            let entry = entry_of(&marker.name);
            NodePicture {
                name: marker.name.clone(),
                role: entry.map_or(Role::Other, |entry| role(entry, &names)),
                condition: self.condition(marker, entry, now),
            }
        });
        Picture {
            nodes: nodes.collect(),
            node_timeout_ms: self.node_timeout_ms,
            busy_slots: Vec::new(),
            world: WorldKind::Local,
        }
    }

    fn condition(&self, marker: &Marker, entry: Option<&ViewEntry>, now: u64) -> Condition {
        // A restarted node waits 2 s (T_writable), rejoins and copies its master's data.
        let settling_ns = (2000 + self.node_timeout_ms) * 1_000_000;
        let is_well = entry.is_some_and(|entry| is_unblemished(entry) && entry.connected);
        match marker.strikes {
            0 if is_well && marker.free_since + settling_ns <= now => Condition::Settled,
            0 => Condition::Recovering,
            _ => Condition::Struck,
        }
    }

    /// What each node calls itself, as far as it was heard.
    pub fn ids(&self) -> BTreeMap<NodeName, NodeId> {
        let names = self.names().into_iter();
        names.map(|(id, name)| (name.clone(), id.clone())).collect()
    }

    /// What this node called itself last.
    pub fn id_of(&self, name: &NodeName) -> Option<&NodeId> {
        let marker = self.nodes.iter().find(|marker| marker.name == *name);
        marker?.view.as_ref().map(|view| &view.id)
    }

    /// Who owns a slot by the freshest trustworthy view.
    pub fn owner_of(&self, slot: u16, now: u64) -> Option<NodeName> {
        let mut entries = self.best_view(now)?.table.iter();
        let owner = entries.find(|entry| entry.slots.contains(slot))?;
        self.names().get(&owner.id).map(|name| (*name).clone())
    }

    /// Whether every node that no fault is aimed at, but perhaps the one on these targets, answered
    /// after `since`, and knows every node by the id that it goes by, and nobody else.
    pub fn knows_all(&self, since: u64, targets: &[NodeName]) -> bool {
        let ids: Vec<&NodeId> = self.names().into_keys().collect();
        let own = |marker: &Marker| u32::from(targets.contains(&marker.name));
        let free = self
            .nodes
            .iter()
            .filter(|marker| marker.strikes <= own(marker));
        let mut views = free.map(|marker| marker.view.as_ref());
        views.all(|view| {
            let is_fresh = |view: &&View| view.asked >= since;
            view.filter(is_fresh).is_some_and(|view| {
                let known = view.table.iter().map(|entry| &entry.id);
                known.eq(ids.iter().copied())
            })
        })
    }

    fn names(&self) -> BTreeMap<&NodeId, &NodeName> {
        let viewed = self.nodes.iter().filter_map(|marker| marker.view.as_ref());
        viewed.map(|view| (&view.id, &view.node)).collect()
    }

    fn best_view(&self, now: u64) -> Option<&View> {
        let free = self.nodes.iter().filter(|marker| marker.strikes == 0);
        let views = free.filter_map(|marker| marker.view.as_ref());
        let fresh = views.filter(|view| view.time + VIEW_AGE_NS_MAX >= now);
        fresh.max_by_key(|view| (view.state_ok, view.current_epoch, view.time))
    }

    /// Whether every node answered after `since`, is ok, knows all nodes as well, and all give each
    /// slot to the same node.
    pub fn agrees(&self, since: u64) -> bool {
        let mut views = Vec::new();
        for marker in &self.nodes {
            match &marker.view {
                Some(view) if view.asked >= since => views.push(view),
                Some(_) | None => return false,
            }
        }
        let Some(first) = views.first() else {
            return false;
        };
        let count = self.nodes.len();
        views
            .iter()
            .all(|view| is_whole(view, count) && same_owners(view, first))
    }
}

fn role(entry: &ViewEntry, names: &BTreeMap<&NodeId, &NodeName>) -> Role {
    if entry.has_flag("master") && !entry.slots.is_empty() {
        return Role::Master {
            slots: entry.slots.to_string(),
        };
    }
    if entry.has_flag("master") {
        return Role::Slotless;
    }
    let master = entry.master.as_ref().and_then(|id| names.get(id));
    match master {
        Some(of) => Role::Replica { of: (*of).clone() },
        None => Role::Other,
    }
}

fn is_unblemished(entry: &ViewEntry) -> bool {
    !["fail", "fail?", "handshake", "noaddr"]
        .iter()
        .any(|flag| entry.has_flag(flag))
}

fn is_whole(view: &View, count: usize) -> bool {
    view.state_ok && view.table.len() == count && view.table.iter().all(is_unblemished)
}

/// Tables are in id order, so equal maps have equal owners at equal positions.
fn same_owners(a: &View, b: &View) -> bool {
    let mut pairs = a.table.iter().zip(b.table.iter());
    a.table.len() == b.table.len()
        && pairs.all(|(a, b)| a.id == b.id && a.slots == b.slots && a.master == b.master)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn id(number: usize) -> NodeId {
        NodeId(format!("{number:040}").into())
    }

    /// n1 owns everything, n2 copies it.
    fn view(node: usize, time: u64) -> View {
        let entry = |number: usize| ViewEntry {
            id: id(number),
            address: String::new(),
            flags: if number == 1 { "master" } else { "slave" }.into(),
            master: (number == 2).then(|| id(1)),
            config_epoch: 1,
            connected: true,
            slots: if number == 1 { "0-16383" } else { "" }
                .parse()
                .expect("slots"),
            open_slots: Vec::new(),
        };
        View {
            time,
            asked: time,
            node: NodeName::numbered(node),
            id: id(node),
            state_ok: true,
            current_epoch: 1,
            my_epoch: 1,
            size: 1,
            table: Arc::new(vec![entry(1), entry(2)]),
        }
    }

    fn chart() -> Chart {
        Chart::new((1..=2).map(NodeName::numbered), 1000, 0)
    }

    #[test]
    fn knows_roles_and_conditions() {
        let mut chart = chart();
        let time = 5_000_000_000;
        chart.take(&view(1, time));
        chart.take(&view(2, time));
        let picture = chart.picture(time);
        assert_eq!(picture.nodes[0].describe(), "n1 (master of 0-16383)");
        assert_eq!(picture.nodes[1].describe(), "n2 (replica of n1)");
        assert_eq!(picture.nodes[1].condition, Condition::Settled);
        chart.strike(&NodeName::numbered(2));
        assert_eq!(chart.picture(time).nodes[1].condition, Condition::Struck);
        chart.release(&NodeName::numbered(2), time);
        assert_eq!(
            chart.picture(time).nodes[1].condition,
            Condition::Recovering
        );
    }

    #[test]
    fn agreement_needs_a_fresh_view_of_every_node() {
        let mut chart = chart();
        chart.take(&view(1, 10));
        assert!(!chart.agrees(5));
        chart.take(&view(2, 12));
        assert!(chart.agrees(5));
        assert!(!chart.agrees(11));
    }

    #[test]
    fn agreement_needs_equal_maps_and_no_failed_node() {
        let mut failed = view(2, 12);
        Arc::make_mut(&mut failed.table)[0].flags = "master,fail".into();
        let mut other_map = view(2, 12);
        Arc::make_mut(&mut other_map.table)[0].slots = "0-5".parse().expect("slots");
        let mut down = view(2, 12);
        down.state_ok = false;
        for odd in [failed, other_map, down] {
            let mut chart = chart();
            chart.take(&view(1, 10));
            chart.take(&odd);
            assert!(!chart.agrees(5), "{odd:?}");
        }
    }

    #[test]
    fn does_not_ask_again_before_the_answer_or_a_second() {
        let mut chart = chart();
        assert_eq!(chart.to_ask(0).len(), 2);
        assert_eq!(chart.to_ask(500_000_000).len(), 0);
        chart.take(&view(1, 600_000_000));
        assert_eq!(chart.to_ask(700_000_000), [NodeName::numbered(1)]);
        assert_eq!(chart.to_ask(1_000_000_000), [NodeName::numbered(2)]);
    }
}
