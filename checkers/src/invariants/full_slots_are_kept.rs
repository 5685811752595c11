//! MG-03: a master that holds keys of a slot does not give the slot away.
//!
//! Read from the fault log: an operator who asked a master for the number of its keys in a slot and
//! right away told it that the slot is another node's. With keys in it the answer is an error. Left
//! out are slots whose keys may have gone by themselves, because clients take elements or give them
//! a time to live, and slots that were claimed by somebody else meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{claim_in, finding};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Event, EventKind, Function};
use crate::observation::slot_acts::{Exchange, Said, SlotAct, SlotWord};
use crate::observation::{Fault, NodeName, Setting, slots::slot_of_key};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "MG-03",
    title: "a slot with keys in it is not given away",
    clauses: &["MG-03"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "CLUSTER SETSLOT NODE of another node is refused by the owner of the slot while it \
           holds keys of it: they would be lost. The fault `reshard` orders it too early now and \
           then. Judged from the orders and answers in the fault log: COUNTKEYSINSLOT gave a \
           number above 0, and the next order to that node gives the slot away.",
    make: || Box::new(FullSlotsAreKept::default()),
};

/// The checker of MG-03.
#[derive(Debug, Default)]
pub struct FullSlotsAreKept {
    /// What a node said last of the keys in a slot, if it was ordered nothing since.
    counted: BTreeMap<(NodeName, u16), u64>,
    /// Slots whose keys may go by themselves.
    shrinking: BTreeSet<u16>,
    tally: Tally,
}

impl Checker for FullSlotsAreKept {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Begin, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Op(event) => self.note(event),
            Happening::Fault(fault) => self.judge(fault, scene),
            Happening::Lifecycle(lifecycle) => self.forget(&lifecycle.node),
            Happening::Packet(_) | Happening::View(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "nobody was told to give away a slot that was known to hold keys",
        )
    }
}

impl FullSlotsAreKept {
    fn note(&mut self, event: &Event) {
        let takes = match event.f {
            Function::Dequeue | Function::Pop | Function::Release | Function::WriteExpiring => true,
            Function::Read
            | Function::ReplicaRead
            | Function::Write
            | Function::Cas
            | Function::Add
            | Function::Append
            | Function::Increment
            | Function::Enqueue
            | Function::Push
            | Function::Publish
            | Function::Receive
            | Function::Acquire
            | Function::Transfer
            | Function::Txn => false,
        };
        if let (true, EventKind::Invoke, Some(key)) = (takes, event.kind, &event.key) {
            self.shrinking.insert(slot_of_key(key.as_bytes()));
        }
    }

    fn forget(&mut self, node: &NodeName) {
        self.counted.retain(|(counted, _), _| counted != node);
    }

    fn judge(&mut self, fault: &Fault, scene: &Scene) {
        let Some(exchange) = Exchange::of(fault) else {
            return;
        };
        if let Some((slot, keys)) = exchange.count() {
            self.counted.insert((exchange.node.clone(), slot), keys);
            return;
        }
        let Some(act) = exchange.slot_act() else {
            return self.forget(exchange.node);
        };
        let counted = self.counted.get(&(act.node.clone(), act.slot)).copied();
        if let Some(keys) = counted.filter(|keys| *keys > 0) {
            self.hold_against(&act, keys, scene);
        }
        // Whoever got the slot may take it from all others.
        self.counted.retain(|(_, slot), _| *slot != act.slot);
    }

    fn hold_against(&mut self, act: &SlotAct, keys: u64, scene: &Scene) {
        let seen = scene.view_of(&act.node);
        let Some(seen) = seen.filter(|seen| seen.time <= act.asked) else {
            return;
        };
        let is_given = matches!(&act.word, SlotWord::Node(owner) if *owner != seen.id);
        let owner = claim_in(&seen.table, act.slot);
        let is_owner = owner.is_some_and(|(owner, _)| owner == seen.id);
        let takeovers = scene.ownership().takeovers().iter().rev();
        let mut since = takeovers.take_while(|takeover| takeover.time >= seen.asked);
        let is_taken = since.any(|takeover| takeover.slots.contains(act.slot));
        if !is_given || !is_owner || is_taken || self.shrinking.contains(&act.slot) {
            return;
        }
        match act.said {
            Said::Nothing => {}
            Said::No => self.tally.examined += 1,
            Said::Yes => {
                self.tally.examined += 1;
                let slot = act.slot;
                let what = format!("gives slot {slot} away, of which it holds {keys} keys");
                let found = finding("MG-03", act.answered, &act.node, what);
                self.tally.findings.push(found);
            }
        }
    }
}
