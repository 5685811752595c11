//! Whether a command of a client may run now: run it, queue it, hold it back, or refuse it.
//!
//! Refusals come in upstream's order (RD-20): arity, authentication, routing, replicas at hand,
//! read-only replica, subscriber context, stale data, pause, transaction. It changes nothing.

use bytes::Bytes;

use crate::cluster::LinkFigures;
use crate::commands::acl;
use crate::commands::catalogue::{self, Row};
use crate::commands::info;
use crate::commands::parts::{Parts, PauseKind};
use crate::commands::session::Session;
use crate::commands::table::{self, Command, Flag, Keys};
use crate::config::directives::number;
use crate::ids::ClientId;
use crate::mutants::Mutant;
use crate::output::Protocol;
use crate::replication::LoadState;
use crate::resp::errors::Refusal;
use crate::route::{self, Access, Request};
use crate::time::Millis;

/// What becomes of an admitted command.
pub enum Admission {
    /// It runs now.
    Run(&'static Command),
    /// It waits for EXEC.
    Queue,
    /// A pause holds it back, or a migration of its keys.
    Hold,
}

/// Decides what becomes of a command.
///
/// # Errors
/// The first thing against it, in the order above.
pub fn admit(
    parts: &Parts,
    client: ClientId,
    command: Option<&'static Command>,
    args: &[Bytes],
) -> Result<Admission, Refusal> {
    let session = parts
        .clients
        .get(client)
        .expect("the caller has looked it up");
    let command = command.ok_or_else(|| table::unknown(args))?;
    let row = catalogue::called(command.name, args)?;
    let name = row.map_or(command.name, |row| row.name);
    if !command.fits(args.len()) {
        return Err(Refusal::Arity(command.name.into()));
    }
    let is_in_multi = session.transaction.is_some();
    if is_in_multi && command.has(Flag::NoMulti) {
        return Err(Refusal::NotInMulti);
    }
    if !session.is_authenticated && !command.has(Flag::NoAuth) {
        return Err(Refusal::NoAuth);
    }
    let is_write = is_writing(session, command);
    check_rights(parts, session, command, (row, args))?;
    check_route(parts, session, command, args)?;
    check_memory(parts, session, command)?;
    if is_write {
        check_replicas(parts)?;
    }
    if is_write && parts.is_replica() && parts.config.replica_read_only {
        return Err(Refusal::ReadOnlyReplica);
    }
    check_subscriber(session, command, name)?;
    check_stale(parts, session, command)?;
    let load_state = parts.replication.load_state(parts.config);
    if load_state == LoadState::Loading && !command.has(Flag::Loading) {
        return Err(Refusal::Loading);
    }
    let is_replica_client = parts.replication.is_replica_client(client);
    if is_replica_client && (is_write || command.has(Flag::Readonly)) {
        return Err(Refusal::ReplicaKeyspace);
    }
    // MF-05, CLIENT PAUSE: held back, not refused.
    let is_held = match parts.pause() {
        None => false,
        Some(PauseKind::All) => !is_replica_client,
        Some(PauseKind::Write) => is_write || command.has(Flag::MayReplicate),
    };
    if is_held {
        return Ok(Admission::Hold);
    }
    let is_queued = is_in_multi && !IMMEDIATE_IN_MULTI.contains(&command.name);
    Ok(if is_queued {
        Admission::Queue
    } else if meets_migration(parts, session, command, args) {
        Admission::Hold
    } else {
        Admission::Run(command)
    })
}

// Keys on their way to another node are nobody's until they have arrived.
fn meets_migration(
    parts: &Parts,
    session: &Session,
    command: &'static Command,
    args: &[Bytes],
) -> bool {
    let migrations = &parts.server.migrations;
    if !migrations.are_any() {
        return false;
    }
    let queue = session
        .transaction
        .iter()
        .flat_map(|transaction| &transaction.queue);
    let queued = queue.filter_map(|args| Some((table::find(&args[0])?, args.as_slice())));
    let mut rows = queued.chain([(command, args)]);
    rows.any(|(command, args)| migrations.holds(command, &command.keys(args)))
}

fn is_writing(session: &Session, command: &Command) -> bool {
    let queue = session
        .transaction
        .iter()
        .flat_map(|transaction| &transaction.queue);
    let mut queued = queue.filter_map(|args| table::find(&args[0]));
    let is_exec = command.name == "exec";
    command.has(Flag::Write) || (is_exec && queued.any(|command| command.has(Flag::Write)))
}

fn check_route(
    parts: &Parts,
    session: &Session,
    command: &'static Command,
    args: &[Bytes],
) -> Result<(), Refusal> {
    if !parts.config.cluster_enabled {
        return Ok(());
    }
    let alone = [(command, args)];
    let queued: Vec<(&Command, &[Bytes])>;
    let (rows, keys) = if command.name == "exec" {
        // RD-11: all queued commands together.
        let queue = session
            .transaction
            .iter()
            .flat_map(|transaction| &transaction.queue);
        queued = queue
            .filter_map(|args| Some((table::find(&args[0])?, args.as_slice())))
            .collect();
        let keys = queued.iter().flat_map(|(command, args)| command.keys(args));
        (queued.as_slice(), keys.collect())
    } else {
        (alone.as_slice(), command.keys(args))
    };
    if keys.is_empty() {
        // RD-02, PU-11.
        return Ok(());
    }
    let request = Request {
        keys: &keys,
        access: access(rows),
        is_asking: session.is_asking || command.has(Flag::Asking),
        is_readonly: session.is_readonly,
    };
    let reads = parts.cluster.reads();
    let route = route::decide(&request, reads, parts.config, parts.keyspace, parts.now);
    match route::refusal(route, reads, parts.config) {
        None => Ok(()),
        Some(refusal) => Err(refusal),
    }
}

fn access(rows: &[(&Command, &[Bytes])]) -> Access {
    let is_channel = |command: &Command| matches!(command.keys, Keys::ShardChannels(..));
    if rows.iter().any(|(command, _)| command.name == "migrate") {
        Access::Migrate
    } else if rows.iter().any(|(command, _)| command.has(Flag::Write)) {
        Access::Write
    } else if rows.iter().all(|(command, _)| is_channel(command)) {
        Access::ShardChannel
    } else {
        Access::Read
    }
}

fn check_rights(
    parts: &Parts,
    session: &Session,
    command: &'static Command,
    (row, args): (Option<&'static Row>, &[Bytes]),
) -> Result<(), Refusal> {
    if !parts.server.users.is_anyone_limited() {
        return Ok(());
    }
    let user = parts.server.users.find(&session.user, parts.config);
    let denied = user.and_then(|user| acl::denied(&user, command, row, args));
    denied.map_or(Ok(()), |denied| Err(denied.into()))
}

// Nothing is evicted: what is too much is refused.
fn check_memory(parts: &Parts, session: &Session, command: &Command) -> Result<(), Refusal> {
    let limit = usize::try_from(number(parts.config, "maxmemory", 0)).unwrap_or(0);
    if limit == 0 || parts.is_replica() {
        return Ok(());
    }
    let queue = session.transaction.iter().flat_map(|open| &open.queue);
    let mut queued = queue.filter_map(|args| table::find(&args[0]));
    let is_exec = command.name == "exec";
    let grows =
        command.has(Flag::Denyoom) || (is_exec && queued.any(|queued| queued.has(Flag::Denyoom)));
    if grows && info::used_memory(parts) > limit {
        return Err(Refusal::OutOfMemory);
    }
    Ok(())
}

// CF-20; 0 of either switches it off.
fn check_replicas(parts: &Parts) -> Result<(), Refusal> {
    let wanted = parts.config.min_replicas_to_write;
    let is_asked = wanted > 0 && parts.config.min_replicas_max_lag_s > 0;
    if !is_asked || parts.is_replica() || parts.config.mutant.is(Mutant::MinReplicasIgnored) {
        return Ok(());
    }
    let lag_max = Millis(parts.config.min_replicas_max_lag_s.saturating_mul(1000));
    let good = parts.replication.good_replicas(parts.now, lag_max);
    if good < wanted {
        Err(Refusal::NoReplicas)
    } else {
        Ok(())
    }
}

fn check_subscriber(session: &Session, command: &Command, name: &str) -> Result<(), Refusal> {
    let is_bound = session.protocol == Protocol::Resp2 && session.is_subscriber();
    if is_bound && !ALLOWED_TO_SUBSCRIBERS.contains(&command.name) {
        return Err(Refusal::SubscriberContext(name.into()));
    }
    Ok(())
}

// RD-19: a replica without its master serves stale data, unless told not to.
fn check_stale(parts: &Parts, session: &Session, command: &Command) -> Result<(), Refusal> {
    let queue = session.transaction.iter().flat_map(|open| &open.queue);
    let mut queued = queue.filter_map(|args| table::find(&args[0]));
    let is_exec = command.name == "exec";
    let needs_master =
        !command.has(Flag::Stale) || (is_exec && queued.any(|queued| !queued.has(Flag::Stale)));
    let is_link_down = matches!(parts.replication.figures().link, LinkFigures::Down { .. });
    let is_refused = parts.is_replica()
        && is_link_down
        && !parts.config.replica_serve_stale_data
        && !parts.config.mutant.is(Mutant::ServesStaleData)
        && needs_master;
    if is_refused {
        Err(Refusal::MasterDown)
    } else {
        Ok(())
    }
}

const IMMEDIATE_IN_MULTI: &[&str] = &["exec", "discard", "multi", "watch", "quit", "reset"];

const ALLOWED_TO_SUBSCRIBERS: &[&str] = &[
    "subscribe",
    "psubscribe",
    "ssubscribe",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "ping",
    "quit",
    "reset",
];
