//! A master's side: replicas, which are clients that asked for the stream.
//!
//! The snapshot is made at once and sent in the form with a length (RW-23), which every version
//! reads; the stream follows it without waiting for an ACK.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;

use super::ReplOffset;
use crate::config::Config;
use crate::ids::ClientId;
use crate::output::{Output, Outputs};
use crate::resp::Reply;
use crate::time::Millis;

/// All clients that are, or may become, replicas.
#[derive(Debug, Clone, Default)]
pub struct Replicas {
    clients: BTreeMap<ClientId, Replica>,
}

/// One of them.
#[derive(Debug, Clone, Default)]
pub struct Replica {
    /// What it said of its client port (RW-02).
    pub port: u16,
    /// What it said of its address.
    pub announced_ip: Option<Bytes>,
    /// The address it connected from.
    pub peer: Option<IpAddr>,
    /// Whether it understands `+CONTINUE <id>`.
    pub knows_psync2: bool,
    /// What it is to be sent later, and when: a snapshot that takes its time.
    pub held: Option<Held>,
    /// How far it is; none before PSYNC.
    pub online: Option<Acked>,
}

/// A snapshot that takes its time, and the stream behind it.
#[derive(Debug, Clone)]
pub struct Held {
    /// In order.
    pub pieces: Vec<Bytes>,
    /// When the snapshot is done.
    pub due: Millis,
}

/// What a replica acknowledged last.
#[derive(Debug, Clone, Copy)]
pub struct Acked {
    /// How far.
    pub offset: ReplOffset,
    /// When.
    pub at: Millis,
}

impl Replicas {
    /// REPLCONF of a client.
    pub fn replconf(
        &mut self,
        client: ClientId,
        peer: Option<IpAddr>,
        args: &[Bytes],
        now: Millis,
    ) -> Answer {
        let pairs = args[1..].chunks(2);
        if pairs.clone().any(|pair| pair.len() != 2) {
            return Answer::Reply(Reply::Error("ERR syntax error".into()));
        }
        for pair in pairs {
            let (option, value) = (&pair[0], &pair[1]);
            match option.to_ascii_lowercase().as_slice() {
                b"ack" => return self.acknowledge(client, value, now),
                b"listening-port" => match parse(value).and_then(|port| port.try_into().ok()) {
                    Some(port) => self.entry(client, peer).port = port,
                    None => return Answer::Reply(not_an_integer()),
                },
                b"ip-address" => self.entry(client, peer).announced_ip = Some(value.clone()),
                // RW-04: unknown capabilities are ignored.
                b"capa" => {
                    let replica = self.entry(client, peer);
                    replica.knows_psync2 |= value.eq_ignore_ascii_case(b"psync2");
                }
                b"getack" => return Answer::Reply(Reply::None),
                b"rdb-only" | b"rdb-filter-only" | b"version" => {}
                _ => {
                    let name = String::from_utf8_lossy(option);
                    let text = format!("ERR Unrecognized REPLCONF option: {name}");
                    return Answer::Reply(Reply::Error(text));
                }
            }
        }
        Answer::Reply(Reply::OK)
    }

    // RW-36: never answered.
    fn acknowledge(&mut self, client: ClientId, value: &[u8], now: Millis) -> Answer {
        let online = self
            .clients
            .get_mut(&client)
            .and_then(|replica| replica.online.as_mut());
        if let (Some(acked), Some(offset)) = (online, parse(value)) {
            acked.at = now;
            acked.offset = acked.offset.max(ReplOffset(offset));
            return Answer::Acknowledged;
        }
        Answer::Reply(Reply::None)
    }

    /// A replica that said something of itself, or that now does.
    pub fn entry(&mut self, client: ClientId, peer: Option<IpAddr>) -> &mut Replica {
        let replica = self.clients.entry(client).or_default();
        replica.peer = peer.or(replica.peer);
        replica
    }

    /// Whether it receives the stream.
    pub fn is_online(&self, client: ClientId) -> bool {
        self.clients
            .get(&client)
            .is_some_and(|replica| replica.online.is_some())
    }

    /// Those that receive the stream, in order of connecting.
    pub fn online(&self) -> impl Iterator<Item = (ClientId, &Replica, Acked)> {
        self.clients
            .iter()
            .filter_map(|(id, replica)| Some((*id, replica, replica.online?)))
    }

    /// Whether none receives the stream.
    pub fn is_empty(&self) -> bool {
        self.online().next().is_none()
    }

    /// A client is gone.
    pub fn remove(&mut self, client: ClientId) {
        self.clients.remove(&client);
    }

    /// Sends the same bytes to every replica.
    pub fn send(&mut self, bytes: &Bytes, out: &mut Outputs) {
        for (client, replica) in &mut self.clients {
            match (&mut replica.held, replica.online) {
                (_, None) => {}
                (Some(held), Some(_)) => held.pieces.push(bytes.clone()),
                (None, Some(_)) => out.push(Output::SendBytes {
                    client: *client,
                    bytes: bytes.clone(),
                }),
            }
        }
    }

    /// Sends the snapshots that are done by now.
    pub fn release(&mut self, now: Millis, out: &mut Outputs) {
        for (client, replica) in &mut self.clients {
            let held = replica.held.take_if(|held| held.due <= now);
            for bytes in held.into_iter().flat_map(|held| held.pieces) {
                let client = *client;
                out.push(Output::SendBytes { client, bytes });
            }
            if let Some(acked) = replica.online.as_mut().filter(|_| replica.held.is_some()) {
                // It has nothing to say meanwhile.
                acked.at = now;
            }
        }
    }

    /// When the first snapshot is done, or the first may be silent for too long.
    pub fn next_due(&self, config: &Config) -> Millis {
        let mut due = Millis(u64::MAX);
        for replica in self.clients.values() {
            if let Some(held) = &replica.held {
                due = due.min(held.due);
            }
            if let Some(acked) = replica.online {
                due = due.min(acked.at + timeout(config) + Millis(1));
            }
        }
        due
    }

    /// RW-39: those silent for too long.
    pub fn timed_out(&self, config: &Config, now: Millis) -> Vec<ClientId> {
        let timeout = timeout(config);
        let silent = self
            .online()
            .filter(|(_, _, acked)| now.since(acked.at) > timeout);
        silent.map(|(client, _, _)| client).collect()
    }

    /// RW-38: how many acknowledged this offset.
    pub fn acked(&self, offset: ReplOffset) -> usize {
        self.online()
            .filter(|(_, _, acked)| acked.offset >= offset)
            .count()
    }

    /// How many were heard of within this span.
    pub fn heard_within(&self, now: Millis, lag_max: Millis) -> u64 {
        self.online()
            .filter(|(_, _, acked)| now.since(acked.at) <= lag_max)
            .count() as u64
    }
}

/// What a REPLCONF came to.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// Answer this.
    Reply(Reply),
    /// An acknowledgement: no answer, but WAIT may be over.
    Acknowledged,
}

fn timeout(config: &Config) -> Millis {
    Millis(config.repl_timeout_s.saturating_mul(1000))
}

fn parse(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn not_an_integer() -> Reply {
    Reply::Error("ERR value is not an integer or out of range".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLICA: ClientId = ClientId(1);

    fn said(replicas: &mut Replicas, words: &[&str]) -> Answer {
        let args: Vec<Bytes> = words.iter().map(|word| word.to_string().into()).collect();
        replicas.replconf(REPLICA, None, &args, Millis(5))
    }

    /// Proves RW-04.
    #[test]
    fn ignores_unknown_capabilities_and_refuses_unknown_options() {
        let mut replicas = Replicas::default();
        let known = said(
            &mut replicas,
            &["REPLCONF", "capa", "later", "capa", "psync2"],
        );
        assert_eq!(known, Answer::Reply(Reply::OK));
        assert!(replicas.entry(REPLICA, None).knows_psync2);
        let text = "ERR Unrecognized REPLCONF option: what";
        let unknown = said(&mut replicas, &["REPLCONF", "what", "1"]);
        assert_eq!(unknown, Answer::Reply(Reply::Error(text.into())));
    }

    /// Proves RW-36, RW-38.
    #[test]
    fn acknowledgements_count_only_from_those_that_receive_the_stream() {
        let mut replicas = Replicas::default();
        assert_eq!(
            said(&mut replicas, &["REPLCONF", "ACK", "7"]),
            Answer::Reply(Reply::None)
        );
        let none = Acked {
            offset: ReplOffset(0),
            at: Millis(0),
        };
        replicas.entry(REPLICA, None).online = Some(none);
        assert_eq!(
            said(&mut replicas, &["REPLCONF", "ACK", "7"]),
            Answer::Acknowledged
        );
        assert_eq!(
            (replicas.acked(ReplOffset(7)), replicas.acked(ReplOffset(8))),
            (1, 0)
        );
    }
}
