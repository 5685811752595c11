//! Replication as ROLE and INFO show it.

use std::fmt::Write;

use super::primary::Replica;
use super::replica::{Follower, LinkState};
use super::{ReplId, Replication};
use crate::config::Config;
use crate::resp::Reply;
use crate::time::Millis;

/// Synchronisations given, for INFO.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "each field is the INFO field of the same name")]
pub struct SyncCounts {
    pub sync_full: u64,
    pub sync_partial_ok: u64,
    pub sync_partial_err: u64,
}

impl Replication {
    /// The answer of ROLE.
    pub(super) fn role_reply(&self, _config: &Config) -> Reply {
        let offset = self.history.offset().0 as i64;
        let Some(follower) = &self.follower else {
            let replicas = self.replicas.online().map(|(_, replica, acked)| {
                Reply::Array(vec![
                    Reply::text(address(replica)),
                    Reply::text(replica.port.to_string()),
                    Reply::text(acked.offset.to_string()),
                ])
            });
            let replicas = Reply::Array(replicas.collect());
            return Reply::Array(vec![
                Reply::text("master"),
                Reply::Integer(offset),
                replicas,
            ]);
        };
        let (host, port) = master(follower);
        let state = match self.link_state(follower) {
            LinkState::Connect => "connect",
            LinkState::Connecting => "connecting",
            LinkState::Sync => "sync",
            LinkState::Connected => "connected",
        };
        Reply::Array(vec![
            Reply::text("slave"),
            Reply::text(host),
            Reply::Integer(port.into()),
            Reply::text(state),
            Reply::Integer(offset),
        ])
    }

    /// The lines of `# Replication`.
    pub(super) fn info_lines(&self, config: &Config, now: Millis) -> String {
        let mut lines = match &self.follower {
            None => "role:master\r\n".to_string(),
            Some(follower) => self.replica_lines(follower, config, now),
        };
        put(
            &mut lines,
            "connected_slaves",
            self.replicas.online().count(),
        );
        for (index, (_, replica, acked)) in self.replicas.online().enumerate() {
            let lag = now.since(acked.at).0 / 1000;
            let value = format!(
                "ip={},port={},state=online,offset={},lag={lag}",
                address(replica),
                replica.port,
                acked.offset
            );
            put(&mut lines, &format!("slave{index}"), value);
        }
        put(&mut lines, "master_failover_state", "no-failover");
        let history = &self.history;
        put(&mut lines, "master_replid", history.id());
        let (second, valid) = match history.second() {
            Some((id, offset)) => (id.to_string(), offset.to_string()),
            // RW-15: no second id.
            None => ("0".repeat(40), "-1".into()),
        };
        put(&mut lines, "master_replid2", second);
        put(&mut lines, "master_repl_offset", history.offset());
        put(&mut lines, "second_repl_offset", valid);
        let backlog = history.backlog();
        let size = backlog.map_or(config.repl_backlog_size as usize, |backlog| backlog.size());
        put(
            &mut lines,
            "repl_backlog_active",
            u8::from(backlog.is_some()),
        );
        put(&mut lines, "repl_backlog_size", size);
        let first = backlog.map_or(0, |backlog| backlog.first().0);
        put(&mut lines, "repl_backlog_first_byte_offset", first);
        put(
            &mut lines,
            "repl_backlog_histlen",
            backlog.map_or(0, |backlog| backlog.length()),
        );
        lines
    }

    fn replica_lines(&self, follower: &Follower, config: &Config, now: Millis) -> String {
        let mut lines = "role:slave\r\n".to_string();
        let (host, port) = master(follower);
        let state = self.link_state(follower);
        let is_up = state == LinkState::Connected;
        let offset = self.history.offset();
        put(&mut lines, "master_host", host);
        put(&mut lines, "master_port", port);
        put(
            &mut lines,
            "master_link_status",
            if is_up { "up" } else { "down" },
        );
        let silence = now.since(follower.last_heard()).0 / 1000;
        let silence = if is_up {
            silence.to_string()
        } else {
            "-1".into()
        };
        put(&mut lines, "master_last_io_seconds_ago", silence);
        put(
            &mut lines,
            "master_sync_in_progress",
            u8::from(state == LinkState::Sync),
        );
        put(
            &mut lines,
            "slave_read_repl_offset",
            offset.plus(follower.unapplied()),
        );
        put(&mut lines, "slave_repl_offset", offset);
        if !is_up {
            let seconds = match self.down_since {
                Millis(0) => "-1".into(),
                since => (now.since(since).0 / 1000).to_string(),
            };
            put(&mut lines, "master_link_down_since_seconds", seconds);
        }
        put(&mut lines, "slave_priority", 100);
        put(
            &mut lines,
            "slave_read_only",
            u8::from(config.replica_read_only),
        );
        put(&mut lines, "replica_announced", 1);
        lines
    }

    /// The id of the present history.
    pub fn id(&self) -> ReplId {
        self.history.id()
    }
}

fn master(follower: &Follower) -> (String, u16) {
    follower
        .master
        .map_or((String::new(), 0), |(ip, port)| (ip.to_string(), port))
}

pub(super) fn address(replica: &Replica) -> String {
    match (&replica.announced_ip, replica.peer) {
        (Some(ip), _) => String::from_utf8_lossy(ip).into_owned(),
        (None, Some(ip)) => ip.to_string(),
        (None, None) => String::new(),
    }
}

fn put(lines: &mut String, name: &str, value: impl std::fmt::Display) {
    write!(lines, "{name}:{value}\r\n").expect("a String takes everything");
}
