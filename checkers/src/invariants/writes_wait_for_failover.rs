//! MF-02, MF-11: while a master shows PAUSED it carries out no write, and afterwards it holds back
//! none.
//!
//! A master sets PAUSED in every header from the beginning of a manual failover to its end (MF-06).
//! A write that was asked for after one such header and acknowledged before another one of the
//! same row ran in between. A write that hangs half a second after the row is over, where nothing
//! else is wrong, was never let go.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{finding, is_paused_within};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Function, Operation, Outcome};
use crate::observation::{
    Bounds, Fault, FaultKind, FaultPhase, NodeName, Packet, PacketKind, Setting,
    bounds::MILLISECOND, bounds::seconds,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "MF-02",
    title: "writes wait for a manual failover, and no longer",
    clauses: &["MF-02", "MF-05", "MF-06", "MF-11"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A manual failover loses nothing because the old master holds back writes until the \
           new one has them all. So it acknowledges no write between two headers that say \
           PAUSED; it says so for 5 s at most after it was asked; and when it says so no more, \
           clients are let go: a write that still hangs there half a second later, with no other \
           fault since the pause began, is a violation as well.",
    make: || Box::new(WritesWaitForFailover::default()),
};

/// The checker of MF-02.
#[derive(Debug, Default)]
pub struct WritesWaitForFailover {
    pauses: BTreeMap<NodeName, Pause>,
    /// When each master was last asked to pause, ns.
    asked: BTreeMap<NodeName, u64>,
    /// Writes acknowledged since the last PAUSED header: a violation if there is another.
    acknowledged: BTreeMap<NodeName, (u64, u64)>,
    /// Other faults in force, and when the last one ended, ns.
    faults: BTreeMap<u32, ()>,
    last_fault_at: u64,
    hangs: Vec<(NodeName, u64, u64)>,
    /// Masters that still said PAUSED after its time: who was asked when, and the last time, ns.
    overdue: BTreeMap<(NodeName, u64), u64>,
    tally: Tally,
}

impl Checker for WritesWaitForFailover {
    fn looks_at(&self) -> &'static [Sort] {
        &[
            Sort::Heartbeat,
            Sort::Message,
            Sort::Op,
            Sort::Fault,
            Sort::Lifecycle,
        ]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => self.note_header(packet),
            Happening::Op(event) => {
                let done = scene.operation().filter(|operation| is_write(operation.f));
                if let Some((operation, node)) = done.and_then(|it| Some((it, it.node.as_ref()?))) {
                    self.judge(operation, node, event.time);
                }
            }
            Happening::Fault(fault) => self.note_fault(fault),
            Happening::Lifecycle(lifecycle) => {
                self.pauses.remove(&lifecycle.node);
                self.acknowledged.remove(&lifecycle.node);
            }
            Happening::View(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let is_slow = setting.too_slow_to_time().is_some();
        let hangs = std::mem::take(&mut self.hangs);
        for (node, ended, time) in hangs.into_iter().filter(|_| !is_slow) {
            let what = format!(
                "keeps a client's write waiting {} after its pause was over",
                seconds(time - ended)
            );
            self.tally
                .findings
                .push(finding("MF-11", time, &node, what));
        }
        let slack = Bounds::of(setting).slack;
        for ((node, asked), last) in std::mem::take(&mut self.overdue) {
            let lasts = last - asked;
            let is_excused = is_slow || is_paused_within(scene, &node, asked, last);
            if lasts > PAUSED_MAX + slack && !is_excused {
                let what = format!(
                    "is still paused for a manual failover {} after it was asked to",
                    seconds(lasts)
                );
                self.tally
                    .findings
                    .push(finding("MF-11", last, &node, what));
            }
        }
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no master was paused for a manual failover",
        )
    }
}

impl WritesWaitForFailover {
    fn note_header(&mut self, packet: &Packet) {
        if packet.kind == PacketKind::MfStart {
            let asked = packet.delivered.unwrap_or(packet.time);
            self.asked.insert(packet.to.clone(), asked);
        }
        let is_paused = packet.header.is_paused() && packet.header.is_master();
        if !is_paused && self.pauses.is_empty() {
            return;
        }
        let node = &packet.from;
        let pause = self.pauses.get_mut(node);
        match (is_paused, pause) {
            (true, Some(pause)) if pause.ended.is_none() => {
                pause.last = packet.time;
                let asked = self.asked.get(node).copied();
                let asked = asked.filter(|asked| packet.time > asked + PAUSED_MAX);
                if let Some(asked) = asked {
                    self.overdue.insert((node.clone(), asked), packet.time);
                }
                // A header made before the pause was over may leave after the first reply.
                let is_settled = |(_, done): &(u64, u64)| packet.time > done.saturating_add(TURN);
                if self.acknowledged.get(node).is_some_and(is_settled)
                    && let Some((asked, done)) = self.acknowledged.remove(node)
                {
                    let what = format!(
                        "acknowledges a write that was asked for at {}, while its writes are \
                         paused for a manual failover",
                        seconds(asked)
                    );
                    self.tally.findings.push(finding("MF-02", done, node, what));
                }
            }
            (true, _) => {
                self.tally.examined += 1;
                let pause = Pause {
                    begun: packet.time,
                    last: packet.time,
                    ended: None,
                };
                self.pauses.insert(node.clone(), pause);
            }
            (false, Some(pause)) if pause.ended.is_none() => {
                pause.ended = Some(packet.time);
                self.acknowledged.remove(node);
            }
            (false, _) => {}
        }
    }

    fn judge(&mut self, operation: &Operation, node: &NodeName, now: u64) {
        let Some(pause) = self.pauses.get(node) else {
            return;
        };
        match (operation.outcome, pause.ended) {
            (Outcome::Ok, None) if operation.invoked > pause.begun => {
                let times = (operation.invoked, now);
                self.acknowledged.entry(node.clone()).or_insert(times);
            }
            (Outcome::Unknown, Some(ended)) => {
                let is_disturbed = !self.faults.is_empty() || self.last_fault_at > pause.begun;
                let is_late = now > ended + LET_GO && now < pause.last + FORGOTTEN;
                if is_late && !is_disturbed {
                    self.hangs.push((node.clone(), ended, now));
                }
            }
            (Outcome::Ok | Outcome::Fail | Outcome::Unknown, _) => {}
        }
    }

    fn note_fault(&mut self, fault: &Fault) {
        // Neither keeps a client from its answer.
        let is_harmless = matches!(fault.kind, FaultKind::Failover | FaultKind::DataCut);
        if is_harmless {
            return;
        }
        match &fault.phase {
            FaultPhase::Installed | FaultPhase::Indeterminate(_) => {
                self.faults.insert(fault.id, ());
            }
            FaultPhase::Healed => {
                self.faults.remove(&fault.id);
            }
            FaultPhase::Skipped(_) | FaultPhase::Answered(_) => {}
        }
        self.last_fault_at = fault.time;
    }
}

/// What a node does in one turn leaves it in any order; no turn of one that works is longer, ns.
const TURN: u64 = 50 * MILLISECOND;

/// Whether the operation writes whatever it finds.
fn is_write(f: Function) -> bool {
    use Function::{Add, Append, Enqueue, Increment, Push, Write};
    matches!(f, Add | Append | Enqueue | Increment | Push | Write)
}

/// A row of PAUSED headers of a master.
#[derive(Debug)]
struct Pause {
    begun: u64,
    last: u64,
    /// The first header that does not say so any more.
    ended: Option<u64>,
}
/// MF-05, MF-11: after it was asked a master is paused no longer, ns.
const PAUSED_MAX: u64 = 5000 * MILLISECOND;
/// After the end of the pause every client has its answer by then, ns.
const LET_GO: u64 = 500 * MILLISECOND;
/// After this time a hanging write has other reasons, ns: MF-05 pauses for 10 s at most.
const FORGOTTEN: u64 = 10_000 * MILLISECOND;
