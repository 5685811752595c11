//! MIGRATE (cluster-commands.md section 4): keys go to another node, one talk at a time.
//!
//! Whoever touches a key on its way waits until it has arrived or come back, so that nobody sees
//! the difference to upstream, where the whole node stands still meanwhile.
//! DEVIATION(SM-09): other commands, timers and the bus go on, so a slow target costs nobody a
//! failover. What came in between is looked at when the answers are: a node that became a replica
//! deletes nothing (RP-09), one whose writes are paused waits for the end of the pause (MF-05).

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::Bytes;

use crate::commands::args;
use crate::commands::dispatch;
use crate::commands::parts::{Answer, Blocking, Call, Caller, Parts};
use crate::commands::session::Wait;
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::commands::wake;
use crate::ids::{ClientId, PeerId};
use crate::input::PeerEvent;
use crate::mutants::Mutant;
use crate::output::{Output, Outputs, PeerAct};
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

mod flight;
mod peers;

use flight::{Auth, Order, Selected, Standing, Talk};
use peers::Peers;

/// The rows of this group.
pub const COMMANDS: &[Command] = &[keyed(
    "migrate",
    -6,
    &[Flag::Write, Flag::Movablekeys],
    Keys::Movable(key_places),
    migrate,
    "generic",
)];

/// The migration under way, and the connections kept.
#[derive(Debug, Clone, Default)]
pub struct Migrations {
    flight: Option<Flight>,
    peers: Peers,
}

/// One migration under way.
#[derive(Debug, Clone)]
struct Flight {
    client: ClientId,
    order: Order,
    under_way: BTreeSet<Bytes>,
    peer: PeerId,
    stage: Stage,
    attempt: Attempt,
    /// When the present step has taken too long.
    deadline: Millis,
}

#[derive(Debug, Clone)]
enum Stage {
    Connecting,
    Talking(Talk),
    /// The connection is gone.
    Broken(Talk),
}

/// Only the first is followed by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    Last,
}

/// How a migration ended for want of a working connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    Connecting,
    Reading,
}

impl Migrations {
    /// Whether any keys are under way.
    pub fn are_any(&self) -> bool {
        self.flight.is_some()
    }

    /// Whether a command must wait until the keys under way have arrived.
    pub fn holds(&self, command: &Command, keys: &[&Bytes]) -> bool {
        let Some(flight) = &self.flight else {
            return false;
        };
        let is_under_way = |key: &&Bytes| flight.under_way.contains(*key);
        command.name == "migrate" || keys.iter().any(is_under_way)
    }

    /// When [`look`] has something to do.
    pub fn next_due(&self) -> Option<Millis> {
        let in_use = self.flight.as_ref().map(|flight| flight.peer);
        let deadline = self.flight.as_ref().map(|flight| flight.deadline);
        let moments = [deadline, self.peers.next_due(in_use)];
        moments.into_iter().flatten().min()
    }
}

// RD-18: one key, or those after KEYS.
fn key_places(args: &[Bytes]) -> Vec<usize> {
    let mut place = 6;
    while let Some(word) = args.get(place) {
        match args::word(word).as_str() {
            "auth" => place += 1,
            "auth2" => place += 2,
            "keys" if args[3].is_empty() => return (place + 1..args.len()).collect(),
            "keys" => return Vec::new(),
            _ => {}
        }
        place += 1;
    }
    vec![3]
}

fn parse(args: &[Bytes]) -> Result<Order, Refusal> {
    let mut order = Order {
        target: (args[1].clone(), args[2].clone()),
        db: 0,
        timeout: DEFAULT_TIMEOUT,
        copies: false,
        replaces: false,
        auth: None,
        keys: vec![args[3].clone()],
    };
    let mut rest = &args[6..];
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        match (args::word(word).as_str(), after) {
            ("copy", _) => order.copies = true,
            ("replace", _) => order.replaces = true,
            ("auth", [password, after @ ..]) => {
                let password = password.clone();
                order.auth = Some(Auth {
                    user: None,
                    password,
                });
                rest = after;
            }
            ("auth2", [user, password, after @ ..]) => {
                let (user, password) = (Some(user.clone()), password.clone());
                order.auth = Some(Auth { user, password });
                rest = after;
            }
            ("keys", _) if !args[3].is_empty() => return Err(KEYS_WITH_KEY),
            ("keys", keys) => {
                order.keys = keys.to_vec();
                break;
            }
            _ => return Err(Refusal::Syntax),
        }
    }
    let timeout = args::integer(&args[5])?;
    order.db = args::integer(&args[4])?;
    if let Ok(timeout) = u64::try_from(timeout)
        && timeout > 0
    {
        order.timeout = Millis(timeout);
    }
    Ok(order)
}

fn migrate(call: &mut Call) -> Answer {
    let mut order = parse(call.args)?;
    let (Caller::Client(client), Blocking::Allowed) = (call.caller, call.blocking) else {
        // DEVIATION(SM-09): it would have to stop the node, or to tear the transaction.
        return Err(Refusal::Text(
            "ERR MIGRATE is not allowed inside a transaction",
        ));
    };
    order.keys.retain(|key| call.read(key).is_some());
    if order.keys.is_empty() {
        return Ok(Reply::Simple("NOKEY"));
    }
    assert!(
        call.parts.server.migrations.flight.is_none(),
        "a second MIGRATE is held back by admission"
    );
    depart(call.parts, client, order, Attempt::First);
    call.wait = Some(Wait::Migration);
    Ok(Reply::None)
}

// On the connection that is kept, or on a new one.
fn depart(parts: &mut Parts, client: ClientId, order: Order, attempt: Attempt) {
    let migrations = &mut parts.server.migrations;
    let kept = migrations.peers.find(&order.target, parts.now);
    let (peer, stage) = match kept {
        Some((peer, db)) => {
            let selected = if db == Some(order.db) {
                Selected::Already
            } else {
                Selected::NotYet
            };
            (peer, Some(selected))
        }
        None => {
            let peer = migrations.peers.open(&order.target, parts.now, parts.out);
            (peer, None)
        }
    };
    migrations.flight = Some(Flight {
        client,
        deadline: parts.now + order.timeout,
        under_way: order.keys.iter().cloned().collect(),
        order,
        peer,
        stage: Stage::Connecting,
        attempt,
    });
    if let Some(selected) = stage {
        talk(parts, selected);
    }
}

// Sends everything at once; the answers are read as they come.
fn talk(parts: &mut Parts, selected: Selected) {
    let Some(flight) = &mut parts.server.migrations.flight else {
        return;
    };
    let restore = match parts.config.cluster_enabled {
        // SM-08.
        true => "RESTORE-ASKING",
        false => "RESTORE",
    };
    let mut order = Cow::Borrowed(&flight.order);
    if parts.config.mutant.is(Mutant::MigrateDropsOne) && order.keys.len() > 1 {
        order.to_mut().keys.pop();
    }
    let (talk, bytes) = Talk::begin(&order, selected, parts.keyspace, restore, parts.now);
    let peer = flight.peer;
    flight.stage = Stage::Talking(talk);
    flight.deadline = parts.now + flight.order.timeout;
    if !bytes.is_empty() {
        parts.out.push(Output::Peer {
            peer,
            act: PeerAct::Send(bytes),
        });
    }
}

/// Something happened to the connection to a target.
pub fn happened(parts: &mut Parts, peer: PeerId, event: PeerEvent) {
    match event {
        PeerEvent::Opened => peer_opened(parts, peer),
        PeerEvent::Bytes(bytes) => peer_bytes(parts, peer, &bytes),
        PeerEvent::Closed => peer_closed(parts, peer),
    }
    look(parts);
    wake::settle(parts);
}

fn peer_opened(parts: &mut Parts, peer: PeerId) {
    let flight = parts.server.migrations.flight.as_ref();
    let is_awaited = |flight: &Flight| flight.peer == peer;
    if flight.is_some_and(is_awaited) {
        talk(parts, Selected::NotYet);
    }
}

fn peer_bytes(parts: &mut Parts, peer: PeerId, bytes: &[u8]) {
    let migrations = &mut parts.server.migrations;
    match &mut migrations.flight {
        Some(flight) if flight.peer == peer => {
            flight.deadline = parts.now + flight.order.timeout;
            if let Stage::Talking(talk) = &mut flight.stage {
                talk.feed(bytes);
            }
        }
        Some(_) | None => migrations.peers.spoke_unasked(peer, parts.out),
    }
}

fn peer_closed(parts: &mut Parts, peer: PeerId) {
    let migrations = &mut parts.server.migrations;
    migrations.peers.lost(peer);
    let Some(mut flight) = migrations.flight.take() else {
        return;
    };
    if flight.peer != peer {
        migrations.flight = Some(flight);
        return;
    }
    flight.stage = match flight.stage {
        Stage::Connecting => {
            end(parts, flight, Some(Failure::Connecting));
            return;
        }
        Stage::Talking(talk) | Stage::Broken(talk) => Stage::Broken(talk),
    };
    parts.server.migrations.flight = Some(flight);
}

/// Looks how the migration stands, and drops connections that nobody uses. While writes are paused
/// nothing is deleted here, so its end is put off.
pub fn look(parts: &mut Parts) {
    let now = parts.now;
    let migrations = &mut parts.server.migrations;
    let in_use = migrations.flight.as_ref().map(|flight| flight.peer);
    migrations.peers.close_idle(in_use, now, parts.out);
    if parts.pause().is_some() {
        return;
    }
    let Some(mut flight) = parts.server.migrations.flight.take() else {
        return;
    };
    let is_late = flight.deadline <= now;
    let failure = match &mut flight.stage {
        Stage::Connecting if is_late => Some(Failure::Connecting),
        Stage::Connecting => {
            parts.server.migrations.flight = Some(flight);
            return;
        }
        Stage::Talking(talk) => match talk.read() {
            Standing::Done => None,
            Standing::Garbage => Some(Failure::Reading),
            Standing::Open if is_late => Some(Failure::Reading),
            Standing::Open => {
                parts.server.migrations.flight = Some(flight);
                return;
            }
        },
        Stage::Broken(talk) => match talk.read() {
            Standing::Done => None,
            Standing::Open | Standing::Garbage => {
                // Once more, on a fresh connection, if nothing can have been done yet.
                if flight.attempt == Attempt::First && !talk.has_answer() {
                    depart(parts, flight.client, flight.order, Attempt::Last);
                    return;
                }
                Some(Failure::Reading)
            }
        },
    };
    end(parts, flight, failure);
}

// What was acknowledged is deleted, and replicated as DEL of exactly those keys.
fn end(parts: &mut Parts, flight: Flight, failure: Option<Failure>) {
    let Flight {
        client,
        order,
        stage,
        ..
    } = flight;
    let (acknowledged, error) = match stage {
        Stage::Connecting => (Vec::new(), None),
        Stage::Talking(talk) | Stage::Broken(talk) => (talk.acknowledged, talk.error),
    };
    let peers = &mut parts.server.migrations.peers;
    match (failure, &error) {
        (Some(_), _) => peers.close(&order.target, parts.out),
        (None, Some(_)) => peers.used(&order.target, None, parts.now),
        (None, None) => peers.used(&order.target, Some(order.db), parts.now),
    }
    if !order.copies && !parts.config.mutant.is(Mutant::MigrateCopies) {
        let keys = match parts.config.mutant.is(Mutant::MigrateDropsOne) && failure.is_none() {
            true => order.keys.clone(),
            false => acknowledged,
        };
        delete(parts, client, keys);
    }
    let refusal = match (error, failure) {
        (Some(error), _) => Some(Refusal::Facts(format!(
            "ERR Target instance replied with error: {error}"
        ))),
        (None, Some(Failure::Connecting)) => Some(Refusal::Text(
            "IOERR error or timeout connecting to the client",
        )),
        (None, Some(Failure::Reading)) => Some(Refusal::Text(
            "IOERR error or timeout reading to target instance",
        )),
        (None, None) => None,
    };
    if let Some(refusal) = &refusal {
        parts.server.stats.count_error(refusal);
    }
    answer(parts, client, refusal.map_or(Reply::OK, Reply::from));
    wake::migration_ended(parts);
}

fn delete(parts: &mut Parts, client: ClientId, keys: Vec<Bytes>) {
    let mut effect = vec![Bytes::from_static(b"DEL")];
    for key in keys {
        // It may have expired meanwhile, or gone with its slot (UP-07).
        if parts.keyspace.remove(&key).is_some() {
            parts.server.dirty += 1;
            effect.push(key);
        }
    }
    if effect.len() > 1 {
        parts.server.effects.push(effect);
        dispatch::finish_unit(parts, Some(client));
    }
}

// The client may be gone; another of its number has not this to wait for.
fn answer(parts: &mut Parts, client: ClientId, reply: Reply) {
    let session = parts.clients.get(client);
    let wait = session.and_then(|session| session.wait.as_ref());
    if let Some((_, Wait::Migration)) = wait {
        parts.clients.stop_waiting(client);
        parts.reply(client, reply);
    }
}

/// This node became a replica: it deletes nothing by itself any more. The key is here and there,
/// and the slot still open, as after a crash at this point.
pub fn abandon(migrations: &mut Migrations, out: &mut Outputs) {
    if let Some(flight) = migrations.flight.take() {
        migrations.peers.close(&flight.order.target, out);
    }
}

const DEFAULT_TIMEOUT: Millis = Millis(1000);
const KEYS_WITH_KEY: Refusal = Refusal::Text(
    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
);
