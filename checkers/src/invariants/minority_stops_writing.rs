//! ST-02: a master that hears less than a majority acknowledges no write after T_pfail.
//!
//! Judged without the nemesis: a master's silence begins with the last packet by which it still had
//! heard a majority of the voters, itself included (whatever cut it off). An acknowledged write
//! invoked later than T_pfail after that is a violation. Exempt: writes around a pause of that
//! master (R4), and lives in which it never heard a majority. A packet that was only seen leaving
//! counts as heard, so the check errs in the master's favour.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::links::ByLink;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Operation, Outcome};
use crate::observation::bounds::{CRON, MILLISECOND, seconds};
use crate::observation::fault::note_pause;
use crate::observation::{Bounds, FaultKind, NodeName, Packet, Setting};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation, Word};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "ST-02",
    title: "a master cut off from the majority stops acknowledging writes",
    clauses: &["ST-02"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "A master that has heard from less than a majority of the masters for 1.5 NT + 0.2 s \
           + slack acknowledges no more writes. The public text says one node timeout; the \
           timers of the implementation give up to one and a half. Writes around a pause of \
           that master are exempt.",
    make: || Box::new(MinorityStopsWriting::default()),
};

/// The checker of ST-02.
#[derive(Debug, Default)]
pub struct MinorityStopsWriting {
    receivers: Vec<Receiver>,
    /// Whom a link leads to, and who sends on it there: places in `receivers` and in `heard`.
    places: ByLink<(usize, usize)>,
    pauses: BTreeMap<NodeName, Vec<(u64, u64)>>,
    answers: Vec<Answer>,
}

/// A node that is sent packets.
#[derive(Debug)]
struct Receiver {
    name: NodeName,
    /// When it heard each other node last, ns.
    heard: Vec<(NodeName, u64)>,
}

/// An answer of a master that had been hearing less than a majority for a while.
#[derive(Debug)]
struct Answer {
    node: NodeName,
    /// When it last had heard a majority, ns.
    silent_since: u64,
    operation: Operation,
}

impl Checker for MinorityStopsWriting {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::Op, Sort::Fault]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => self.observe_packet(packet, scene),
            Happening::Op(_) => {
                if let Some(operation) = scene.operation() {
                    self.observe_operation(operation, scene);
                }
            }
            Happening::Fault(fault) => {
                if fault.kind == FaultKind::Pause {
                    for node in &fault.targets {
                        let pauses = self.pauses.entry(node.clone()).or_default();
                        note_pause(pauses, &fault.phase, fault.begun, fault.time);
                    }
                }
            }
            Happening::View(_) | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let bounds = Bounds::of(setting);
        let mut tally = Tally::default();
        for answer in std::mem::take(&mut self.answers) {
            let limit = answer.silent_since + bounds.suspected();
            if answer.operation.invoked <= limit || self.is_paused_around(&answer, &bounds) {
                continue;
            }
            tally.examined += 1;
            if answer.operation.outcome == Outcome::Ok {
                tally.findings.push(violation(&answer, limit));
            }
        }
        let nothing = "no master was asked to write while it heard less than a majority for long";
        let verdict = tally.conclude(setting, Completeness::Helpful, nothing);
        let lost = setting.bus_packets_lost;
        match (verdict.word, setting.too_slow_to_time()) {
            (Word::Violated, Some(why)) => Verdict::undecided(tally.examined, why),
            (Word::Violated, None) if lost > 0 => Verdict::undecided(
                tally.examined,
                format!("masters seem cut off, but the capture lost {lost} packets"),
            ),
            (_, _) => verdict,
        }
    }
}

impl MinorityStopsWriting {
    fn observe_packet(&mut self, packet: &Packet, scene: &Scene) {
        let (receiver, sender) = match self.places.get(scene.link()).copied() {
            Some(place) => place,
            None => {
                let place = self.place_of(packet);
                self.places.insert(scene.link(), place);
                place
            }
        };
        // R2: the receiver knows what was delivered; what was only seen leaving may be known.
        let time = packet.delivered.unwrap_or(packet.time);
        let (_, last) = &mut self.receivers[receiver].heard[sender];
        *last = time.max(*last);
    }

    fn place_of(&mut self, packet: &Packet) -> (usize, usize) {
        let mut known = self.receivers.iter();
        let receiver = known.position(|receiver| receiver.name == packet.to);
        let receiver = receiver.unwrap_or_else(|| {
            self.receivers.push(Receiver {
                name: packet.to.clone(),
                heard: Vec::new(),
            });
            self.receivers.len() - 1
        });
        let heard = &mut self.receivers[receiver].heard;
        let sender = heard.iter().position(|(name, _)| *name == packet.from);
        let sender = sender.unwrap_or_else(|| {
            heard.push((packet.from.clone(), 0));
            heard.len() - 1
        });
        (receiver, sender)
    }

    fn observe_operation(&mut self, operation: &Operation, scene: &Scene) {
        let is_write = operation.is_write() && operation.f.is_for_the_owner();
        let node = operation.node.as_ref();
        let Some(node) = node.filter(|_| is_write) else {
            return;
        };
        if self.hears_many(node, operation.invoked, scene) {
            return;
        }
        let Some(silent_since) = self.last_majority(node, scene) else {
            return;
        };
        if operation.invoked > silent_since + SILENCE_MIN {
            self.answers.push(Answer {
                node: node.clone(),
                silent_since,
                operation: operation.clone(),
            });
        }
    }

    /// Whether a master that was asked at this time had heard a majority just before, as nearly all
    /// have: then there is nothing to keep.
    fn hears_many(&self, node: &NodeName, asked: u64, scene: &Scene) -> bool {
        let ownership = scene.ownership();
        let Some(others_needed) = (ownership.voters() / 2 + 1).checked_sub(2) else {
            return true;
        };
        let mut receivers = self.receivers.iter();
        let Some(receiver) = receivers.find(|receiver| receiver.name == *node) else {
            return true;
        };
        let recent = receiver.heard.iter().filter(|(name, time)| {
            asked <= time + SILENCE_MIN && name != node && ownership.has_claimed(name)
        });
        recent.count() > others_needed
    }

    /// When this master last had heard a majority in this life; none if it needs nobody.
    fn last_majority(&self, node: &NodeName, scene: &Scene) -> Option<u64> {
        let ownership = scene.ownership();
        let others_needed = (ownership.voters() / 2 + 1).checked_sub(2)?;
        let mut receivers = self.receivers.iter();
        let heard = &receivers.find(|receiver| receiver.name == *node)?.heard;
        // Anyone who ever claimed slots counts, so that old and new owners of a slot both do.
        let mut times: Vec<u64> = heard
            .iter()
            .filter(|(name, _)| name != node && ownership.has_claimed(name))
            .map(|(_, time)| *time)
            .collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        let since = times.get(others_needed).copied()?;
        (since >= scene.incarnations().life(node).since).then_some(since)
    }

    fn is_paused_around(&self, answer: &Answer, bounds: &Bounds) -> bool {
        let Some(pauses) = self.pauses.get(&answer.node) else {
            return false;
        };
        let operation = &answer.operation;
        pauses.iter().any(|(begin, end)| {
            *begin <= operation.completed
                && end.saturating_add(bounds.suspected() + CRON) >= operation.invoked
        })
    }
}

fn violation(answer: &Answer, limit: u64) -> Violation {
    let (node, operation) = (&answer.node, &answer.operation);
    Violation {
        clause: "ST-02".into(),
        time: operation.completed,
        message: format!(
            "{node} acknowledged a write invoked {} after it last heard a majority: {}",
            seconds(operation.invoked - answer.silent_since),
            operation.told()
        ),
        witness: Witness::default()
            .step(
                answer.silent_since,
                node,
                "hears from a majority for the last time",
            )
            .step(limit, node, "must have stopped acknowledging writes")
            .step(
                operation.invoked,
                format!("client {}", operation.process),
                operation.told(),
            )
            .step(operation.completed, node, "has acknowledged it"),
        known: None,
    }
}

/// Silences shorter than this are below any T_pfail and not kept, ns.
const SILENCE_MIN: u64 = 700 * MILLISECOND;
