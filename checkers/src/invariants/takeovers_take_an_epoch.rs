//! MF-03: CLUSTER FAILOVER TAKEOVER takes a configEpoch above all that the node knows.
//!
//! Nobody votes for a takeover, so its claim wins only by its epoch. Judged are promotions that an
//! operator ordered: the epoch of the claim against what the node's last view before it shows,
//! which is a lower bound of what it knew.

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use super::ordered_takeovers::OrderedTakeovers;
use super::promotions::Promotion;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::Setting;
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "MF-03",
    title: "a takeover takes a new epoch",
    clauses: &["MF-03", "EP-09"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "CLUSTER FAILOVER TAKEOVER asks nobody: the replica raises its configEpoch above all \
           that it knows and claims its master's slots with it. A claim at the epoch of the old \
           master, or below that of any node in its last view before, would not be followed. \
           Judged from the orders in the fault log, the node's views and its first claim.",
    make: || Box::new(TakeoversTakeAnEpoch::default()),
};

/// The checker of MF-03.
#[derive(Debug, Default)]
pub struct TakeoversTakeAnEpoch {
    orders: OrderedTakeovers,
    /// Every promotion, and what would be wrong with it if it was ordered; none if its node showed
    /// nothing before.
    promotions: Vec<(Promotion, Option<Epochs>)>,
    tally: Tally,
}

/// What a replica's table showed before its promotion.
#[derive(Debug)]
struct Epochs {
    /// configEpoch of its master.
    of_master: u64,
    /// The largest of all.
    largest: u64,
}

impl Checker for TakeoversTakeAnEpoch {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::Fault]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(_) => {
                if let Some(promotion) = scene.new_promotion() {
                    let before = epochs_before(promotion, scene);
                    self.promotions.push((promotion.clone(), before));
                }
            }
            Happening::Fault(fault) => self.orders.observe(fault),
            Happening::View(_) | Happening::Op(_) | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        for (promotion, before) in std::mem::take(&mut self.promotions) {
            let is_ordered = self.orders.use_up(&promotion);
            let Some(before) = before.filter(|_| is_ordered) else {
                continue;
            };
            self.tally.examined += 1;
            if promotion.epoch > before.of_master && promotion.epoch >= before.largest {
                continue;
            }
            let what = format!(
                "takes over by order and claims slots at configEpoch {}, where its table had its \
                 master at {} and the largest was {}",
                promotion.epoch, before.of_master, before.largest
            );
            let found = finding("MF-03", promotion.time, &promotion.name, what);
            self.tally.findings.push(found);
        }
        let nothing = "no replica took over by order";
        self.tally.conclude(setting, Completeness::Helpful, nothing)
    }
}

/// What the last view of the node showed, if it was a replica there.
fn epochs_before(promotion: &Promotion, scene: &Scene) -> Option<Epochs> {
    let seen = scene.view_of(&promotion.name)?;
    let master = seen.entry(seen.my_master()?)?;
    let epochs = seen.table.iter().map(|entry| entry.config_epoch);
    Some(Epochs {
        of_master: master.config_epoch,
        largest: epochs.max()?,
    })
}
