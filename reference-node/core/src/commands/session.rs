//! Client connections as the node knows them: what each said so far, and what it waits for.
//!
//! Only state and questions about it; what commands do with it is in `dispatch` and `wake`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;

use crate::commands::tracking::Tracking;
use crate::ids::ClientId;
use crate::output::Protocol;
use crate::resp::Reply;
use crate::time::Millis;

/// All clients, with the indexes over them.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    sessions: BTreeMap<ClientId, Session>,
    /// Subscribers by channel.
    pub channels: BTreeMap<Bytes, BTreeSet<ClientId>>,
    /// Subscribers by pattern.
    pub patterns: BTreeMap<Bytes, BTreeSet<ClientId>>,
    /// Subscribers by shard channel.
    pub shard_channels: BTreeMap<Bytes, BTreeSet<ClientId>>,
    /// Waiting clients, in the order in which they began to wait.
    waiting: BTreeMap<u64, ClientId>,
    waits_begun: u64,
    /// Clients whose wait ended: their pending commands are to be run.
    unblocked: VecDeque<ClientId>,
    /// MONITOR.
    pub monitors: BTreeSet<ClientId>,
    /// An open MULTI on the link from our master (RW-35).
    pub master_transaction: Option<Vec<Vec<Bytes>>>,
}

/// One client connection.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its number.
    pub id: ClientId,
    /// Its address.
    pub peer: SocketAddr,
    /// Our address.
    pub local: SocketAddr,
    /// CLIENT SETNAME; empty if none.
    pub name: Bytes,
    /// HELLO.
    pub protocol: Protocol,
    /// When it connected.
    pub opened: Millis,
    /// When its last command came.
    pub last_active: Millis,
    /// The last command, lower case.
    pub last_command: &'static str,
    /// Whose rights it has.
    pub user: Bytes,
    /// Whether it may do more than AUTH and HELLO.
    pub is_authenticated: bool,
    /// MULTI.
    pub transaction: Option<Transaction>,
    /// WATCH: version at that time, and whether the key was already due.
    pub watched: BTreeMap<Bytes, Watched>,
    /// ASKING: the next command may be served from an importing slot (SM-07).
    pub is_asking: bool,
    /// READONLY (RD-14).
    pub is_readonly: bool,
    /// SUBSCRIBE.
    pub channels: BTreeSet<Bytes>,
    /// PSUBSCRIBE.
    pub patterns: BTreeSet<Bytes>,
    /// SSUBSCRIBE.
    pub shard_channels: BTreeSet<Bytes>,
    /// What it waits for, and its place among those who wait.
    pub wait: Option<(u64, Wait)>,
    /// Commands that came while it waited.
    pub pending: Pending,
    /// CLIENT REPLY.
    pub reply_mode: ReplyMode,
    /// Whether it is to be closed; nothing more of it is run.
    pub is_closing: bool,
    /// Stream offset after its last write, for WAIT.
    pub last_write_offset: u64,
    /// CLIENT NO-EVICT.
    pub is_evictable: bool,
    /// CLIENT TRACKING.
    pub tracking: Option<Tracking>,
}

/// Commands that wait to be run, and their size.
#[derive(Debug, Clone, Default)]
pub struct Pending {
    queue: VecDeque<Vec<Bytes>>,
    size_bytes: usize,
}

impl Pending {
    /// One more, behind the others.
    pub fn push(&mut self, args: Vec<Bytes>) {
        self.size_bytes += size_of_command(&args);
        self.queue.push_back(args);
    }

    /// One that is to be run before the others.
    pub fn put_first(&mut self, args: Vec<Bytes>) {
        self.size_bytes += size_of_command(&args);
        self.queue.push_front(args);
    }

    /// The next one.
    pub fn next_command(&mut self) -> Option<Vec<Bytes>> {
        let args = self.queue.pop_front()?;
        self.size_bytes -= size_of_command(&args);
        Some(args)
    }

    /// Bytes in memory, to be held against `client-query-buffer-limit`.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes as u64
    }
}

// In memory: each argument has its own header.
fn size_of_command(args: &[Bytes]) -> usize {
    let headers = (args.len() + 1) * size_of::<Bytes>();
    headers + args.iter().map(Bytes::len).sum::<usize>()
}

/// What a key looked like when it was watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// Its version.
    pub version: u64,
    /// Whether it was already due.
    pub was_due: bool,
}

/// An open MULTI.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    /// Commands queued.
    pub queue: Vec<Vec<Bytes>>,
    /// Whether queueing one failed: EXEC will refuse (RD-10).
    pub is_doomed: bool,
}

/// Which replies a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplyMode {
    /// All.
    #[default]
    On,
    /// None.
    Off,
    /// CLIENT REPLY SKIP was just said: the next command's reply is left out.
    SkipNext,
    /// This command's reply is left out.
    Skip,
}

/// What a client waits for.
#[derive(Debug, Clone)]
pub enum Wait {
    /// A key to get elements (BLPOP); the command is run again when one did.
    Keys {
        /// Which.
        keys: Vec<Bytes>,
        /// The command.
        args: Vec<Bytes>,
        /// Type the key must have to be of use.
        type_name: &'static str,
        /// When to give up.
        until: Option<Millis>,
        /// What to answer then.
        on_timeout: Reply,
    },
    /// Replicas to acknowledge (WAIT).
    Replicas {
        /// How many.
        count: u64,
        /// Up to where.
        offset: u64,
        /// When to answer with what there is.
        until: Option<Millis>,
    },
    /// Its MIGRATE to end (`migrate`).
    Migration,
    /// Commands to be allowed again (MF-05, CLIENT PAUSE); then this one is run.
    Resume {
        /// The command.
        args: Vec<Bytes>,
    },
}

impl Wait {
    /// When it ends by itself.
    pub fn until(&self) -> Option<Millis> {
        match self {
            Wait::Keys { until, .. } | Wait::Replicas { until, .. } => *until,
            Wait::Migration | Wait::Resume { .. } => None,
        }
    }
}

impl Session {
    /// A fresh connection.
    pub fn new(id: ClientId, peer: SocketAddr, local: SocketAddr, now: Millis) -> Session {
        Session {
            id,
            peer,
            local,
            name: Bytes::new(),
            protocol: Protocol::Resp2,
            opened: now,
            last_active: now,
            last_command: "NULL",
            user: Bytes::from_static(b"default"),
            is_authenticated: false,
            transaction: None,
            watched: BTreeMap::new(),
            is_asking: false,
            is_readonly: false,
            channels: BTreeSet::new(),
            patterns: BTreeSet::new(),
            shard_channels: BTreeSet::new(),
            wait: None,
            pending: Pending::default(),
            reply_mode: ReplyMode::On,
            is_closing: false,
            last_write_offset: 0,
            is_evictable: true,
            tracking: None,
        }
    }

    /// Number of channels and patterns, as in the pushes of SUBSCRIBE.
    pub fn subscription_count(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// Whether it subscribed to anything.
    pub fn is_subscriber(&self) -> bool {
        self.subscription_count() + self.shard_channels.len() > 0
    }
}

impl Clients {
    /// A client connected.
    pub fn insert(&mut self, session: Session) {
        let was_known = self.sessions.insert(session.id, session).is_some();
        assert!(!was_known, "a client connects once");
    }

    /// A client is gone; gives what it was.
    pub fn remove(&mut self, id: ClientId) -> Option<Session> {
        self.stop_waiting(id);
        self.monitors.remove(&id);
        let session = self.sessions.remove(&id)?;
        for (index, names) in [
            (&mut self.channels, &session.channels),
            (&mut self.patterns, &session.patterns),
            (&mut self.shard_channels, &session.shard_channels),
        ] {
            for name in names {
                forget_subscriber(index, name, id);
            }
        }
        Some(session)
    }

    /// A client.
    pub fn get(&self, id: ClientId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// A client, to be changed.
    pub fn get_mut(&mut self, id: ClientId) -> Option<&mut Session> {
        self.sessions.get_mut(&id)
    }

    /// All clients, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// Number of clients.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is no client.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Puts a client to wait.
    pub fn start_waiting(&mut self, id: ClientId, wait: Wait) {
        let place = self.waits_begun;
        if let Some(session) = self.sessions.get_mut(&id) {
            assert!(session.wait.is_none(), "a waiting client runs no commands");
            session.wait = Some((place, wait));
            self.waiting.insert(place, id);
            self.waits_begun += 1;
        }
    }

    /// Ends a client's wait; gives what it was for.
    pub fn stop_waiting(&mut self, id: ClientId) -> Option<Wait> {
        let (place, wait) = self.sessions.get_mut(&id)?.wait.take()?;
        self.waiting.remove(&place);
        self.unblocked.push_back(id);
        Some(wait)
    }

    /// Puts a client back to its place among those who wait, in place of a newer wait.
    pub fn keep_waiting(&mut self, id: ClientId, place: u64, wait: Wait) {
        self.stop_waiting(id);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.wait = Some((place, wait));
            self.waiting.insert(place, id);
        }
    }

    /// The next client whose wait ended.
    pub fn next_unblocked(&mut self) -> Option<ClientId> {
        self.unblocked.pop_front()
    }

    /// Waiting clients with what they wait for, longest first.
    pub fn waiting(&self) -> impl Iterator<Item = (ClientId, &Wait)> {
        self.waiting.values().filter_map(|id| {
            let (_, wait) = self.sessions.get(id)?.wait.as_ref()?;
            Some((*id, wait))
        })
    }

    /// Whether any client waits for anything.
    pub fn is_anyone_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Number of clients blocked by a command of theirs.
    pub fn blocked_len(&self) -> usize {
        self.waiting()
            .filter(|(_, wait)| !matches!(wait, Wait::Migration | Wait::Resume { .. }))
            .count()
    }
}

/// Takes one subscriber out of an index.
pub fn forget_subscriber(
    index: &mut BTreeMap<Bytes, BTreeSet<ClientId>>,
    name: &Bytes,
    id: ClientId,
) {
    if let Some(subscribers) = index.get_mut(name) {
        subscribers.remove(&id);
        if subscribers.is_empty() {
            index.remove(name);
        }
    }
}
