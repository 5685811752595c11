//! What became of the slots over time: takeovers with their causes, restarts, and how much of the
//! acknowledged writes the promoted replica provably had.
//!
//! For each takeover the header offsets on the bus tell until when writes were *retained*: the old
//! owner's last header whose replication offset is not above the offset the replica had when it was
//! promoted. What was acknowledged before that header left was on the replica. The evidence counts
//! only if the replica was in step with this owner: its offset moved while it followed it, or is
//! exactly one the owner had. Without evidence nothing is said to be retained.

use std::collections::{BTreeMap, BTreeSet};

use crate::checker::Happening;
use crate::invariants::links::{Links, Origin};
use crate::invariants::promotions::Promotions;
use crate::observation::bounds::MILLISECOND;
use crate::observation::fault::note_pause;
use crate::observation::ownership::Takeover;
use crate::observation::{
    Damage, DiskTrouble, Fault, FaultPhase, Incarnations, Lifecycle, LifecycleKind, NodeId,
    NodeName, Ownership, Packet, Ports,
};

/// Why a takeover took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// CLUSTER FAILOVER: nothing acknowledged may be lost.
    Manual,
    /// An election because the owner was taken for failed.
    Automatic,
    /// Nobody was seen asking for votes in its epoch: as good as manual, if no packet was missed.
    Unasked,
}

/// What the bus says about one takeover; position as in [`Ownership::takeovers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failover {
    /// Why.
    pub cause: Cause,
    /// Writes acknowledged before this time were on the new owner, ns; 0 if there is no evidence.
    pub retained: u64,
}

/// A partition that concerned a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Begin, ns.
    pub begun: u64,
    /// When it was confirmed, ns.
    pub installed: u64,
    /// Heal, ns; `u64::MAX` if never.
    pub healed: u64,
    /// Directed pairs cut.
    pub pairs: Vec<(NodeName, NodeName)>,
    /// The side cut off.
    pub targets: Vec<NodeName>,
}

impl Cut {
    /// Whether the node is an end of a cut link.
    pub fn touches(&self, node: &NodeName) -> bool {
        self.targets.contains(node)
            || self
                .pairs
                .iter()
                .any(|(from, to)| from == node || to == node)
    }

    /// Whether a path between these two is cut, in either direction.
    pub fn is_between(&self, one: &NodeName, other: &NodeName) -> bool {
        let mut pairs = self.pairs.iter();
        pairs.any(|(from, to)| (from, to) == (one, other) || (from, to) == (other, one))
    }

    /// From how many others this node is cut, in either direction.
    pub fn peers(&self, node: &NodeName) -> usize {
        let outbound = self.pairs.iter().filter(|(from, _)| from == node);
        let inbound = self.pairs.iter().filter(|(_, to)| to == node);
        let peers = outbound
            .map(|(_, to)| to)
            .chain(inbound.map(|(from, _)| from));
        peers.collect::<BTreeSet<&NodeName>>().len()
    }

    /// Whether some peer could still send to the node what the node could not answer.
    pub fn is_one_way(&self, node: &NodeName) -> bool {
        let mirrored = |pair: &(NodeName, NodeName)| {
            self.pairs
                .iter()
                .any(|(from, to)| *from == pair.1 && *to == pair.0)
        };
        let touching = self
            .pairs
            .iter()
            .filter(|(from, to)| from == node || to == node);
        touching.into_iter().any(|pair| !mirrored(pair))
    }
}

/// A time in which a process was not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// The node.
    pub node: NodeName,
    /// End of the process, ns.
    pub ended: u64,
    /// Start of the next one, ns; `u64::MAX` if there was none.
    pub restarted: u64,
}

/// Collects what a run's windows follow from.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Claims and takeovers.
    pub ownership: Ownership,
    /// One entry for each takeover.
    pub failovers: Vec<Failover>,
    /// Partitions.
    pub cuts: BTreeMap<u32, Cut>,
    /// Pauses by node: begin and end, ns.
    pub pauses: BTreeMap<NodeName, Vec<(u64, u64)>>,
    /// Times in which a node halts at every sync, by node: begin and end, ns.
    pub stalls: BTreeMap<NodeName, Vec<(u64, u64)>>,
    /// Processes that ended.
    pub outages: Vec<Outage>,
    /// Failovers that were ordered without the master's help: begin, and on whom.
    forced: Vec<(u64, Vec<NodeName>)>,
    /// Since when a clock was or may have been wrong; what is set right may still catch up.
    clocks_wrong_since: Option<u64>,
    /// Promotions, requests and votes.
    pub promotions: Promotions,
    /// The lives of the processes.
    pub incarnations: Incarnations,
    /// What the latest happening added.
    pub latest: Latest,
    links: Links,
    offsets: BTreeMap<NodeId, Offsets>,
    /// Who was ever seen as a replica of whom.
    followers: BTreeMap<NodeId, BTreeSet<NodeId>>,
    is_bus_seen: bool,
}

/// What one happening added to what is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Latest {
    /// Where a packet comes from.
    pub origin: Origin,
    /// Whether it showed a new claim, the last one.
    pub is_new_claim: bool,
    /// Whether it showed a new promotion, the last one.
    pub is_new_promotion: bool,
    /// Number of masters that owned slots before it, of a packet.
    pub voters_before: usize,
}

/// What a node's headers showed of its replication offset, in the roles it had.
#[derive(Debug, Default)]
struct Offsets {
    as_master: Option<MasterOffsets>,
    as_replica: Option<ReplicaOffsets>,
}

/// The offsets an owner showed, and when it showed each last. Offsets ascend.
#[derive(Debug, Default)]
struct MasterOffsets {
    incarnation: u32,
    shown: Vec<(u64, u64)>,
}

/// The offsets a replica showed while it followed one master in one life.
#[derive(Debug)]
struct ReplicaOffsets {
    incarnation: u32,
    master: NodeId,
    first: u64,
    last: u64,
}

impl Timeline {
    /// Takes in a happening; operations do not matter.
    pub fn observe(&mut self, happening: Happening<'_>) {
        self.latest = Latest::default();
        match happening {
            Happening::Packet(packet) => self.observe_packet(packet),
            Happening::View(view) => {
                self.latest.is_new_claim = self.ownership.observe_view(view);
                self.judge_takeovers();
            }
            Happening::Fault(fault) => self.observe_fault(fault),
            Happening::Lifecycle(lifecycle) => self.observe_lifecycle(lifecycle),
            Happening::Op(_) => {}
        }
    }

    fn observe_packet(&mut self, packet: &Packet) {
        self.is_bus_seen = true;
        let origin = self.links.origin(packet, &self.incarnations);
        let voters_before = self.ownership.voters();
        let promotion = self
            .promotions
            .observe(packet, origin.link, origin.incarnation);
        self.latest = Latest {
            origin,
            is_new_promotion: promotion.is_some(),
            is_new_claim: self.ownership.observe_packet(packet),
            voters_before,
        };
        self.judge_takeovers();
        self.note_offset(packet, origin.incarnation);
    }

    fn note_offset(&mut self, packet: &Packet, incarnation: u32) {
        let header = &packet.header;
        let is_claim = header.claims_slots();
        let is_stalled = is_claim && self.is_stalled(&packet.from, packet.time);
        let offsets = match self.offsets.get_mut(&header.sender) {
            Some(offsets) => offsets,
            None => self.offsets.entry(header.sender.clone()).or_default(),
        };
        if let Some(master) = &header.master {
            offsets.as_master = None;
            let known = offsets.as_replica.as_mut();
            let same =
                known.filter(|known| known.master == *master && known.incarnation == incarnation);
            match same {
                Some(same) => same.last = same.last.max(header.offset),
                None => {
                    let followers = self.followers.entry(master.clone()).or_default();
                    followers.insert(header.sender.clone());
                    offsets.as_replica = Some(ReplicaOffsets {
                        incarnation,
                        master: master.clone(),
                        first: header.offset,
                        last: header.offset,
                    });
                }
            }
        } else if is_claim {
            offsets.as_replica = None;
            if !is_stalled {
                let shown = offsets.as_master.get_or_insert_default();
                shown.note(packet.time, header.offset, incarnation);
            }
        }
    }

    /// Judges takeovers that the last observation showed first, before the new owner's header
    /// replaces what is known of it as a replica.
    fn judge_takeovers(&mut self) {
        while self.failovers.len() < self.ownership.takeovers().len() {
            let takeover = &self.ownership.takeovers()[self.failovers.len()];
            let request = self.promotions.request(&takeover.to, takeover.config_epoch);
            let cause = match request {
                Some(request) if request.manual => Cause::Manual,
                None if self.is_bus_seen => Cause::Unasked,
                Some(_) | None => Cause::Automatic,
            };
            let retained = self.retained(&takeover.from, &takeover.to, takeover.time);
            self.failovers.push(Failover { cause, retained });
        }
    }

    /// Whether the new owner was told to take over without waiting for the old one's last writes:
    /// FORCE and TAKEOVER. What is not over after the time of a manual failover has nothing to do
    /// with it.
    pub fn is_forced(&self, takeover: &Takeover) -> bool {
        let Some(name) = self.ownership.name(&takeover.to) else {
            return false;
        };
        self.forced.iter().any(|(begun, targets)| {
            let over = begun.saturating_add(MANUAL_FAILOVER);
            targets.contains(name) && *begun <= takeover.time && takeover.time <= over
        })
    }

    /// Whether a node's clock may have been wrong at this time, or before.
    pub fn was_a_clock_wrong(&self, by: u64) -> bool {
        self.clocks_wrong_since.is_some_and(|since| since <= by)
    }

    /// Everyone who was ever seen as a replica of this node.
    pub fn followers(&self, master: &NodeId) -> impl Iterator<Item = &NodeId> {
        self.followers.get(master).into_iter().flatten()
    }

    /// Whether one of two nodes was ever seen as a replica of the other, or both as replicas of a
    /// third.
    pub fn were_together(&self, one: &NodeId, other: &NodeId) -> bool {
        let follows = |id: &NodeId, master: &NodeId| {
            let followers = self.followers.get(master);
            followers.is_some_and(|followers| followers.contains(id))
        };
        let both =
            |followers: &BTreeSet<NodeId>| followers.contains(one) && followers.contains(other);
        follows(one, other) || follows(other, one) || self.followers.values().any(both)
    }

    /// Whether packets of this node may be old content that was held up by a cut (R3): until as
    /// long after the heal as the cut lasted, TCP may still be retransmitting.
    fn is_stalled(&self, node: &NodeName, time: u64) -> bool {
        let mut begun = self.cuts.values().filter(|cut| cut.begun <= time);
        begun.any(|cut| {
            let lasted = cut.healed - cut.begun.min(cut.healed);
            let over = cut
                .healed
                .saturating_add(lasted)
                .saturating_add(1000 * MILLISECOND);
            time <= over && cut.touches(node)
        })
    }

    fn retained(&self, from: &NodeId, to: &NodeId, until: u64) -> u64 {
        let owner = self.offsets.get(from).and_then(|it| it.as_master.as_ref());
        let replica = self.offsets.get(to).and_then(|it| it.as_replica.as_ref());
        let (Some(owner), Some(replica)) = (owner, replica) else {
            return 0;
        };
        let is_exact = owner
            .shown
            .iter()
            .any(|(_, offset)| *offset == replica.last);
        let is_in_step = replica.last > replica.first || is_exact;
        if replica.master != *from || !is_in_step {
            return 0;
        }
        let known = owner
            .shown
            .partition_point(|(_, offset)| *offset <= replica.last);
        let last = owner.shown[..known].last().map_or(0, |(time, _)| *time);
        last.min(until)
    }

    fn observe_fault(&mut self, fault: &Fault) {
        match fault.kind.damage() {
            Some(Damage::Pause) => {
                for node in &fault.targets {
                    let pauses = self.pauses.entry(node.clone()).or_default();
                    note_pause(pauses, &fault.phase, fault.begun, fault.time);
                }
            }
            Some(Damage::Disk(DiskTrouble::Slow)) => {
                for node in &fault.targets {
                    let stalls = self.stalls.entry(node.clone()).or_default();
                    note_pause(stalls, &fault.phase, fault.begun, fault.time);
                }
            }
            // HI-05: without the bus a master is as good as cut off.
            Some(Damage::Cut(Ports::All | Ports::Bus)) => self.observe_cut(fault),
            Some(Damage::Clock(_)) => match &fault.phase {
                FaultPhase::Installed | FaultPhase::Indeterminate(_) => {
                    self.clocks_wrong_since.get_or_insert(fault.begun);
                }
                FaultPhase::Healed | FaultPhase::Skipped(_) | FaultPhase::Answered(_) => {}
            },
            Some(
                Damage::Kill
                | Damage::Cut(Ports::Data)
                | Damage::Net(_)
                | Damage::Disk(DiskTrouble::Full),
            ) => {}
            None if fault.kind.ignores_the_master() => match &fault.phase {
                FaultPhase::Installed | FaultPhase::Indeterminate(_) => {
                    self.forced.push((fault.begun, fault.targets.clone()));
                }
                FaultPhase::Healed | FaultPhase::Skipped(_) | FaultPhase::Answered(_) => {}
            },
            None => {}
        }
    }

    fn observe_cut(&mut self, fault: &Fault) {
        match &fault.phase {
            FaultPhase::Installed | FaultPhase::Indeterminate(_) => {
                self.cuts.insert(
                    fault.id,
                    Cut {
                        begun: fault.begun,
                        installed: fault.time,
                        healed: u64::MAX,
                        pairs: fault.cuts.clone(),
                        targets: fault.targets.clone(),
                    },
                );
            }
            FaultPhase::Healed => {
                if let Some(cut) = self.cuts.get_mut(&fault.id) {
                    cut.healed = fault.time;
                }
            }
            FaultPhase::Skipped(_) | FaultPhase::Answered(_) => {}
        }
    }

    fn observe_lifecycle(&mut self, lifecycle: &Lifecycle) {
        self.incarnations.observe(lifecycle);
        match lifecycle.what {
            LifecycleKind::Killed | LifecycleKind::Died => self.outages.push(Outage {
                node: lifecycle.node.clone(),
                ended: lifecycle.time,
                restarted: u64::MAX,
            }),
            LifecycleKind::Started => {
                let mut open = self.outages.iter_mut().rev();
                if let Some(outage) = open.find(|outage| outage.node == lifecycle.node)
                    && outage.restarted == u64::MAX
                {
                    outage.restarted = lifecycle.time;
                }
            }
        }
    }
}

/// A manual failover that is not over by now was given up, ns.
const MANUAL_FAILOVER: u64 = 5200 * MILLISECOND;

impl MasterOffsets {
    fn note(&mut self, time: u64, offset: u64, incarnation: u32) {
        // Offset 0: nothing was ever replicated, so it proves nothing.
        if offset == 0 {
            return;
        }
        if self.incarnation != incarnation {
            *self = MasterOffsets {
                incarnation,
                shown: Vec::new(),
            };
        }
        match self.shown.last_mut() {
            Some(last) if last.1 == offset => last.0 = time,
            // Old content that was sent again (R3) says nothing new.
            Some(last) if last.1 > offset => {}
            Some(_) | None => self.shown.push((time, offset)),
        }
    }
}
