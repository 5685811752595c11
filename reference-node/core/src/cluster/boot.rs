//! The start: from nodes.conf, or as a new node.
//!
//! A known node comes back with its id, slots, epochs and vote; a replica follows its master as
//! soon as it has an address. Clauses: PS-06, PS-09, PS-16, PS-17, PS-21, EP-03, EP-07, RP-04,
//! FD-16.

use std::sync::Arc;

use super::handshake::{health_of, role_of};
use super::members::{Address, Health, Member, MemberIndex, Members, Role};
use super::nodes_conf::{NodeLine, NodesConf, NodesConfError, OpenSlot};
use super::roles::Following;
use super::{Cluster, Effect, Profile};
use crate::bus::packet::NodeFlags;
use crate::config::Config;
use crate::epoch::CurrentEpoch;
use crate::ids::NodeId;
use crate::mutants::Mutant;
use crate::output::{Durability, File, Output};
use crate::rng::Rng;
use crate::slot::SlotSet;
use crate::time::Millis;

pub(super) fn boot(
    config: &Config,
    nodes_conf: Option<&[u8]>,
    mut rng: Rng,
    now: Millis,
    fx: &mut Vec<Effect>,
) -> Result<Cluster, NodesConfError> {
    // PS-16: no file means a new node.
    // DEVIATION(PS-16): an empty file does not: it is what is left of one that was lost (DU-01).
    let profile = Profile::of(config);
    let takes_empty = profile == Profile::Upstream70;
    let content = nodes_conf.filter(|bytes| !(bytes.is_empty() && takes_empty));
    let file = content.map(|bytes| NodesConf::parse_as(profile, bytes));
    let file = file.transpose()?;
    let no_slots = Arc::new(SlotSet::default());
    let myself = file.as_ref().and_then(|file| {
        file.nodes
            .iter()
            .find(|node| node.flags.has(NodeFlags::MYSELF))
    });
    let me = match myself {
        Some(line) => member_of(line, now, &no_slots),
        None => Member::new(
            NodeId::random(&mut rng),
            Role::Master,
            now,
            no_slots.clone(),
        ),
    };
    let mut cluster = empty(me, config, rng, now, no_slots);
    match file {
        Some(file) => cluster.restore(&file, now),
        None => fx.push(Effect::Do(Output::Persist {
            file: File::NodesConf,
            content: cluster.nodes_conf().into(),
            durability: Durability::Synced,
        })),
    }
    cluster.refresh_myself(config);
    cluster.retarget_replication(fx);
    cluster.pending.evaluate_state = true;
    Ok(cluster)
}

fn empty(me: Member, config: &Config, rng: Rng, now: Millis, no_slots: Arc<SlotSet>) -> Cluster {
    let mut cluster = Cluster {
        members: Members::new(me),
        slots: Default::default(),
        links: Default::default(),
        current_epoch: CurrentEpoch(0),
        last_vote_epoch: CurrentEpoch(0),
        election: Default::default(),
        manual: super::manual_failover::ManualFailover::None,
        state: Default::default(),
        blacklist: Default::default(),
        counters: Default::default(),
        clockwork: super::cron::Clockwork::new(now),
        drawn: Default::default(),
        kept_lines: Default::default(),
        following: Following::Nobody,
        pending: Default::default(),
        recycled: Default::default(),
        profile: Profile::of(config),
        mutant: config.mutant,
        rng,
        no_slots,
    };
    cluster.refresh_myself(config);
    cluster
}

/// A node from its line; its master and slots are set later.
fn member_of(line: &NodeLine, now: Millis, no_slots: &Arc<SlotSet>) -> Member {
    let mut member = Member::new(line.id, role_of(line.flags), now, no_slots.clone());
    member.health = match line.flags.has(NodeFlags::MYSELF) {
        true => Health::Alive,
        // FD-16: FAIL counts from now on.
        false => health_of(line.flags, now),
    };
    member.is_without_address = line.flags.has(NodeFlags::NOADDR);
    member.refuses_failover = line.flags.has(NodeFlags::NOFAILOVER);
    member.address = line.address;
    member.hostname.clone_from(&line.hostname);
    member.shard = line.shard;
    member.config_epoch = line.config_epoch;
    // PS-09: what was outstanding counts from now on.
    member.ping_sent = line.ping_sent.then_some(now);
    member.pong_received = line.pong_received.then_some(now);
    member
}

impl Cluster {
    fn restore(&mut self, file: &NodesConf, now: Millis) {
        for line in &file.nodes {
            let member = member_of(line, now, &self.no_slots);
            self.members.add(member);
        }
        for line in &file.nodes {
            let Some(index) = self.members.find(line.id) else {
                continue;
            };
            self.restore_master(index, line, now);
            self.slots.bind_all(&mut self.members, &line.slots, index);
            let open_slots = match self.mutant.is(Mutant::OpenSlotsNotOnDisk) {
                true => &[][..],
                false => &line.open,
            };
            for open in open_slots {
                self.restore_open_slot(*open, now);
            }
        }
        // EP-07.
        let stored = file
            .nodes
            .iter()
            .map(|line| CurrentEpoch(line.config_epoch.0));
        let greatest = stored.fold(file.current_epoch, CurrentEpoch::max);
        self.current_epoch = greatest.max(file.last_vote_epoch);
        self.last_vote_epoch = file.last_vote_epoch;
        self.forget_what_was_stored(file);
    }

    /// Seeded bugs: parts of nodes.conf that are not read back.
    fn forget_what_was_stored(&mut self, file: &NodesConf) {
        let configured = file.nodes.iter().map(|line| line.config_epoch.0).max();
        if self.mutant.is(Mutant::VoteNotOnDisk) {
            self.last_vote_epoch = CurrentEpoch(0);
        }
        if self.mutant.is(Mutant::EpochNotOnDisk) {
            self.current_epoch = CurrentEpoch(configured.unwrap_or(0));
        }
        if self.mutant.is(Mutant::ConfigEpochNotOnDisk) {
            self.members.me_mut().config_epoch = Default::default();
        }
        if self.mutant.is(Mutant::RoleNotOnDisk) {
            self.members.me_mut().role = Role::Master;
        }
        let last = self.members.me().slots.iter().last();
        if let Some(last) = last.filter(|_| self.mutant.is(Mutant::SlotNotOnDisk)) {
            self.slots.unbind(&mut self.members, last);
        }
    }

    fn restore_master(&mut self, index: MemberIndex, line: &NodeLine, now: Millis) {
        let (true, Some(master)) = (line.flags.has(NodeFlags::SLAVE), line.master) else {
            return;
        };
        let master = self.named(master, now).filter(|master| *master != index);
        self.members[index].role = Role::Replica { of: master };
        if let Some(master) = master {
            self.members[master].is_migration_target = true;
        }
    }

    /// PS-21: the peer of an open slot may be known by name only.
    fn restore_open_slot(&mut self, open: OpenSlot, now: Millis) {
        let (slot, peer, marks) = match open {
            OpenSlot::Migrating(slot, peer) => (slot, peer, &mut self.slots.migrating),
            OpenSlot::Importing(slot, peer) => (slot, peer, &mut self.slots.importing),
        };
        marks.insert(slot, peer);
        self.named(peer, now);
    }

    /// The node of this id, or a record without address.
    fn named(&mut self, id: NodeId, now: Millis) -> Option<MemberIndex> {
        self.members.find(id).or_else(|| {
            let mut member = Member::new(id, Role::Untold, now, self.no_slots.clone());
            member.address = Address::default();
            self.members.add(member)
        })
    }
}
