//! CF-01: no two masters claim the same slot with the same configEpoch.
//!
//! All claims of the run are kept by epoch, whatever their order: two of them are wrong even if
//! they were never in force together. Epoch 0 is exempt: every node of a cluster in creation has
//! it. So is an epoch that an operator had a node take without asking anybody (R8): two may have
//! it, until they hear of each other (CE-06). A replica's header repeats its master's bitmap and is
//! no claim.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::bounds::MILLISECOND;
use crate::observation::ownership::Claim;
use crate::observation::{Fault, FaultKind, FaultPhase, NodeId, NodeName, Setting, SlotSet};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CF-01",
    title: "one master per slot and configEpoch",
    clauses: &["CF-01"],
    need: Need::Essential,
    evidence: Evidence::Cluster,
    help: "Of two masters that claim a slot the one with the larger configEpoch wins; with \
           equal epochs nobody could tell, and the slot maps would stay split. All claims of \
           the run are compared, whenever they were made.",
    make: || Box::new(OneMasterPerSlotAndEpoch::default()),
};

/// The checker of CF-01.
#[derive(Debug, Default)]
pub struct OneMasterPerSlotAndEpoch {
    by_epoch: BTreeMap<u64, Vec<Claim>>,
    reported: BTreeMap<(u64, NodeId, NodeId), ()>,
    /// Which claims are at odds; orders under way are known at the end.
    pairs: Vec<(Claim, Claim, SlotSet)>,
    /// TAKEOVER and BUMPEPOCH: when it was sent to whom.
    orders: Vec<(u64, NodeName)>,
    tally: Tally,
}

impl Checker for OneMasterPerSlotAndEpoch {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::View, Sort::Fault]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        let claim = scene.new_claim();
        match happening {
            Happening::Packet(packet) => {
                self.tally.examined += u64::from(packet.header.claims_slots());
            }
            Happening::View(_) => self.tally.examined += u64::from(claim.is_some()),
            Happening::Fault(fault) => self.note_order(fault),
            Happening::Op(_) | Happening::Lifecycle(_) => {}
        }
        if let Some(claim) = claim {
            self.judge(claim.clone());
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        for (first, second, both) in std::mem::take(&mut self.pairs) {
            if ![&first, &second].iter().any(|claim| self.is_ordered(claim)) {
                self.tally.findings.push(violation(&first, &second, &both));
            }
        }
        self.tally
            .conclude(setting, Completeness::Helpful, "no master claimed a slot")
    }
}

impl OneMasterPerSlotAndEpoch {
    fn note_order(&mut self, fault: &Fault) {
        let is_free = matches!(fault.kind, FaultKind::Takeover | FaultKind::BumpEpoch);
        let is_done = matches!(
            fault.phase,
            FaultPhase::Installed | FaultPhase::Indeterminate(_)
        );
        if is_free && is_done {
            let targets = fault.targets.iter();
            self.orders
                .extend(targets.map(|name| (fault.begun, name.clone())));
        }
    }

    fn is_ordered(&self, claim: &Claim) -> bool {
        let mut orders = self.orders.iter();
        orders.any(|(begun, name)| {
            *name == claim.name && (*begun..=begun.saturating_add(AT_ONCE)).contains(&claim.time)
        })
    }

    fn judge(&mut self, claim: Claim) {
        if claim.config_epoch == 0 || claim.slots.is_empty() {
            return;
        }
        let claims = self.by_epoch.entry(claim.config_epoch).or_default();
        for other in claims.iter().filter(|other| other.id != claim.id) {
            let both = other.slots.intersection(&claim.slots);
            let pair = (claim.config_epoch, other.id.clone(), claim.id.clone());
            if !both.is_empty() && self.reported.insert(pair, ()).is_none() {
                self.pairs.push((other.clone(), claim.clone(), both));
            }
        }
        if !claims
            .iter()
            .any(|other| other.id == claim.id && other.slots == claim.slots)
        {
            claims.push(claim);
        }
    }
}

fn violation(first: &Claim, second: &Claim, both: &SlotSet) -> Violation {
    let epoch = second.config_epoch;
    let what = |claim: &Claim| format!("claims slots {} with configEpoch {epoch}", claim.slots);
    Violation {
        clause: "CF-01".into(),
        time: second.time,
        message: format!(
            "{} and {} both claimed {} slots ({both}) with configEpoch {epoch}",
            first.name,
            second.name,
            both.len()
        ),
        witness: Witness::default()
            .step(first.time, &first.name, what(first))
            .step(second.time, &second.name, what(second)),
        known: None,
    }
}

/// An ordered epoch is on the bus with the node's next packet, a second later at most, ns.
const AT_ONCE: u64 = 1000 * MILLISECOND;
