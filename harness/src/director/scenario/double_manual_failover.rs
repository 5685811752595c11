//! Acknowledged writes lost without any fault (invariants.md, C.1).
//!
//! Three CLUSTER FAILOVER within two node timeouts: on the replica R of a master M, on M (now the
//! replica), on R again. Upstream does not clear R's vote counter, so R promotes itself the second
//! time on the votes of the first (VT-08), acknowledges writes for some tens of ms, and is demoted;
//! those writes are gone (MF-01, HI-03). One writer stays with each node of interest, so that R's
//! short reign is met. A sound node passes.
//!
//! A master votes only for a node that it knows as a replica, and after a failover gossip needs
//! some seconds to tell it so; each step waits until every master knows.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use slotquake_checkers::observation::{
    Fault, FaultKind, FaultPhase, NodeId, NodeName, NodeSetting, View,
};
use slotquake_workloads::client::RespValue;
use slotquake_workloads::workload::Workload;

use super::adds::{Adds, Writer};
use super::{Act, Beat, Entry, Scenario, check_failover};
use crate::nemesis::Picture;
use crate::plan::Plan;

/// This scenario's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "double-manual-failover",
    help: "three manual failovers in a row, no fault: Redis loses acknowledged writes",
    adapt,
    check,
    make,
};

/// From one failover's order to the next, ns.
const STEP_NS: u64 = 3_200_000_000;
/// Time given to a promotion, ns: a manual failover gives up after 5 s.
const PROMOTION_NS_MAX: u64 = 7_000_000_000;
/// Time given to gossip, ns: by then each node has pinged each other one.
const INTRODUCTION_NS_MAX: u64 = 8_000_000_000;
/// From one look at a node to the next, ns.
const LOOK_NS: u64 = 20_000_000;

fn adapt(plan: &mut Plan) {
    plan.masters = 3;
    plan.replicas = plan.replicas.max(1);
    plan.node_timeout_ms = 15_000;
    plan.faults.clear();
    plan.rate = 2000;
    plan.concurrency = 4;
    plan.time_limit_ms = plan.time_limit_ms.max(45_000);
}

fn check(plan: &Plan) -> Result<(), &'static str> {
    check_failover(plan)?;
    // 2 NT must cover two steps, or the votes of the first failover have expired.
    match plan.node_timeout_ms {
        ..5000 => Err("a node timeout of at least 5s"),
        5000.. => Ok(()),
    }
}

fn make(picture: &Picture, nodes: &[NodeSetting]) -> Result<Box<dyn Scenario>, String> {
    let masters: Vec<_> = picture.masters().collect();
    let first = masters.first().ok_or("no node is a master")?;
    let replica = picture.replicas_of(&first.name).next();
    let replica = replica.ok_or(format!("{} has no replica", first.name))?;
    let mut writers = Vec::new();
    // The replica's writer uses keys of its master's slots.
    for (node, slots_of) in masters
        .iter()
        .map(|node| (*node, *node))
        .chain([(replica, *first)])
    {
        writers.push(Writer::pinned(&node.name, slots_of, nodes)?);
    }
    let other_masters = masters[1..].iter().map(|node| node.name.clone());
    Ok(Box::new(DoubleManualFailover {
        master: first.name.clone(),
        replica: replica.name.clone(),
        other_masters: other_masters.collect(),
        writers,
        introduced: BTreeSet::new(),
        ids: BTreeMap::new(),
        step: 0,
        begun: 0,
        stage: Stage::Waiting,
    }))
}

struct DoubleManualFailover {
    master: NodeName,
    replica: NodeName,
    other_masters: Vec<NodeName>,
    writers: Vec<Writer>,
    /// The masters that know the next candidate as a replica of the last one.
    introduced: BTreeSet<NodeName>,
    /// Ids of the nodes by name, as far as they gave a view.
    ids: BTreeMap<NodeName, NodeId>,
    /// Failovers ordered so far.
    step: u32,
    /// When the last one was ordered, ns.
    begun: u64,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// For the time of the next step.
    Waiting,
    /// For the masters to know the next candidate as a replica.
    Introducing,
    /// For the command's answer.
    Ordered,
    /// For the candidate to say that it is a master.
    Promoting,
}

impl Scenario for DoubleManualFailover {
    fn workload(&self) -> Box<dyn Workload> {
        Box::new(Adds::new(self.writers.clone()))
    }

    fn on(&mut self, now: u64, beat: Beat<'_>) -> Vec<Act> {
        if let Beat::View(view) = beat {
            self.ids.insert(view.node.clone(), view.id.clone());
        }
        match (self.stage, beat) {
            (Stage::Introducing, Beat::View(view)) => self.on_introduction(now, view),
            (Stage::Introducing, Beat::Woke) => self.await_introduction(now),
            (Stage::Waiting, Beat::Begin | Beat::Woke) => self.next_step(now),
            (Stage::Ordered, Beat::Answer { tag, reply }) if tag == u64::from(self.step) => {
                self.on_answer(now, reply)
            }
            (Stage::Promoting, Beat::View(view)) => self.on_view(now, view),
            (Stage::Promoting, Beat::Woke) => self.on_patience(now),
            (Stage::Waiting | Stage::Introducing | Stage::Ordered | Stage::Promoting, _) => {
                Vec::new()
            }
        }
    }
}

impl DoubleManualFailover {
    fn candidate(&self) -> &NodeName {
        match self.step {
            2 => &self.master,
            _ => &self.replica,
        }
    }

    fn next_step(&mut self, now: u64) -> Vec<Act> {
        if now < self.step_end() {
            return vec![Act::WakeAt(self.step_end())];
        }
        match self.step {
            3 => vec![Act::Done],
            0 => self.order(now),
            _ => {
                self.stage = Stage::Introducing;
                self.introduced.clear();
                self.await_introduction(now)
            }
        }
    }

    /// The masters of this moment: the last candidate, and those that nothing happens to.
    fn voters(&self) -> impl Iterator<Item = &NodeName> {
        self.other_masters.iter().chain([self.candidate()])
    }

    /// Looks at the masters again and again, but not for ever.
    fn await_introduction(&mut self, now: u64) -> Vec<Act> {
        if now >= self.step_end() + INTRODUCTION_NS_MAX {
            return self.order(now);
        }
        let strangers = self
            .voters()
            .filter(|voter| !self.introduced.contains(*voter));
        let mut acts: Vec<_> = strangers.cloned().map(Act::Look).collect();
        acts.push(Act::WakeAt(now + LOOK_NS));
        acts
    }

    /// The next candidate is the other of the two.
    fn on_introduction(&mut self, now: u64, view: &View) -> Vec<Act> {
        let next = match *self.candidate() == self.replica {
            true => &self.master,
            false => &self.replica,
        };
        let (next, owner) = (self.ids.get(next), self.ids.get(self.candidate()));
        let knows_it = view.table.iter().any(|entry| {
            Some(&entry.id) == next && entry.has_flag("slave") && entry.master.as_ref() == owner
        });
        if knows_it {
            self.introduced.insert(view.node.clone());
        }
        let all_know = self.voters().all(|voter| self.introduced.contains(voter));
        match all_know {
            true => self.order(now),
            false => Vec::new(),
        }
    }

    fn order(&mut self, now: u64) -> Vec<Act> {
        self.step += 1;
        (self.begun, self.stage) = (now, Stage::Ordered);
        vec![Act::Ask {
            node: self.candidate().clone(),
            args: vec![
                Bytes::from_static(b"CLUSTER"),
                Bytes::from_static(b"FAILOVER"),
            ],
            tag: u64::from(self.step),
        }]
    }

    fn on_answer(&mut self, now: u64, reply: &Result<RespValue, String>) -> Vec<Act> {
        let refusal = match reply {
            Ok(RespValue::Error(error)) | Err(error) => Some(error.clone()),
            Ok(_) => None,
        };
        match refusal {
            None => {
                self.stage = Stage::Promoting;
                vec![
                    Act::Record(self.fault(now, FaultPhase::Installed)),
                    Act::Look(self.candidate().clone()),
                    Act::WakeAt(now + LOOK_NS),
                ]
            }
            Some(error) => self.end_step(now, FaultPhase::Skipped(error)),
        }
    }

    fn on_view(&mut self, now: u64, view: &View) -> Vec<Act> {
        let is_master = view.table.iter().any(|entry| {
            entry.id == view.id && entry.has_flag("master") && !entry.slots.is_empty()
        });
        let is_later = view.asked >= self.begun;
        match view.node == *self.candidate() && is_master && is_later {
            true => self.end_step(now, FaultPhase::Healed),
            false => Vec::new(),
        }
    }

    fn on_patience(&mut self, now: u64) -> Vec<Act> {
        if now < self.begun + PROMOTION_NS_MAX {
            return vec![
                Act::Look(self.candidate().clone()),
                Act::WakeAt(now + LOOK_NS),
            ];
        }
        // The candidate gave up after 5 s: a sound voter refuses a second vote for a replica of
        // the same master within 2 NT (VT-06).
        self.end_step(now, FaultPhase::Healed)
    }

    fn end_step(&mut self, now: u64, phase: FaultPhase) -> Vec<Act> {
        self.stage = Stage::Waiting;
        let record = Act::Record(self.fault(now, phase));
        vec![record, Act::WakeAt(self.step_end().max(now))]
    }

    /// When the next step begins, ns.
    fn step_end(&self) -> u64 {
        match self.step {
            0 => 0,
            // After the last one the master's writers may stay paused for 5 s.
            3 => self.begun + 2 * STEP_NS,
            _ => self.begun + STEP_NS,
        }
    }

    fn fault(&self, now: u64, phase: FaultPhase) -> Fault {
        Fault {
            time: now,
            begun: self.begun,
            id: self.step,
            kind: FaultKind::Failover,
            phase,
            targets: vec![self.candidate().clone()],
            cuts: Vec::new(),
            note: format!(
                "CLUSTER FAILOVER on {} ({} of 3)",
                self.candidate(),
                self.step
            ),
        }
    }
}
