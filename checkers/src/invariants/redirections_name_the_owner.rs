//! RD-01: MOVED names the owner of the slot in the table of the node that answers.
//!
//! Known are the words of a redirection at which an operation ended. The table is that of the
//! node's last view before the operation and its first one after it; where both name the same
//! owner by the same claim, the node had no other in between. Addresses are compared as printed.

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{claim_in, client_address, finding};
use super::redirections::Redirections;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeId, Setting, View};
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
#[derive(Debug)]
pub struct RedirectionsNameTheOwner {
    /// With the slot's owner and its configEpoch.
    moved: Redirections<(NodeId, u64)>,
    tally: Tally,
}

impl Default for RedirectionsNameTheOwner {
    fn default() -> Self {
        Self {
            moved: Redirections::new("MOVED"),
            tally: Tally::default(),
        }
    }
}

impl Checker for RedirectionsNameTheOwner {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Op, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Op(event) => self
                .moved
                .note(event, scene, |seen, slot, _| claim_in(&seen.table, slot)),
            Happening::View(view) => self.judge(view),
            Happening::Lifecycle(lifecycle) => self.moved.forget(lifecycle),
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
    fn judge(&mut self, view: &View) {
        for told in self.moved.settled_by(view) {
            let claim = claim_in(&view.table, told.slot);
            let (owner, _) = &told.before;
            let mut entries = view.table.iter();
            let entry = entries.find(|entry| entry.id == *owner);
            let Some(due) = entry
                .and_then(client_address)
                .filter(|_| claim.as_ref() == Some(&told.before))
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
