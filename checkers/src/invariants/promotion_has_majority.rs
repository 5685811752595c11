//! VT-08: a promotion by election is backed by fresh votes of a majority of the voters.
//!
//! Counted are the distinct voters whose AUTH_ACK of the epoch or a later one left for the
//! candidate after it asked, up to the promotion. Votes that an earlier promotion of the same node
//! with the same epoch has used up are not fresh. The majority is taken from the smaller of what
//! the bus and the candidate's own view show. Seen leaving counts as delivered, so the count errs
//! in the candidate's favour; a capture with losses decides nothing against it.

use std::collections::{BTreeMap, BTreeSet};

use super::bus_evidence::{Completeness, Tally};
use super::ordered_takeovers::OrderedTakeovers;
use super::promotions::{Promotion, Promotions};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::bounds::seconds;
use crate::observation::{Bounds, NodeName, Setting};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation, Word};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "VT-08",
    title: "a promotion is backed by fresh votes of a majority",
    clauses: &["VT-08", "VT-09", "MF-03"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "A replica that becomes a master must have been voted for by more than half of the \
           masters that own slots, in that epoch, after it asked. Votes used by an earlier \
           promotion do not count again; upstream servers are known to reuse them: part C.1 of \
           the catalogue, a quick second manual failover of the same node. CLUSTER FAILOVER \
           TAKEOVER needs no votes and is not judged (MF-03).",
    make: || Box::new(PromotionHasMajority::default()),
};

/// The checker of VT-08.
#[derive(Debug, Default)]
pub struct PromotionHasMajority {
    sizes: BTreeMap<NodeName, usize>,
    short: Vec<Short>,
    ordered: OrderedTakeovers,
    tally: Tally,
}

/// A promotion with too few votes.
#[derive(Debug)]
struct Short {
    promotion: Promotion,
    voters: BTreeSet<NodeName>,
    needed: usize,
    /// When the votes were asked for that could have backed it.
    requested: Option<u64>,
    earlier: Option<Promotion>,
}

impl Checker for PromotionHasMajority {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::View, Sort::Fault]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(_) => {
                if let Some(promotion) = scene.new_promotion() {
                    self.judge(promotion, scene);
                }
            }
            Happening::View(view) => match self.sizes.get_mut(&view.node) {
                Some(size) => *size = view.size as usize,
                None => {
                    self.sizes.insert(view.node.clone(), view.size as usize);
                }
            },
            Happening::Fault(fault) => self.ordered.observe(fault),
            Happening::Lifecycle(_) | Happening::Op(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        for short in std::mem::take(&mut self.short) {
            // MF-03: TAKEOVER needs no majority.
            if self.ordered.use_up(&short.promotion) {
                continue;
            }
            self.tally.findings.push(short.violation(setting));
        }
        let nothing = "no replica was promoted";
        let verdict = self.tally.conclude(setting, Completeness::Needed, nothing);
        match (setting.bus_packets_lost, verdict.word) {
            (0, _) | (_, Word::Held | Word::Undecided) => verdict,
            (lost, Word::Known | Word::Violated) => Verdict::undecided(
                self.tally.examined,
                format!("votes seem to be missing, but the capture lost {lost} packets"),
            ),
        }
    }
}

impl PromotionHasMajority {
    fn judge(&mut self, promotion: &Promotion, scene: &Scene) {
        self.tally.examined += 1;
        let promotions: &Promotions = scene.promotions();
        // Q is that of the moment before the promotion.
        let voters_seen = scene.voters_before();
        let size = match self.sizes.get(&promotion.name) {
            Some(size) if *size > 0 => voters_seen.min(*size),
            Some(_) | None => voters_seen,
        };
        let needed = size / 2 + 1;
        let request = promotions.request(&promotion.id, promotion.epoch);
        let earlier = promotions.before(promotion).cloned();
        let from = match (&earlier, request) {
            (Some(earlier), _) => earlier.time,
            (None, Some(request)) => request.time,
            (None, None) => u64::MAX,
        };
        let voters: BTreeSet<NodeName> = promotions
            .votes()
            .iter()
            .filter(|vote| vote.candidate == promotion.name && vote.epoch >= promotion.epoch)
            .filter(|vote| vote.time >= from && vote.time <= promotion.time)
            .map(|vote| vote.voter.clone())
            .collect();
        if voters.len() < needed {
            self.short.push(Short {
                promotion: promotion.clone(),
                voters,
                needed,
                requested: request.map(|request| request.time),
                earlier,
            });
        }
    }
}

impl Short {
    fn violation(&self, setting: &Setting) -> Violation {
        let promotion = &self.promotion;
        let (name, epoch) = (&promotion.name, promotion.epoch);
        let mut witness = Witness::default();
        if let Some(time) = self.requested {
            witness = witness.step(time, name, format!("asks for votes in epoch {epoch}"));
        }
        if let Some(earlier) = &self.earlier {
            let what = format!("is promoted with epoch {epoch} for the first time");
            witness = witness.step(earlier.time, name, what);
        }
        let voters: Vec<String> = self.voters.iter().map(NodeName::to_string).collect();
        let what = format!(
            "is promoted with epoch {epoch}; fresh votes: {} of {} needed [{}]",
            voters.len(),
            self.needed,
            voters.join(" ")
        );
        Violation {
            clause: "VT-08".into(),
            time: promotion.time,
            message: format!("{name} {what}"),
            witness: witness.step(promotion.time, name, what),
            known: reused_votes(setting, promotion, self.requested),
        }
    }
}

/// Why a promotion without fresh votes is the weakness C.1, if it is: the same node won an election
/// with this very epoch not longer than the election timeout ago, on a server that keeps the count.
pub fn reused_votes(
    setting: &Setting,
    promotion: &Promotion,
    requested: Option<u64>,
) -> Option<String> {
    let bounds = Bounds::of(setting);
    let age = promotion.time.checked_sub(requested?)?;
    let is_reuse = promotion.earlier > 0 && age <= bounds.election() + bounds.slack;
    (is_reuse && setting.runs_upstream(&promotion.name)).then(|| {
        format!(
            "invariants C.1: the vote counter is not cleared after a won election, so {} used the \
             votes of epoch {} again {} later",
            promotion.name,
            promotion.epoch,
            seconds(age)
        )
    })
}
