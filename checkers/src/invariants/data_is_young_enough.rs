//! VT-12: a replica whose data is too old does not stand for election by itself.
//!
//! How old the data is at least follows from what kept it away: while the master is down or stands
//! still, or the path from it is cut, nothing arrives. Periods that touch count as one.

use super::bus_evidence::{Completeness, Tally};
use super::data_cuts::DataCuts;
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{
    Bounds, NodeName, Packet, PacketKind, Setting, bounds::MILLISECOND, bounds::seconds,
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
    cuts: DataCuts,
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
            Happening::Fault(fault) => self.cuts.observe(fault),
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
    fn note_request(&mut self, packet: &Packet, scene: &Scene) {
        let header = &packet.header;
        let master = header.master.as_ref().filter(|_| !header.has_force_ack());
        let master = master.and_then(|id| scene.ownership().name(id));
        let Some(master) = master else {
            return;
        };
        let (now, replica) = (packet.time, &packet.from);
        let age = now - self.cuts.silent_since(master, replica, now, scene);
        self.requests.push((packet.time, packet.from.clone(), age));
    }
}

/// repl-ping-replica-period, as by default, ns.
const PING_PERIOD: u64 = 10_000 * MILLISECOND;
