//! A packet comes in: who sent it, what any packet tells, then one room per type.
//!
//! The order is that of cluster-bus.md section 9 from step 7 on.
//! Clauses: BUS-03, BUS-04, BUS-41, BUS-42, BUS-44, BUS-46, GO-04, GO-06, GO-18, GO-23, HS-07,
//! HS-15, HS-16, UP-01, UP-12, EP-20, PU-03, PU-14.

use std::sync::Arc;

use super::claims::Claim;
use super::handshake::Introduction;
use super::heartbeat::Beat;
use super::members::{Greeting, MemberIndex};
use super::turn::Turn;
use super::{Cluster, Effect, Profile, PublishKind};
use crate::bus::packet::{Body, Header, Heartbeat, NodeFlags, Packet};
use crate::epoch::ConfigEpoch;
use crate::ids::LinkId;
use crate::mutants::Mutant;

impl Cluster {
    pub(super) fn receive(&mut self, link: LinkId, packet: &Packet, turn: &mut Turn) {
        if self.links.get(link).is_none() {
            return;
        }
        self.counters.count_received(&packet.body);
        if self.counters.drops(&packet.body) {
            return;
        }
        let header = &packet.header;
        let sender = self.resolve_sender(link, header, turn);
        if sender.is_none() || !matches!(packet.body, Body::Ping(_) | Body::Pong(_)) {
            self.stir();
        }
        if let Some(sender) = sender {
            self.absorb_header(sender, link, header, turn);
        }
        match (&packet.body, sender) {
            (Body::Ping(heartbeat), _) => {
                self.on_heartbeat(Beat::Ping, heartbeat, link, sender, header, turn);
            }
            (Body::Pong(heartbeat), _) => {
                self.on_heartbeat(Beat::Pong, heartbeat, link, sender, header, turn);
            }
            (Body::Meet(heartbeat), _) => {
                self.on_heartbeat(Beat::Meet, heartbeat, link, sender, header, turn);
            }
            (body, Some(sender)) => self.on_message(body, link, sender, header, turn),
            // BUS-41, VO-12: nothing else counts from strangers, a request for votes least of all.
            (_, None) => {}
        }
    }

    /// BUS-03, BUS-04: by the link's node where it is bound, else by the header's name.
    fn resolve_sender(
        &mut self,
        link: LinkId,
        header: &Header,
        turn: &mut Turn,
    ) -> Option<MemberIndex> {
        let bound = self.links.get(link).and_then(|entry| entry.member);
        let named = header.sender.and_then(|id| self.members.find(id));
        let named = named.filter(|index| self.members[*index].is_known());
        if let Some(bound) = bound.filter(|_| link.is_inbound()) {
            return Some(bound);
        }
        if let Some(bound) = bound {
            // A handshake may turn out to be an old acquaintance; but on the link to a known node
            // a foreign name is no known sender, and BUS-42 deals with it.
            let is_handshake = !self.members[bound].is_known();
            return named.filter(|index| is_handshake || *index == bound);
        }
        if let Some(sender) = named.filter(|sender| *sender != self.members.my_index()) {
            self.bind_inbound(link, sender, turn);
        }
        named
    }

    /// Steps 8 to 10: what every packet of a known node tells.
    fn absorb_header(&mut self, sender: MemberIndex, link: LinkId, header: &Header, turn: &Turn) {
        if header.message_flags.ext_data
            && let Some(entry) = self.links.get_mut(link)
        {
            entry.speaks_extensions = true;
        }
        self.members.note_packet(sender, header, turn.now);
        if sender == self.members.my_index() {
            return;
        }
        self.absorb_epochs(sender, header);
        self.hear_paused_offset(sender, header);
    }

    fn on_heartbeat(
        &mut self,
        beat: Beat,
        heartbeat: &Heartbeat,
        link: LinkId,
        sender: Option<MemberIndex>,
        header: &Header,
        turn: &mut Turn,
    ) {
        self.answer(beat, heartbeat, link, sender, header, turn);
        let expected = self.links.get(link).and_then(|entry| entry.member);
        let own_link = expected.filter(|_| !link.is_inbound());
        if let Some(expected) = own_link {
            let introduction = self.check_introduction(expected, link, header, turn);
            if introduction == Introduction::Dismissed {
                return;
            }
            self.note_answer(beat, expected, turn);
            if introduction == Introduction::Completed {
                // HS-15: slots, epochs and gossip are taken from later packets.
                return;
            }
        }
        let Some(sender) = sender.filter(|sender| *sender != self.members.my_index()) else {
            return;
        };
        let refuses_failover = header.flags.has(NodeFlags::NOFAILOVER);
        if self.members[sender].refuses_failover != refuses_failover {
            self.members[sender].refuses_failover = refuses_failover;
        }
        // HS-10: a MEET moves nobody.
        if beat == Beat::Ping {
            self.adopt_address(sender, link, header, turn);
        }
        if self.comes_late(sender, header) {
            return;
        }
        let known_epoch = self.members[sender].config_epoch;
        self.hear_role(sender, header);
        self.hear_claim(sender, header, turn);
        self.follow_my_master(sender, known_epoch, header, turn);
        self.resolve_collision(sender, header, turn);
        self.hear_gossip(&heartbeat.gossip, Some(sender), turn);
        self.hear_extensions(sender, heartbeat, turn);
        self.retarget_replication(turn.fx);
    }

    /// DEVIATION(GO-20): whether a master said this before it got its configEpoch, for its clock is
    /// never below that. What it said as a replica and comes late, from a cut link, would give its
    /// slots to its predecessor; Redis 8 leaves the slots alone as well.
    fn comes_late(&self, sender: MemberIndex, header: &Header) -> bool {
        let member = &self.members[sender];
        let is_older = header.current_epoch.0 < member.config_epoch.0;
        is_older && member.is_master() && self.profile == Profile::Reference
    }

    /// DEVIATION(UP-10): as soon as my master says that it is a replica, as in Valkey 8: who knew
    /// the claim of its master's new master before hears no other, and would stay behind. A header
    /// from before my master was promoted may arrive late, and is no reason.
    fn follow_my_master(
        &mut self,
        sender: MemberIndex,
        known_epoch: ConfigEpoch,
        header: &Header,
        turn: &mut Turn,
    ) {
        let is_mine = self.members.me().master() == Some(sender);
        let is_present =
            header.config_epoch >= known_epoch || header.current_epoch.0 > known_epoch.0;
        let stays = self.mutant.is(Mutant::ReplicaStaysBehind);
        if is_mine && is_present && !stays && self.profile == Profile::Reference {
            self.skip_sub_replica(turn);
        }
    }

    /// GO-04: the PONG first. HS-07, HS-09, HS-14, HS-16: what PING and MEET do besides.
    fn answer(
        &mut self,
        beat: Beat,
        heartbeat: &Heartbeat,
        link: LinkId,
        sender: Option<MemberIndex>,
        header: &Header,
        turn: &mut Turn,
    ) {
        if beat == Beat::Pong {
            return;
        }
        let local_ip = self.links.get(link).and_then(|entry| entry.local_ip);
        if beat == Beat::Meet || self.members.me().address.ip.is_none() {
            self.learn_my_ip(local_ip, turn);
        }
        // BUS-23: also of a stranger, so that the PONG to its MEET is extended.
        if header.message_flags.ext_data
            && let Some(entry) = self.links.get_mut(link)
        {
            entry.speaks_extensions = true;
        }
        // BUS-33: strangers too get a PONG, gossip and all.
        self.send_beat(link, sender, Beat::Pong, turn);
        // HS-10: from an acquaintance, MEET is a PING.
        if beat == Beat::Meet && sender.is_none() {
            self.welcome(link, header, turn);
            self.hear_gossip(&heartbeat.gossip, None, turn);
        }
    }

    /// GO-06, FD-04: a PONG on our own link proves that the node is there. FD-15: nothing else
    /// does.
    fn note_answer(&mut self, beat: Beat, from: MemberIndex, turn: &mut Turn) {
        if self.members[from].greeting == Greeting::Meet {
            self.members[from].greeting = Greeting::Ping;
        }
        if beat == Beat::Pong {
            self.members.note_pong(from, turn.now);
            self.revive(from, turn);
        }
    }

    /// UP-01, UP-12: the slots of a header, if they are news.
    fn hear_claim(&mut self, sender: MemberIndex, header: &Header, turn: &mut Turn) {
        let claimant = self.members[sender].master().unwrap_or(sender);
        let is_master = self.members[sender].is_master() || self.mutant.is(Mutant::ReplicasClaim);
        if is_master && !self.slots.given.is_empty() {
            self.note_arrival(sender, &header.slots);
        }
        let is_orphan = !is_master && self.members[sender].master().is_none();
        let is_news = !is_orphan && !self.shows_slots(sender, claimant, header);
        if is_master && (is_news || self.is_reclaim(header)) {
            let claim = Claim {
                by: sender,
                epoch: header.config_epoch,
                slots: &header.slots,
            };
            self.weigh_claim(&claim, turn);
            // Most nodes learn the same set: one copy of it serves them all.
            self.shows_slots(sender, sender, header);
        }
        if is_news {
            self.answer_stale_claim(sender, header, turn);
        }
    }

    /// Whether the header shows the slots bound to the claimant. The set a master shows itself
    /// is kept where it is equal, so that the next one is known to be equal at a glance.
    fn shows_slots(&mut self, sender: MemberIndex, claimant: MemberIndex, header: &Header) -> bool {
        let known = &self.members[claimant].slots;
        if Arc::ptr_eq(known, &header.slots) {
            return true;
        }
        let is_equal = **known == *header.slots;
        if is_equal && sender == claimant {
            self.members[claimant].slots = Arc::clone(&header.slots);
        }
        is_equal
    }

    /// DEVIATION(UP-01): claiming again what was given up is news too, although the slots are the
    /// same as those bound to the sender; otherwise they would stay free for any claim (UP-02).
    fn is_reclaim(&self, header: &Header) -> bool {
        let unclaimed = &self.slots.unclaimed;
        self.profile == Profile::Reference
            && !unclaimed.is_empty()
            && !unclaimed.intersection(&header.slots).is_empty()
    }

    fn on_message(
        &mut self,
        body: &Body,
        link: LinkId,
        sender: MemberIndex,
        header: &Header,
        turn: &mut Turn,
    ) {
        match body {
            Body::Fail { failed } => {
                if let Some(failed) = failed.and_then(|id| self.members.find(id)) {
                    self.hear_fail(failed, turn);
                }
            }
            Body::Publish { channel, message } => {
                deliver(PublishKind::Global, channel, message, turn);
            }
            Body::PublishShard { channel, message } => {
                deliver(PublishKind::Sharded, channel, message, turn);
            }
            Body::AuthRequest => self.hear_vote_request(sender, header, turn),
            Body::AuthAck => self.count_vote(sender, header),
            Body::Update {
                owner,
                config_epoch,
                slots,
            } => {
                self.hear_update(*owner, *config_epoch, slots, turn);
            }
            Body::MfStart => self.hear_failover_start(sender, link, turn),
            // Heartbeats went another way; modules there are none; the unknown say nothing.
            Body::Ping(_) | Body::Pong(_) | Body::Meet(_) => {}
            Body::Module | Body::Unknown(_) => {}
        }
    }
}

/// PU-03: to local subscribers only.
fn deliver(kind: PublishKind, channel: &bytes::Bytes, message: &bytes::Bytes, turn: &mut Turn) {
    turn.fx.push(Effect::Publish {
        channel: channel.clone(),
        message: message.clone(),
        kind,
    });
}
