//! The node's settings: redis.conf, the command line, CONFIG GET/SET/REWRITE.
//!
//! Names, defaults and meanings are upstream's (the CF clauses). Durations in ms where the name
//! says so. Settings that change nothing here are kept as text, so that they can be read back.

use crate::mutants::Chosen;
use crate::time::Millis;

pub mod directives;
pub mod file;
mod kinds;
pub mod output_limits;
pub mod settings;
#[cfg(test)]
mod tests;

pub use directives::{SetError, all, canonical, set_at_runtime, set_at_start, value};
pub use file::{CommandLine, ConfigError, Extent, read, rewrite};

/// How a node names itself to clients (CF-16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointType {
    /// By ip.
    Ip,
    /// By hostname.
    Hostname,
    /// Not at all.
    Unknown,
}

/// The settings that the core looks at.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each field is the directive of the same name")]
pub struct Config {
    pub port: u16,
    pub bind: Vec<String>,
    pub bind_source_addr: Option<String>,
    pub cluster_enabled: bool,
    pub cluster_config_file: String,
    pub cluster_node_timeout: Millis,
    pub cluster_port: u16,
    pub cluster_replica_validity_factor: u64,
    pub cluster_replica_no_failover: bool,
    pub cluster_migration_barrier: u64,
    pub cluster_allow_replica_migration: bool,
    pub cluster_require_full_coverage: bool,
    pub cluster_allow_reads_when_down: bool,
    pub cluster_allow_pubsubshard_when_down: bool,
    pub cluster_announce_ip: String,
    pub cluster_announce_port: u16,
    pub cluster_announce_bus_port: u16,
    pub cluster_announce_hostname: String,
    pub cluster_preferred_endpoint_type: EndpointType,
    pub cluster_link_sendbuf_limit: u64,
    /// Our own: how long a restarted master stays in `fail`, 2000 ms upstream (ST-02).
    pub cluster_writable_delay: Millis,
    pub repl_ping_replica_period_s: u64,
    pub repl_timeout_s: u64,
    pub repl_backlog_size: u64,
    pub repl_backlog_ttl_s: u64,
    pub replica_serve_stale_data: bool,
    pub replica_read_only: bool,
    pub min_replicas_to_write: u64,
    pub min_replicas_max_lag_s: u64,
    pub maxclients: u64,
    pub timeout_s: u64,
    pub client_query_buffer_limit: u64,
    pub client_output_buffer_limit: output_limits::OutputLimits,
    pub proto_max_bulk_len: u64,
    pub dir: String,
    pub dbfilename: String,
    pub save: String,
    pub appendonly: bool,
    pub logfile: String,
    pub requirepass: String,
    pub masterauth: String,
    /// Our own: the seeded bug of the node, if it has one.
    pub mutant: Chosen,
    /// Every other directive, as given: kept for CONFIG GET.
    pub other: std::collections::BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            port: 6379,
            bind: Vec::new(),
            bind_source_addr: None,
            cluster_enabled: false,
            cluster_config_file: "nodes.conf".into(),
            cluster_node_timeout: Millis(15_000),
            cluster_port: 0,
            cluster_replica_validity_factor: 10,
            cluster_replica_no_failover: false,
            cluster_migration_barrier: 1,
            cluster_allow_replica_migration: true,
            cluster_require_full_coverage: true,
            cluster_allow_reads_when_down: false,
            cluster_allow_pubsubshard_when_down: true,
            cluster_announce_ip: String::new(),
            cluster_announce_port: 0,
            cluster_announce_bus_port: 0,
            cluster_announce_hostname: String::new(),
            cluster_preferred_endpoint_type: EndpointType::Ip,
            cluster_link_sendbuf_limit: 0,
            cluster_writable_delay: Millis(2000),
            repl_ping_replica_period_s: 10,
            repl_timeout_s: 60,
            repl_backlog_size: 1 << 20,
            repl_backlog_ttl_s: 3600,
            replica_serve_stale_data: true,
            replica_read_only: true,
            min_replicas_to_write: 0,
            min_replicas_max_lag_s: 10,
            maxclients: 10_000,
            timeout_s: 0,
            client_query_buffer_limit: 1 << 30,
            client_output_buffer_limit: Default::default(),
            proto_max_bulk_len: 512 << 20,
            dir: ".".into(),
            dbfilename: "dump.rdb".into(),
            save: String::new(),
            appendonly: false,
            logfile: String::new(),
            requirepass: String::new(),
            masterauth: String::new(),
            mutant: Chosen::default(),
            other: std::collections::BTreeMap::new(),
        }
    }
}

impl Config {
    /// The bus port this node listens on (BUS-01).
    pub fn bus_port(&self) -> u16 {
        if self.cluster_port != 0 {
            self.cluster_port
        } else {
            self.port.saturating_add(10_000)
        }
    }
}
