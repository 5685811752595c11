//! CF-06: no slot loses its owner for good.
//!
//! Once every slot was bound to somebody, each view asked for after H_state since the last
//! disturbance must show all of them bound. A slot may be bound to a node that is dead: a shard of
//! which nobody is left is down, not unowned.

use super::bus_evidence::{Completeness, Tally};
use super::convergence::{Calm, Runs, Settled};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Bounds, Setting, bounds::seconds};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CF-06",
    title: "every slot has an owner again after the heal",
    clauses: &["CF-06"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "If some view of the run bound all 16384 slots, then so does each one that is asked \
           for later than 4 NT + 7 s + slack after the last heal or restart. Failovers pass \
           slots on, and reshards move them: neither may drop one. Unlike ST-06 it does not \
           depend on cluster-require-full-coverage.",
    make: || Box::new(EverySlotIsOwned::default()),
};

/// The checker of CF-06.
#[derive(Debug, Default)]
pub struct EverySlotIsOwned {
    calm: Calm,
    /// How many slots each node saw bound.
    runs: Runs<usize>,
    were_all_bound: bool,
    tally: Tally,
}

impl Checker for EverySlotIsOwned {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::View(view) => {
                // A table binds a slot to one node at the most.
                let bound = view.table.iter().map(|entry| entry.slots.len()).sum();
                self.were_all_bound |= bound == SLOTS;
                self.runs.observe(view, bound);
            }
            Happening::Fault(_) | Happening::Lifecycle(_) => self.calm.observe(happening),
            Happening::Packet(_) | Happening::Op(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        if !self.were_all_bound {
            return Verdict::undecided(0, "no view ever bound every slot");
        }
        let healed = match self.calm.since(setting) {
            Ok(since) => since,
            Err(why) => return Verdict::undecided(0, why),
        };
        let deadline = healed + Bounds::of(setting).state_ok();
        let is_wanted = |bound: &usize| *bound == SLOTS;
        match self.runs.settled(healed, deadline, is_wanted) {
            Err(why) => return Verdict::undecided(0, why),
            Ok(Settled::InTime(nodes)) => self.tally.examined = nodes,
            Ok(Settled::Late(node, asked)) => {
                let what = format!(
                    "knows no owner of some slots {} after the heal",
                    seconds(asked - healed)
                );
                let found = finding("CF-06", asked, node, what);
                self.tally.findings.push(found);
            }
        }
        match (setting.too_slow_to_time(), self.tally.findings.is_empty()) {
            (Some(why), false) => Verdict::undecided(1, why),
            (_, _) => self.tally.conclude(setting, Completeness::Helpful, ""),
        }
    }
}

/// Number of slots.
const SLOTS: usize = 16_384;
