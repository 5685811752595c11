//! When replication could not get from one node to another.
//!
//! The path was cut for data, or the sender was down or stood still. Nothing here judges.

use crate::observation::fault::{Damage, Ports};
use crate::observation::{Fault, FaultPhase, NodeName};
use crate::scene::Scene;

/// Directed paths of replication that were cut.
#[derive(Debug, Default)]
pub struct DataCuts(Vec<Cut>);

#[derive(Debug)]
struct Cut {
    fault: u32,
    from: NodeName,
    to: NodeName,
    /// When it was confirmed, and when the heal began; ns, `u64::MAX` while it is in force.
    span: (u64, u64),
}

impl DataCuts {
    /// Takes in a step of a fault.
    pub fn observe(&mut self, fault: &Fault) {
        let Some(Damage::Cut(Ports::All | Ports::Data)) = fault.kind.damage() else {
            return;
        };
        match &fault.phase {
            FaultPhase::Installed => {
                let cuts = fault.cuts.iter().map(|(from, to)| Cut {
                    fault: fault.id,
                    from: from.clone(),
                    to: to.clone(),
                    span: (fault.time, u64::MAX),
                });
                self.0.extend(cuts);
            }
            FaultPhase::Healed => {
                let same = self.0.iter_mut().filter(|cut| cut.fault == fault.id);
                same.for_each(|cut| cut.span.1 = fault.begun);
            }
            FaultPhase::Indeterminate(_) | FaultPhase::Skipped(_) | FaultPhase::Answered(_) => {}
        }
    }

    /// When the path from one node to the other was cut.
    pub fn between(&self, from: &NodeName, to: &NodeName) -> impl Iterator<Item = (u64, u64)> {
        let cuts = self.0.iter();
        let cuts = cuts.filter(move |cut| cut.from == *from && cut.to == *to);
        cuts.map(|cut| cut.span)
    }

    /// Since when, until now, nothing can have come from the one to the other; now, if something
    /// can. Periods that touch count as one.
    pub fn silent_since(&self, from: &NodeName, to: &NodeName, now: u64, scene: &Scene) -> u64 {
        let timeline = scene.timeline();
        let outages = timeline.outages.iter();
        let outages = outages.filter(|outage| outage.node == *from);
        let pauses = timeline.pauses.get(from).into_iter().flatten();
        let mut periods: Vec<(u64, u64)> = self
            .between(from, to)
            .chain(outages.map(|outage| (outage.ended, outage.restarted)))
            .chain(pauses.copied())
            .collect();
        periods.sort_unstable();
        let mut since = now;
        for (begun, ended) in periods.into_iter().rev() {
            if ended >= since {
                since = since.min(begun);
            }
        }
        since
    }
}
