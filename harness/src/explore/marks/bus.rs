//! Marks on the bus: elections, epochs, claims, and the processes that die in between.

use std::collections::{BTreeMap, BTreeSet};

use slotquake_checkers::observation::bounds::MILLISECOND;
use slotquake_checkers::observation::{
    Body, Bounds, Header, Lifecycle, LifecycleKind, NodeId, NodeName, Packet, PacketKind,
};

use super::{Mark, Tally};

/// What the bus showed so far.
#[derive(Debug)]
pub struct Bus<'a> {
    bounds: Bounds,
    /// The last header of each process.
    last: BTreeMap<&'a NodeName, &'a Header>,
    elections: BTreeMap<(&'a NodeName, u64), Election>,
    candidates: BTreeMap<u64, BTreeSet<&'a NodeName>>,
    votes: BTreeMap<(&'a NodeName, u64), Vote<'a>>,
    asked: Vec<Asked<'a>>,
    declared: BTreeMap<(&'a NodeName, &'a NodeId), u64>,
    /// From when on a process showed which currentEpoch.
    epochs: BTreeMap<&'a NodeName, Vec<(u64, u64)>>,
    /// Who ever said, or was told, that this node failed.
    told: BTreeSet<(&'a NodeName, &'a NodeId)>,
    /// Masters whose configEpoch another had too.
    collided: BTreeMap<&'a NodeName, u64>,
    /// Manual failovers under way: which replica, since when.
    manual: BTreeMap<&'a NodeName, u64>,
    now: u64,
}

/// One candidate in one epoch.
#[derive(Debug)]
struct Election {
    asked_at: u64,
    /// A sibling was known to have more of their master's data.
    is_behind: bool,
    is_won: bool,
}

#[derive(Debug)]
struct Vote<'a> {
    at: u64,
    candidate: &'a NodeName,
    /// The candidate's master.
    of: Option<NodeId>,
}

/// A request that reached a master with slots.
#[derive(Debug)]
struct Asked<'a> {
    voter: &'a NodeName,
    candidate: &'a NodeName,
    epoch: u64,
    delivered: u64,
    /// Why the voter may refuse, as far as the bus showed when it was sent.
    reason: Option<Mark>,
}

impl<'a> Bus<'a> {
    /// Before the first packet.
    pub fn new(bounds: Bounds) -> Bus<'a> {
        Bus {
            bounds,
            last: BTreeMap::new(),
            elections: BTreeMap::new(),
            candidates: BTreeMap::new(),
            votes: BTreeMap::new(),
            asked: Vec::new(),
            declared: BTreeMap::new(),
            epochs: BTreeMap::new(),
            told: BTreeSet::new(),
            collided: BTreeMap::new(),
            manual: BTreeMap::new(),
            now: 0,
        }
    }

    /// Takes in a packet.
    pub fn observe(&mut self, packet: &'a Packet, tally: &mut Tally) {
        self.now = packet.time;
        match packet.kind {
            PacketKind::AuthRequest => self.on_request(packet, tally),
            PacketKind::AuthAck => self.on_vote(packet, tally),
            PacketKind::Fail => self.on_fail(packet, tally),
            PacketKind::Update => tally.see(Mark::UpdateSent),
            PacketKind::MfStart => {
                self.end_manual(&packet.from, tally);
                self.manual.insert(&packet.from, packet.time);
            }
            PacketKind::Ping
            | PacketKind::Pong
            | PacketKind::Meet
            | PacketKind::Publish
            | PacketKind::Module
            | PacketKind::PublishShard
            | PacketKind::Unknown(_) => {}
        }
        let epoch = packet.header.current_epoch;
        let epochs = self.epochs.entry(&packet.from).or_default();
        if epochs.last().is_none_or(|(_, last)| *last != epoch) {
            epochs.push((packet.time, epoch));
        }
        if let Some(before) = self.last.insert(&packet.from, &packet.header) {
            self.on_header(&packet.from, before, &packet.header, tally);
        }
    }

    fn on_request(&mut self, packet: &'a Packet, tally: &mut Tally) {
        let (candidate, header) = (&packet.from, &packet.header);
        let epoch = header.current_epoch;
        if !self.elections.contains_key(&(candidate, epoch)) {
            self.on_candidate(candidate, header, packet.time, tally);
        }
        let voter = self.last.get(&packet.to);
        if !voter.is_some_and(|voter| voter.claims_slots()) {
            return;
        }
        if let Some(delivered) = packet.delivered {
            self.asked.push(Asked {
                delivered,
                voter: &packet.to,
                candidate,
                epoch,
                reason: self.reason_to_refuse(packet),
            });
        }
    }

    /// Why a voter may refuse a request of this epoch, in the order of the rules.
    fn reason_to_refuse(&self, request: &Packet) -> Option<Mark> {
        let (header, id) = (&request.header, request.header.master.as_ref()?);
        let is_told = self.told.contains(&(&request.to, id));
        if !is_told && !header.has_force_ack() {
            return Some(Mark::MasterNotFailed);
        }
        let mut votes = self.votes.range((&request.to, 0)..=(&request.to, u64::MAX));
        let since = request.time.saturating_sub(2 * self.bounds.node_timeout);
        if votes.any(|(_, vote)| vote.at >= since && vote.of.as_ref() == Some(id)) {
            return Some(Mark::VotedTooSoon);
        }
        let is_newer = |other: &&Header| {
            other.claims_slots()
                && other.config_epoch > header.config_epoch
                && !other.slots.intersection(&header.slots).is_empty()
        };
        let mut all = self.last.values();
        all.any(is_newer).then_some(Mark::ClaimsOutdated)
    }

    /// The first request of a candidate in an epoch.
    fn on_candidate(&mut self, name: &'a NodeName, header: &Header, at: u64, tally: &mut Tally) {
        let epoch = header.current_epoch;
        let others = self.candidates.entry(epoch).or_default();
        others.insert(name);
        if others.len() == 2 {
            tally.see(Mark::TwoCandidates);
        }
        let mut earlier = self.elections.range((name, 0)..(name, epoch));
        if earlier.next_back().is_some_and(|(_, last)| !last.is_won) {
            tally.see(Mark::ElectionRepeated);
        }
        if header.has_force_ack() {
            tally.see(Mark::ManualElection);
        }
        let siblings = self.last.values().filter(|other| {
            other.master.is_some() && other.master == header.master && other.sender != header.sender
        });
        let election = Election {
            asked_at: at,
            is_behind: siblings.map(|other| other.offset).max() > Some(header.offset),
            is_won: false,
        };
        self.elections.insert((name, epoch), election);
    }

    fn on_vote(&mut self, packet: &'a Packet, tally: &mut Tally) {
        let epoch = packet.header.current_epoch;
        let vote = Vote {
            at: packet.time,
            candidate: &packet.to,
            of: self
                .last
                .get(&packet.to)
                .and_then(|header| header.master.clone()),
        };
        self.votes.insert((&packet.from, epoch), vote);
        let Some(delivered) = packet.delivered else {
            return tally.see(Mark::VoteLost);
        };
        if let Some(election) = self.elections.get(&(&packet.to, epoch))
            && delivered > election.asked_at + self.bounds.election()
        {
            tally.see(Mark::VoteLate);
        }
    }

    /// Counts what one sender says of one node once, however many it tells.
    fn on_fail(&mut self, packet: &'a Packet, tally: &mut Tally) {
        let Body::Failed(id) = &packet.body else {
            return;
        };
        self.told.insert((&packet.from, id));
        if packet.delivered.is_some() {
            self.told.insert((&packet.to, id));
        }
        let before = self.declared.insert((&packet.from, id), packet.time);
        if before.is_none_or(|before| packet.time > before + BURST) {
            tally.see(Mark::FailBroadcast);
        }
    }

    fn on_header(&mut self, name: &'a NodeName, before: &Header, now: &Header, tally: &mut Tally) {
        match (&before.master, &now.master) {
            (None, Some(_)) if before.claims_slots() => tally.see(Mark::MasterDemoted),
            (Some(old), Some(new)) if old != new => {
                tally.see(Mark::ReplicaMoved);
                if self.serves(old) && self.serves(new) && !self.has_replicas(new, &now.sender) {
                    tally.see(Mark::OrphanAdopted);
                }
            }
            (Some(_), None) => self.end_manual(name, tally),
            (_, _) => {}
        }
        let is_news = !before.is_master() || before.config_epoch != now.config_epoch;
        if is_news && now.claims_slots() {
            self.on_claim(name, before, now, tally);
        }
    }

    /// The currentEpoch that a process had shown by then.
    fn epoch_at(&self, name: &NodeName, time: u64) -> u64 {
        let mut epochs = self.epochs.get(name).into_iter().flatten();
        let shown = epochs.rfind(|(since, _)| *since <= time);
        shown.map_or(0, |(_, epoch)| *epoch)
    }

    fn serves(&self, id: &NodeId) -> bool {
        let mut all = self.last.values();
        all.any(|header| header.sender == *id && header.claims_slots())
    }

    fn has_replicas(&self, master: &NodeId, but: &NodeId) -> bool {
        let mut all = self.last.values();
        all.any(|header| header.master.as_ref() == Some(master) && header.sender != *but)
    }

    /// What became of this replica's manual failover, if one is on record.
    fn end_manual(&mut self, replica: &NodeName, tally: &mut Tally) {
        let begun = self.manual.remove(replica);
        if begun.is_some_and(|begun| begun + MANUAL_NS < self.now) {
            tally.see(Mark::ManualTimedOut);
        }
    }

    /// A master claims slots with an epoch that it had not before.
    fn on_claim(&mut self, name: &'a NodeName, before: &Header, now: &Header, tally: &mut Tally) {
        let epoch = now.config_epoch;
        match self.elections.get_mut(&(name, epoch)) {
            Some(election) if !election.is_won => {
                election.is_won = true;
                if election.is_behind {
                    tally.see(Mark::SecondRankPromoted);
                }
            }
            Some(_) => {}
            None if before.claims_slots() && before.config_epoch < epoch => {
                tally.see(Mark::EpochTaken);
                if self.collided.remove(name) == Some(before.config_epoch) {
                    tally.see(Mark::CollisionResolved);
                }
            }
            None => {}
        }
        let has_same = |(other, header): &(&&NodeName, &&Header)| {
            **other != name && header.claims_slots() && header.config_epoch == epoch
        };
        let same: Vec<&'a NodeName> = self
            .last
            .iter()
            .filter(has_same)
            .map(|(name, _)| *name)
            .collect();
        if !same.is_empty() {
            tally.see(Mark::EpochCollision);
            for name in same.into_iter().chain([name]) {
                self.collided.insert(name, epoch);
            }
        }
    }

    /// Takes in the beginning or end of a process.
    pub fn observe_lifecycle(&mut self, lifecycle: &'a Lifecycle, tally: &mut Tally) {
        match lifecycle.what {
            LifecycleKind::Started => return,
            LifecycleKind::Killed | LifecycleKind::Died => {}
        }
        let (name, at) = (&lifecycle.node, lifecycle.time);
        self.end_manual(name, tally);
        let ends = (name, 0)..=(name, u64::MAX);
        let mut votes = self.votes.range(ends.clone());
        if votes.any(|(_, vote)| at <= vote.at + self.bounds.node_timeout) {
            tally.see(Mark::VoterKilled);
        }
        let mut elections = self.elections.range(ends);
        let is_open = |election: &Election| {
            !election.is_won && at <= election.asked_at + self.bounds.election()
        };
        if elections.any(|(_, election)| is_open(election)) {
            tally.see(Mark::CandidateKilled);
        }
    }

    /// Counts the votes that never came.
    pub fn finish(&mut self, tally: &mut Tally) {
        let open: Vec<&NodeName> = self.manual.keys().copied().collect();
        for replica in open {
            self.end_manual(replica, tally);
        }
        for asked in &self.asked {
            let given = self.votes.get(&(asked.voter, asked.epoch));
            let other = match given {
                Some(vote) if vote.candidate == asked.candidate => continue,
                Some(_) => Some(Mark::VotedForAnother),
                None if self.epoch_at(asked.voter, asked.delivered) > asked.epoch => {
                    Some(Mark::EpochTooOld)
                }
                None => asked.reason,
            };
            tally.see(Mark::VoteWithheld);
            if let Some(reason) = other {
                tally.see(reason);
            }
        }
    }
}

/// A manual failover is given up after 5 s (MF-11); with the time of a packet more, ns.
const MANUAL_NS: u64 = 5200 * MILLISECOND;
/// FAIL packets of one sender about one node within this time are one broadcast, ns.
const BURST: u64 = 1000 * MILLISECOND;
