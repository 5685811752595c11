//! VT-12: a replica whose data is too old does not stand for election by itself.
//!
//! How old the data is at least follows from what kept it away: while the master is down or stands
//! still, or the path from it is cut, nothing arrives. Periods that touch count as one.

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::fault::{Damage, Ports};
use crate::observation::{
    Bounds, Fault, FaultPhase, NodeName, Packet, PacketKind, Setting, bounds::MILLISECOND,
    bounds::seconds,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "VT-12",
    title: "replicas with old data do not stand",
    clauses: &["VT-12", "EL-03"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A replica that had no data of its master for longer than the node timeout times \
           cluster-replica-validity-factor (10), repl-ping-replica-period (10 s) and another \
           node timeout and second does not ask for votes. Judged where faults that are on \
           record kept the data away that long: the master was down or stood still, or the path \
           from it to the replica was cut.",
    make: || Box::new(DataIsYoungEnough::default()),
};

/// The checker of VT-12.
#[derive(Debug, Default)]
pub struct DataIsYoungEnough {
    /// Data paths that were cut: number of the fault, sender, receiver, begin and end, ns.
    cuts: Vec<(u32, NodeName, NodeName, u64, u64)>,
    requests: Vec<(u64, NodeName, u64)>,
}

impl Checker for DataIsYoungEnough {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Message, Sort::Fault]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) if packet.kind == PacketKind::AuthRequest => {
                self.note_request(packet, scene);
            }
            Happening::Fault(fault) => self.note_cut(fault),
            Happening::Packet(_)
            | Happening::Op(_)
            | Happening::View(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let bounds = Bounds::of(setting);
        let seconds_of_clocks = 1000 * MILLISECOND;
        let age_max = PING_PERIOD + 11 * bounds.node_timeout + seconds_of_clocks + bounds.slack;
        let mut tally = Tally::default();
        for (time, node, age) in std::mem::take(&mut self.requests) {
            tally.examined += 1;
            if age > age_max {
                let what = format!("asks for votes with data that is {} old", seconds(age));
                tally.findings.push(finding("VT-12", time, &node, what));
            }
        }
        let nothing = "no replica stood for election by itself";
        tally.conclude(setting, Completeness::Helpful, nothing)
    }
}

impl DataIsYoungEnough {
    fn note_cut(&mut self, fault: &Fault) {
        let Some(Damage::Cut(Ports::All | Ports::Data)) = fault.kind.damage() else {
            return;
        };
        match &fault.phase {
            FaultPhase::Installed => {
                let pairs = fault.cuts.iter();
                let cuts = pairs.map(|(from, to)| {
                    let (from, to) = (from.clone(), to.clone());
                    (fault.id, from, to, fault.time, u64::MAX)
                });
                self.cuts.extend(cuts);
            }
            FaultPhase::Healed => {
                let same = self.cuts.iter_mut().filter(|cut| cut.0 == fault.id);
                same.for_each(|cut| cut.4 = fault.begun);
            }
            FaultPhase::Indeterminate(_) | FaultPhase::Skipped(_) | FaultPhase::Answered(_) => {}
        }
    }

    fn note_request(&mut self, packet: &Packet, scene: &Scene) {
        let header = &packet.header;
        let master = header.master.as_ref().filter(|_| !header.has_force_ack());
        let master = master.and_then(|id| scene.ownership().name(id));
        let Some(master) = master else {
            return;
        };
        let age = packet.time - self.without_data_since(packet.time, &packet.from, master, scene);
        self.requests.push((packet.time, packet.from.clone(), age));
    }

    /// Since when nothing can have come from the master to the replica.
    fn without_data_since(
        &self,
        time: u64,
        replica: &NodeName,
        master: &NodeName,
        scene: &Scene,
    ) -> u64 {
        let timeline = scene.timeline();
        let cuts = self.cuts.iter();
        let cuts = cuts.filter(|cut| cut.1 == *master && cut.2 == *replica);
        let outages = timeline.outages.iter();
        let outages = outages.filter(|outage| outage.node == *master);
        let pauses = timeline.pauses.get(master).into_iter().flatten();
        let mut periods: Vec<(u64, u64)> = cuts
            .map(|cut| (cut.3, cut.4))
            .chain(outages.map(|outage| (outage.ended, outage.restarted)))
            .chain(pauses.copied())
            .collect();
        periods.sort_unstable();
        let mut since = time;
        for (begun, ended) in periods.into_iter().rev() {
            if ended >= since {
                since = since.min(begun);
            }
        }
        since
    }
}

/// repl-ping-replica-period, as by default, ns.
const PING_PERIOD: u64 = 10_000 * MILLISECOND;
