//! EL-21: who was promoted tells everybody at once.
//!
//! The first header that shows a promotion is one of many: each node to which the new master has a
//! link gets one in the same moment. A link was there for certain if a PING went over it before,
//! and one goes over it afterwards.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use super::links::ByLink;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::bounds::MILLISECOND;
use crate::observation::fault::Damage;
use crate::observation::{Bounds, Fault, FaultPhase, NodeName, PacketKind, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "EL-21",
    title: "who was promoted tells everybody at once",
    clauses: &["EL-21"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "A replica that becomes a master sends its claim to every node it has a link to, so that \
           clients and the old master learn of it at once, not with some heartbeat within half a \
           node timeout. Judged of links that carried a PING before: who gets the next one over \
           such a link, and nothing with the claim, was not told; not where the network was in \
           trouble within two node timeouts before, for then links are made anew.",
    make: || Box::new(PromotionsAreTold::default()),
};

/// The checker of EL-21.
#[derive(Debug, Default)]
pub struct PromotionsAreTold {
    /// When the first PING went over a link, ns.
    links: ByLink<u64>,
    /// The last promotion of each node, for a while.
    fresh: BTreeMap<NodeName, Promoted>,
    over: Vec<Promoted>,
    /// Troubles of the network in force: number, begin and end, ns. Links may have gone with them.
    troubles: BTreeMap<u32, (u64, u64)>,
    tally: Tally,
}

/// A promotion, and who was told of it when.
#[derive(Debug)]
struct Promoted {
    time: u64,
    name: NodeName,
    /// When each node got the first header with the claim, ns; over an old link, if it came late.
    told: BTreeMap<NodeName, (u64, Way)>,
}

/// Over which link somebody was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Over one that was there when the node was promoted.
    OldLink,
    /// Perhaps over a later one.
    Other,
}

impl Checker for PromotionsAreTold {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::Fault]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        let packet = match happening {
            Happening::Packet(packet) => packet,
            Happening::Fault(fault) => return self.note_trouble(fault),
            Happening::Op(_) | Happening::View(_) | Happening::Lifecycle(_) => return,
        };
        let is_ping = packet.kind == PacketKind::Ping;
        if is_ping && self.links.get(scene.link()).is_none() {
            self.links.insert(scene.link(), packet.time);
        }
        if scene.new_promotion().is_some() {
            let promoted = Promoted {
                time: packet.time,
                name: packet.from.clone(),
                told: BTreeMap::new(),
            };
            let before = self.fresh.insert(packet.from.clone(), promoted);
            self.over.extend(before);
        }
        let Some(promoted) = self.fresh.get_mut(&packet.from) else {
            return;
        };
        if packet.time > promoted.time + MOMENT {
            self.over.extend(self.fresh.remove(&packet.from));
            return;
        }
        let first = self.links.get(scene.link());
        let way = match first.is_some_and(|first| *first < promoted.time && is_ping) {
            true => Way::OldLink,
            false => Way::Other,
        };
        let told = promoted.told.entry(packet.to.clone());
        told.or_insert((packet.time, way));
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let bounds = Bounds::of(setting);
        let reading = bounds.reading;
        let fresh = std::mem::take(&mut self.fresh).into_values();
        for promoted in std::mem::take(&mut self.over).into_iter().chain(fresh) {
            let until = promoted.time + reading;
            let since = promoted.time.saturating_sub(2 * bounds.node_timeout);
            let mut troubles = self.troubles.values();
            if troubles.any(|(begun, ended)| *begun < until && *ended > since) {
                continue;
            }
            self.tally.examined += 1;
            let told = promoted.told.values();
            let late = told.filter(|(time, way)| *time > until && *way == Way::OldLink);
            let (late, of) = (late.count(), promoted.told.len());
            if 2 * late > of {
                let what = format!("is promoted and leaves {late} of {of} nodes to find out");
                let found = finding("EL-21", promoted.time, &promoted.name, what);
                self.tally.findings.push(found);
            }
        }
        self.tally
            .conclude(setting, Completeness::Proving, "nobody was promoted")
    }
}

impl PromotionsAreTold {
    fn note_trouble(&mut self, fault: &Fault) {
        if !matches!(fault.kind.damage(), Some(Damage::Cut(_) | Damage::Net(_))) {
            return;
        }
        match fault.phase {
            FaultPhase::Installed | FaultPhase::Indeterminate(_) => {
                self.troubles.insert(fault.id, (fault.begun, u64::MAX));
            }
            FaultPhase::Healed => {
                if let Some(trouble) = self.troubles.get_mut(&fault.id) {
                    trouble.1 = fault.time;
                }
            }
            FaultPhase::Skipped(_) | FaultPhase::Answered(_) => {}
        }
    }
}

/// Within this time a heartbeat tells of a promotion that was not told at once, ns.
const MOMENT: u64 = 3000 * MILLISECOND;
