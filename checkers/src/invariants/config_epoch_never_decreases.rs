//! CE-03: the configEpoch a master claims for itself never decreases.
//!
//! Only headers of masters are compared: in a replica's header the field is its master's. Order is
//! that of one link, as for CE-01.

use super::bus_evidence::{Completeness, Tally};
use super::links::ByLink;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Packet, Setting};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CE-03",
    title: "the configEpoch a master claims never decreases",
    clauses: &["CE-03"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "A master's configEpoch says how new its claim to its slots is; were it to go back, a \
           deposed owner could win them again. Compared are the claims of one master on one \
           link; a replica's header carries its master's epoch and is left out.",
    make: || Box::new(ConfigEpochNeverDecreases::default()),
};

/// The checker of CE-03.
#[derive(Debug, Default)]
pub struct ConfigEpochNeverDecreases {
    claimed: ByLink<(u64, u64)>,
    tally: Tally,
}

impl Checker for ConfigEpochNeverDecreases {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => self.judge(packet, scene),
            Happening::Lifecycle(_)
            | Happening::Op(_)
            | Happening::Fault(_)
            | Happening::View(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no two claims of one master were seen on one link",
        )
    }
}

impl ConfigEpochNeverDecreases {
    fn judge(&mut self, packet: &Packet, scene: &Scene) {
        if !packet.header.claims_slots() {
            return;
        }
        let now = (packet.time, packet.header.config_epoch);
        let Some(before) = self.claimed.insert(scene.link(), now) else {
            return;
        };
        self.tally.examined += 1;
        if now.1 < before.1 {
            let from = &packet.from;
            self.tally.findings.push(Violation {
                clause: "CE-03".into(),
                time: now.0,
                message: format!(
                    "configEpoch of {from} fell from {} to {} while it was a master",
                    before.1, now.1
                ),
                witness: Witness::default()
                    .step(
                        before.0,
                        from,
                        format!("claims its slots at epoch {}", before.1),
                    )
                    .step(now.0, from, format!("claims its slots at epoch {}", now.1)),
                known: None,
            });
        }
    }
}
