//! INFO: the fields that tools, clients and tests read (cluster-commands.md section 8).

use std::fmt::Write;

use crate::commands::args;
use crate::commands::failover;
use crate::commands::parts::{Answer, Call, Parts};
use crate::commands::session::Session;
use crate::commands::table::{Command, Flag, keyless};
use crate::replication::LoadState;
use crate::resp::Reply;

use Flag::{Loading, Stale};

/// The version whose behaviour this node has; tools switch on it.
pub const REDIS_VERSION: &str = "7.0.15";

/// The rows of this group.
pub const COMMANDS: &[Command] = &[keyless("info", -1, &[Loading, Stale], info, "server")];

fn info(call: &mut Call) -> Answer {
    let wanted: Vec<String> = call.args[1..].iter().map(|arg| args::word(arg)).collect();
    let asks_for = |name: &str| wanted.iter().any(|word| word == name);
    let has_all = asks_for("all") || asks_for("everything");
    let has_default = wanted.is_empty() || asks_for("default") || has_all;
    let mut sections = Vec::new();
    for (title, kind, write) in SECTIONS {
        let is_default = *kind == Kind::Default;
        let is_wanted =
            asks_for(&title.to_lowercase()) || if is_default { has_default } else { has_all };
        if is_wanted {
            let mut text = format!("# {title}\r\n");
            write(call.parts, &mut text);
            sections.push(text);
        }
    }
    Ok(Reply::Verbatim(sections.join("\r\n")))
}

/// Whether a section is shown unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Default,
    OnRequest,
}

type Section = (&'static str, Kind, fn(&Parts, &mut String));

const SECTIONS: &[Section] = &[
    ("Server", Kind::Default, server),
    ("Clients", Kind::Default, clients),
    ("Memory", Kind::Default, memory),
    ("Persistence", Kind::Default, persistence),
    ("Stats", Kind::Default, stats),
    ("Replication", Kind::Default, replication),
    ("CPU", Kind::Default, cpu),
    ("Modules", Kind::Default, |_, _| {}),
    ("Commandstats", Kind::OnRequest, commandstats),
    ("Errorstats", Kind::Default, errorstats),
    ("Cluster", Kind::Default, cluster),
    ("Keyspace", Kind::Default, keyspace),
];

fn put(text: &mut String, name: &str, value: impl std::fmt::Display) {
    write!(text, "{name}:{value}\r\n").expect("writing to a string cannot fail");
}

fn server(parts: &Parts, text: &mut String) {
    let uptime_s = parts.now.since(parts.server.started).0 / 1000;
    let is_cluster = parts.config.cluster_enabled;
    put(text, "redis_version", REDIS_VERSION);
    put(text, "slotquake_version", env!("CARGO_PKG_VERSION"));
    put(text, "redis_git_sha1", "00000000");
    put(text, "redis_git_dirty", 0);
    put(text, "redis_build_id", 0);
    put(
        text,
        "redis_mode",
        if is_cluster { "cluster" } else { "standalone" },
    );
    put(text, "os", std::env::consts::OS);
    put(text, "arch_bits", usize::BITS);
    put(text, "monotonic_clock", "none");
    put(text, "multiplexing_api", "tokio");
    put(text, "process_id", parts.server.pid);
    put(text, "process_supervised", "no");
    put(text, "run_id", &parts.server.run_id);
    put(text, "tcp_port", parts.config.port);
    put(text, "server_time_usec", parts.now.0.saturating_mul(1000));
    put(text, "uptime_in_seconds", uptime_s);
    put(text, "uptime_in_days", uptime_s / 86_400);
    put(text, "hz", 10);
    put(text, "configured_hz", 10);
    put(text, "config_file", &parts.server.config_file);
    put(text, "io_threads_active", 0);
}

fn clients(parts: &Parts, text: &mut String) {
    let is_subscriber = |session: &&Session| session.is_subscriber();
    let is_replica = |session: &&Session| parts.replication.is_replica_client(session.id);
    let connected = parts.clients.len() - parts.clients.iter().filter(is_replica).count();
    put(text, "connected_clients", connected);
    put(text, "cluster_connections", 0);
    put(text, "maxclients", parts.config.maxclients);
    put(text, "client_recent_max_input_buffer", 0);
    put(text, "client_recent_max_output_buffer", 0);
    put(text, "blocked_clients", parts.clients.blocked_len());
    let is_tracking = |session: &&Session| session.tracking.is_some();
    put(
        text,
        "tracking_clients",
        parts.clients.iter().filter(is_tracking).count(),
    );
    put(
        text,
        "pubsub_clients",
        parts.clients.iter().filter(is_subscriber).count(),
    );
    put(text, "clients_in_timeout_table", 0);
}

/// What the data takes, roughly, and something for the rest.
pub fn used_memory(parts: &Parts) -> usize {
    let entries = parts.keyspace.iter();
    let sizes = entries.map(|(key, entry)| key.len() + entry.value.size_bytes() + 48);
    BASE_BYTES + sizes.sum::<usize>()
}

fn memory(parts: &Parts, text: &mut String) {
    let used = used_memory(parts);
    put(text, "used_memory", used);
    put(text, "used_memory_dataset", used);
    let setting = |name: &str| crate::config::value(parts.config, name).unwrap_or_default();
    put(text, "maxmemory", setting("maxmemory"));
    put(text, "maxmemory_policy", setting("maxmemory-policy"));
    put(text, "mem_allocator", "libc");
    put(text, "mem_total_replication_buffers", 0);
    put(text, "lazyfree_pending_objects", 0);
}

fn persistence(parts: &Parts, text: &mut String) {
    let state = parts.replication.load_state(parts.config);
    put(text, "loading", u8::from(state == LoadState::Loading));
    let is_beside = state == LoadState::LoadingBeside;
    put(text, "async_loading", u8::from(is_beside));
    put(text, "rdb_changes_since_last_save", parts.server.dirty);
    put(text, "rdb_bgsave_in_progress", 0);
    put(text, "rdb_last_save_time", parts.server.last_save.0 / 1000);
    put(text, "rdb_last_bgsave_status", "ok");
    put(text, "rdb_last_load_keys_expired", 0);
    put(text, "rdb_last_load_keys_loaded", 0);
    put(text, "aof_enabled", u8::from(parts.config.appendonly));
    put(text, "aof_rewrite_in_progress", 0);
    put(text, "aof_rewrite_scheduled", 0);
    put(text, "aof_last_bgrewrite_status", "ok");
    put(text, "aof_last_write_status", "ok");
}

fn stats(parts: &Parts, text: &mut String) {
    let stats = &parts.server.stats;
    put(
        text,
        "total_connections_received",
        stats.total_connections_received,
    );
    put(
        text,
        "total_commands_processed",
        stats.total_commands_processed,
    );
    put(text, "instantaneous_ops_per_sec", 0);
    put(text, "rejected_connections", stats.rejected_connections);
    let syncs = parts.replication.sync_counts();
    put(text, "sync_full", syncs.sync_full);
    put(text, "sync_partial_ok", syncs.sync_partial_ok);
    put(text, "sync_partial_err", syncs.sync_partial_err);
    put(text, "expired_keys", stats.expired_keys);
    put(text, "evicted_keys", 0);
    put(text, "keyspace_hits", stats.keyspace_hits);
    put(text, "keyspace_misses", stats.keyspace_misses);
    put(text, "pubsub_channels", parts.clients.channels.len());
    put(text, "pubsub_patterns", parts.clients.patterns.len());
    put(
        text,
        "pubsubshard_channels",
        parts.clients.shard_channels.len(),
    );
    put(text, "tracking_total_keys", parts.server.readers.keys_len());
    put(text, "latest_fork_usec", 0);
    // Payloads are never trusted, so none is checked a second time.
    put(text, "dump_payload_sanitizations", 0);
    put(
        text,
        "total_error_replies",
        stats.errors.values().sum::<u64>(),
    );
}

fn replication(parts: &Parts, text: &mut String) {
    let lines = parts.replication.info(parts.config, parts.now);
    let state = failover::state_name(parts.server.failover.as_ref());
    text.push_str(&lines.replace("state:no-failover", &format!("state:{state}")));
}

fn cpu(_: &Parts, text: &mut String) {
    // The core reads no clock but the one it is given.
    put(text, "used_cpu_sys", "0.000000");
    put(text, "used_cpu_user", "0.000000");
}

fn commandstats(parts: &Parts, text: &mut String) {
    for (name, counts) in &parts.server.stats.commands {
        let line = format!(
            "calls={},usec=0,usec_per_call=0.00,rejected_calls={},failed_calls={}",
            counts.calls, counts.rejected_calls, counts.failed_calls
        );
        put(text, &format!("cmdstat_{name}"), line);
    }
}

fn errorstats(parts: &Parts, text: &mut String) {
    for (code, count) in &parts.server.stats.errors {
        put(text, &format!("errorstat_{code}"), format!("count={count}"));
    }
}

fn cluster(parts: &Parts, text: &mut String) {
    put(
        text,
        "cluster_enabled",
        u8::from(parts.config.cluster_enabled),
    );
}

fn keyspace(parts: &Parts, text: &mut String) {
    let (keys, expires) = (parts.keyspace.len(), parts.keyspace.expiring_len());
    if keys > 0 {
        put(
            text,
            "db0",
            format!("keys={keys},expires={expires},avg_ttl=0"),
        );
    }
}

const BASE_BYTES: usize = 1 << 20;
