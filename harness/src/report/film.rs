//! The film: everything that is drawn over the common axis of time, ready to be embedded.

use serde::Serialize;
use slotquake_checkers::history::Events;

use super::bands::{Band, bands};
use super::divergence::{Divergence, divergences};
use super::elections::{Declaration, Election, declarations, elections};
use super::evidence::{Evidence, Operation, Tick};
use super::lanes::{Lane, Outage, UNKNOWN_NODE, lanes};
use super::load::{Points, Throughput, points, throughput};
use super::ownership::{Cell, cells};
use super::words::server_name;

/// A node's lane, as drawn.
#[derive(Debug, Serialize)]
pub struct NodeLane {
    /// Name.
    pub name: String,
    /// What runs there.
    pub server: String,
    /// When it was not simply running.
    pub outages: Vec<Outage>,
    /// What it said of itself.
    pub stances: Vec<DrawnStance>,
}

/// A stretch in which a node said the same of itself, as drawn.
#[derive(Debug, Serialize)]
pub struct DrawnStance {
    /// From.
    pub from: Tick,
    /// To.
    pub to: Tick,
    /// Position of its master; −1 for a master, −2 for an unknown one.
    pub master: i64,
    /// Config epoch.
    pub epoch: u64,
    /// Slots it claims, as text.
    pub slots: String,
}

/// All the lanes, bands and points.
#[derive(Debug, Serialize)]
pub struct Film {
    /// End of the run.
    pub end: Tick,
    /// When all faults were healed.
    pub healed: Option<Tick>,
    /// The nodes.
    pub nodes: Vec<NodeLane>,
    /// The faults.
    pub bands: Vec<Band>,
    /// The operations.
    pub points: Points,
    /// The completions.
    pub throughput: Throughput,
    /// The slots.
    pub cells: Vec<Cell>,
    /// The elections.
    pub elections: Vec<Election>,
    /// FAIL declarations.
    pub declarations: Vec<Declaration>,
    /// Differing views.
    pub divergences: Vec<Divergence>,
}

impl Film {
    /// Draws it all together. The sizes of its parts are bounded, whatever the recording's.
    pub fn of(evidence: &Evidence<'_>, operations: &[Operation<'_>], all: &Events) -> Film {
        let end = evidence.end();
        let bands = bands(evidence.faults, &evidence.node_index(), end);
        let lanes = lanes(evidence, &bands);
        let mut elections = elections(evidence, &lanes);
        elections.truncate(ELECTIONS_MAX);
        let mut declarations = declarations(evidence);
        declarations.truncate(ELECTIONS_MAX);
        let cells = cells(&lanes, end);
        Film {
            end: Tick::from_ns(end),
            healed: evidence.setting.healed_at.map(Tick::from_ns),
            nodes: evidence
                .setting
                .nodes
                .iter()
                .zip(lanes)
                .map(|(node, lane)| drawn_lane(node, lane))
                .collect(),
            bands,
            points: points(operations, evidence.operations, end),
            throughput: throughput(all, end),
            cells: cells.into_iter().take(CELLS_MAX).collect(),
            elections,
            declarations,
            divergences: divergences(evidence),
        }
    }
}

fn drawn_lane(node: &slotquake_checkers::observation::NodeSetting, lane: Lane) -> NodeLane {
    NodeLane {
        name: node.name.to_string(),
        server: server_name(&node.server),
        outages: lane.outages,
        stances: lane
            .stances
            .iter()
            .take(STANCES_MAX)
            .map(|stance| DrawnStance {
                from: stance.from,
                to: stance.to,
                master: match stance.master {
                    None => -1,
                    Some(UNKNOWN_NODE) => -2,
                    Some(node) => node as i64,
                },
                epoch: stance.config_epoch,
                slots: stance.slots.to_string(),
            })
            .collect(),
    }
}

const ELECTIONS_MAX: usize = 500;
const STANCES_MAX: usize = 500;
const CELLS_MAX: usize = 6_000;
