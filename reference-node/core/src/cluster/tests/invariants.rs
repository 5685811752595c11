//! What must hold in every history: storms of kills, cuts and failovers, judged by the packets
//! that left and by where the cluster ends up.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rig::{Rig, Sent};
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::rng::Rng;
use crate::slot::{Slot, SlotSet};

/// Judges packets as they leave, in order.
#[derive(Default)]
struct Judge {
    /// Greatest configEpoch by master.
    claims: BTreeMap<NodeId, ConfigEpoch>,
    /// Last currentEpoch of a host's present life.
    clocks: BTreeMap<usize, CurrentEpoch>,
    /// Who advertised an epoch, with which slots.
    owners: BTreeMap<ConfigEpoch, Vec<(NodeId, Arc<SlotSet>)>>,
    examined: usize,
}

impl Judge {
    fn see(&mut self, sent: &Sent) {
        let header = &sent.packet.header;
        let clock = self.clocks.entry(sent.from).or_default();
        assert!(
            header.current_epoch >= *clock,
            "INV-05: host {} goes back from {clock:?} to {:?}",
            sent.from,
            header.current_epoch
        );
        *clock = header.current_epoch;
        let (Some(id), None) = (header.sender, header.master) else {
            return;
        };
        assert!(header.config_epoch.0 <= header.current_epoch.0, "INV-05");
        let claim = self.claims.entry(id).or_default();
        assert!(
            header.config_epoch >= *claim,
            "INV-04: {id} went back from {claim:?}"
        );
        *claim = header.config_epoch;
        if header.config_epoch == ConfigEpoch(0) || header.slots.is_empty() {
            return;
        }
        self.examined += 1;
        let owners = self.owners.entry(header.config_epoch).or_default();
        for (other, slots) in owners.iter() {
            let epoch = header.config_epoch;
            assert!(
                *other == id || slots.intersection(&header.slots).is_empty(),
                "INV-02: {id} and {other} claim the same slots in {epoch:?}"
            );
        }
        if !owners
            .iter()
            .any(|(other, slots)| *other == id && *slots == header.slots)
        {
            owners.push((id, Arc::clone(&header.slots)));
        }
    }

    fn see_all(&mut self, rig: &mut Rig) {
        for sent in std::mem::take(&mut rig.sent) {
            self.see(&sent);
        }
    }
}

/// Something happens to somebody; TAKEOVER and the like, which INV-02 excuses, do not.
fn disturb(rig: &mut Rig, judge: &mut Judge, rng: &mut Rng) {
    let hosts = rig.hosts.len();
    let victim = rng.below(hosts as u64) as usize;
    let runs = rig.hosts[victim].cluster.is_some();
    match rng.below(6) {
        0 if runs => rig.kill(victim),
        0 | 1 if !runs => {
            // A new life: its clock may be that of the file.
            judge.clocks.remove(&victim);
            rig.start(victim);
        }
        2 => rig.isolate(victim),
        3 => rig.cut(victim, rng.below(hosts as u64) as usize),
        4 => rig.heal(),
        _ if runs => {
            let form = ["", " FORCE"][rng.below(2) as usize];
            rig.run(victim, &format!("CLUSTER FAILOVER{form}"));
        }
        _ => {}
    }
    rig.run_for(rng.below(4000));
}

fn repair(rig: &mut Rig, judge: &mut Judge) {
    rig.heal();
    for index in 0..rig.hosts.len() {
        if rig.hosts[index].cluster.is_none() {
            judge.clocks.remove(&index);
            rig.start(index);
        }
    }
}

/// Owner and configEpoch of each slot, as a host sees it.
fn table(rig: &Rig, index: usize) -> Vec<Option<(NodeId, ConfigEpoch)>> {
    let owner = |slot| rig.at(index).slot_owner(slot);
    Slot::all()
        .map(|slot| owner(slot).map(|member| (member.id, member.config_epoch)))
        .collect()
}

fn is_whole(rig: &Rig) -> bool {
    let hosts = 0..rig.hosts.len();
    hosts.clone().all(|index| rig.at(index).is_ok()) && {
        let first = table(rig, 0);
        hosts.skip(1).all(|index| table(rig, index) == first)
    }
}

/// Proves INV-02, INV-04, INV-05, INV-06 and INV-08, EP-06 and EP-24: whatever fails meanwhile.
#[test]
fn storms_break_no_invariant_and_end_in_agreement() {
    let mut promotions = 0;
    for seed in 1..=5 {
        let mut rig = Rig::cluster(3, 1);
        let mut rng = Rng::new(seed);
        let mut judge = Judge::default();
        for _ in 0..25 {
            disturb(&mut rig, &mut judge, &mut rng);
            judge.see_all(&mut rig);
        }
        repair(&mut rig, &mut judge);
        // INV-06: 2 NT + 5 s, and an election with its retry.
        let limit = 2 * 1000 + 5000 + 4000 + 2000;
        rig.until("agreement after the storm", limit, is_whole);
        judge.see_all(&mut rig);
        assert!(judge.examined > 100, "seed {seed}: {}", judge.examined);
        promotions += judge.owners.len() - 3;
        // INV-08: no two masters claim a slot any more.
        rig.run_for(2000);
        let masters = (0..6).filter(|index| !rig.at(*index).is_replica());
        let claimed: Vec<Arc<SlotSet>> = masters
            .collect::<Vec<_>>()
            .into_iter()
            .map(|index| rig.header_of(index).slots)
            .collect();
        let total: usize = claimed.iter().map(|slots| slots.len()).sum();
        assert_eq!(total, 16_384, "seed {seed}");
    }
    assert!(promotions > 10, "{promotions} promotions");
}
