//! CF-03: of all that claimed a slot, the one with the largest configEpoch owns it at rest.
//!
//! Claims are those of the whole run. Without an operator's acts a slot only ever changes its owner
//! for a larger configEpoch, so the largest one was never outdone. A claimant that is dead at the
//! end may have told nobody, and two claims of one epoch are CF-01's and CE-05's affair: neither is
//! judged.

use super::bus_evidence::{Completeness, Tally};
use super::convergence::Calm;
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::ownership::Claim;
use crate::observation::{Bounds, NodeId, NodeName, Setting, SlotSet, bounds::seconds};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CF-03",
    title: "the newest claim on a slot wins",
    clauses: &["CF-03"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "Of two masters that claim a slot the one with the larger configEpoch owns it in the \
           end (rule 2 of the slot table). Judged in the last view of each node: by 2 NT + 2 s + \
           slack after the last heal, restart or failover each slot belongs to whoever claimed \
           it with the largest configEpoch in the whole run. Left out are claimants that are \
           dead at the end, and slots claimed twice with one epoch.",
    make: || Box::new(NewestClaimWins::default()),
};

/// The checker of CF-03.
#[derive(Debug, Default)]
pub struct NewestClaimWins {
    calm: Calm,
    tally: Tally,
}

impl Checker for NewestClaimWins {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::Fault(_) | Happening::Lifecycle(_) => self.calm.observe(happening),
            Happening::Packet(_) | Happening::Op(_) | Happening::View(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let takeovers = scene.ownership().takeovers();
        let last = takeovers.last().map_or(0, |last| last.time);
        let healed = match self.calm.since(setting) {
            Ok(since) => since.max(last),
            Err(why) => return Verdict::undecided(0, why),
        };
        let due = healed + Bounds::of(setting).maps_equal();
        let won = winners(scene.ownership().claims());
        let dead = self.calm.dead();
        let nodes = setting.nodes.iter().map(|node| &node.name);
        for node in nodes.filter(|node| !dead.contains_key(node)) {
            let Some(seen) = scene.view_of(node).filter(|seen| seen.asked >= healed) else {
                continue;
            };
            let living = won.iter().filter(|won| !dead.contains_key(&won.name));
            for winner in living {
                self.tally.examined += 1;
                let bound = seen.entry(&winner.id).map(|entry| entry.slots.clone());
                let mut missing = winner.slots.clone();
                missing.remove_all(&bound.unwrap_or_default());
                if !missing.is_empty() && seen.asked < due {
                    let why = format!("the run ended before {}", seconds(due));
                    return Verdict::undecided(0, why);
                }
                if !missing.is_empty() {
                    let what = lost(winner, &missing);
                    let found = finding("CF-03", seen.time, node, what);
                    self.tally.findings.push(found);
                }
            }
        }
        match (setting.too_slow_to_time(), self.tally.findings.is_empty()) {
            (Some(why), false) => Verdict::undecided(self.tally.examined, why),
            (_, _) => self.tally.conclude(
                setting,
                Completeness::Helpful,
                "no node was asked after the heal",
            ),
        }
    }
}

/// The largest claim on some slots.
struct Winner {
    id: NodeId,
    name: NodeName,
    config_epoch: u64,
    slots: SlotSet,
}

fn lost(winner: &Winner, missing: &SlotSet) -> String {
    format!(
        "does not give {missing} to {}, whose claim with configEpoch {} was never outdone",
        winner.name, winner.config_epoch
    )
}

/// Who claimed which slots with the largest configEpoch, apart from those claimed twice with it.
fn winners(claims: &[Claim]) -> Vec<Winner> {
    let mut newest: Vec<&Claim> = claims.iter().collect();
    newest.sort_by_key(|claim| std::cmp::Reverse(claim.config_epoch));
    let mut taken = SlotSet::default();
    let mut won: Vec<Winner> = Vec::new();
    for claims in newest.chunk_by(|one, other| one.config_epoch == other.config_epoch) {
        let mut of_epoch = SlotSet::default();
        for claim in claims {
            let mut slots = claim.slots.clone();
            slots.remove_all(&taken);
            of_epoch.insert_all(&slots);
            // A claim with slots that another node claims with the same epoch decides nothing.
            let others = claims.iter().filter(|other| other.id != claim.id);
            others.for_each(|other| slots.remove_all(&other.slots));
            won.push(Winner {
                id: claim.id.clone(),
                name: claim.name.clone(),
                config_epoch: claim.config_epoch,
                slots,
            });
        }
        taken.insert_all(&of_epoch);
    }
    won.retain(|winner| !winner.slots.is_empty());
    won
}
