//! CE-07: a configEpoch obtained by election is that of the election, and unique in the run.
//!
//! Each promotion's epoch must be one in which that node asked for votes, and no promotion before
//! may have had it, of any node. Known for upstream servers when the votes of C.1 were used twice.

use super::bus_evidence::{Completeness, Tally};
use super::ordered_takeovers::OrderedTakeovers;
use super::promotion_has_majority::reused_votes;
use super::promotions::{Promotion, Request};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::Setting;
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation, Word};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CE-07",
    title: "an election gives an epoch nobody else has",
    clauses: &["CE-07"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "The configEpoch of a promoted replica is the epoch in which it asked for votes, and \
           no other promotion of the run has it. Upstream servers use one twice when they reuse \
           votes: part C.1 of the catalogue.",
    make: || Box::new(ElectionEpochIsUnique::default()),
};

/// The checker of CE-07.
#[derive(Debug, Default)]
pub struct ElectionEpochIsUnique {
    ordered: OrderedTakeovers,
}

impl Checker for ElectionEpochIsUnique {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Fault]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::Fault(fault) => self.ordered.observe(fault),
            Happening::Packet(_)
            | Happening::Lifecycle(_)
            | Happening::Op(_)
            | Happening::View(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let mut tally = Tally::default();
        let promotions = scene.promotions();
        let all = promotions.promotions();
        // MF-03: TAKEOVER is no election; its epoch may be any (CE-05 is about those).
        let is_ordered: Vec<bool> = all.iter().map(|one| self.ordered.use_up(one)).collect();
        for (position, promotion) in all.iter().enumerate() {
            if is_ordered[position] {
                continue;
            }
            let before = all[..position]
                .iter()
                .zip(&is_ordered)
                .find(|(other, is_ordered)| !*is_ordered && other.epoch == promotion.epoch)
                .map(|(other, _)| other);
            if let Some(before) = before {
                let request = promotions.request(&promotion.id, promotion.epoch);
                tally
                    .findings
                    .push(used_twice(setting, before, promotion, request));
            } else if promotions.request(&promotion.id, promotion.epoch).is_none() {
                tally.findings.push(not_asked(promotion));
            }
        }
        tally.examined = all.len() as u64;
        let verdict = tally.conclude(setting, Completeness::Needed, "no replica was promoted");
        let missing = verdict
            .violations
            .iter()
            .any(|found| found.witness.steps.len() == 1);
        match (setting.bus_packets_lost, verdict.word) {
            (lost, Word::Violated) if lost > 0 && missing => Verdict::undecided(
                tally.examined,
                format!("a request seems to be missing, but the capture lost {lost} packets"),
            ),
            (_, Word::Held | Word::Known | Word::Undecided | Word::Violated) => verdict,
        }
    }
}

fn used_twice(
    setting: &Setting,
    before: &Promotion,
    after: &Promotion,
    request: Option<Request>,
) -> Violation {
    let known = reused_votes(setting, after, request.map(|request| request.time));
    let what = |promotion: &Promotion| format!("is promoted with epoch {}", promotion.epoch);
    Violation {
        clause: "CE-07".into(),
        time: after.time,
        message: format!(
            "epoch {} was used for two promotions, of {} and of {}",
            after.epoch, before.name, after.name
        ),
        witness: Witness::default()
            .step(before.time, &before.name, what(before))
            .step(after.time, &after.name, what(after)),
        known: known.filter(|_| before.id == after.id),
    }
}

fn not_asked(promotion: &Promotion) -> Violation {
    let Promotion { name, epoch, .. } = promotion;
    let message = format!("{name} was promoted with epoch {epoch}, for which it asked no votes");
    Violation {
        clause: "CE-07".into(),
        time: promotion.time,
        witness: Witness::default().step(promotion.time, name, message.clone()),
        message,
        known: None,
    }
}
