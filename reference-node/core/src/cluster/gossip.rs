//! Gossip: what heartbeats say about third nodes, and what is made of it.
//!
//! Selecting what to tell (GO-07 to GO-09, GO-25, BUS-31) and believing what is told (GO-10 to
//! GO-12, FD-05, FD-06, HS-09). Marks of failure are decided in `failure`.

use super::failure::Word;
use super::handshake::{health_of, role_of};
use super::members::{Address, Health, LinkPhase, Mark, Member, MemberIndex, Stage};
use super::turn::Turn;
use super::{Cluster, Profile};
use crate::bus::packet::{Gossip, NodeFlags};
use crate::mutants::Mutant;
use crate::output::{Durability, LogLevel};
use crate::time::Millis;

/// Who was drawn already, for one heartbeat after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Drawn {
    round: u16,
    /// The last round in which each member was drawn; in few bytes, as each draw comes here.
    rounds: Vec<u16>,
}

impl Drawn {
    fn begin(&mut self) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.rounds.fill(0);
            self.round = 1;
        }
    }

    /// Whether this one is drawn for the first time in this round.
    fn is_first(&mut self, index: MemberIndex) -> bool {
        let place = usize::from(index.number());
        if place >= self.rounds.len() {
            self.rounds.resize(place + 1, 0);
        }
        std::mem::replace(&mut self.rounds[place], self.round) != self.round
    }
}

impl Cluster {
    /// The entries for a heartbeat to a node; none is about this node.
    pub(super) fn gossip_for(&mut self, to: Option<MemberIndex>) -> Vec<Gossip> {
        let known = self.members.len();
        // GO-07: a tenth of the nodes, at least 3; not the two ends of the link.
        let wanted = (known / 10).max(3).min(known.saturating_sub(2));
        let mut entries = self.recycled.list();
        entries.reserve(wanted);
        self.drawn.begin();
        // Takes in what has changed, so that the marks below are those of now.
        self.members.roll();
        for _ in 0..wanted * 3 {
            if entries.len() == wanted {
                break;
            }
            let index = self.members.random(&mut self.rng);
            // DEVIATION(GO-08): nothing about the receiver, as 7.4 does: it knows better.
            let is_receiver = Some(index) == to && self.profile == Profile::Reference;
            let is_told = !is_receiver && self.members.has(index, Mark::Tellable);
            if is_told && self.drawn.is_first(index) {
                entries.push(self.members.gossip(index));
            }
        }
        // GO-09, FD-19: every suspect, at once.
        if self.clockwork.suspects > 0 && !self.mutant.is(Mutant::SuspectsNotTold) {
            let suspects = self.members.marked(Mark::Suspect).into_iter();
            let told = suspects.filter(|index| is_tellable(&self.members[*index]));
            let counted = told.take(self.clockwork.suspects);
            entries.extend(counted.map(|index| self.members.gossip(index)));
        }
        entries
    }

    /// Takes in the entries of one heartbeat; the sender is none if it is unknown (HS-09).
    pub(super) fn hear_gossip(
        &mut self,
        entries: &[Gossip],
        sender: Option<MemberIndex>,
        turn: &mut Turn,
    ) {
        self.members.roll();
        for entry in entries {
            let about = self.members.find(entry.id);
            let heard_at = Millis(u64::from(entry.pong_received_s) * 1000);
            let is_settled = word_of(entry) == Word::Alive
                && about.is_some_and(|about| self.members.vouch(about, heard_at, turn.now));
            if is_settled {
                continue;
            }
            match about {
                Some(about) => self.hear_about(about, entry, sender, turn),
                None if sender.is_some() => self.hear_of_stranger(entry, turn),
                None => {}
            }
        }
    }

    fn hear_about(
        &mut self,
        about: MemberIndex,
        entry: &Gossip,
        sender: Option<MemberIndex>,
        turn: &mut Turn,
    ) {
        if about == self.members.my_index() {
            return;
        }
        let word = word_of(entry);
        if let Some(sender) = sender {
            self.hear_report(about, sender, word, turn);
        }
        if word == Word::Alive && entry.flags.0 & NodeFlags::NOADDR == 0 {
            self.hear_address(about, entry, turn);
        }
        if word == Word::Alive {
            self.hear_pong(about, entry, turn);
        }
    }

    /// GO-10: others vouch for a node, so it need not be pinged that soon.
    fn hear_pong(&mut self, about: MemberIndex, entry: &Gossip, turn: &Turn) {
        self.expire_reports(about, turn);
        let member = &self.members[about];
        let heard_at = Millis(u64::from(entry.pong_received_s) * 1000);
        let is_plausible = heard_at <= turn.now + Millis(500);
        let is_idle = member.ping_sent.is_none() && member.reports.is_empty();
        if is_idle && is_plausible && Some(heard_at) > member.pong_received {
            self.members[about].pong_received = Some(heard_at);
        }
    }

    /// GO-11: a node that I cannot reach is alive elsewhere.
    fn hear_address(&mut self, about: MemberIndex, entry: &Gossip, turn: &mut Turn) {
        let told = Address {
            ip: entry.ip,
            port: entry.port,
            bus_port: entry.bus_port,
            second_port: entry.second_port,
        };
        let member = &self.members[about];
        let is_elsewhere = member.address.ip != told.ip
            || member.address.port != told.port
            || member.address.bus_port != told.bus_port;
        if member.health == Health::Alive || told.ip.is_none() || !is_elsewhere {
            return;
        }
        let member = &mut self.members[about];
        member.address = told;
        member.is_without_address = false;
        self.close_outbound(about, turn);
        self.pending.save(Durability::Buffered);
    }

    /// GO-12, HS-17: a node learnt from others is known at once, by its real id, and is pinged, not
    /// met.
    fn hear_of_stranger(&mut self, entry: &Gossip, turn: &mut Turn) {
        let untellable = NodeFlags::NOADDR | NodeFlags::HANDSHAKE | NodeFlags::MYSELF;
        let is_adoptable = entry.flags.0 & untellable == 0 && entry.ip.is_some();
        let is_forgotten = self.blacklist.contains(entry.id, turn.now)
            && !self.mutant.is(Mutant::ForgetsForAMoment);
        if !is_adoptable || is_forgotten {
            return;
        }
        let role = role_of(entry.flags);
        let mut member = Member::new(entry.id, role, turn.now, self.no_slots.clone());
        member.health = health_of(entry.flags, turn.now);
        member.refuses_failover = entry.flags.has(NodeFlags::NOFAILOVER);
        member.is_migration_target = entry.flags.has(NodeFlags::MIGRATE_TO);
        member.address = Address {
            ip: entry.ip,
            port: entry.port,
            bus_port: entry.bus_port,
            second_port: entry.second_port,
        };
        if self.members.add(member).is_some() {
            turn.log(
                LogLevel::Debug,
                format!("node {} learnt by gossip", entry.id),
            );
            self.pending.save(Durability::Buffered);
        }
    }

    /// GO-02: every tenth tick, the least recently heard of five random nodes is pinged.
    pub(super) fn ping_random(&mut self, turn: &Turn) {
        let mut oldest: Option<MemberIndex> = None;
        for _ in 0..5 {
            let index = self.members.random(&mut self.rng);
            let member = &self.members[index];
            let is_open = member
                .outbound
                .is_some_and(|link| link.phase == LinkPhase::Open);
            let is_idle = is_open && member.ping_sent.is_none();
            // BUS-34: who knows nobody draws itself, and says nothing.
            if index == self.members.my_index() || !is_idle || member.stage == Stage::Handshake {
                continue;
            }
            let heard = |index: MemberIndex| self.members[index].pong_received;
            if oldest.is_none_or(|other| heard(index) < heard(other)) {
                oldest = Some(index);
            }
        }
        if let Some(index) = oldest {
            self.ping(index, turn);
        }
    }
}

fn word_of(entry: &Gossip) -> Word {
    match entry.flags.0 & (NodeFlags::FAIL | NodeFlags::PFAIL) {
        0 => Word::Alive,
        _ => Word::Failing,
    }
}

/// BUS-31: never about nodes in handshake or without address.
fn is_tellable(member: &Member) -> bool {
    member.is_known() && !member.is_without_address && member.address.ip.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_can_be_drawn_once_in_each_round_however_many_there_are() {
        let mut drawn = Drawn::default();
        let (often, seldom) = (MemberIndex::from_number(3), MemberIndex::from_number(1));
        for round in 0..150_000 {
            drawn.begin();
            assert!(drawn.is_first(often), "round {round}");
            assert!(!drawn.is_first(often), "round {round}");
            if round % 65_535 == 7 {
                assert!(drawn.is_first(seldom), "round {round}");
            }
        }
    }
}
