//! `timeout`: clients that say nothing for too long are sent away.
//!
//! Not those that are silent for a reason: replicas, subscribers, and clients that wait for a reply
//! themselves. They are looked at once a second while the setting is on.

use crate::commands::dispatch;
use crate::commands::parts::{Parts, Server};
use crate::config::Config;
use crate::output::{LogLevel, Output};
use crate::time::Millis;

/// Sees to it that silent clients are looked at, if the setting is on.
pub fn watch(config: &Config, server: &mut Server, now: Millis) {
    if config.timeout_s > 0 {
        server.next_idle_check.get_or_insert(now + PERIOD);
    }
}

/// Closes those that were silent for too long, if a look is due.
pub fn close_silent(parts: &mut Parts) {
    if parts.server.next_idle_check.is_none_or(|at| at > parts.now) {
        return;
    }
    parts.server.next_idle_check = None;
    let span = Millis(parts.config.timeout_s.saturating_mul(1000));
    if span == Millis(0) {
        return;
    }
    let is_silent = |client: &&crate::commands::session::Session| {
        parts.now.since(client.last_active) > span
            && client.wait.is_none()
            && !client.is_subscriber()
            && !parts.replication.is_replica_client(client.id)
    };
    let silent = parts.clients.iter().filter(is_silent);
    let silent: Vec<_> = silent.map(|client| client.id).collect();
    for client in silent {
        let (level, text) = (LogLevel::Verbose, "Closing idle client".into());
        parts.out.push(Output::Log { level, text });
        dispatch::close(parts, client);
    }
    if !parts.clients.is_empty() {
        watch(parts.config, parts.server, parts.now);
    }
}

const PERIOD: Millis = Millis(1000);
