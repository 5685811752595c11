//! One lane a node: whether its process ran, which role it gave itself, by which config epoch.
//!
//! Roles come from the headers of the node's own packets and from its own line in its views; a
//! node is what it says it is until it says otherwise or its process ends.

use std::collections::BTreeMap;

use serde::Serialize;
use slotquake_checkers::observation::{FaultKind, LifecycleKind, NodeId, NodeName, SlotSet, View};

use super::bands::{Band, Certainty};
use super::evidence::{Evidence, Tick};

/// State of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessState {
    /// Not running: killed by the nemesis.
    Killed,
    /// Not running: it ended by itself.
    Died,
    /// Stopped by SIGSTOP.
    Paused,
    /// Behind a partition.
    Cut,
}

/// A stretch of time in which a process was not simply running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// From.
    pub from: Tick,
    /// To.
    pub to: Tick,
    /// What it was.
    pub state: ProcessState,
}

/// A stretch of time in which a node said the same of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Stance {
    /// From.
    pub from: Tick,
    /// To.
    pub to: Tick,
    /// Position of its master; none if it is a master itself.
    pub master: Option<usize>,
    /// Config epoch (its master's, for a replica).
    pub config_epoch: u64,
    /// Slots it claims; empty for a replica.
    pub slots: SlotSet,
}

/// Everything about one node over time.
#[derive(Debug, Default)]
pub struct Lane {
    /// Times it was not simply running.
    pub outages: Vec<Outage>,
    /// What it said of itself.
    pub stances: Vec<Stance>,
}

/// The lanes, in order of the setting's nodes.
pub fn lanes(evidence: &Evidence<'_>, bands: &[Band]) -> Vec<Lane> {
    let end = Tick::from_ns(evidence.end());
    let mut lanes: Vec<Lane> = Vec::new();
    lanes.resize_with(evidence.setting.nodes.len(), Lane::default);
    for (node, setting) in evidence.setting.nodes.iter().enumerate() {
        let downs = downs(evidence, &setting.name, end);
        lanes[node].outages = downs.clone();
        lanes[node].outages.extend(disturbances(bands, node));
        lanes[node].stances = stances(statements(evidence, &setting.name), &downs, end);
    }
    lanes
}

/// What a node says of itself at one instant.
struct Statement {
    at: Tick,
    master: Option<usize>,
    config_epoch: u64,
    slots: SlotSet,
}

fn statements(evidence: &Evidence<'_>, node: &NodeName) -> Vec<Statement> {
    let ids = evidence.id_index();
    let mut all: Vec<Statement> = Vec::new();
    for packet in evidence
        .packets
        .iter()
        .filter(|packet| packet.from == *node)
    {
        let header = &packet.header;
        all.push(Statement {
            at: Tick::from_ns(packet.time),
            master: header.master.as_ref().map(|id| position(&ids, id)),
            config_epoch: header.config_epoch,
            slots: own_slots(header.is_master(), &header.slots),
        });
    }
    let views = evidence.views.iter().filter(|view| view.node == *node);
    all.extend(views.filter_map(|view| statement_of_view(view, &ids)));
    all.sort_by_key(|statement| statement.at);
    all
}

fn statement_of_view(view: &View, ids: &BTreeMap<NodeId, usize>) -> Option<Statement> {
    let line = view.table.iter().find(|line| line.has_flag("myself"))?;
    Some(Statement {
        at: Tick::from_ns(view.time),
        master: line.master.as_ref().map(|id| position(ids, id)),
        config_epoch: line.config_epoch,
        slots: own_slots(line.master.is_none(), &line.slots),
    })
}

fn position(ids: &BTreeMap<NodeId, usize>, id: &NodeId) -> usize {
    ids.get(id).copied().unwrap_or(UNKNOWN_NODE)
}

fn own_slots(is_master: bool, slots: &SlotSet) -> SlotSet {
    match is_master {
        true => slots.clone(),
        false => SlotSet::default(),
    }
}

/// Joins equal statements into stretches; a stretch ends where the process does.
fn stances(statements: Vec<Statement>, downs: &[Outage], end: Tick) -> Vec<Stance> {
    let mut stances: Vec<Stance> = Vec::new();
    for statement in statements {
        let outage = |from: Tick| downs.iter().find(|down| down.from >= from);
        if let Some(last) = stances.last_mut() {
            let ended = outage(last.from).map_or(end, |down| down.from);
            let same = last.master == statement.master
                && last.config_epoch == statement.config_epoch
                && last.slots == statement.slots;
            if same && statement.at <= ended {
                continue;
            }
            last.to = ended.min(statement.at);
        }
        let to = outage(statement.at).map_or(end, |down| down.from);
        stances.push(Stance {
            from: statement.at,
            to,
            master: statement.master,
            config_epoch: statement.config_epoch,
            slots: statement.slots,
        });
    }
    stances
}

fn downs(evidence: &Evidence<'_>, node: &NodeName, end: Tick) -> Vec<Outage> {
    let mut downs: Vec<Outage> = Vec::new();
    for step in evidence.lifecycle.iter().filter(|step| step.node == *node) {
        let at = Tick::from_ns(step.time);
        let state = match step.what {
            LifecycleKind::Started => {
                if let Some(last) = downs.last_mut().filter(|last| last.to == end) {
                    last.to = at;
                }
                continue;
            }
            LifecycleKind::Killed => ProcessState::Killed,
            LifecycleKind::Died => ProcessState::Died,
        };
        downs.push(Outage {
            from: at,
            to: end,
            state,
        });
    }
    downs
}

fn disturbances(bands: &[Band], node: usize) -> impl Iterator<Item = Outage> + '_ {
    bands.iter().filter_map(move |band| {
        let state = match band.kind {
            FaultKind::Pause => ProcessState::Paused,
            FaultKind::Partition => ProcessState::Cut,
            FaultKind::Kill | FaultKind::Failover => return None,
        };
        let hits = band.nodes.contains(&node) && band.certainty != Certainty::Skipped;
        hits.then_some(Outage {
            from: band.from,
            to: band.to,
            state,
        })
    })
}

/// Stands for a node whose id nobody used.
pub const UNKNOWN_NODE: usize = usize::MAX;
