//! Faults as bands of time: from installed to healed, with what they were aimed at.

use std::collections::BTreeMap;

use serde::Serialize;
use slotquake_checkers::observation::{Fault, FaultKind, FaultPhase};

use super::evidence::Tick;

/// How sure it is that a fault was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// Installed, as confirmed.
    Installed,
    /// Not tried.
    Skipped,
    /// Nobody knows.
    Indeterminate,
}

/// One fault over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Band {
    /// Its number.
    pub id: u32,
    /// Its kind.
    pub kind: FaultKind,
    /// How sure it is.
    pub certainty: Certainty,
    /// When it came into force (or was skipped).
    pub from: Tick,
    /// When it was healed, or the end of the run.
    pub to: Tick,
    /// Positions of the nodes it is aimed at.
    pub nodes: Vec<usize>,
    /// For people.
    pub note: String,
    /// Why it was skipped or is indeterminate.
    pub why: String,
}

/// The faults in order of their beginning; `index` gives the position of a node by its name.
pub fn bands(
    faults: &[Fault],
    index: &BTreeMap<slotquake_checkers::observation::NodeName, usize>,
    end: u64,
) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    let mut by_id: BTreeMap<u32, usize> = BTreeMap::new();
    for fault in faults {
        let (certainty, why) = match &fault.phase {
            FaultPhase::Healed => {
                if let Some(band) = by_id.get(&fault.id).and_then(|at| bands.get_mut(*at)) {
                    band.to = Tick::from_ns(fault.time);
                }
                continue;
            }
            FaultPhase::Answered(_) => continue,
            FaultPhase::Installed => (Certainty::Installed, String::new()),
            FaultPhase::Skipped(why) => (Certainty::Skipped, why.clone()),
            FaultPhase::Indeterminate(why) => (Certainty::Indeterminate, why.clone()),
        };
        let lasts = certainty != Certainty::Skipped && fault.kind != FaultKind::Failover;
        if let Some(band) = by_id.get(&fault.id).and_then(|at| bands.get_mut(*at)) {
            band.certainty = certainty;
            band.why = why;
            continue;
        }
        by_id.insert(fault.id, bands.len());
        bands.push(Band {
            id: fault.id,
            kind: fault.kind,
            certainty,
            from: Tick::from_ns(fault.time),
            to: Tick::from_ns(if lasts { end } else { fault.time }),
            nodes: fault
                .targets
                .iter()
                .filter_map(|name| index.get(name).copied())
                .collect(),
            note: fault.note.clone(),
            why,
        });
    }
    bands
}
