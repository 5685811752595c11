//! CF-10: an UPDATE repeats a claim that its owner made.
//!
//! The owner's claims are those of its own headers. One that was never heard claiming, or whose
//! claims were first heard at a larger configEpoch, is not judged.

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Body, NodeId, Packet, Setting, SlotSet};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CF-10",
    title: "an UPDATE repeats what the owner claimed",
    clauses: &["CF-10"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "An UPDATE says which slots a node owns, and at which configEpoch. That node must \
           have claimed them with this epoch in a header of its own before; anything else would \
           make receivers believe in an owner that nobody voted for.",
    make: || Box::new(UpdatesAreTruthful::default()),
};

/// The checker of CF-10.
#[derive(Debug, Default)]
pub struct UpdatesAreTruthful {
    tally: Tally,
}

impl Checker for UpdatesAreTruthful {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => {
                if let Body::Owner {
                    id,
                    config_epoch,
                    slots,
                } = &packet.body
                {
                    self.judge(packet, (id, *config_epoch, slots), scene);
                }
            }
            Happening::Op(_)
            | Happening::View(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally
            .conclude(setting, Completeness::Proving, "no UPDATE was sent")
    }
}

impl UpdatesAreTruthful {
    fn judge(&mut self, packet: &Packet, told: (&NodeId, u64, &SlotSet), scene: &Scene) {
        let (id, epoch, slots) = told;
        let claims = || {
            scene
                .ownership()
                .claims()
                .iter()
                .filter(|claim| claim.id == *id)
        };
        let Some(first) = claims().map(|claim| claim.config_epoch).min() else {
            return;
        };
        if epoch < first {
            return;
        }
        self.tally.examined += 1;
        let mut untold = slots.clone();
        for claim in claims().filter(|claim| claim.config_epoch == epoch) {
            untold.remove_all(&claim.slots);
        }
        if untold.is_empty() {
            return;
        }
        let what = format!(
            "tells {} in an UPDATE that {id} owns {untold} at configEpoch {epoch}, which it never \
             claimed",
            packet.to
        );
        self.tally
            .findings
            .push(finding("CF-10", packet.time, &packet.from, what));
    }
}
