//! Which losses of acknowledged writes the documentation allows, and when a slot was unsettled.
//!
//! Redis Cluster replicates asynchronously: a failover may lose writes, but only certain ones. For
//! an acknowledged write that is missing, [`Windows::excuse`] names the documented window it falls
//! into (HI-04 to HI-08) or none, and then it is a violation of HI-03. A manual failover has no
//! window (MF-01). Bounds are those of the catalogue, not fixed times.
//!
//! [`Windows::unsettled`] gives the times in which a slot's register may legally step back, so that
//! linearizability is demanded before and after, not across.

use super::timeline::{Cause, Cut, Failover, Timeline};
use crate::history::Operation;
use crate::observation::ownership::Takeover;
use crate::observation::slots::slot_of_key;
use crate::observation::{Bounds, NodeId, NodeName, Setting};

/// A documented window for losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// The master failed before it had passed the write on.
    MasterCrash,
    /// The master was cut off and had not noticed yet.
    Isolation,
    /// The client still believed a deposed master that had just come back.
    StaleRouter,
    /// The master came back empty before anybody missed it.
    EmptyRestart,
    /// The master answered its backlog after a pause, not knowing that it was deposed.
    Pause,
    /// An operator ordered a failover that does not wait for the master's last writes.
    Forced,
}

impl Window {
    /// Its clause.
    pub fn clause(self) -> &'static str {
        match self {
            // MF-03: like a crash of the master, by order.
            Window::MasterCrash | Window::Forced => "HI-04",
            Window::Isolation => "HI-05",
            Window::StaleRouter => "HI-06",
            Window::EmptyRestart => "HI-07",
            Window::Pause => "HI-08",
        }
    }

    /// What it is called in a verdict.
    pub fn name(self) -> &'static str {
        match self {
            Window::MasterCrash => "not yet replicated when the master failed",
            Window::Isolation => "acknowledged by a master cut off",
            Window::StaleRouter => "acknowledged by a deposed master after the heal",
            Window::EmptyRestart => "on a master that came back without data",
            Window::Pause => "acknowledged by a deposed master after its pause",
            Window::Forced => "not yet replicated when a failover was forced",
        }
    }
}

/// An answer of a node that has lost the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// It could not know better, or not yet.
    Excused,
    /// It should have known for long.
    Unexcused {
        /// When it lost the slot, ns.
        since: u64,
    },
}

/// A time in which what a slot holds may step back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsettled {
    /// Begin, ns.
    pub begin: u64,
    /// End, ns; `u64::MAX` if it was never seen to end.
    pub end: u64,
}

/// The windows of one run.
#[derive(Debug)]
pub struct Windows<'a> {
    timeline: &'a Timeline,
    bounds: Bounds,
    packets_lost: u64,
    node_count: usize,
    /// Whether a write is in the append-only file before it is acknowledged (DU-05).
    is_data_kept: bool,
}

impl<'a> Windows<'a> {
    /// The windows that follow from this timeline.
    pub fn new(timeline: &'a Timeline, setting: &Setting) -> Windows<'a> {
        Windows {
            timeline,
            bounds: Bounds::of(setting),
            packets_lost: setting.bus_packets_lost,
            node_count: setting.nodes.len(),
            is_data_kept: setting.config.get("appendonly") == Some("yes")
                && setting.config.get("appendfsync") == Some("always"),
        }
    }

    /// The window that allows this acknowledged write to be lost.
    pub fn excuse(&self, write: &Operation) -> Option<Window> {
        let slot = slot_of_key(write.key.as_bytes());
        self.excuse_deposed(write, slot)
            .or_else(|| self.excuse_failover(write, slot))
            .or_else(|| self.excuse_restart(write, slot))
    }

    /// HI-11: whether who answered had lost the slot, and what excuses it.
    pub fn stale(&self, operation: &Operation) -> Option<Stale> {
        let node = operation.node.as_ref()?;
        let slot = slot_of_key(operation.key.as_bytes());
        if !self.is_deposed(node, slot, operation.completed) {
            return None;
        }
        let ownership = &self.timeline.ownership;
        let losses = self.takeovers_of(slot).map(|(takeover, _)| takeover);
        let mut losses = losses.filter(|takeover| takeover.time <= operation.completed);
        let since = losses
            .rfind(|takeover| ownership.name(&takeover.from) == Some(node))?
            .time;
        let is_news = operation.invoked <= since.saturating_add(self.bounds.maps_equal());
        let is_excused = is_news || self.excuse_deposed(operation, slot).is_some();
        Some(match is_excused {
            true => Stale::Excused,
            false => Stale::Unexcused { since },
        })
    }

    /// HI-05, HI-06, HI-08: served by a node that no longer owned the slot.
    fn excuse_deposed(&self, write: &Operation, slot: u16) -> Option<Window> {
        let node = write.node.as_ref()?;
        if !self.is_deposed(node, slot, write.completed) {
            return None;
        }
        let bounds = &self.bounds;
        let cuts = || self.timeline.cuts.values().filter(|cut| cut.touches(node));
        // HI-05: until T_pfail after the cut, later if the node was paused meanwhile (R4).
        let is_isolated = |cut: &Cut| {
            write.completed >= cut.begun && write.completed <= self.isolation_end(cut, node)
        };
        if cuts().any(is_isolated) {
            return Some(Window::Isolation);
        }
        if cuts().any(|cut| self.is_apart_from_heir(cut, node, slot, write)) {
            return Some(Window::Isolation);
        }
        // HI-08: commands of the backlog, until the first cron after SIGCONT.
        let pauses = self.timeline.pauses.get(node).into_iter().flatten();
        let after_pause = |pause: &&(u64, u64)| {
            let end = pause.1.saturating_add(bounds.slack + bounds.instant());
            write.completed >= pause.0 && write.invoked <= end
        };
        if pauses.clone().any(|pause| after_pause(&pause)) {
            return Some(Window::Pause);
        }
        // HI-08: who halts at every sync is paused many times over.
        if self.is_stalled_after_loss(node, slot, write) {
            return Some(Window::Pause);
        }
        // HI-06: after the heal, until the new configuration must have arrived.
        let heals = cuts().map(|cut| cut.healed);
        let outages = self
            .timeline
            .outages
            .iter()
            .filter(|outage| outage.node == *node);
        let returns = heals.chain(outages.map(|outage| outage.restarted));
        let is_stale = |back: u64| {
            back <= write.completed && write.invoked <= back.saturating_add(bounds.maps_equal())
        };
        returns
            .into_iter()
            .any(is_stale)
            .then_some(Window::StaleRouter)
    }

    /// HI-04, HI-05, HI-08: the owner failed over to a replica that may not have had the write.
    fn excuse_failover(&self, write: &Operation, slot: u16) -> Option<Window> {
        let instant = self.bounds.instant();
        // Who waited for replicas as well may have had the write acknowledged long before.
        let acknowledged = match write.replicas {
            Some(_) => write.invoked,
            None => write.completed,
        };
        let later = self.takeovers_of(slot);
        let losing = later.filter(|(takeover, failover)| {
            takeover.time.saturating_add(instant) >= acknowledged
                && self.may_lose(takeover, failover)
                && !self.is_on_all_replicas(takeover, write)
                && failover.retained <= write.completed.saturating_add(instant)
        });
        losing
            .map(|(takeover, _)| self.window_of(takeover, write))
            .next()
    }

    /// HI-07: the owner came back before a failover, and its data need not have; DU-05: it must
    /// have, if it was on disk before each reply.
    fn excuse_restart(&self, write: &Operation, slot: u16) -> Option<Window> {
        if self.is_data_kept {
            return None;
        }
        let instant = self.bounds.instant();
        let is_empty_restart = |outage: &super::timeline::Outage| {
            outage.ended.saturating_add(instant) >= write.completed
                && outage.restarted < u64::MAX
                && self
                    .owner_at(slot, outage.ended)
                    .is_none_or(|owner| *owner == outage.node)
                && self.owner_at(slot, outage.restarted) == self.owner_at(slot, outage.ended)
        };
        let mut outages = self.timeline.outages.iter();
        outages
            .any(is_empty_restart)
            .then_some(Window::EmptyRestart)
    }

    fn may_lose(&self, takeover: &Takeover, failover: &Failover) -> bool {
        match failover.cause {
            Cause::Manual | Cause::Unasked if self.timeline.is_forced(takeover) => true,
            // MF-01: a manual failover loses nothing.
            Cause::Manual => false,
            Cause::Unasked => self.packets_lost > 0,
            Cause::Automatic => true,
        }
    }

    /// HI-12: WAIT said that every replica the owner ever had acknowledged the write, and none of
    /// them lost its memory before the takeover; then the one that took over had it.
    fn is_on_all_replicas(&self, takeover: &Takeover, write: &Operation) -> bool {
        let ownership = &self.timeline.ownership;
        let Some(acknowledged) = write.replicas else {
            return false;
        };
        let replicas: Vec<&NodeId> = self.timeline.followers(&takeover.from).collect();
        let kept_memory = |replica: &&NodeId| {
            let name = ownership.name(replica);
            !self.timeline.outages.iter().any(|outage| {
                Some(&outage.node) == name
                    && outage.restarted >= write.invoked
                    && outage.ended <= takeover.time
            })
        };
        acknowledged as usize >= replicas.len()
            && replicas.contains(&&takeover.to)
            && replicas.iter().all(kept_memory)
            && write.node.is_some()
            && write.node.as_ref() == ownership.name(&takeover.from)
    }

    fn window_of(&self, takeover: &Takeover, write: &Operation) -> Window {
        if self.timeline.is_forced(takeover) {
            return Window::Forced;
        }
        let Some(owner) = self.timeline.ownership.name(&takeover.from) else {
            return Window::MasterCrash;
        };
        let since = takeover.time.saturating_sub(2 * self.bounds.promoted());
        let is_cut = |cut: &Cut| {
            cut.touches(owner)
                && cut.begun <= takeover.time
                && cut.healed >= since
                && cut.begun <= write.completed
        };
        let ended = self.timeline.outages.iter().any(|outage| {
            outage.node == *owner && outage.ended <= takeover.time && outage.restarted >= since
        });
        let is_isolated = self.timeline.cuts.values().any(is_cut);
        match (ended, is_isolated) {
            (false, true) => Window::Isolation,
            (true, _) | (false, false) => Window::MasterCrash,
        }
    }

    /// HI-05: when a master that was cut off must have stopped acknowledging writes.
    fn isolation_end(&self, cut: &Cut, node: &NodeName) -> u64 {
        let mut bound = self.bounds.suspected();
        if cut.is_one_way(node) {
            // What still arrives on links half cut keeps its timers fresh until they are dropped.
            bound += 2 * self.bounds.node_timeout;
        }
        let pauses = self.timeline.pauses.get(node).into_iter().flatten();
        let paused: u64 = pauses
            .filter(|pause| pause.1 >= cut.begun && pause.0 <= cut.installed + bound)
            .map(|pause| pause.1.saturating_sub(pause.0))
            .fold(0, u64::saturating_add);
        cut.installed.saturating_add(bound).saturating_add(paused)
    }

    /// HI-05: who is cut from its successor, but not from half of the nodes, hears of it from
    /// others: as late as after a heal.
    fn is_apart_from_heir(&self, cut: &Cut, node: &NodeName, slot: u16, write: &Operation) -> bool {
        let is_in_force = cut.begun <= write.completed && write.invoked <= cut.healed;
        if !is_in_force || 2 * cut.peers(node) >= self.node_count {
            return false;
        }
        let taken = self.takeovers_of(slot).map(|(takeover, _)| takeover);
        let mut lately = taken.filter(|takeover| {
            let told = takeover.time.saturating_add(self.bounds.maps_equal());
            takeover.time <= write.completed && write.invoked <= told
        });
        lately.any(|takeover| {
            let heir = self.timeline.ownership.name(&takeover.to);
            heir.is_some_and(|heir| cut.is_between(node, heir))
        })
    }

    /// Whether the disk kept this node from hearing that it had lost the slot just before.
    fn is_stalled_after_loss(&self, node: &NodeName, slot: u16, write: &Operation) -> bool {
        let mut stalls = self.timeline.stalls.get(node).into_iter().flatten();
        let is_stalled = stalls.any(|stall| {
            let end = stall
                .1
                .saturating_add(self.bounds.slack + self.bounds.instant());
            write.completed >= stall.0 && write.invoked <= end
        });
        is_stalled && self.is_lost_lately(slot, write)
    }

    /// Whether somebody took the slot so shortly before this write was sent that not everybody can
    /// have heard of it.
    fn is_lost_lately(&self, slot: u16, write: &Operation) -> bool {
        let mut taken = self.takeovers_of(slot).map(|(takeover, _)| takeover);
        taken.any(|takeover| {
            let told = takeover.time.saturating_add(self.bounds.maps_equal());
            takeover.time <= write.completed && write.invoked <= told
        })
    }

    fn is_deposed(&self, node: &NodeName, slot: u16, time: u64) -> bool {
        let soon = time.saturating_add(self.bounds.instant());
        let owners = [self.owner_at(slot, time), self.owner_at(slot, soon)];
        owners
            .iter()
            .all(|owner| owner.is_some_and(|owner| owner != node))
    }

    fn takeovers_of(
        &self,
        slot: u16,
    ) -> impl DoubleEndedIterator<Item = (&'a Takeover, &'a Failover)> {
        let all = self
            .timeline
            .ownership
            .takeovers()
            .iter()
            .zip(&self.timeline.failovers);
        all.filter(move |(takeover, _)| takeover.slots.contains(slot))
    }

    /// Who owned a slot at a time, as far as takeovers tell.
    fn owner_at(&self, slot: u16, time: u64) -> Option<&'a NodeName> {
        let ownership = &self.timeline.ownership;
        let before = self
            .takeovers_of(slot)
            .take_while(|(takeover, _)| takeover.time <= time);
        let id = match before.last() {
            Some((takeover, _)) => &takeover.to,
            None => match self.takeovers_of(slot).next() {
                Some((first, _)) => &first.from,
                None => {
                    let mut claims = ownership.claims().iter();
                    return claims
                        .find(|claim| claim.slots.contains(slot))
                        .map(|c| &c.name);
                }
            },
        };
        ownership.name(id)
    }

    /// The times in which what this slot holds may step back, in order and apart.
    pub fn unsettled(&self, slot: u16) -> Vec<Unsettled> {
        let mut spans: Vec<Unsettled> = self
            .takeovers_of(slot)
            .map(|(takeover, failover)| self.span_of(takeover, failover, slot))
            .collect();
        for outage in &self.timeline.outages {
            // Whoever owned the slot may have come back without its data (HI-07).
            if self.owner_at(slot, outage.ended) == Some(&outage.node) {
                spans.push(Unsettled {
                    begin: outage.ended.saturating_sub(self.bounds.instant()),
                    end: outage.restarted.saturating_add(self.bounds.instant()),
                });
            }
        }
        merged(spans, self.bounds.instant())
    }

    /// The same for reads of replicas: until they are in step with the owner again (H_state).
    pub fn unsettled_at_replicas(&self, slot: u16) -> impl Iterator<Item = Unsettled> {
        let late = self.bounds.state_ok();
        let spans = self.unsettled(slot).into_iter();
        spans.map(move |span| Unsettled {
            end: span.end.saturating_add(late),
            ..span
        })
    }

    fn span_of(&self, takeover: &Takeover, failover: &Failover, slot: u16) -> Unsettled {
        let instant = self.bounds.instant();
        let begin = match self.may_lose(takeover, failover) {
            false => takeover.time,
            true => self.first_cause(takeover).min(failover.retained),
        };
        Unsettled {
            begin: begin.saturating_sub(instant),
            end: self.last_claim(takeover, slot).saturating_add(instant),
        }
    }

    /// When the trouble began that led to this takeover: the earliest fault still in force shortly
    /// before it.
    fn first_cause(&self, takeover: &Takeover) -> u64 {
        let since = takeover.time.saturating_sub(2 * self.bounds.promoted());
        let cuts = self
            .timeline
            .cuts
            .values()
            .map(|cut| (cut.begun, cut.healed));
        let pauses = self.timeline.pauses.values().flatten().copied();
        let outages = self
            .timeline
            .outages
            .iter()
            .map(|out| (out.ended, out.restarted));
        let recent = cuts.chain(pauses).chain(outages);
        let in_force = recent.filter(|(begin, end)| *end >= since && *begin <= takeover.time);
        in_force
            .map(|(begin, _)| begin)
            .min()
            .unwrap_or(takeover.time)
    }

    /// Until when the deposed owner may have served the slot: its first packet after the takeover
    /// that no longer claims it; the takeover, if it was dead for good.
    fn last_claim(&self, takeover: &Takeover, slot: u16) -> u64 {
        let claims = self.timeline.ownership.claims();
        let own = || claims.iter().filter(|claim| claim.id == takeover.from);
        let at_takeover = own().rfind(|claim| claim.time <= takeover.time);
        if at_takeover.is_some_and(|claim| !claim.slots.contains(slot)) {
            return takeover.time;
        }
        let renounced = own()
            .find(|claim| claim.time > takeover.time && !claim.slots.contains(slot))
            .map(|claim| claim.time);
        let name = self.timeline.ownership.name(&takeover.from);
        let is_gone = self.timeline.outages.iter().any(|outage| {
            Some(&outage.node) == name
                && outage.ended <= takeover.time
                && outage.restarted == u64::MAX
        });
        match (renounced, is_gone) {
            (Some(time), _) => time,
            (None, true) => takeover.time,
            (None, false) => u64::MAX,
        }
    }
}

/// Joins spans that overlap or nearly touch.
fn merged(mut spans: Vec<Unsettled>, gap: u64) -> Vec<Unsettled> {
    spans.sort_by_key(|span| span.begin);
    let mut apart: Vec<Unsettled> = Vec::new();
    for span in spans {
        match apart.last_mut() {
            Some(last) if span.begin <= last.end.saturating_add(gap) => {
                last.end = last.end.max(span.end);
            }
            Some(_) | None => apart.push(span),
        }
    }
    apart
}
