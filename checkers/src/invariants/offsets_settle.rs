//! RP-01: at rest a replica has the data and the offset of its master.
//!
//! Offsets are those of the headers. The replica's last one must not be below what its master
//! showed a second and the slack earlier. Data is compared by the digests that nodes gave at the
//! end of the run, when nobody wrote any more; a replica that has its master's data and shows an
//! offset far behind contradicts itself, however soon after the heal.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::convergence::Calm;
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{
    Bounds, Dataset, NodeId, NodeName, Packet, Setting, bounds::MILLISECOND, bounds::seconds,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RP-01",
    title: "at rest replicas have the data of their masters",
    clauses: &["RP-01"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "Replication goes on in the background; once all faults are healed and the state had \
           time to settle, the offset in a replica's last header must have reached what its \
           master's headers showed a second and the slack before, and the digest of its data \
           must be that of its master's.",
    make: || Box::new(OffsetsSettle::default()),
};

/// The checker of RP-01.
#[derive(Debug, Default)]
pub struct OffsetsSettle {
    calm: Calm,
    /// Offsets in the headers of masters, each when it was first shown.
    masters: BTreeMap<NodeId, Vec<(u64, u64)>>,
    replicas: BTreeMap<NodeName, Told>,
    tally: Tally,
}

impl Checker for OffsetsSettle {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::Packet(packet) => self.note(packet),
            Happening::Fault(_) | Happening::Lifecycle(_) => self.calm.observe(happening),
            Happening::View(_) | Happening::Op(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let bounds = Bounds::of(setting);
        let last = scene
            .ownership()
            .takeovers()
            .last()
            .map_or(0, |last| last.time);
        let since = match self.calm.since(setting) {
            Ok(since) => since.max(last) + bounds.state_ok(),
            Err(why) => return Verdict::undecided(0, why),
        };
        self.compare_data(setting, scene, since);
        let lag = 1000 * MILLISECOND + bounds.slack;
        let dead = self.calm.dead();
        for (node, told) in &self.replicas {
            let Some(at) = told.time.checked_sub(lag).filter(|at| *at >= since) else {
                continue;
            };
            if dead.contains_key(node) || setting.too_slow_to_time().is_some() {
                continue;
            }
            let mut shown = self.masters.get(&told.master).into_iter().flatten();
            let Some((time, due)) = shown.rfind(|(time, _)| *time <= at) else {
                continue;
            };
            self.tally.examined += 1;
            if told.offset < *due {
                let what = format!(
                    "is at offset {} of the stream, and its master was at {due} {} earlier",
                    told.offset,
                    seconds(told.time - time)
                );
                self.tally
                    .findings
                    .push(finding("RP-01", told.time, node, what));
            }
        }
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "the run ended before replicas were due to catch up",
        )
    }
}

impl OffsetsSettle {
    /// Judges what replicas and masters said of their data; `since`: from when on it is due.
    fn compare_data(&mut self, setting: &Setting, scene: &Scene, since: u64) {
        let said = |node: &NodeName| setting.datasets.iter().find(|said| said.node == *node);
        for replica in &setting.datasets {
            let Some(master) = Self::master_of(replica, setting, scene).and_then(said) else {
                continue;
            };
            let has_same = replica.digest == master.digest;
            if !has_same && replica.time.min(master.time) < since {
                continue;
            }
            self.tally.examined += 1;
            let objection = match has_same {
                true => self.offset_left_behind(replica, master),
                false => Some(format!(
                    "holds other data than its master {}: digest {}, and {} there",
                    master.node, replica.digest, master.digest
                )),
            };
            if let Some(what) = objection {
                let found = finding("RP-01", replica.time, &replica.node, what);
                self.tally.findings.push(found);
            }
        }
    }

    /// The master that a node names, if that is a master and the same server runs there: digests
    /// of different servers cannot be compared.
    fn master_of<'a>(
        replica: &Dataset,
        setting: &'a Setting,
        scene: &Scene,
    ) -> Option<&'a NodeName> {
        let master = scene.view_of(&replica.node)?.my_master()?;
        let mut names = setting.nodes.iter().map(|node| &node.name);
        let name = names.find(|name| {
            let seen = scene.view_of(name);
            seen.is_some_and(|seen| seen.id == *master && seen.my_master().is_none())
        })?;
        let is_same = setting.server_of(name) == setting.server_of(&replica.node);
        is_same.then_some(name)
    }

    /// What is wrong with the offset that a replica shows although it has its master's data.
    fn offset_left_behind(&self, replica: &Dataset, master: &Dataset) -> Option<String> {
        let at = replica.time.max(master.time);
        let told = self.replicas.get(&replica.node)?;
        let mut shown = self.masters.get(&told.master)?.iter();
        let (_, due) = shown.rfind(|(time, _)| *time <= at)?;
        let is_judged = told.time > at && !replica.is_empty();
        (is_judged && told.offset + PINGS_BYTES < *due).then(|| {
            format!(
                "has the data of its master {}, whose offset was {due}, and shows offset {}",
                master.node, told.offset
            )
        })
    }

    fn note(&mut self, packet: &Packet) {
        let header = &packet.header;
        match &header.master {
            None => {
                let shown = self.masters.entry(header.sender.clone()).or_default();
                if shown
                    .last()
                    .is_none_or(|(_, offset)| *offset != header.offset)
                {
                    shown.push((packet.time, header.offset));
                }
            }
            Some(master) => {
                let told = self
                    .replicas
                    .entry(packet.from.clone())
                    .or_insert_with(|| Told {
                        time: 0,
                        master: master.clone(),
                        offset: 0,
                    });
                if told.master != *master {
                    told.master = master.clone();
                }
                (told.time, told.offset) = (packet.time, header.offset);
                return;
            }
        }
        self.replicas.remove(&packet.from);
    }
}

/// What the stream may have besides data: PINGs of a quarter of an hour, bytes.
const PINGS_BYTES: u64 = 1500;

/// What a replica said last.
#[derive(Debug)]
struct Told {
    time: u64,
    master: NodeId,
    offset: u64,
}
