//! How a client becomes a replica: REPLCONF, PSYNC and SYNC, snapshots.

use std::net::IpAddr;

use bytes::Bytes;

use super::loading::span;
use super::primary::{Acked, Answer, Held};
use super::replica::LinkState;
use super::room::{Event, Selected, log};
use super::{ReplId, ReplOffset, Replication};
use crate::commands::ReplicationSurroundings;
use crate::ids::ClientId;
use crate::keyspace::Keyspace;
use crate::output::{LogLevel, Output, Outputs};
use crate::rdb::{Preamble, encode_snapshot};
use crate::resp::Reply;
use crate::time::Millis;

impl Replication {
    /// REPLCONF of a client.
    pub(super) fn replconf(
        &mut self,
        client: ClientId,
        args: &[Bytes],
        peer: Option<IpAddr>,
        now: Millis,
    ) -> Reply {
        match self.replicas.replconf(client, peer, args, now) {
            Answer::Reply(reply) => reply,
            Answer::Acknowledged => {
                self.events.push_back(Event::Acknowledged);
                Reply::None
            }
        }
    }

    /// PSYNC and SYNC: everything a client asks to become a replica.
    pub(super) fn sync(
        &mut self,
        client: ClientId,
        args: &[Bytes],
        peer: Option<IpAddr>,
        around: &mut ReplicationSurroundings,
        out: &mut Outputs,
    ) -> Reply {
        if self.replicas.is_online(client) {
            return Reply::None;
        }
        if let [_, id, _, word] = args
            && word.eq_ignore_ascii_case(b"failover")
        {
            let asked = (&mut *around.rng, around.now);
            if let Some(refusal) = self.take_over(ReplId::parse(id), asked, out) {
                return Reply::Error(refusal.into());
            }
        }
        let is_linked = self
            .follower
            .as_ref()
            .map(|follower| self.link_state(follower));
        if is_linked.is_some_and(|state| state != LinkState::Connected) {
            // RW-14.
            let text = "NOMASTERLINK Can't SYNC while not connected with my master";
            return Reply::Error(text.into());
        }
        let wanted = match args {
            [_, id, next, ..] => ReplId::parse(id).zip(parse_offset(next)),
            _ => None,
        };
        let missing =
            wanted.and_then(|(id, next)| self.history.since(id, next, around.config.mutant));
        if wanted.is_some() && missing.is_none() {
            self.counts.sync_partial_err += 1;
        }
        let form = if args.len() > 1 {
            Form::Psync
        } else {
            Form::Sync
        };
        let keys = around.keyspace.len();
        let (span, (head, rest)) = match missing {
            Some(missing) => {
                let head = self.partial(client, missing.len(), out);
                (Millis(0), (head, missing))
            }
            None => (
                span(around.config, "rdb-key-save-delay", keys),
                self.full(form, around, out),
            ),
        };
        let offset = ReplOffset(0);
        let replica = self.replicas.entry(client, peer);
        replica.online = Some(Acked {
            offset,
            at: around.now,
        });
        self.replicas_gone_since = None;
        let bytes = head.into();
        out.push(Output::SendBytes { client, bytes });
        let due = around.now + span;
        let pieces = vec![rest];
        replica.held = Some(Held { pieces, due });
        self.replicas.release(around.now, out);
        Reply::None
    }

    fn partial(&mut self, client: ClientId, missing_bytes: usize, out: &mut Outputs) -> String {
        self.counts.sync_partial_ok += 1;
        let text = format!("Partial resynchronization accepted, sending {missing_bytes} bytes");
        out.push(log(LogLevel::Notice, &text));
        match self.replicas.entry(client, None).knows_psync2 {
            true => format!("+CONTINUE {}\r\n", self.history.id()),
            false => "+CONTINUE\r\n".into(),
        }
    }

    // RW-26: the snapshot is made in this step, so it is the data at this very offset.
    fn full(
        &mut self,
        form: Form,
        around: &mut ReplicationSurroundings,
        out: &mut Outputs,
    ) -> (String, Bytes) {
        self.counts.sync_full += 1;
        match self.follower {
            None => {
                self.history
                    .start_backlog(around.config.repl_backlog_size, around.rng);
                // RW-32: after a full resync the stream names its database again.
                self.selected = Selected::Unknown;
            }
            Some(_) => self.history.keep_backlog(around.config.repl_backlog_size),
        }
        let (id, offset) = self.place();
        let snapshot = self.snapshot(around.keyspace, around.now);
        let text = format!("Full resync at offset {offset}, {} bytes", snapshot.len());
        out.push(log(LogLevel::Notice, &text));
        let mut head = format!("${}\r\n", snapshot.len());
        if form == Form::Psync {
            head.insert_str(0, &format!("+FULLRESYNC {id} {offset}\r\n"));
        }
        (head, snapshot)
    }

    /// The data as an RDB file of this history.
    pub fn snapshot(&self, keyspace: &Keyspace, now: Millis) -> Bytes {
        let (id, offset) = self.place();
        let replication = Some((*id.as_bytes(), offset.0));
        encode_snapshot(
            keyspace,
            &Preamble {
                ctime_s: now.0 / 1000,
                replication,
            },
        )
    }
}

/// Whether the answer begins with a line that names the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Psync,
    Sync,
}

fn parse_offset(text: &[u8]) -> Option<ReplOffset> {
    std::str::from_utf8(text).ok()?.parse().ok().map(ReplOffset)
}
