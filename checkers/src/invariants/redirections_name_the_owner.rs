//! RD-01: MOVED names the owner of the slot in the table of the node that answers.
//!
//! Known are the words of a redirection at which an operation ended. The table is that of the
//! node's last view before the operation and its first one after it; where both name the same
//! owner by the same claim, the node had no other in between. Addresses are compared as printed.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{claim_in, client_address, finding};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Event, EventKind};
use crate::observation::{NodeId, NodeName, Setting, View};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RD-01",
    title: "redirections name the owner of the slot",
    clauses: &["RD-01"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "MOVED leads to the owner of the slot in the table of the node that says it. Judged \
           from operations that ended at a MOVED, against the node's views right before and \
           after: where both show one owner by one configEpoch, its address is due.",
    make: || Box::new(RedirectionsNameTheOwner::default()),
};

/// The checker of RD-01.
#[derive(Debug, Default)]
pub struct RedirectionsNameTheOwner {
    /// Redirections that wait for the next view of their node.
    waiting: BTreeMap<NodeName, Vec<Told>>,
    tally: Tally,
}

/// What a node said.
#[derive(Debug)]
struct Told {
    time: u64,
    slot: u16,
    address: String,
    /// The owner and its configEpoch in the view before.
    claim: (NodeId, u64),
}

impl Checker for RedirectionsNameTheOwner {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Op, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Op(event) => self.note(event, scene),
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
            "no operation ended at a redirection between two views of its node",
        )
    }
}

impl RedirectionsNameTheOwner {
    fn note(&mut self, event: &Event, scene: &Scene) {
        let (EventKind::Fail, Some(node)) = (event.kind, &event.node) else {
            return;
        };
        let words = event.error.as_deref().and_then(redirection);
        let invoked = scene.operation().map(|operation| operation.invoked);
        let (Some((slot, address)), Some(invoked)) = (words, invoked) else {
            return;
        };
        let seen = scene.view_of(node);
        let seen = seen.filter(|seen| seen.time <= invoked);
        if let Some(claim) = seen.and_then(|seen| claim_in(&seen.table, slot)) {
            let told = Told {
                time: event.time,
                slot,
                address: address.into(),
                claim,
            };
            self.waiting.entry(node.clone()).or_default().push(told);
        }
    }

    fn judge(&mut self, view: &View) {
        let Some(waiting) = self.waiting.get_mut(&view.node) else {
            return;
        };
        let is_ripe = |told: &Told| told.time < view.asked;
        let (ripe, rest): (Vec<Told>, Vec<Told>) =
            std::mem::take(waiting).into_iter().partition(is_ripe);
        *waiting = rest;
        for told in ripe {
            let claim = claim_in(&view.table, told.slot);
            let (owner, _) = &told.claim;
            let mut entries = view.table.iter();
            let entry = entries.find(|entry| entry.id == *owner);
            let Some(due) = entry
                .and_then(client_address)
                .filter(|_| claim.as_ref() == Some(&told.claim))
            else {
                continue;
            };
            self.tally.examined += 1;
            if told.address != due {
                let what = format!(
                    "answers MOVED {} {}, and the owner in its table is {due}",
                    told.slot, told.address
                );
                self.tally
                    .findings
                    .push(finding("RD-01", told.time, &view.node, what));
            }
        }
    }
}

/// Slot and address of a MOVED; none if it names no host (RD-07).
fn redirection(error: &str) -> Option<(u16, &str)> {
    let (slot, address) = error.strip_prefix("MOVED ")?.split_once(' ')?;
    let is_whole = !address.starts_with([':', '?']);
    is_whole.then_some((slot.parse().ok()?, address))
}
