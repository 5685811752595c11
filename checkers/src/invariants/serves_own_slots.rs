//! RD-06: a node serves a key only if it owns the slot, in its own view.
//!
//! An operation that a node carried out is held against its last view before and its first view
//! after: if both show another owner by the same claim, it served what was not its own. A deposed
//! master that does not know it yet is within its rights (HI-05). An operation that was redirected
//! may have been served by an importing node, after ASKING; one that came at once may not (RD-05).
//! A read after READONLY may be answered by a replica of the owner, and by no other (RD-14).

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{claim_in, finding};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Function, Operation, Outcome};
use crate::observation::{NodeId, NodeName, Setting, View, ViewEntry, slots::slot_of_key};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RD-06",
    title: "a node serves only its own slots",
    clauses: &["RD-06"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "Whoever executes a command with a key must own the key's slot in its own table. The \
           table is known from the node's views: the last one before the operation began and \
           the first one asked for after it ended. Where both name another owner by one \
           configEpoch the node broke the rule, unless a client was sent there and a slot is \
           open: an importing node serves who said ASKING. After READONLY replicas of the owner \
           may answer reads as well.",
    make: || Box::new(ServesOwnSlots::default()),
};

/// The checker of RD-06.
#[derive(Debug, Default)]
pub struct ServesOwnSlots {
    /// Operations that wait for the next view of their node.
    waiting: BTreeMap<NodeName, Vec<Served>>,
    tally: Tally,
}

impl Checker for ServesOwnSlots {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Op, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Op(event) => {
                let way = match event.hops.is_empty() {
                    true => Way::Straight,
                    false => Way::Redirected,
                };
                if let Some(operation) = scene.operation() {
                    self.note(operation, way, scene);
                }
            }
            Happening::View(view) => self.judge(view),
            Happening::Lifecycle(lifecycle) => {
                self.waiting.remove(&lifecycle.node);
            }
            Happening::Packet(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no operation lay between two views of its node",
        )
    }
}

impl ServesOwnSlots {
    fn note(&mut self, operation: &Operation, way: Way, scene: &Scene) {
        let f = operation.f;
        let node = operation.node.as_ref();
        let node = node.filter(|_| f.is_for_the_owner() || f == Function::ReplicaRead);
        let (Some(node), Outcome::Ok) = (node, operation.outcome) else {
            return;
        };
        let seen = scene.view_of(node);
        let seen = seen.filter(|seen| seen.time <= operation.completed);
        let (Some(seen), false) = (seen, operation.key.is_empty()) else {
            return;
        };
        self.tally.examined += 1;
        let slot = slot_of_key(operation.key.as_bytes());
        // After a redirection while operators act a slot may have been open in between.
        let is_excused = way == Way::Redirected && scene.is_attended();
        let was_owner = is_excused || may_serve(&seen.id, &seen.table, slot, (f, way));
        // A view during the operation does not show what was true before it.
        if was_owner || seen.time > operation.invoked {
            return;
        }
        let served = Served {
            slot,
            f,
            way,
            claim: claim_in(&seen.table, slot),
            completed: operation.completed,
            told: operation.told(),
        };
        self.waiting.entry(node.clone()).or_default().push(served);
    }

    fn judge(&mut self, view: &View) {
        let Some(waiting) = self.waiting.get_mut(&view.node) else {
            return;
        };
        let ripe = std::mem::take(waiting).into_iter();
        let (ripe, rest): (Vec<Served>, Vec<Served>) =
            ripe.partition(|served| served.completed < view.asked);
        *waiting = rest;
        for served in ripe {
            let has_stayed = claim_in(&view.table, served.slot) == served.claim;
            let asked = (served.f, served.way);
            if !has_stayed || may_serve(&view.id, &view.table, served.slot, asked) {
                continue;
            }
            let what = format!(
                "serves slot {} of another node: {}",
                served.slot, served.told
            );
            self.tally
                .findings
                .push(finding("RD-06", served.completed, &view.node, what));
        }
    }
}

/// An operation that a node carried out for a slot that its last view gave to another.
#[derive(Debug)]
struct Served {
    slot: u16,
    f: Function,
    way: Way,
    /// The owner and its configEpoch in the view before.
    claim: Option<(NodeId, u64)>,
    completed: u64,
    told: String,
}

/// How an operation came to the node that carried it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It was sent there first: nobody said ASKING.
    Straight,
    /// By MOVED, ASK or TRYAGAIN.
    Redirected,
}

/// Whether the table gives the node this slot, or may do so for one who said ASKING, or the node
/// is a replica of the owner and is read as one.
fn may_serve(id: &NodeId, table: &[ViewEntry], slot: u16, (f, way): (Function, Way)) -> bool {
    let mut own = table.iter().filter(|entry| entry.id == *id);
    let master = own.find_map(|entry| entry.master.as_ref());
    let is_serving = |owner: &NodeId| {
        owner == id || (f == Function::ReplicaRead && master.is_some_and(|master| master == owner))
    };
    let owns = |entry: &ViewEntry| is_serving(&entry.id) && entry.slots.contains(slot);
    let is_open = |entry: &ViewEntry| way == Way::Redirected && !entry.open_slots.is_empty();
    table.iter().any(|entry| owns(entry) || is_open(entry))
}
