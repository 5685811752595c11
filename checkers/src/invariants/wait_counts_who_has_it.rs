//! HI-12: WAIT counts only replicas that have the write.
//!
//! A master's header before the write shows an offset that the write is above. A replica whose own
//! header, sent after WAIT had answered, is still not above that offset had not acknowledged the
//! write. So WAIT cannot have counted it, and the number it gave is at most that of the others.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use super::links::{ByLife, LifeNumber};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Operation, Outcome};
use crate::observation::{NodeId, NodeName, Packet, Setting, bounds::MILLISECOND};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-12",
    title: "WAIT counts only replicas that have the write",
    clauses: &["HI-12"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "WAIT answers how many replicas have acknowledged the offset of the client's last \
           write. A replica whose header later than the answer still shows an offset that the \
           master had before the write cannot be among them, so the answer is at most the number \
           of the master's other replicas. One write of each master is judged at a time. That \
           what all replicas acknowledged is not lost belongs to HI-03.",
    make: || Box::new(WaitCountsWhoHasIt::default()),
};

/// The checker of HI-12.
#[derive(Debug, Default)]
pub struct WaitCountsWhoHasIt {
    /// Masters, by life, as their last header showed them.
    shown: ByLife<Shown>,
    /// The lives of the nodes that sent one.
    lives: BTreeMap<NodeName, LifeNumber>,
    /// The write of each master that is being judged.
    writes: BTreeMap<NodeId, Write>,
    tally: Tally,
}

/// A master's last header.
#[derive(Debug)]
struct Shown {
    id: NodeId,
    offset: u64,
    time: u64,
}

/// A write that WAIT said was acknowledged by some replicas.
#[derive(Debug)]
struct Write {
    invoked: u64,
    /// When WAIT had answered.
    answered: u64,
    node: NodeName,
    told: String,
    /// The write is above this offset.
    above: u64,
    /// What WAIT said.
    acknowledged: usize,
    /// The replicas that the master had.
    replicas: Vec<NodeId>,
    /// Those that were not heard of since.
    awaited: Vec<NodeId>,
    /// Those that cannot have had it.
    lacking: usize,
}

impl Checker for WaitCountsWhoHasIt {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::Op, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => match &packet.header.master {
                Some(master) if !self.writes.is_empty() => {
                    let life = scene.incarnations().life(&packet.from);
                    self.hear_replica(packet, master, life.since);
                }
                Some(_) => {}
                None => self.hear_master(packet, scene),
            },
            Happening::Op(_) => {
                if let Some(operation) = scene.operation()
                    && operation.replicas.is_some_and(|replicas| replicas > 0)
                {
                    self.note_write(operation, scene);
                }
            }
            Happening::Lifecycle(lifecycle) => {
                self.writes.retain(|_, write| write.node != lifecycle.node);
                self.lives.remove(&lifecycle.node);
            }
            Happening::View(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let nothing = "no write was followed by WAIT";
        self.tally.conclude(setting, Completeness::Helpful, nothing)
    }
}

impl WaitCountsWhoHasIt {
    fn hear_master(&mut self, packet: &Packet, scene: &Scene) {
        let header = &packet.header;
        match self.shown.get_mut(scene.life()) {
            Some(shown) => {
                (shown.offset, shown.time) = (header.offset, packet.time);
                if shown.id != header.sender {
                    shown.id = header.sender.clone();
                }
            }
            None => {
                let shown = Shown {
                    id: header.sender.clone(),
                    offset: header.offset,
                    time: packet.time,
                };
                self.shown.insert(scene.life(), shown);
                self.lives.insert(packet.from.clone(), scene.life());
            }
        }
    }

    fn note_write(&mut self, operation: &Operation, scene: &Scene) {
        // The master's offset grows by it.
        let is_sure = operation.f.surely_writes();
        let (Some(node), true) = (&operation.node, is_sure && operation.outcome == Outcome::Ok)
        else {
            return;
        };
        let life = self.lives.get(node);
        let Some(master) = life.and_then(|life| self.shown.get(*life)) else {
            return;
        };
        if master.time >= operation.invoked || self.writes.contains_key(&master.id) {
            return;
        }
        let mut awaited: Vec<NodeId> = scene.timeline().followers(&master.id).cloned().collect();
        for seen in scene.nodes().filter_map(|name| scene.view_of(name)) {
            if seen.my_master() == Some(&master.id) && !awaited.contains(&seen.id) {
                awaited.push(seen.id.clone());
            }
        }
        let write = Write {
            invoked: operation.invoked,
            answered: operation.completed,
            node: node.clone(),
            told: operation.told(),
            above: master.offset,
            acknowledged: operation.replicas.unwrap_or(0) as usize,
            replicas: awaited.clone(),
            awaited,
            lacking: 0,
        };
        self.writes.insert(master.id.clone(), write);
    }

    /// The first header of each replica after the answer tells most: offsets grow.
    fn hear_replica(&mut self, packet: &Packet, master: &NodeId, since: u64) {
        let sender = &packet.header.sender;
        for (_, write) in self.writes.iter_mut().filter(|(id, _)| *id != master) {
            // Who was with another master meanwhile comes back with that one's offset.
            write.awaited.retain(|id| id != sender);
        }
        let Some(write) = self.writes.get_mut(master) else {
            return;
        };
        // Who joined just then may have been counted before a header showed it.
        if !write.replicas.contains(sender) {
            self.writes.remove(master);
        } else if packet.time > write.answered + SETTLED {
            if let Some(write) = self.writes.remove(master) {
                self.judge(&write);
            }
        } else if packet.time > write.answered + READING
            && let Some(at) = write.awaited.iter().position(|id| id == sender)
        {
            write.awaited.swap_remove(at);
            // A replica that is being given a snapshot shows 0, one that was restarted less.
            let offset = packet.header.offset;
            let is_lacking = offset > 0 && offset <= write.above && since <= write.invoked;
            write.lacking += usize::from(is_lacking);
        }
    }

    fn judge(&mut self, write: &Write) {
        self.tally.examined += 1;
        let others = write.replicas.len() - write.lacking;
        if write.acknowledged > others {
            let what = format!(
                "says that {} replicas acknowledged {}, and only {others} of its {} can have",
                write.acknowledged,
                write.told,
                write.replicas.len()
            );
            let found = finding("HI-12", write.answered, &write.node, what);
            self.tally.findings.push(found);
        }
    }
}

/// A header may be as old as that when it is seen to leave, ns.
const READING: u64 = 250 * MILLISECOND;
/// By then each replica was heard of, also one that joined when WAIT was asked, ns.
const SETTLED: u64 = 3000 * MILLISECOND;
