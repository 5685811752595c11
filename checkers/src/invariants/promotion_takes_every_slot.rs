//! EL-20: who wins an election owns exactly the slots it stood for.
//!
//! A request for votes names the slots of the candidate's master (EL-13); the first claim after the
//! election won in that epoch must be to the same.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeId, Packet, PacketKind, Setting, SlotSet};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "EL-20",
    title: "who wins an election takes over every slot of its master",
    clauses: &["EL-20", "EL-13"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "An election replaces a whole master. The winner's first claim must be to exactly the \
           slots that its request for votes named: a slot left behind would stay with a master \
           that is gone, one too many would be somebody else's.",
    make: || Box::new(PromotionTakesEverySlot::default()),
};

/// The checker of EL-20.
#[derive(Debug, Default)]
pub struct PromotionTakesEverySlot {
    requested: BTreeMap<(NodeId, u64), SlotSet>,
    tally: Tally,
}

impl Checker for PromotionTakesEverySlot {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) if packet.kind == PacketKind::AuthRequest => {
                let header = &packet.header;
                let key = (header.sender.clone(), header.current_epoch);
                self.requested.insert(key, header.slots.clone());
            }
            Happening::Packet(packet) if scene.new_promotion().is_some() => self.judge(packet),
            Happening::Packet(_)
            | Happening::Op(_)
            | Happening::View(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally
            .conclude(setting, Completeness::Needed, "nobody won an election")
    }
}

impl PromotionTakesEverySlot {
    fn judge(&mut self, packet: &Packet) {
        let header = &packet.header;
        let key = (header.sender.clone(), header.config_epoch);
        let Some(requested) = self.requested.get(&key) else {
            return;
        };
        self.tally.examined += 1;
        if *requested == header.slots {
            return;
        }
        let (mut left, mut added) = (requested.clone(), header.slots.clone());
        left.remove_all(&header.slots);
        added.remove_all(requested);
        let what = match left.is_empty() {
            false => format!("wins the election of its master and leaves slots {left} behind"),
            true => format!("wins the election of its master and claims {added} besides"),
        };
        self.tally
            .findings
            .push(finding("EL-20", packet.time, &packet.from, what));
    }
}
