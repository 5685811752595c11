//! One lane a node: whether its process ran, which role it gave itself, by which config epoch.
//!
//! Roles come from the headers of the node's own packets and from its own line in its views; a
//! node is what it says it is until it says otherwise or its process ends.

use std::collections::BTreeMap;

use serde::Serialize;
use slotquake_checkers::observation::{
    Damage, LifecycleKind, NodeId, NodeName, Ports, SlotSet, View,
};

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
    let ids = evidence.id_index();
    let mut lanes: Vec<Lane> = Vec::new();
    lanes.resize_with(evidence.setting.nodes.len(), Lane::default);
    for (node, setting) in evidence.setting.nodes.iter().enumerate() {
        let downs = downs(evidence, &setting.name, end);
        lanes[node].outages = downs.clone();
        lanes[node].outages.extend(disturbances(bands, node));
        lanes[node].stances = stances(statements(evidence, &ids, &setting.name), &downs, end);
    }
    lanes
}

/// What a node says of itself at one instant; borrowed, for there are many.
#[derive(Clone, Copy)]
struct Statement<'a> {
    at: Tick,
    master: Option<usize>,
    config_epoch: u64,
    /// None for a replica.
    slots: Option<&'a SlotSet>,
}

impl Statement<'_> {
    fn agrees_with(&self, stance: &Stance) -> bool {
        stance.master == self.master
            && stance.config_epoch == self.config_epoch
            && match self.slots {
                Some(slots) => stance.slots == *slots,
                None => stance.slots.is_empty(),
            }
    }
}

fn statements<'a>(
    evidence: &Evidence<'a>,
    ids: &BTreeMap<NodeId, usize>,
    node: &NodeName,
) -> Vec<Statement<'a>> {
    let packets = evidence
        .packets
        .iter()
        .filter(|packet| packet.from == *node);
    let mut all: Vec<Statement<'a>> = packets
        .map(|packet| Statement {
            at: Tick::from_ns(packet.time),
            master: packet.header.master.as_ref().map(|id| position(ids, id)),
            config_epoch: packet.header.config_epoch,
            slots: packet.header.is_master().then_some(&packet.header.slots),
        })
        .collect();
    let views = evidence.views.iter().filter(|view| view.node == *node);
    all.extend(views.filter_map(|view| statement_of_view(view, ids)));
    all.sort_by_key(|statement| statement.at);
    all
}

fn statement_of_view<'a>(view: &'a View, ids: &BTreeMap<NodeId, usize>) -> Option<Statement<'a>> {
    let line = view.table.iter().find(|line| line.has_flag("myself"))?;
    Some(Statement {
        at: Tick::from_ns(view.time),
        master: line.master.as_ref().map(|id| position(ids, id)),
        config_epoch: line.config_epoch,
        slots: line.master.is_none().then_some(&line.slots),
    })
}

fn position(ids: &BTreeMap<NodeId, usize>, id: &NodeId) -> usize {
    ids.get(id).copied().unwrap_or(UNKNOWN_NODE)
}

/// Joins equal statements into stretches; a stretch ends where the process does.
fn stances(statements: Vec<Statement<'_>>, downs: &[Outage], end: Tick) -> Vec<Stance> {
    let end_after = |from: Tick| {
        let down = downs.iter().find(|down| down.from >= from);
        down.map_or(end, |down| down.from)
    };
    let mut stances: Vec<Stance> = Vec::new();
    for statement in statements {
        if let Some(last) = stances.last_mut() {
            if statement.at <= last.to && statement.agrees_with(last) {
                continue;
            }
            last.to = last.to.min(statement.at);
        }
        stances.push(Stance {
            from: statement.at,
            to: end_after(statement.at),
            master: statement.master,
            config_epoch: statement.config_epoch,
            slots: statement.slots.cloned().unwrap_or_default(),
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
        let state = match band.kind.damage() {
            Some(Damage::Pause) => ProcessState::Paused,
            Some(Damage::Cut(Ports::All | Ports::Bus)) => ProcessState::Cut,
            // A process that was killed is seen to end; one that was given an order goes on.
            Some(
                Damage::Kill
                | Damage::Cut(Ports::Data)
                | Damage::Net(_)
                | Damage::Clock(_)
                | Damage::Disk(_),
            )
            | None => return None,
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
