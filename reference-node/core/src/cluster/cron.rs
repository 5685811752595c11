//! The room's clockwork: the tick every 100 ms, what is due earlier, and the end of a turn.
//!
//! Ticks in which nothing can be due are not waited for: most of an idle node's time goes into
//! waking up. The others stay where they would have been, so nobody can tell from outside.
//!
//! Clauses: GO-01 to GO-03, GO-15, FD-21, ST-05, ST-06, EL-01, MF-08,
//! PS-15, BUS-10, CF-06, CF-12, CF-13, CF-14.

use std::net::IpAddr;

use super::election::ElectionStage;
use super::manual_failover::ManualFailover;
use super::members::{Address, Mark, MemberIndex};
use super::turn::Turn;
use super::{Cluster, Effect, Profile};
use crate::bus::ext::is_valid_name;
use crate::config::Config;
use crate::output::{LogLevel, Output};
use crate::time::Millis;

/// One tick (GO-01).
const TICK: Millis = Millis(100);
/// GO-02: ticks from one random ping to the next.
const TICKS_PER_RANDOM_PING: u64 = 10;
/// What every election waits at least, whatever the node timeout.
const ELECTION_DELAY_MIN: Millis = Millis(500);

/// What the clockwork keeps between turns.
#[derive(Debug, Clone, Default)]
pub(super) struct Clockwork {
    next_tick: Millis,
    last_tick: Millis,
    woken_at: Millis,
    seen_at: Millis,
    ticks: u64,
    /// This turn had a tick.
    has_ticked: bool,
    /// Something happened, other than heartbeats that said nothing new: the next tick is needed.
    pub is_stirred: bool,
    /// Number of PFAIL nodes at the last tick (GO-09).
    pub suspects: usize,
    /// Somebody else's routing may be stale: tell at the end of the turn.
    pub slots_changed: bool,
    /// `cluster-announce-ip`, parsed.
    pub announced_ip: Option<IpAddr>,
    announced_text: String,
}

impl Clockwork {
    /// A clockwork whose first tick is due at once.
    pub fn new(now: Millis) -> Clockwork {
        Clockwork {
            next_tick: now,
            last_tick: now,
            seen_at: now,
            ..Clockwork::default()
        }
    }
}

impl Cluster {
    pub(super) fn next_due(&self) -> Millis {
        let election = match self.election.stage {
            ElectionStage::Waiting { .. } => self.election.start_at,
            ElectionStage::Idle | ElectionStage::Asked { .. } => None,
        };
        // One that is due already has had its look.
        let ahead = election.filter(|at| *at > self.clockwork.woken_at);
        ahead.map_or(self.clockwork.next_tick, |at| {
            at.min(self.clockwork.next_tick)
        })
    }

    /// DEVIATION(ST-05): a master that was away for longer than the node timeout may have been
    /// replaced; it serves again only after the others had time to say so (HI-08 of part C).
    pub(super) fn notice_pause(&mut self, turn: &mut Turn) {
        let away = turn.now.since(self.clockwork.seen_at);
        self.clockwork.seen_at = turn.now;
        let may_be_replaced = self.members.me().is_master() && self.state.size() > 1;
        // No replica stands for election sooner than this (EL-05).
        let soonest = turn.node_timeout().max(ELECTION_DELAY_MIN);
        let is_long = away > soonest && self.profile == Profile::Reference;
        if is_long && may_be_replaced && self.is_ok() {
            let text = format!("I was away for {} ms: not serving for now.", away.0);
            turn.log(LogLevel::Warning, text);
            self.state.distrust(turn.now);
            self.clockwork.slots_changed = true;
        }
    }

    pub(super) fn wake(&mut self, turn: &mut Turn) {
        self.notice_pause(turn);
        self.clockwork.woken_at = turn.now;
        if turn.now >= self.clockwork.next_tick {
            self.tick(turn);
        } else {
            self.pending.run_election = true;
        }
    }

    fn tick(&mut self, turn: &mut Turn) {
        let slept = turn.now.since(self.clockwork.last_tick);
        self.clockwork.last_tick = turn.now;
        self.clockwork.has_ticked = true;
        self.clockwork.ticks += (slept.0 / TICK.0).clamp(1, self.ticks_to_random_ping());
        self.refresh_myself(turn.config);
        let is_anyone_new = self.members.count(Mark::Stranger) > 0;
        let is_link_missing = self.members.count(Mark::Linkless) > 0;
        if is_anyone_new {
            self.expire_handshakes(turn);
        }
        if is_link_missing {
            self.open_missing_links(turn);
        }
        // GO-02: once a second.
        if self.clockwork.ticks.is_multiple_of(TICKS_PER_RANDOM_PING) {
            self.ping_random(turn);
        }
        // Who has no answer, or no ping, for half the node timeout: mostly nobody.
        let late = self.late(turn);
        self.refresh_links(&late, turn);
        self.ping_overdue(&late, turn);
        self.ping_failing_over(turn);
        // FD-21: after a pause of our own the silence may be ours; what came in is read first.
        if slept.0.saturating_mul(2) <= turn.node_timeout().0.max(TICK.0 * 4) {
            self.suspect_silent(&late, turn);
        }
        self.retarget_replication(turn.fx);
        if !self.slots.given.is_empty() {
            self.take_back_what_was_lost(turn);
        }
        self.pending.run_election = true;
        if self.is_replica() {
            self.migrate_replica(turn);
        }
        // ST-06: while it is fail, every tick may end it.
        self.pending.evaluate_state |= !self.state.is_ok();
    }

    /// Who has no answer, or no ping, for half the node timeout: mostly nobody.
    pub(super) fn late(&mut self, turn: &Turn) -> Vec<MemberIndex> {
        self.members
            .late(turn.now, Millis(turn.node_timeout().0 / 2))
    }

    fn ticks_to_random_ping(&self) -> u64 {
        TICKS_PER_RANDOM_PING - self.clockwork.ticks % TICKS_PER_RANDOM_PING
    }

    /// The next tick at which anything can be due.
    fn next_needed_tick(&mut self, turn: &Turn) -> Millis {
        let last = self.clockwork.last_tick;
        if self.needs_every_tick() {
            return last + TICK;
        }
        let timeout = turn.node_timeout();
        // GO-03, GO-15: the first ping that is due, or that has gone unanswered for as long.
        let due = self.members.oldest_contact() + Millis(timeout.0 / 2 + 1);
        let ticks = due.since(last).0.div_ceil(TICK.0);
        // FD-21, HI-08: sleep must not look like a pause.
        let ticks_max = timeout.0.max(TICK.0 * 4) / 4 / TICK.0;
        let ticks = ticks.min(ticks_max).min(self.ticks_to_random_ping());
        last + Millis(ticks.max(1) * TICK.0)
    }

    /// Whether something is under way that is looked at in every tick.
    fn needs_every_tick(&mut self) -> bool {
        let awaited = [
            Mark::Stranger,
            Mark::Unwell,
            Mark::Orphaned,
            Mark::Unreached,
        ];
        let roll = self.members.roll();
        let is_anyone_awaited = awaited.iter().any(|mark| roll.count(*mark) > 0);
        is_anyone_awaited
            || !self.state.is_ok()
            || !matches!(self.manual, ManualFailover::None)
            || !matches!(self.election.stage, ElectionStage::Idle)
            || !self.slots.given.is_empty()
    }

    fn arrange_tick(&mut self, turn: &Turn) {
        let is_stirred = std::mem::take(&mut self.clockwork.is_stirred);
        if std::mem::take(&mut self.clockwork.has_ticked) {
            self.clockwork.next_tick = self.next_needed_tick(turn);
        } else if is_stirred {
            let last = self.clockwork.last_tick;
            let ticks = turn.now.since(last).0 / TICK.0 + 1;
            let next = last + Millis(ticks * TICK.0);
            self.clockwork.next_tick = self.clockwork.next_tick.min(next);
        }
        // A clock that stepped back must not silence the tick.
        let longest = Millis(TICK.0 * TICKS_PER_RANDOM_PING);
        if self.clockwork.next_tick.since(turn.now) > longest {
            self.clockwork.last_tick = turn.now;
            self.clockwork.next_tick = turn.now + TICK;
        }
    }

    /// GO-03: nobody stays unheard for more than half the node timeout.
    pub(super) fn ping_overdue(&mut self, late: &[MemberIndex], turn: &Turn) {
        for index in late.iter().copied() {
            let member = &self.members[index];
            let is_askable = member.is_known() && !member.is_without_address;
            if is_askable && member.outbound.is_some() && member.ping_sent.is_none() {
                self.ping(index, turn);
            }
        }
    }

    /// GO-15: a link that brings no answer is made anew; the ping keeps its time.
    pub(super) fn refresh_links(&mut self, late: &[MemberIndex], turn: &mut Turn) {
        let (now, timeout) = (turn.now, turn.node_timeout());
        for index in late.iter().copied() {
            let member = &self.members[index];
            let is_old = |created_at: Millis| now.since(created_at) > timeout;
            let data_received = member.data_received.unwrap_or_default();
            if member.outbound.is_some_and(|link| is_old(link.created_at))
                && member.ping_sent.is_some()
                && now.since(data_received) > Millis(timeout.0 / 2)
            {
                self.close_outbound(index, turn);
            }
        }
    }

    /// CF-06, CF-12 to CF-14: what this node says about itself follows the settings.
    pub(super) fn refresh_myself(&mut self, config: &Config) {
        if self.clockwork.announced_text != config.cluster_announce_ip {
            self.clockwork
                .announced_text
                .clone_from(&config.cluster_announce_ip);
            self.clockwork.announced_ip = config.cluster_announce_ip.parse().ok();
            // CF-12: clearing it blanks the address until it is learnt again.
            self.members.me_mut().address.ip = self.clockwork.announced_ip;
        }
        let address = Address {
            port: or_else(config.cluster_announce_port, config.port),
            bus_port: or_else(config.cluster_announce_bus_port, config.bus_port()),
            ..self.members.me().address
        };
        let me = self.members.me();
        let is_as_set = me.address == address
            && me.refuses_failover == config.cluster_replica_no_failover
            && me.hostname == config.cluster_announce_hostname;
        if is_as_set {
            return;
        }
        let me = self.members.me_mut();
        me.refuses_failover = config.cluster_replica_no_failover;
        me.address = address;
        if me.hostname != config.cluster_announce_hostname
            && is_valid_name(config.cluster_announce_hostname.as_bytes())
        {
            me.hostname.clone_from(&config.cluster_announce_hostname);
        }
    }

    /// Carries out what was flagged, then nodes.conf, then the packets (BUS-10, PS-15).
    pub(super) fn end_turn(&mut self, turn: &mut Turn) {
        self.clockwork.is_stirred |= self.pending.is_any() || self.clockwork.slots_changed;
        // MF-08: the awaited byte may just have been applied.
        let is_catching_up = matches!(self.manual, ManualFailover::CatchingUp { .. });
        if std::mem::take(&mut self.pending.run_election) || is_catching_up {
            self.run_manual_failover(turn);
            self.run_election(turn);
        }
        if std::mem::take(&mut self.pending.evaluate_state) {
            self.evaluate_state(turn);
        }
        if std::mem::take(&mut self.pending.tell_open_slots) {
            self.tell_open_slots(turn);
        }
        if std::mem::take(&mut self.clockwork.slots_changed) {
            turn.fx.push(Effect::SlotsChanged);
        }
        if let Some(durability) = self.pending.save.take() {
            turn.persist(self.nodes_conf(), durability);
        }
        for (link, packet) in self.pending.packets.drain(..) {
            turn.ask(Output::SendPacket { link, packet });
        }
        self.arrange_tick(turn);
    }
}

fn or_else(announced: u16, own: u16) -> u16 {
    if announced == 0 { own } else { announced }
}
