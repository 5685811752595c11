//! RD-03: at rest one redirection leads to the owner, two where a slot may be open.
//!
//! A client's hops are the nodes that redirected it. At rest all maps are equal, so a client with
//! an old one is sent on once: the second hop found a node whose map is wrong, or an ASK. Rest is
//! what no fault, no act and no takeover of the slot disturbed for H_map before the operation.

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::Event;
use crate::observation::slots::slot_of_key;
use crate::observation::{Bounds, NodeName, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RD-03",
    title: "redirections come to an end",
    clauses: &["RD-03"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "When all maps are equal one MOVED leads to the owner of the slot, however old the \
           client's own map is; with slots moved by hand an ASK may follow. Judged of operations \
           that were redirected while no fault was in force and no slot had changed hands for \
           H_map.",
    make: || Box::new(RedirectionsEnd::default()),
};

/// The checker of RD-03.
#[derive(Debug, Default)]
pub struct RedirectionsEnd {
    tally: Tally,
    chains: Vec<Chain>,
}

/// An operation that was redirected more than once.
#[derive(Debug)]
struct Chain {
    invoked: u64,
    completed: u64,
    slot: u16,
    key: String,
    hops: Vec<NodeName>,
}

impl Checker for RedirectionsEnd {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Op]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        if let Happening::Op(event) = happening
            && !event.hops.is_empty()
        {
            self.note(event, scene);
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let settled = Bounds::of(setting).maps_equal();
        let most = 1 + usize::from(scene.are_slots_moved());
        for chain in std::mem::take(&mut self.chains) {
            let since = chain.invoked.saturating_sub(settled);
            let mut takeovers = scene.ownership().takeovers().iter();
            let is_taken = takeovers.any(|takeover| {
                takeover.slots.contains(chain.slot)
                    && (since..=chain.completed).contains(&takeover.time)
            });
            if is_taken || since == 0 || !scene.is_calm(since, chain.completed) {
                continue;
            }
            self.tally.examined += 1;
            if chain.hops.len() > most {
                let hops: Vec<String> = chain.hops.iter().map(ToString::to_string).collect();
                let what = format!(
                    "is the last of {} to redirect one operation on {}, at rest: {}",
                    hops.len(),
                    chain.key,
                    hops.join(", ")
                );
                let last = chain.hops.last().expect("only redirected ones are kept");
                let found = finding("RD-03", chain.completed, last, what);
                self.tally.findings.push(found);
            }
        }
        let nothing = "no operation was redirected at rest";
        self.tally.conclude(setting, Completeness::Helpful, nothing)
    }
}

impl RedirectionsEnd {
    fn note(&mut self, event: &Event, scene: &Scene) {
        let (Some(operation), Some(key)) = (scene.operation(), &event.key) else {
            return;
        };
        let (invoked, completed) = (operation.invoked, event.time);
        if event.hops.len() == 1 {
            self.tally.examined += u64::from(scene.is_calm(invoked, completed));
            return;
        }
        self.chains.push(Chain {
            invoked,
            completed,
            slot: slot_of_key(key.as_bytes()),
            key: key.to_string(),
            hops: event.hops.clone(),
        });
    }
}
