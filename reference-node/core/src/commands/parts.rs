//! The parts of a node that commands read and change, and one running command among them.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::append_only::AppendOnly;
use crate::commands::diagnostics::Diagnostics;
use crate::commands::doors::{ClusterDoor, ClusterReads, ReplicationDoor};
use crate::commands::failover::Failover;
use crate::commands::migrate::Migrations;
use crate::commands::session::{Clients, ReplyMode, Session, Wait};
use crate::commands::tracking::Readers;
use crate::commands::users::Users;
use crate::config::Config;
use crate::ids::ClientId;
use crate::keyspace::{Keyspace, Value};
use crate::output::{Output, Outputs};
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::rng::Rng;
use crate::time::Millis;

/// The named parts of a node; made afresh for each input.
pub struct Parts<'a> {
    /// Now.
    pub now: Millis,
    /// Settings.
    pub config: &'a mut Config,
    /// The data.
    pub keyspace: &'a mut Keyspace,
    /// Client connections.
    pub clients: &'a mut Clients,
    /// The cluster room.
    pub cluster: &'a mut dyn ClusterDoor,
    /// The replication room.
    pub replication: &'a mut dyn ReplicationDoor,
    /// Random numbers.
    pub rng: &'a mut Rng,
    /// Counters, pauses and what else outlives a command.
    pub server: &'a mut Server,
    /// What is to be done.
    pub out: &'a mut Outputs,
}

/// What the command side of a node remembers beside data and clients.
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// When the node started.
    pub started: Millis,
    /// The process id.
    pub pid: u32,
    /// 40 characters, new at each start.
    pub run_id: String,
    /// Path of redis.conf, empty if none.
    pub config_file: String,
    /// redis.conf as it was read, for CONFIG REWRITE.
    pub config_text: String,
    /// CLIENT PAUSE.
    pub client_pause: Option<Pause>,
    /// The pause of a manual failover (MF-05).
    pub failover_pause: Option<Millis>,
    /// ACL users.
    pub users: Users,
    /// Who read what (CLIENT TRACKING).
    pub readers: Readers,
    /// SLOWLOG and LATENCY.
    pub diagnostics: Diagnostics,
    /// FAILOVER.
    pub failover: Option<Failover>,
    /// Effects of the command that runs, to be propagated when it is done (RW-34).
    pub effects: Vec<Vec<Bytes>>,
    /// Keys changed by the command that runs: clients may wait for them.
    pub ready_keys: Vec<Bytes>,
    /// DEBUG SET-ACTIVE-EXPIRE 0.
    pub is_active_expiry_off: bool,
    /// When the next look at blocked clients is due (RD-13).
    pub next_blocked_check: Option<Millis>,
    /// When the next look at silent clients is due (`timeout`).
    pub next_idle_check: Option<Millis>,
    /// The append-only file.
    pub append_only: AppendOnly,
    /// Changes since the last save.
    pub dirty: u64,
    /// When the data was last saved.
    pub last_save: Millis,
    /// MIGRATE.
    pub migrations: Migrations,
    /// Counters for INFO.
    pub stats: Stats,
}

/// A pause of clients, and which commands it holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Its end.
    pub until: Millis,
    /// What it holds back.
    pub kind: PauseKind,
}

/// Which commands a pause holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseKind {
    /// Those that write.
    Write,
    /// All.
    All,
}

/// Counters since the start or CONFIG RESETSTAT.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each field is the INFO field of the same name")]
pub struct Stats {
    pub total_connections_received: u64,
    pub rejected_connections: u64,
    pub total_commands_processed: u64,
    pub expired_keys: u64,
    pub keyspace_hits: u64,
    pub keyspace_misses: u64,
    pub commands: BTreeMap<&'static str, CommandStats>,
    pub errors: BTreeMap<String, u64>,
}

/// One line of INFO commandstats.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "each field is the INFO field of the same name")]
pub struct CommandStats {
    pub calls: u64,
    pub rejected_calls: u64,
    pub failed_calls: u64,
}

impl Stats {
    /// Counts an error by its first word (INFO errorstats).
    pub fn count_error(&mut self, refusal: &Refusal) {
        let text = refusal.to_string();
        let code = text.split(' ').next().unwrap_or("ERR");
        *self.errors.entry(code.into()).or_default() += 1;
    }
}

/// Where a command came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A client.
    Client(ClientId),
    /// The link from our master: never routed, never refused (RP-09, RD-16).
    Master,
}

/// Whether a command may block its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocking {
    /// It may.
    Allowed,
    /// Not inside a transaction, nor from the master.
    Denied,
}

/// What a handler answers: a reply, or an error from the table.
pub type Answer = Result<Reply, Refusal>;

/// One running command.
pub struct Call<'c, 'p> {
    /// The command and its arguments; the arity holds.
    pub args: &'c [Bytes],
    /// Who sent it.
    pub caller: Caller,
    /// Whether it may block.
    pub blocking: Blocking,
    /// The parts of the node.
    pub parts: &'c mut Parts<'p>,
    /// Whether it changed data.
    pub is_dirty: bool,
    /// What to replicate in its place, if not the command as it came (RW-34).
    pub effects: Option<Vec<Vec<Bytes>>>,
    /// What its client is to wait for.
    pub wait: Option<Wait>,
}

impl<'p> Call<'_, 'p> {
    /// The time of view: keys due before it are not there. Commands from the master see all.
    pub fn view(&self) -> Millis {
        match self.caller {
            Caller::Client(_) => self.parts.now,
            Caller::Master => Millis(0),
        }
    }

    /// An argument; the arity must cover it.
    pub fn arg(&self, index: usize) -> &Bytes {
        &self.args[index]
    }

    /// The value of a key, for reading; counts hits and misses.
    pub fn read(&mut self, key: &[u8]) -> Option<&Value> {
        let view = self.view();
        let value = self.parts.keyspace.get(key, view);
        match value {
            Some(_) => self.parts.server.stats.keyspace_hits += 1,
            None => self.parts.server.stats.keyspace_misses += 1,
        }
        value
    }

    /// The value of a key, to be changed in place: it counts as changed only after
    /// [`Call::changed`].
    pub fn write(&mut self, key: &[u8]) -> Option<&mut Value> {
        let view = self.view();
        self.parts.keyspace.get_mut(key, view)
    }

    /// Notes that a key changed: the command is replicated, watches break.
    pub fn changed(&mut self, key: &[u8]) {
        self.parts.keyspace.touch(key);
        self.is_dirty = true;
    }

    /// Notes that data changed.
    pub fn dirty(&mut self) {
        self.is_dirty = true;
    }

    /// Replicates this in place of the command (RW-34); several times for several effects.
    pub fn replicate(&mut self, args: Vec<Bytes>) {
        self.effects.get_or_insert_default().push(args);
    }

    /// Deletes a key; whether it was there.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        let is_there = self.parts.keyspace.contains(key, self.view());
        self.parts.keyspace.remove(key);
        self.is_dirty |= is_there;
        is_there
    }

    /// Sets a key.
    pub fn put(&mut self, key: &Bytes, value: Value) {
        self.parts.keyspace.insert(key.clone(), value);
        self.dirty();
    }

    /// The client that sent it, if one did.
    pub fn session(&mut self) -> Option<&mut Session> {
        match self.caller {
            Caller::Client(id) => self.parts.clients.get_mut(id),
            Caller::Master => None,
        }
    }
}

/// What a node is at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It accepts writes.
    Master,
    /// It follows another node.
    Replica,
}

impl Role {
    /// As the rooms have it: the cluster's word counts where there is a cluster.
    pub fn of(
        config: &Config,
        cluster: &dyn ClusterReads,
        replication: &dyn ReplicationDoor,
    ) -> Role {
        let is_replica = match config.cluster_enabled {
            true => cluster.is_replica(),
            false => cluster.is_replica() || replication.is_following(),
        };
        if is_replica {
            Role::Replica
        } else {
            Role::Master
        }
    }
}

impl Parts<'_> {
    /// Whether this node follows another one.
    pub fn is_replica(&self) -> bool {
        Role::of(self.config, self.cluster.reads(), self.replication) == Role::Replica
    }

    /// Answers a client, in its protocol and reply mode.
    pub fn reply(&mut self, client: ClientId, reply: Reply) {
        let mode = self.clients.get(client).map(|session| session.reply_mode);
        match mode {
            Some(ReplyMode::On | ReplyMode::SkipNext) => self.push(client, reply),
            // Who subscribes is told so, whatever it wants to hear else.
            Some(ReplyMode::Off | ReplyMode::Skip) if is_push(&reply) => self.push(client, reply),
            Some(ReplyMode::Off | ReplyMode::Skip) | None => {}
        }
    }

    /// Sends a client something, whatever its reply mode.
    pub fn push(&mut self, client: ClientId, reply: Reply) {
        let Some(session) = self.clients.get(client) else {
            return;
        };
        let protocol = session.protocol;
        if reply != Reply::None {
            self.out.push(Output::Reply {
                client,
                reply,
                protocol,
            });
        }
    }

    /// Which commands are held back now, if any (MF-05, CLIENT PAUSE).
    pub fn pause(&self) -> Option<PauseKind> {
        let client = self
            .server
            .client_pause
            .filter(|pause| pause.until > self.now);
        let failover = self.server.failover_pause.filter(|until| *until > self.now);
        let kinds = [
            client.map(|pause| pause.kind),
            failover.map(|_| PauseKind::Write),
        ];
        kinds.into_iter().flatten().max()
    }
}

fn is_push(reply: &Reply) -> bool {
    let several = match reply {
        Reply::Many(replies) => replies.as_slice(),
        one => std::slice::from_ref(one),
    };
    several.iter().all(|reply| matches!(reply, Reply::Push(_)))
}
