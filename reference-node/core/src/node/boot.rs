//! How a node starts: from settings and files, before anything happens.

use bytes::Bytes;

use super::{Node, persist_first};
use crate::append_only::{self, Appended};
use crate::cluster::Cluster;
use crate::commands::{self, Clients, Server};
use crate::config::Config;
use crate::keyspace::Keyspace;
use crate::output::Outputs;
use crate::replication::{self, Replication};
use crate::rng::Rng;
use crate::time::{Millis, SteadyClock};

/// What a node starts from.
#[derive(Debug, Clone)]
pub struct Boot {
    /// Settings.
    pub config: Config,
    /// Path of redis.conf; empty if there is none.
    pub config_file: String,
    /// Content of redis.conf, for CONFIG REWRITE.
    pub config_text: String,
    /// Content of nodes.conf; none or empty for a new node (PS-16).
    pub nodes_conf: Option<Bytes>,
    /// Content of the RDB file, if there is one.
    pub rdb: Option<Bytes>,
    /// The append-only file, if there is one and it is on: then the RDB file does not matter.
    pub append_only: Option<Appended>,
    /// Seed of everything random: ids, election delays, gossip partners.
    pub seed: u64,
    /// The process id, for INFO and the log.
    pub pid: u32,
}

/// Why a node cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// nodes.conf is not one (PS-08).
    #[error("corrupted cluster config file: {0}")]
    NodesConf(String),
    /// The RDB file is not one.
    #[error("corrupted RDB file: {0}")]
    Rdb(String),
    /// The append-only file is not one.
    #[error("Bad file format reading the append only file: {0}")]
    AppendOnly(String),
}

impl Node {
    /// Starts a node at this time; the first outputs write nodes.conf if it is new.
    ///
    /// # Errors
    /// A file that is not what it should be: the node must not start.
    pub fn boot(boot: Boot, now: Millis, out: &mut Outputs) -> Result<Node, BootError> {
        let mut rng = Rng::new(boot.seed);
        let mut keyspace = Keyspace::default();
        if let (Some(rdb), None) = (&boot.rdb, &boot.append_only) {
            load(rdb, &mut keyspace)?;
        }
        let server = Server {
            started: now,
            pid: boot.pid,
            run_id: String::from_utf8_lossy(&rng.hex()).into_owned(),
            config_file: boot.config_file,
            config_text: boot.config_text,
            last_save: now,
            ..Server::default()
        };
        let replication = Replication::new(&mut rng, now);
        let mut effects = Vec::new();
        let nodes_conf = boot.nodes_conf.as_deref();
        let cluster_rng = Rng::new(rng.next_u64());
        let cluster = Cluster::boot(&boot.config, nodes_conf, cluster_rng, now, &mut effects)
            .map_err(|error| BootError::NodesConf(error.to_string()))?;
        let mut node = Node {
            config: boot.config,
            clock: SteadyClock::new(now),
            cluster,
            keyspace,
            clients: Clients::default(),
            replication,
            server,
            rng,
            effects,
            spare: Vec::new(),
            published: Vec::new(),
        };
        for part in boot.append_only.unwrap_or_default().parts {
            node.replay(&part, now, out)?;
        }
        if node.config.cluster_enabled {
            node.with_cluster(now, |cluster, around, effects| {
                cluster.claim_keys_at_start(around, effects);
            });
        } else {
            node.effects.clear();
            node.with_parts(now, out, commands::failover::follow_at_start);
        }
        node.settle(now, out);
        node.restart_log_if_due(now, out);
        persist_first(out);
        Ok(node)
    }

    // Before anybody is connected: nothing of it is answered, logged or replicated.
    fn replay(&mut self, part: &[u8], now: Millis, out: &mut Outputs) -> Result<(), BootError> {
        if part.starts_with(b"REDIS") {
            return load(part, &mut self.keyspace);
        }
        let commands = append_only::commands(part);
        for args in commands.map_err(|error| BootError::AppendOnly(error.into()))? {
            if !args[0].eq_ignore_ascii_case(b"select") {
                self.with_parts(now, out, |parts| commands::apply_from_master(parts, args));
            }
        }
        self.with_parts(now, out, commands::master_link_lost);
        Ok(())
    }
}

fn load(rdb: &[u8], keyspace: &mut Keyspace) -> Result<(), BootError> {
    let entries = replication::entries(rdb);
    for (key, entry) in entries.map_err(|error| BootError::Rdb(error.to_string()))? {
        keyspace.insert_entry(key, entry);
    }
    Ok(())
}
