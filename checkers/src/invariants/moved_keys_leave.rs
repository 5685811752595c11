//! MG-02: a key that MIGRATE has moved is no longer at the source.
//!
//! Read from the fault log: the source of a migration listed all keys of the slot, MIGRATE moved as
//! many and said OK, and then the source is asked for its keys of the slot again. It has none: new
//! ones are made at the target (SM-03). Counted only where the slot was marked as migrating before
//! the list, nothing was ordered about it since, and the source is the same process and the owner.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::slot_acts::{Exchange, Said, SlotAct, SlotWord};
use crate::observation::{Fault, NodeName, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "MG-02/migrate",
    title: "keys that MIGRATE has moved are gone from the source",
    clauses: &["MG-02"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "MIGRATE deletes at the source what the target has acknowledged: a key that stays is \
           on two masters, and the source goes on serving and changing it. Judged from orders \
           and answers in the fault log: after SETSLOT MIGRATING the source listed all keys of \
           the slot, MIGRATE moved as many and said OK, and the next list or count of the slot \
           must be empty, as missing keys of a migrating slot are not created at the source.",
    make: || Box::new(MovedKeysLeave::default()),
};

/// The checker of MG-02 at the source of a migration.
#[derive(Debug, Default)]
pub struct MovedKeysLeave {
    /// Since when a slot migrates away from a node, ns.
    migrating: BTreeMap<(NodeName, u16), u64>,
    /// The slot of which a node listed all keys, and how many, if it was ordered nothing since.
    listed: BTreeMap<NodeName, (u16, u64)>,
    /// The slot whose keys a node has moved all.
    moved: BTreeMap<NodeName, u16>,
    tally: Tally,
}

impl Checker for MovedKeysLeave {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Fault(fault) => self.note(fault, scene),
            Happening::Lifecycle(lifecycle) => {
                let node = &lifecycle.node;
                self.migrating.retain(|(source, _), _| source != node);
                self.forget(node);
            }
            Happening::Op(_) | Happening::Packet(_) | Happening::View(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "nobody was asked for the keys of a slot that were moved just before",
        )
    }
}

impl MovedKeysLeave {
    fn forget(&mut self, node: &NodeName) {
        self.listed.remove(node);
        self.moved.remove(node);
    }

    fn note(&mut self, fault: &Fault, scene: &Scene) {
        let Some(exchange) = Exchange::of(fault) else {
            return;
        };
        let node = exchange.node;
        if let Some(act) = exchange.slot_act() {
            self.follow(&act);
        } else if let Some((slot, limit, keys)) = exchange.listed() {
            self.judge(&exchange, (slot, keys), scene);
            self.forget(node);
            let is_whole = keys < limit && self.migrating.contains_key(&(node.clone(), slot));
            if is_whole {
                self.listed.insert(node.clone(), (slot, keys));
            }
        } else if let Some((slot, keys)) = exchange.count() {
            self.judge(&exchange, (slot, keys), scene);
        } else {
            let listed = self.listed.get(node).copied();
            self.forget(node);
            let all = listed.filter(|(_, keys)| exchange.migrated() == Some(*keys));
            if let Some((slot, _)) = all {
                self.moved.insert(node.clone(), slot);
            }
        }
    }

    fn follow(&mut self, act: &SlotAct) {
        if act.said == Said::No {
            return;
        }
        self.forget(&act.node);
        let source = (act.node.clone(), act.slot);
        match (&act.word, act.said) {
            (SlotWord::Migrating(_), Said::Yes) => {
                self.migrating.insert(source, act.answered);
            }
            (_, _) => {
                self.migrating.remove(&source);
            }
        }
    }

    fn judge(&mut self, exchange: &Exchange<'_>, (slot, keys): (u16, u64), scene: &Scene) {
        let node = exchange.node;
        let since = self.migrating.get(&(node.clone(), slot)).copied();
        let has_moved = self.moved.get(node) == Some(&slot);
        let Some(since) = since.filter(|_| has_moved) else {
            return;
        };
        let takeovers = scene.ownership().takeovers().iter().rev();
        let mut later = takeovers.take_while(|takeover| takeover.time >= since);
        if later.any(|takeover| takeover.slots.contains(slot)) {
            return;
        }
        self.tally.examined += 1;
        if keys > 0 {
            let what = format!("still holds {keys} keys of slot {slot}, all of which it has moved");
            let found = finding("MG-02", exchange.answered, node, what);
            self.tally.findings.push(found);
        }
    }
}
