//! ST-07: while nothing is wrong and nobody acts, nothing happens.
//!
//! Judged from the first operation of a client until the first fault begins: no node is marked as
//! failing, in views or heartbeats, no slot changes its owner, no client hears CLUSTERDOWN. It is
//! the control of all other checks: what goes wrong here was not brought about by a fault.

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need};
use crate::history::Event;
use crate::observation::{Body, Fault, FaultPhase, NodeName, Packet, Setting, View};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation};

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "ST-07",
    title: "a cluster left alone stays quiet",
    clauses: &["ST-07"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "From the first operation until the first fault or act of an operator no view and no \
           heartbeat may call a node PFAIL or FAIL, no slot may change its owner, and no client \
           may be told CLUSTERDOWN. A run without faults is judged to its end. On a machine that \
           is too busy to time (the canary) nothing is held against the cluster.",
    make: || Box::new(QuietWithoutFaults::default()),
};

/// The checker of ST-07.
#[derive(Debug, Default)]
pub struct QuietWithoutFaults {
    stage: Stage,
    /// The first operation, ns.
    since: Option<u64>,
    troubles: Vec<Violation>,
    tally: Tally,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// The cluster forms.
    #[default]
    Forming,
    /// Clients work, and nothing is wrong.
    Quiet,
    /// A fault began at this time, ns.
    Disturbed(u64),
}

impl Checker for QuietWithoutFaults {
    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match (happening, self.stage) {
            (Happening::Fault(fault), _) => self.note_fault(fault),
            (_, Stage::Disturbed(_)) => {}
            (Happening::Lifecycle(lifecycle), Stage::Quiet) => {
                self.stage = Stage::Disturbed(lifecycle.time);
            }
            (Happening::Op(event), _) => {
                self.stage = Stage::Quiet;
                self.since.get_or_insert(event.time);
                self.judge_answer(event);
            }
            (Happening::Packet(packet), Stage::Quiet) => self.judge_packet(packet),
            (Happening::View(view), Stage::Quiet) => self.judge_view(view),
            (_, Stage::Forming) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        // A fault is on record only once it is in force.
        let until = match self.stage {
            Stage::Disturbed(begun) => begun,
            Stage::Forming | Stage::Quiet => u64::MAX,
        };
        let since = self.since.unwrap_or(u64::MAX);
        let mut takeovers = scene.ownership().takeovers().iter();
        if let Some(takeover) = takeovers.find(|takeover| takeover.time >= since) {
            let who = scene.ownership().name(&takeover.to).cloned();
            let who = who.unwrap_or_else(|| NodeName(takeover.to.0.clone()));
            let what = format!("takes slots {} over while nothing is wrong", takeover.slots);
            self.note(takeover.time, &who, what);
        }
        let troubles = std::mem::take(&mut self.troubles);
        let mut in_time = troubles.into_iter().filter(|trouble| trouble.time < until);
        // What follows the first trouble follows from it.
        if let Some(first) = in_time.next() {
            match setting.too_slow_to_time() {
                Some(why) => return Verdict::undecided(self.tally.examined, why),
                None => self.tally.findings.push(first),
            }
        }
        let nothing = "nothing was seen before the first fault";
        self.tally.conclude(setting, Completeness::Helpful, nothing)
    }
}

impl QuietWithoutFaults {
    fn note_fault(&mut self, fault: &Fault) {
        match &fault.phase {
            FaultPhase::Installed | FaultPhase::Indeterminate(_) | FaultPhase::Healed => {
                // The end of its process is on record before a kill is.
                let begun = match self.stage {
                    Stage::Disturbed(begun) => begun.min(fault.begun),
                    Stage::Forming | Stage::Quiet => fault.begun,
                };
                self.stage = Stage::Disturbed(begun);
            }
            FaultPhase::Skipped(_) | FaultPhase::Answered(_) => {}
        }
    }

    fn judge_answer(&mut self, event: &Event) {
        self.tally.examined += 1;
        let Some(error) = &event.error else {
            return;
        };
        if error.contains("CLUSTERDOWN") {
            let client = NodeName(format!("client {}", event.process).into());
            let what = format!("is told {error:?} while nothing is wrong");
            self.note(event.time, &client, what);
        }
    }

    fn judge_packet(&mut self, packet: &Packet) {
        self.tally.examined += 1;
        let about = match &packet.body {
            Body::Gossip(entries) => {
                let mut failing = entries.iter().filter(|entry| entry.flags & FAILING != 0);
                failing.next().map(|entry| &entry.id)
            }
            Body::Failed(about) => Some(about),
            Body::Owner { .. } | Body::Nothing => None,
        };
        if let Some(about) = about {
            let what = format!("says that {about} fails while nothing is wrong");
            self.note(packet.time, &packet.from, what);
        }
    }

    fn judge_view(&mut self, view: &View) {
        self.tally.examined += 1;
        let mut failing = view
            .table
            .iter()
            .filter(|entry| entry.has_flag("fail?") || entry.has_flag("fail"));
        if let Some(entry) = failing.next() {
            let what = format!(
                "shows {} as {} while nothing is wrong",
                entry.id, entry.flags
            );
            self.note(view.time, &view.node, what);
        }
    }

    fn note(&mut self, time: u64, who: &NodeName, what: String) {
        if self.troubles.len() < TROUBLES_MAX {
            self.troubles.push(finding("ST-07", time, who, what));
        }
    }
}

/// PFAIL and FAIL.
const FAILING: u16 = 4 | 8;
/// Only the first is told; a few more in case that a fault turns out to have begun before it.
const TROUBLES_MAX: usize = 8;
