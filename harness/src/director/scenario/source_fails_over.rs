//! A failover in the middle of a migration takes a healthy master down (CF-01 of part C).
//!
//! A slot is open between two masters; the source dies, its replica takes over. An importing node
//! of upstream ignores every claim on the slot (UP-03), so it alone never learns whose the slot is
//! now. To it the slot belongs to the dead master, later to nobody: it says fail, and refuses all
//! of its own slots, until an operator closes the slot by hand. The default reference node takes
//! the claim, and the migration goes on with the new source.

use bytes::Bytes;
use slotquake_checkers::observation::{
    Fault, FaultKind, FaultPhase, NodeId, NodeName, NodeSetting, View,
};
use slotquake_workloads::client::RespValue;
use slotquake_workloads::workload::Workload;

use super::adds::{Adds, Writer, slots_of};
use super::{Act, Beat, Entry, Scenario, check_failover};
use crate::nemesis::{NodePicture, Picture, Strike};
use crate::plan::Plan;

/// This scenario's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "source-fails-over",
    help: "the source of an open slot is replaced: on Redis the importing master goes down too",
    adapt,
    check: check_failover,
    make,
};

/// From the restart of the source to the end of the course, ns.
const AFTER_NS: u64 = 8_000_000_000;

fn adapt(plan: &mut Plan) {
    plan.replicas = plan.replicas.max(1);
    plan.faults.clear();
    plan.rate = 300;
    plan.concurrency = 6;
    plan.time_limit_ms = plan.time_limit_ms.max(30_000 + 4 * plan.node_timeout_ms);
}

fn make(picture: &Picture, _nodes: &[NodeSetting]) -> Result<Box<dyn Scenario>, String> {
    let masters: Vec<&NodePicture> = picture.masters().collect();
    let [source, target, ..] = masters.as_slice() else {
        return Err("two masters are needed".into());
    };
    let slot = slots_of(source)?.iter().next();
    let writers: Result<Vec<Writer>, String> = masters
        .iter()
        .map(|master| Writer::routed(master))
        .collect();
    Ok(Box::new(SourceFailsOver {
        source: (*source).clone(),
        target: target.name.clone(),
        slot: slot.ok_or(format!("{} has no slot", source.name))?,
        writers: writers?,
        down_ms: picture.failover_ms() + picture.node_timeout_ms + 2000,
        source_id: None,
        target_id: None,
        stage: Stage::Meeting,
    }))
}

struct SourceFailsOver {
    source: NodePicture,
    target: NodeName,
    slot: u16,
    writers: Vec<Writer>,
    down_ms: u64,
    source_id: Option<NodeId>,
    target_id: Option<NodeId>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// For the ids of both ends.
    Meeting,
    /// For the answer to SETSLOT IMPORTING.
    Importing,
    /// For the answer to SETSLOT MIGRATING.
    Migrating,
    /// For the source to be back.
    Down,
    /// For the cluster to find itself again.
    Back,
}

impl Scenario for SourceFailsOver {
    fn workload(&self) -> Box<dyn Workload> {
        Box::new(Adds::new(self.writers.clone()))
    }

    fn on(&mut self, now: u64, beat: Beat<'_>) -> Vec<Act> {
        match (self.stage, beat) {
            (Stage::Meeting, Beat::Begin) => {
                let ends = [&self.source.name, &self.target];
                ends.map(|node| Act::Look(node.clone())).into()
            }
            (Stage::Meeting, Beat::View(view)) => self.meet(view),
            (Stage::Importing, Beat::Answer { reply, .. }) => match refusal(reply) {
                None => self.open(Stage::Migrating),
                Some(why) => self.give_up(now, why),
            },
            (Stage::Migrating, Beat::Answer { reply, .. }) => match refusal(reply) {
                None => {
                    self.stage = Stage::Down;
                    vec![Act::Strike(FaultKind::Kill, self.strike())]
                }
                Some(why) => self.give_up(now, why),
            },
            (Stage::Down, Beat::Fault(fault)) => match &fault.phase {
                FaultPhase::Healed => {
                    self.stage = Stage::Back;
                    vec![Act::WakeAt(now + AFTER_NS)]
                }
                FaultPhase::Skipped(_) => vec![Act::Done],
                FaultPhase::Installed | FaultPhase::Indeterminate(_) | FaultPhase::Answered(_) => {
                    Vec::new()
                }
            },
            (Stage::Back, Beat::Woke) => vec![Act::Done],
            (
                Stage::Meeting | Stage::Importing | Stage::Migrating | Stage::Down | Stage::Back,
                _,
            ) => Vec::new(),
        }
    }
}

impl SourceFailsOver {
    fn meet(&mut self, view: &View) -> Vec<Act> {
        if view.node == self.source.name {
            self.source_id = Some(view.id.clone());
        } else if view.node == self.target {
            self.target_id = Some(view.id.clone());
        }
        match (&self.source_id, &self.target_id) {
            (Some(_), Some(_)) => self.open(Stage::Importing),
            (_, _) => Vec::new(),
        }
    }

    /// Opens the slot at one end: first at the target, as the documents say.
    fn open(&mut self, stage: Stage) -> Vec<Act> {
        self.stage = stage;
        let (node, word, peer) = match stage {
            Stage::Meeting | Stage::Importing => (&self.target, "IMPORTING", &self.source_id),
            Stage::Migrating | Stage::Down | Stage::Back => {
                (&self.source.name, "MIGRATING", &self.target_id)
            }
        };
        let Some(peer) = peer else {
            return vec![Act::Done];
        };
        let words = [
            "CLUSTER".to_string(),
            "SETSLOT".to_string(),
            self.slot.to_string(),
            word.to_string(),
            peer.to_string(),
        ];
        vec![Act::Ask {
            node: node.clone(),
            args: words.map(Bytes::from).into(),
            tag: 0,
        }]
    }

    fn strike(&self) -> Strike {
        Strike {
            targets: vec![self.source.name.clone()],
            note: format!(
                "kill {} for {} ms, while slot {} is on its way to {}",
                self.source.describe(),
                self.down_ms,
                self.slot,
                self.target
            ),
            duration_ms: self.down_ms,
            ..Strike::default()
        }
    }

    fn give_up(&mut self, now: u64, why: String) -> Vec<Act> {
        let skipped = Fault {
            time: now,
            begun: now,
            id: 0,
            kind: FaultKind::Kill,
            phase: FaultPhase::Skipped(why),
            targets: vec![self.source.name.clone()],
            cuts: Vec::new(),
            note: format!("open slot {} towards {}", self.slot, self.target),
        };
        vec![Act::Record(skipped), Act::Done]
    }
}

fn refusal(reply: &Result<RespValue, String>) -> Option<String> {
    match reply {
        Ok(RespValue::Error(error)) | Err(error) => Some(error.clone()),
        Ok(_) => None,
    }
}
