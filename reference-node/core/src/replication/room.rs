//! The room itself: both sides, and what happens between them.

use std::collections::VecDeque;

use bytes::Bytes;

use super::handover::{Demand, Verdict};
use super::history::History;
use super::loading::Loading;
use super::primary::Replicas;
use super::replica::{Follower, LinkError, LinkState, MasterAddress, Progress};
use super::reports::SyncCounts;
use super::stream::{Received, put_command};
use super::{ReplId, ReplOffset};
use crate::config::Config;
use crate::ids::{ClientId, UpstreamId};
use crate::keyspace::Entry;
use crate::output::{LogLevel, Output, Outputs};
use crate::rdb::{FileReader, RdbError};
use crate::rng::Rng;
use crate::time::Millis;

/// Both sides of replication.
#[derive(Debug)]
pub struct Replication {
    pub(super) history: History,
    pub(super) replicas: Replicas,
    pub(super) follower: Option<Follower>,
    pub(super) loading: Option<Loading>,
    /// Since when the link to the master is down; `Millis(0)` if it never was up (EL-04).
    pub(super) down_since: Millis,
    pub(super) counts: SyncCounts,
    pub(super) selected: Selected,
    queued: Vec<Bytes>,
    pub(super) events: VecDeque<Event>,
    upstreams_opened: u64,
    next_ping: Millis,
    /// Until when the offset must stand still: a manual failover (MF-07).
    still_until: Option<Millis>,
    are_acks_wanted: bool,
    pub(super) replicas_gone_since: Option<Millis>,
}

/// What the node is to do, one at a time.
#[derive(Debug)]
pub enum Event {
    /// Replace all data.
    Replace(Vec<(Bytes, Entry)>),
    /// Apply a command of the master, then say [`Replication::applied`].
    Run(Received),
    /// The link to the master broke (RW-41).
    LinkLost,
    /// Close a client: a replica that must connect anew, or a silent one.
    Close(ClientId),
    /// A replica acknowledged something: WAIT may be over (RW-38).
    Acknowledged,
    /// The replica that was to take over has answered (RW-18).
    HandedOver(Verdict),
}

/// Whether the stream has said which database it is about (RW-32).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selected {
    Zero,
    Unknown,
}

impl Replication {
    /// A master without replicas.
    pub fn new(rng: &mut Rng, now: Millis) -> Replication {
        Replication {
            history: History::new(rng),
            replicas: Replicas::default(),
            follower: None,
            loading: None,
            down_since: Millis(0),
            counts: SyncCounts::default(),
            selected: Selected::Unknown,
            queued: Vec::new(),
            events: VecDeque::new(),
            upstreams_opened: 0,
            next_ping: now,
            still_until: None,
            are_acks_wanted: false,
            replicas_gone_since: None,
        }
    }

    /// Full and partial synchronisations so far.
    pub fn counts(&self) -> SyncCounts {
        self.counts
    }

    /// The id and offset that the data is at.
    pub fn place(&self) -> (ReplId, ReplOffset) {
        (self.history.id(), self.history.offset())
    }

    /// Be a replica of that master, or of another one than so far (RP-03, RP-05).
    pub fn follow(&mut self, master: Option<MasterAddress>, now: Millis, out: &mut Outputs) {
        self.follow_with(Demand::GoOn, master, now, out);
    }

    /// What is here has nothing to do with the master that is followed now (EL-04).
    pub fn disown_data(&mut self) {
        self.down_since = Millis(0);
    }

    pub(super) fn follow_with(
        &mut self,
        demand: Demand,
        master: Option<MasterAddress>,
        now: Millis,
        out: &mut Outputs,
    ) {
        self.leave_master(now, out);
        // Sub-replicas are to find out where the history goes on.
        self.close_replicas();
        // RP-07, RW-17: id and offset stay, so that a partial resync may succeed.
        self.follower = Some(Follower::new(master, demand, now));
        (self.still_until, self.are_acks_wanted) = (None, false);
        let text = "Before turning into a replica, using my own master parameters to \
                    synthesize a cached master";
        out.push(Output::Log {
            level: LogLevel::Notice,
            text: text.into(),
        });
    }

    /// Be a master.
    pub fn lead(&mut self, rng: &mut Rng, now: Millis, out: &mut Outputs) {
        self.leave_master(now, out);
        if self.follower.take().is_none() {
            return;
        }
        // RP-06: siblings and the old master can go on from the old id.
        let old = self.history.id();
        self.history.shift(rng);
        self.close_replicas();
        self.selected = Selected::Unknown;
        self.down_since = Millis(0);
        self.replicas_gone_since = Some(now);
        let offset = self.history.offset().plus(1);
        let text = format!(
            "Setting secondary replication ID to {old}, valid up to offset: {offset}. \
             New replication ID is {}",
            self.history.id()
        );
        out.push(Output::Log {
            level: LogLevel::Warning,
            text,
        });
    }

    pub(super) fn leave_master(&mut self, now: Millis, out: &mut Outputs) {
        if let Some(upstream) = self.lose_link(now) {
            out.push(Output::CloseUpstream { upstream });
        }
    }

    /// The link is down from now on, if it was up.
    fn lose_link(&mut self, now: Millis) -> Option<UpstreamId> {
        let follower = self.follower.as_mut()?;
        // One that was still loading is as old as it was.
        let was_loading = self.loading.take().is_some();
        if follower.state() == LinkState::Connected && !was_loading {
            self.down_since = now;
        }
        self.queued.clear();
        let upstream = follower.drop_link(now);
        if upstream.is_some() {
            self.events.push_back(Event::LinkLost);
        }
        upstream
    }

    pub(super) fn close_replicas(&mut self) {
        let clients: Vec<ClientId> = self.replicas.online().map(|(id, _, _)| id).collect();
        self.events.extend(clients.into_iter().map(Event::Close));
    }

    /// Writes are held back until then: nothing of ours enters the stream either (MF-07).
    pub fn stand_still(&mut self, until: Millis) {
        self.still_until = Some(until);
    }

    /// Writes go on (MF-11).
    pub fn go_on(&mut self, out: &mut Outputs) {
        self.still_until = None;
        if std::mem::take(&mut self.are_acks_wanted) {
            self.ask_for_acks(out);
        }
    }

    /// RW-38: asks replicas how far they are, at once or when the stream may go on.
    pub(super) fn ask_for_acks(&mut self, out: &mut Outputs) {
        if self.still_until.is_some() {
            self.are_acks_wanted = true;
        } else if self.follower.is_none() && !self.replicas.is_empty() {
            self.put(&["REPLCONF", "GETACK", "*"], out);
        }
    }

    /// The connection to our master is open.
    pub fn upstream_opened(&mut self, upstream: UpstreamId, now: Millis, out: &mut Outputs) {
        if let Some(follower) = &mut self.follower {
            follower.opened(upstream, now, out);
        }
    }

    /// Our master sent bytes.
    pub fn upstream_bytes(&mut self, upstream: UpstreamId, bytes: &[u8], now: Millis) {
        if let Some(follower) = &mut self.follower {
            follower.receive(upstream, bytes, now);
        }
    }

    /// The connection to our master broke.
    pub fn upstream_closed(&mut self, upstream: UpstreamId, now: Millis, out: &mut Outputs) {
        let is_mine = self.follower.as_ref().and_then(Follower::upstream) == Some(upstream);
        if is_mine {
            out.push(log(LogLevel::Warning, "Connection with master lost."));
            self.lose_link(now);
        }
    }

    /// The next thing to do, if there is one; until there is none, nothing else may be handed in.
    pub fn next_event(&mut self, config: &Config, now: Millis, out: &mut Outputs) -> Option<Event> {
        self.history.fit_backlog(config.repl_backlog_size);
        let is_quiet = self.follower.as_ref().is_none_or(Follower::is_quiet);
        if is_quiet && self.events.is_empty() && self.loading.is_none() {
            return None;
        }
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if let Some(loading) = self.loading.take() {
                if loading.due(config) > now {
                    self.loading = Some(loading);
                    return None;
                }
                return Some(self.loaded(loading, config, now, out));
            }
            let place = self.place();
            let follower = self.follower.as_mut()?;
            match follower.next_progress(place, config, now, out) {
                Ok(None) => return None,
                Ok(Some(progress)) => {
                    if let Some(event) = self.progressed(progress, config, now, out) {
                        return Some(event);
                    }
                }
                Err(error) => {
                    let text = error.for_log();
                    out.push(log(LogLevel::Warning, &text));
                    if matches!(&error, LinkError::Handshake(error) if error.is_final()) {
                        self.settle_demand(Verdict::Rejected);
                    }
                    self.leave_master(now, out);
                }
            }
        }
    }

    fn progressed(
        &mut self,
        progress: Progress,
        config: &Config,
        now: Millis,
        out: &mut Outputs,
    ) -> Option<Event> {
        match progress {
            Progress::Continued(id) => {
                self.settle_demand(Verdict::Accepted);
                if let Some(id) = id.filter(|id| *id != self.history.id()) {
                    // RW-13.
                    self.history.renamed(id);
                    self.close_replicas();
                }
                self.history.keep_backlog(config.repl_backlog_size);
                let text = "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.";
                out.push(log(LogLevel::Notice, text));
                None
            }
            Progress::Announced => {
                self.settle_demand(Verdict::Accepted);
                None
            }
            Progress::Snapshot { bytes, id, offset } => match entries(&bytes) {
                Ok(entries) => {
                    // Loaded by the next look, unless it is to take its time.
                    let began = now;
                    self.loading = Some(Loading {
                        entries,
                        id,
                        offset,
                        began,
                    });
                    let text = "MASTER <-> REPLICA sync: Loading DB in memory";
                    out.push(log(LogLevel::Notice, text));
                    None
                }
                Err(error) => {
                    // RW-28: tried again for ever; the data stays as it was.
                    let text =
                        format!("Failed trying to load the MASTER synchronization DB: {error}");
                    out.push(log(LogLevel::Warning, &text));
                    self.leave_master(now, out);
                    None
                }
            },
            Progress::Command(received) => self.received(received, now, out),
        }
    }

    /// Commands that are about the stream itself end here; the others are to be run.
    fn received(&mut self, received: Received, now: Millis, out: &mut Outputs) -> Option<Event> {
        let name = received.args.first().map(|name| name.to_ascii_lowercase());
        match name.as_deref() {
            None | Some(b"ping" | b"select") => {}
            Some(b"replconf") => {
                let is_getack = received
                    .args
                    .get(1)
                    .is_some_and(|option| option.eq_ignore_ascii_case(b"getack"));
                // RW-37: the offset does not include the GETACK itself.
                let offset = self.history.offset();
                if let (true, Some(follower)) = (is_getack, &mut self.follower) {
                    follower.ack(offset, now, out);
                }
            }
            Some(_) => return Some(Event::Run(received)),
        }
        self.keep(received.raw, out);
        None
    }

    /// A command of the master was applied, with all before it; or it waits for EXEC (RW-35).
    pub fn applied(&mut self, raw: Bytes, how: Applied, out: &mut Outputs) {
        match how {
            Applied::Queued => self.queued.push(raw),
            Applied::Now => {
                for queued in std::mem::take(&mut self.queued) {
                    self.append(queued, out);
                }
                self.append(raw, out);
            }
        }
    }

    // In a transaction everything waits for its end, PING and GETACK too.
    fn keep(&mut self, raw: Bytes, out: &mut Outputs) {
        if self.queued.is_empty() {
            self.append(raw, out)
        } else {
            self.queued.push(raw)
        }
    }

    /// RW-40: the stream goes on to our own replicas as it came.
    fn append(&mut self, bytes: Bytes, out: &mut Outputs) {
        self.history.append(&bytes);
        self.replicas.send(&bytes, out);
    }

    /// RW-31: a command of ours enters the stream.
    pub(super) fn put(&mut self, args: &[impl AsRef<[u8]>], out: &mut Outputs) {
        if self.history.backlog().is_none() {
            return;
        }
        let mut bytes = Vec::new();
        put_command(&mut bytes, args);
        self.append(bytes.into(), out);
    }

    /// A command of a client enters the stream; a replica's own are ignored (RP-09).
    pub(super) fn put_data(&mut self, args: &[Bytes], out: &mut Outputs) {
        if self.follower.is_some() {
            return;
        }
        if self.selected == Selected::Unknown && self.history.backlog().is_some() {
            // RW-32.
            self.put(&["SELECT", "0"], out);
            self.selected = Selected::Zero;
        }
        self.put(args, out);
    }

    /// A client is gone; it may have been a replica.
    pub(super) fn forget(&mut self, client: ClientId) {
        self.replicas.remove(client);
    }

    /// What is due.
    pub fn wake(&mut self, config: &Config, rng: &mut Rng, now: Millis, out: &mut Outputs) {
        if self.still_until.is_some_and(|until| until <= now) {
            self.go_on(out);
        }
        match &self.follower {
            None => self.wake_master(config, rng, now, out),
            Some(_) => self.wake_replica(config, now, out),
        }
        self.replicas.release(now, out);
        for client in self.replicas.timed_out(config, now) {
            out.push(log(
                LogLevel::Warning,
                "Disconnecting timedout replica (streaming sync)",
            ));
            self.events.push_back(Event::Close(client));
        }
    }

    fn wake_master(&mut self, config: &Config, rng: &mut Rng, now: Millis, out: &mut Outputs) {
        if self.next_ping <= now {
            // RW-33, MF-07.
            if self.still_until.is_none() && !self.replicas.is_empty() {
                self.put(&["PING"], out);
            }
            self.next_ping = now + ping_period(config);
        }
        if !self.replicas.is_empty() || self.history.backlog().is_none() {
            self.replicas_gone_since = None;
        } else if config.repl_backlog_ttl_s > 0 {
            let since = *self.replicas_gone_since.get_or_insert(now);
            if now.since(since) >= backlog_ttl(config) {
                self.history.drop_backlog(rng);
                self.replicas_gone_since = None;
            }
        }
    }

    fn wake_replica(&mut self, config: &Config, now: Millis, out: &mut Outputs) {
        let Some(follower) = &mut self.follower else {
            return;
        };
        if follower.is_timed_out(config, now) {
            out.push(log(
                LogLevel::Warning,
                "MASTER timeout: no data nor PING received...",
            ));
            self.leave_master(now, out);
            return;
        }
        let upstream = UpstreamId(self.upstreams_opened + 1);
        if follower.connect_if_due(upstream, now, out) {
            self.upstreams_opened += 1;
            out.push(log(LogLevel::Notice, "MASTER <-> REPLICA sync started"));
        }
        // RW-23: until the snapshot is loaded there is no place to tell of.
        if self.loading.is_none() {
            follower.ack_if_due(self.history.offset(), now, out);
        }
    }

    /// When [`Replication::wake`] is next needed.
    pub fn next_wakeup(&self, config: &Config) -> Millis {
        let still = self.still_until.unwrap_or(Millis(u64::MAX));
        let side = match (&self.follower, &self.loading) {
            (Some(_), Some(loading)) => loading.due(config),
            (Some(follower), None) => follower.next_due(config),
            (None, _) if self.replicas.is_empty() => match self.replicas_gone_since {
                Some(since) => since + backlog_ttl(config),
                None if self.history.backlog().is_some() => self.next_ping,
                None => Millis(u64::MAX),
            },
            (None, _) => self.next_ping,
        };
        side.min(still).min(self.replicas.next_due(config))
    }
}

/// Whether a command of the master took effect at once.
pub use crate::commands::Applied;

/// Every key of a snapshot.
pub fn entries(snapshot: &[u8]) -> Result<Vec<(Bytes, Entry)>, RdbError> {
    let mut reader = FileReader::new(snapshot)?;
    std::iter::from_fn(|| reader.next_entry().transpose()).collect()
}

fn ping_period(config: &Config) -> Millis {
    Millis(
        config
            .repl_ping_replica_period_s
            .max(1)
            .saturating_mul(1000),
    )
}

fn backlog_ttl(config: &Config) -> Millis {
    Millis(config.repl_backlog_ttl_s.saturating_mul(1000))
}

pub(super) fn log(level: LogLevel, text: &str) -> Output {
    Output::Log {
        level,
        text: text.into(),
    }
}
