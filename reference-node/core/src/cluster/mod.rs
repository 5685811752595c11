//! Cluster membership, failure detection, elections and slots: the protocol itself.
//!
//! [`Cluster`] is a state machine of its own: it takes links, packets, time and commands, reads the
//! rest of the node through [`Surroundings`], and asks for changes elsewhere with [`Effect`]s.
//! After every input [`Cluster::before_sleep`] ends the turn: it evaluates what was flagged, writes
//! nodes.conf if it must, and only then lets the packets of the turn leave (BUS-10).
//!
//! One topic per file; decisions (a vote, a candidacy, a claim, a FAIL mark) are rule tables.

mod blacklist;
mod boot;
mod claims;
mod commands;
mod cron;
mod election;
mod epochs;
mod extensions;
mod failure;
mod faults;
mod gossip;
mod handshake;
mod heartbeat;
mod help;
mod links;
mod lookup;
mod manual_failover;
pub mod members;
pub mod nodes_conf;
mod open_slots;
mod outline;
mod profile;
mod pubsub;
mod reads;
mod receive;
mod recycled;
mod replica_migration;
mod reset;
mod roles;
mod routing;
mod shards_view;
mod slot_commands;
mod slot_migration;
mod slot_table;
mod state;
mod surroundings;
mod turn;
mod update;
mod views;
mod voting;
mod voting_view;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::bus::Packet;
use crate::config::Config;
use crate::epoch::CurrentEpoch;
use crate::ids::LinkId;
use crate::mutants::Chosen;
use crate::resp::Reply;
use crate::rng::Rng;
use crate::slot::SlotSet;
use crate::time::Millis;

pub use links::LinkDirection;
pub use members::{Member, Members, Role};
pub use nodes_conf::NodesConfError;
pub use nodes_conf::saved::Saved;
pub use outline::{MemberOutline, Outline};
pub use profile::{PROFILE_DIRECTIVE, Profile};
pub use surroundings::{
    Effect, KeysBySlot, LinkFigures, PublishKind, ReplicationFigures, Surroundings,
};
pub use views::flags_text;
pub use voting_view::{Candidacy, VoterView, VotingView};

use turn::{Pending, Turn};

/// The cluster as this node sees it, and this node's part in it.
#[derive(Debug, Clone)]
pub struct Cluster {
    members: Members,
    slots: slot_table::SlotTable,
    links: links::Links,
    current_epoch: CurrentEpoch,
    last_vote_epoch: CurrentEpoch,
    election: election::Election,
    manual: manual_failover::ManualFailover,
    state: state::State,
    blacklist: blacklist::Blacklist,
    counters: views::Counters,
    clockwork: cron::Clockwork,
    drawn: gossip::Drawn,
    /// The lines of nodes.conf as they were written last.
    kept_lines: nodes_conf::saved::Lines,
    following: roles::Following,
    pending: Pending,
    recycled: recycled::Recycled,
    profile: Profile,
    mutant: Chosen,
    rng: Rng,
    no_slots: Arc<SlotSet>,
}

impl Cluster {
    /// Starts from nodes.conf, or as a new node (PS-16); the effects write the file if it is new,
    /// and follow the master if this node is a replica (RP-04).
    ///
    /// # Errors
    /// nodes.conf is not one (PS-08): the node must not start.
    pub fn boot(
        config: &Config,
        nodes_conf: Option<&[u8]>,
        rng: Rng,
        now: Millis,
        fx: &mut Vec<Effect>,
    ) -> Result<Cluster, NodesConfError> {
        boot::boot(config, nodes_conf, rng, now, fx)
    }

    /// An outbound link is open; `local_ip` is our own address on it.
    pub fn on_link_opened(
        &mut self,
        link: LinkId,
        local_ip: IpAddr,
        around: &Surroundings,
        fx: &mut Vec<Effect>,
    ) {
        self.stir();
        self.link_opened(link, local_ip, &mut Turn::new(around, fx));
    }

    /// A peer opened a link to us.
    pub fn on_link_accepted(
        &mut self,
        link: LinkId,
        peer_ip: IpAddr,
        local_ip: IpAddr,
        around: &Surroundings,
        fx: &mut Vec<Effect>,
    ) {
        self.stir();
        self.link_accepted(link, peer_ip, local_ip, &Turn::new(around, fx));
    }

    /// The time, to be told before any other input of a step: a master that was away for longer
    /// than the node timeout must not serve at once, because it may have been replaced.
    pub fn notice_time(&mut self, around: &Surroundings, fx: &mut Vec<Effect>) {
        self.notice_pause(&mut Turn::new(around, fx));
    }

    /// A well-formed packet came in.
    pub fn on_packet(
        &mut self,
        link: LinkId,
        packet: &Packet,
        around: &Surroundings,
        fx: &mut Vec<Effect>,
    ) {
        self.receive(link, packet, &mut Turn::new(around, fx));
    }

    /// A packet that was taken in is needed no more.
    pub fn recycle(&mut self, packet: Box<Packet>) {
        self.recycled.keep(packet);
    }

    /// A link broke, or could not be opened.
    pub fn on_link_closed(&mut self, link: LinkId, around: &Surroundings, fx: &mut Vec<Effect>) {
        self.stir();
        self.link_closed(link, &Turn::new(around, fx));
    }

    /// The time of [`Cluster::next_wakeup`] has come.
    pub fn on_wake(&mut self, around: &Surroundings, fx: &mut Vec<Effect>) {
        self.wake(&mut Turn::new(around, fx));
    }

    /// When [`Cluster::on_wake`] is due, if nothing else comes first.
    pub fn next_wakeup(&self) -> Millis {
        self.next_due()
    }

    /// The next tick is needed: something changed that it looks at, such as a setting.
    pub fn stir(&mut self) {
        self.clockwork.is_stirred = true;
    }

    /// Ends the turn: to be called after every input, once its other effects are taken.
    pub fn before_sleep(&mut self, around: &Surroundings, fx: &mut Vec<Effect>) {
        self.end_turn(&mut Turn::new(around, fx));
    }

    /// CLUSTER and its subcommands, and those of DEBUG that are about the bus; `args[0]` is the
    /// command's name.
    pub fn command(
        &mut self,
        args: &[Bytes],
        around: &Surroundings,
        fx: &mut Vec<Effect>,
    ) -> Reply {
        self.stir();
        let turn = &mut Turn::new(around, fx);
        match args.first() {
            Some(name) if name.eq_ignore_ascii_case(b"debug") => self.run_debug(args, turn),
            Some(_) | None => self.run_command(args, turn),
        }
    }

    /// Sends a message to the other nodes (PU-02, PU-08).
    pub fn publish(
        &mut self,
        kind: PublishKind,
        channel: Bytes,
        message: Bytes,
        around: &Surroundings,
        fx: &mut Vec<Effect>,
    ) {
        self.broadcast_message(kind, channel, message, &mut Turn::new(around, fx));
    }

    /// Takes the slots of keys that nobody owns; opens those of others (SM-22). To be called once,
    /// when the data of the disk is loaded.
    pub fn claim_keys_at_start(&mut self, around: &Surroundings, fx: &mut Vec<Effect>) {
        self.claim_slots_of_keys(&mut Turn::new(around, fx));
    }
}

#[cfg(test)]
mod tests;
