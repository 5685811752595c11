//! Two rooms wired to each other: a master and its replica, without sockets.

mod loading;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use bytes::{Bytes, BytesMut};

use super::room::Applied;
use super::stream::{put_command, take_command};
use super::{Event, ReplId, ReplOffset, Replication};
use crate::cluster::LinkFigures;
use crate::commands::{ReplicationDoor, ReplicationSurroundings};
use crate::config::Config;
use crate::ids::{ClientId, UpstreamId};
use crate::keyspace::{Keyspace, Value};
use crate::output::{Output, Outputs};
use crate::resp::Reply;
use crate::rng::Rng;
use crate::time::Millis;

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A node made of a room and data; it knows SET and nothing else.
struct Side {
    room: Replication,
    keyspace: Keyspace,
    rng: Rng,
    config: Config,
    transaction: Option<usize>,
    acknowledged: usize,
}

impl Side {
    fn new(seed: u64) -> Side {
        let mut rng = Rng::new(seed);
        Side {
            room: Replication::new(&mut rng, Millis(0)),
            keyspace: Keyspace::default(),
            rng,
            config: Config::default(),
            transaction: None,
            acknowledged: 0,
        }
    }

    fn set(&mut self, key: &str, value: &str, out: &mut Outputs) {
        let args = ["SET", key, value].map(|word| Bytes::from(word.to_string()));
        self.keyspace
            .insert(args[1].clone(), Value::String(args[2].clone()));
        self.room.propagate(&args, out);
    }

    fn says(&mut self, client: ClientId, args: &[Bytes], now: Millis, out: &mut Outputs) -> Reply {
        let mut around = ReplicationSurroundings {
            now,
            config: &self.config,
            keyspace: &self.keyspace,
            rng: &mut self.rng,
            peer: Some(IP),
        };
        self.room.command(client, args, &mut around, out)
    }

    fn drain(&mut self, now: Millis, out: &mut Outputs) -> Vec<ClientId> {
        let mut closed = Vec::new();
        while let Some(event) = self.room.next_event(&self.config, now, out) {
            match event {
                Event::Replace(entries) => {
                    self.keyspace.flush();
                    for (key, entry) in entries {
                        self.keyspace.insert_entry(key, entry);
                    }
                }
                Event::Run(received) => self.run(received, out),
                Event::LinkLost => self.transaction = None,
                Event::Close(client) => {
                    self.room.client_closed(client);
                    closed.push(client);
                }
                Event::Acknowledged => self.acknowledged += 1,
                Event::HandedOver(_) => {}
            }
        }
        closed
    }

    fn run(&mut self, received: super::stream::Received, out: &mut Outputs) {
        let how = match (received.args[0].as_ref(), self.transaction) {
            (b"MULTI", _) => {
                self.transaction = Some(0);
                Applied::Queued
            }
            (b"EXEC", _) => {
                self.transaction = None;
                Applied::Now
            }
            (_, Some(_)) => Applied::Queued,
            (_, None) => {
                let value = Value::String(received.args[2].clone());
                self.keyspace.insert(received.args[1].clone(), value);
                Applied::Now
            }
        };
        self.room.applied(received.raw, how, out);
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.keyspace.get(key.as_bytes(), Millis(0))
    }
}

/// A master, a replica, and the one connection between them.
struct Pair {
    master: Side,
    replica: Side,
    now: Millis,
    link: Option<(UpstreamId, ClientId)>,
    to_master: BytesMut,
    connections: u64,
    sent: BTreeMap<&'static str, usize>,
}

impl Pair {
    fn new() -> Pair {
        let mut pair = Pair {
            master: Side::new(1),
            replica: Side::new(2),
            now: Millis(10_000),
            link: None,
            to_master: BytesMut::new(),
            connections: 0,
            sent: BTreeMap::new(),
        };
        pair.replica
            .room
            .follow(Some((IP, 7000)), pair.now, &mut Vec::new());
        pair
    }

    /// Lets time pass and everything that is due happen.
    fn pass(&mut self, span: Millis) {
        self.now = self.now + span;
        let (now, mut from_replica, mut from_master) = (self.now, Vec::new(), Vec::new());
        let replica = &mut self.replica;
        let (config, rng) = (&replica.config, &mut replica.rng);
        replica.room.wake(config, rng, now, &mut from_replica);
        let master = &mut self.master;
        let (config, rng) = (&master.config, &mut master.rng);
        master.room.wake(config, rng, now, &mut from_master);
        self.settle(from_master, from_replica);
    }

    fn settle(&mut self, mut from_master: Outputs, mut from_replica: Outputs) {
        loop {
            self.master.drain(self.now, &mut from_master);
            self.replica.drain(self.now, &mut from_replica);
            if from_master.is_empty() && from_replica.is_empty() {
                return;
            }
            let outputs = std::mem::take(&mut from_master);
            for output in outputs {
                self.carry_out_master(output, &mut from_replica);
            }
            let outputs = std::mem::take(&mut from_replica);
            for output in outputs {
                self.carry_out_replica(output, &mut from_master, &mut from_replica);
            }
        }
    }

    fn carry_out_master(&mut self, output: Output, from_replica: &mut Outputs) {
        if let (Output::SendBytes { client, bytes }, Some((upstream, linked))) = (output, self.link)
            && client == linked
        {
            self.replica.room.upstream_bytes(upstream, &bytes, self.now);
            self.replica.drain(self.now, from_replica);
        }
    }

    fn carry_out_replica(
        &mut self,
        output: Output,
        from_master: &mut Outputs,
        from_replica: &mut Outputs,
    ) {
        match output {
            Output::OpenUpstream { upstream, .. } => {
                self.connections += 1;
                self.link = Some((upstream, ClientId(self.connections)));
                self.replica
                    .room
                    .upstream_opened(upstream, self.now, from_replica);
            }
            Output::CloseUpstream { .. } => self.cut_master_side(),
            Output::SendUpstream { bytes, .. } => {
                self.to_master.extend_from_slice(&bytes);
                self.serve(from_master, from_replica);
            }
            _ => {}
        }
    }

    fn serve(&mut self, from_master: &mut Outputs, from_replica: &mut Outputs) {
        while let Some(command) = take_command(&mut self.to_master).expect("valid") {
            let Some((upstream, client)) = self.link else {
                return;
            };
            let name = if command.args[0] == "PSYNC" {
                "PSYNC"
            } else {
                "other"
            };
            *self.sent.entry(name).or_default() += 1;
            let reply = match command.args[0].as_ref() {
                b"PING" => Reply::Simple("PONG"),
                _ => self
                    .master
                    .says(client, &command.args, self.now, from_master),
            };
            let mut bytes = Vec::new();
            reply.encode(Default::default(), &mut bytes);
            self.replica.room.upstream_bytes(upstream, &bytes, self.now);
            for output in std::mem::take(from_master) {
                self.carry_out_master(output, from_replica);
            }
            self.replica.drain(self.now, from_replica);
        }
    }

    fn cut_master_side(&mut self) {
        if let Some((_, client)) = self.link.take() {
            self.master.room.client_closed(client);
        }
        self.to_master.clear();
    }

    fn cut(&mut self) {
        if let Some((upstream, _)) = self.link {
            self.cut_master_side();
            self.replica
                .room
                .upstream_closed(upstream, self.now, &mut Vec::new());
            self.replica.drain(self.now, &mut Vec::new());
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        let mut out = Vec::new();
        self.master.set(key, value, &mut out);
        self.settle(out, Vec::new());
    }

    fn feed(&mut self, bytes: &[u8]) {
        let (upstream, _) = self.link.expect("linked");
        self.replica.room.upstream_bytes(upstream, bytes, self.now);
        let mut out = Vec::new();
        self.replica.drain(self.now, &mut out);
        self.settle(Vec::new(), out);
    }

    fn is_linked(&self) -> bool {
        matches!(self.replica.room.figures().link, LinkFigures::Up { .. })
    }

    fn assert_same(&self) {
        assert!(self.is_linked(), "the replica is linked");
        assert_eq!(self.replica.room.place(), self.master.room.place());
        let keys = |side: &Side| {
            side.keyspace
                .iter()
                .map(|(k, _)| k.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&self.replica), keys(&self.master));
    }
}

const SECOND: Millis = Millis(1000);

fn linked() -> Pair {
    let mut pair = Pair::new();
    pair.master.set("before", "1", &mut Vec::new());
    pair.pass(SECOND);
    pair.assert_same();
    pair
}

/// Proves RW-16, RW-26, RW-31, RW-32.
#[test]
fn a_fresh_replica_gets_a_snapshot_and_then_the_stream() {
    let mut pair = linked();
    pair.set("after", "2");
    pair.assert_same();
    assert_eq!(
        pair.replica.value("before"),
        Some(&Value::String("1".into()))
    );
    assert_eq!(
        pair.replica.value("after"),
        Some(&Value::String("2".into()))
    );
    assert_eq!(pair.master.room.counts().sync_full, 1);
}

/// Proves RW-12, RW-41: no second snapshot after a short break.
#[test]
fn a_replica_that_was_away_gets_only_what_it_missed() {
    let mut pair = linked();
    pair.cut();
    pair.set("missed", "3");
    assert!(!pair.is_linked());
    pair.pass(SECOND);
    pair.assert_same();
    let counts = pair.master.room.counts();
    assert_eq!((counts.sync_full, counts.sync_partial_ok), (1, 1));
}

/// Proves RW-42, RW-15: what a master wrote without a backlog is no common history.
#[test]
fn a_replica_that_was_away_for_too_long_gets_a_new_snapshot() {
    let mut pair = linked();
    pair.cut();
    for key in 0..2000 {
        pair.set(&format!("key{key}"), &"x".repeat(1000));
    }
    pair.pass(SECOND);
    pair.assert_same();
    assert_eq!(pair.master.room.counts().sync_full, 2);
}

/// Proves RP-06, RP-07, RW-15, RW-17: roles swapped, no snapshot needed.
#[test]
fn the_old_master_goes_on_from_its_replica() {
    let mut pair = linked();
    pair.set("last", "1");
    pair.cut();
    let old = pair.master.room.place().0;
    pair.replica
        .room
        .lead(&mut pair.replica.rng, pair.now, &mut Vec::new());
    pair.replica.drain(pair.now, &mut Vec::new());
    std::mem::swap(&mut pair.master, &mut pair.replica);
    assert_ne!(pair.master.room.place().0, old);
    pair.master.set("new", "2", &mut Vec::new());
    pair.replica
        .room
        .follow(Some((IP, 7001)), pair.now, &mut Vec::new());
    pair.pass(SECOND);
    pair.assert_same();
    let counts = pair.master.room.counts();
    assert_eq!((counts.sync_full, counts.sync_partial_ok), (0, 1));
}

/// Proves RP-07: writes that the new master never saw are given up by a snapshot.
#[test]
fn an_old_master_that_is_ahead_gets_a_snapshot() {
    let mut pair = linked();
    pair.cut();
    pair.set("lost", "1");
    pair.replica
        .room
        .lead(&mut pair.replica.rng, pair.now, &mut Vec::new());
    pair.replica.drain(pair.now, &mut Vec::new());
    std::mem::swap(&mut pair.master, &mut pair.replica);
    pair.replica
        .room
        .follow(Some((IP, 7001)), pair.now, &mut Vec::new());
    pair.pass(SECOND);
    pair.assert_same();
    assert_eq!(pair.replica.value("lost"), None);
    assert_eq!(pair.master.room.counts().sync_full, 1);
}

/// Proves RW-35: inside MULTI the offset stands still, and a break forgets what was queued.
#[test]
fn a_transaction_counts_when_it_ends() {
    let mut pair = linked();
    let before = pair.replica.room.place();
    let mut bytes = Vec::new();
    put_command(&mut bytes, &["MULTI"]);
    put_command(&mut bytes, &["SET", "a", "1"]);
    put_command(&mut bytes, &["PING"]);
    pair.feed(&bytes);
    assert_eq!(pair.replica.room.place(), before);
    let mut end = Vec::new();
    put_command(&mut end, &["EXEC"]);
    pair.feed(&end);
    let total = bytes.len() + end.len();
    assert_eq!(pair.replica.room.place().1, before.1.plus(total));
    pair.feed(&bytes);
    pair.cut();
    assert_eq!(pair.replica.room.place().1, before.1.plus(total));
}

/// Proves RW-36, RW-38: WAIT can count on it.
#[test]
fn asked_for_an_acknowledgement_a_replica_gives_it_at_once() {
    let mut pair = linked();
    pair.set("k", "v");
    let offset = pair.master.room.figures().offset;
    assert_eq!(pair.master.room.acked(offset), 0);
    let mut out = Vec::new();
    pair.master.room.request_acks(&mut out);
    pair.settle(out, Vec::new());
    assert_eq!(pair.master.room.acked(offset), 1);
    assert!(pair.master.acknowledged > 0);
}

/// Proves RW-33, MF-07: neither PING nor GETACK moves the offset that a failover waits for.
#[test]
fn the_offset_stands_still_while_writes_are_held_back() {
    let mut pair = linked();
    let before = pair.master.room.place();
    let end = pair.now + Millis(30_000);
    let Side {
        room, config, rng, ..
    } = &mut pair.master;
    room.stand_still(end);
    room.request_acks(&mut Vec::new());
    room.wake(config, rng, end - Millis(1), &mut Vec::new());
    assert_eq!(room.place(), before);
    room.wake(config, rng, end + Millis(10_000), &mut Vec::new());
    assert_eq!(room.place().1, before.1.plus(37 + 14));
}

/// Proves RW-39.
#[test]
fn a_silent_side_is_dropped_by_the_other() {
    let mut pair = linked();
    let late = pair.now + Millis(61_001);
    let Side {
        room, config, rng, ..
    } = &mut pair.replica;
    let mut out = Vec::new();
    room.wake(config, rng, late, &mut out);
    assert!(
        out.iter()
            .any(|output| matches!(output, Output::CloseUpstream { .. }))
    );
    let Side {
        room, config, rng, ..
    } = &mut pair.master;
    room.wake(config, rng, late, &mut Vec::new());
    assert_eq!(pair.master.drain(late, &mut Vec::new()), [ClientId(1)]);
}

/// Proves RW-14.
#[test]
fn a_replica_without_its_master_serves_no_replica() {
    let mut replica = Side::new(3);
    replica
        .room
        .follow(Some((IP, 7000)), Millis(1), &mut Vec::new());
    let args = ["PSYNC", "?", "-1"].map(Bytes::from);
    let reply = replica.says(ClientId(9), &args, Millis(1), &mut Vec::new());
    let text = "NOMASTERLINK Can't SYNC while not connected with my master";
    assert_eq!(reply, Reply::Error(text.into()));
}

/// Proves EL-04: a replica that never was linked, or changed shards, has no age of data.
#[test]
fn a_link_that_never_was_up_is_down_since_ever() {
    let (mut pair, down) = (Pair::new(), |since| LinkFigures::Down { since });
    assert_eq!(pair.replica.room.figures().link, down(Millis(0)));
    pair.pass(SECOND);
    pair.cut();
    assert_eq!(pair.replica.room.figures().link, down(pair.now));
    pair.replica.room.disown_data();
    assert_eq!(pair.replica.room.figures().link, down(Millis(0)));
}

/// Proves RW-28: the data stays as it was, and the attempt is repeated.
#[test]
fn a_snapshot_that_cannot_be_read_changes_nothing() {
    let mut pair = Pair::new();
    pair.replica
        .keyspace
        .insert("own".into(), Value::String("1".into()));
    let before = pair.replica.room.place();
    let mut out = Vec::new();
    let Side {
        room, config, rng, ..
    } = &mut pair.replica;
    room.wake(config, rng, pair.now, &mut out);
    let upstream = UpstreamId(1);
    room.upstream_opened(upstream, pair.now, &mut out);
    let id = ReplId::random(rng);
    let answers = format!("+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC {id} 7\r\n$10\r\nREDIS0099\u{7f}");
    room.upstream_bytes(upstream, answers.as_bytes(), pair.now);
    pair.replica.drain(pair.now, &mut out);
    assert_eq!(pair.replica.room.place(), before);
    assert!(pair.replica.value("own").is_some());
    assert_eq!(pair.replica.room.place().1, ReplOffset(0));
    assert!(
        out.iter()
            .any(|output| matches!(output, Output::CloseUpstream { .. }))
    );
}
