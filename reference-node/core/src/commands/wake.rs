//! What happens to data and waiting clients without a command of theirs: expiry, timeouts, the
//! end of a pause, keys that got elements, slots that went away, changes of role.
//!
//! The node calls [`wake`] when [`next_wakeup`] says so, and the others when their event came.

use bytes::Bytes;

use crate::commands::failover::{self, Failover};
use crate::commands::notifications;
use crate::commands::parts::{Blocking, Caller, Parts, Role, Server};
use crate::commands::session::{Clients, Wait};
use crate::commands::{dispatch, idle, migrate, pubsub, streams, table, tracking};
use crate::ids::ClientId;
use crate::keyspace::{Keyspace, is_due};
use crate::mutants::Mutant;
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::route;
use crate::slot::Slot;
use crate::time::Millis;

/// When [`wake`] is next needed.
pub fn next_wakeup(keyspace: &Keyspace, clients: &Clients, server: &Server, role: Role) -> Millis {
    let pauses = [
        server.client_pause.map(|pause| pause.until),
        server.failover_pause,
    ];
    let pause_end = pauses.into_iter().flatten().max();
    let timeout = match clients.is_anyone_waiting() {
        true => clients.waiting().filter_map(|(_, wait)| wait.until()).min(),
        false => None,
    };
    let may_expire = role == Role::Master && !server.is_active_expiry_off && pause_end.is_none();
    let expiry = keyspace
        .next_expiry()
        .filter(|_| may_expire)
        .map(|at| at + Millis(1));
    let moments = [
        pauses[0],
        pauses[1],
        timeout,
        server.next_blocked_check,
        server.next_idle_check,
        server.failover.as_ref().and_then(Failover::due),
        expiry,
        // While writes are paused its end is put off.
        server
            .migrations
            .next_due()
            .map(|at| pause_end.map_or(at, |end| at.max(end))),
    ];
    let never = Millis(u64::MAX);
    moments
        .map(|moment| moment.unwrap_or(never))
        .into_iter()
        .fold(never, Millis::min)
}

/// Does all that is due.
pub fn wake(parts: &mut Parts) {
    end_pauses(parts);
    time_out(parts);
    migrate::look(parts);
    failover::look(parts);
    check_blocked(parts);
    idle::close_silent(parts);
    expire_actively(parts);
    settle(parts);
}

/// Serves clients that waited for keys changed just now, and runs the commands that came from
/// clients while they waited.
pub fn settle(parts: &mut Parts) {
    loop {
        let ready = std::mem::take(&mut parts.server.ready_keys);
        if !ready.is_empty() {
            for key in ready {
                serve_waiters(parts, &key);
            }
        } else if let Some(client) = parts.clients.next_unblocked() {
            run_pending(parts, client);
        } else {
            tracking::tell(parts, None);
            return;
        }
    }
}

/// Puts a client to wait, and sees to it that it is looked at in time (RD-13).
pub fn start_waiting(parts: &mut Parts, client: ClientId, wait: Wait) {
    parts.clients.start_waiting(client, wait);
    parts
        .server
        .next_blocked_check
        .get_or_insert(parts.now + BLOCKED_CHECK_PERIOD);
}

/// Deletes those of the keys that are due, and replicates it as DEL (RW-34). A replica waits for
/// its master to do so; so does a master while writes are paused.
pub fn expire_keys(parts: &mut Parts, keys: &[&Bytes]) {
    if parts.is_replica() || parts.pause().is_some() {
        return;
    }
    for key in keys {
        if is_due(parts.keyspace.expiry(key), parts.now) {
            parts.keyspace.remove(key);
            notifications::notify(parts, 'x', "expired", key);
            parts.server.stats.expired_keys += 1;
            let effect = vec![Bytes::from_static(b"DEL"), (*key).clone()];
            parts.server.effects.push(effect);
        }
    }
}

/// Replicas acknowledged something: WAIT may be over (RW-38).
pub fn replicas_acknowledged(parts: &mut Parts) {
    let mut done = Vec::new();
    for (client, wait) in parts.clients.waiting() {
        if let Wait::Replicas { count, offset, .. } = wait {
            let acked = parts.replication.acked(*offset) as u64;
            if acked >= *count {
                done.push((client, acked));
            }
        }
    }
    for (client, acked) in done {
        parts.clients.stop_waiting(client);
        parts.reply(client, Reply::Integer(acked as i64));
    }
    failover::look(parts);
    settle(parts);
}

/// This node became a replica: blocked clients are sent away (RP-12).
pub fn demoted(parts: &mut Parts) {
    let blocked = |wait: &Wait| match wait {
        Wait::Keys { .. } | Wait::Replicas { .. } | Wait::Migration => true,
        Wait::Resume { .. } => false,
    };
    if parts.config.mutant.is(Mutant::DemotedKeepsReaders) {
        keep_readers(parts.clients);
    }
    migrate::abandon(&mut parts.server.migrations, parts.out);
    let waiting = parts.clients.waiting().filter(|(_, wait)| blocked(wait));
    let clients: Vec<ClientId> = waiting.map(|(client, _)| client).collect();
    for client in clients {
        parts.clients.stop_waiting(client);
        parts.reply(client, Refusal::Unblocked.into());
        dispatch::close(parts, client);
    }
    migration_ended(parts);
    settle(parts);
}

/// A seeded bug: as if each client had said READONLY.
fn keep_readers(clients: &mut Clients) {
    let ids: Vec<ClientId> = clients.iter().map(|session| session.id).collect();
    for client in ids {
        if let Some(session) = clients.get_mut(client) {
            session.is_readonly = true;
        }
    }
}

/// Slots changed hands, or the cluster state did: subscribers of shard channels are told (PU-12).
/// Blocked clients are looked at once a second anyway (RD-13).
pub fn slots_changed(parts: &mut Parts) {
    pubsub::drop_foreign_shard_channels(parts);
}

/// A manual failover holds back writes until then (MF-05).
pub fn pause_writes(parts: &mut Parts, until: Millis) {
    parts.server.failover_pause = Some(until);
}

/// It is over (MF-11).
pub fn resume_writes(parts: &mut Parts) {
    parts.server.failover_pause = None;
    migrate::look(parts);
    resume_held(parts);
    settle(parts);
}

/// Deletes all keys of a slot that went to another master (UP-07); replicas are told.
pub fn delete_slot(parts: &mut Parts, slot: Slot) {
    for key in parts.keyspace.delete_slot(slot) {
        let effect = vec![Bytes::from_static(b"DEL"), key];
        parts.server.effects.push(effect);
        dispatch::finish_unit(parts, None);
    }
}

/// CLIENT UNPAUSE: what was held back runs once the present command is done.
pub fn resume_soon(parts: &mut Parts) {
    let is_held = |wait: &Wait| matches!(wait, Wait::Resume { .. });
    let held = parts.clients.waiting().filter(|(_, wait)| is_held(wait));
    let held: Vec<ClientId> = held.map(|(client, _)| client).collect();
    for client in held {
        let Some(Wait::Resume { args }) = parts.clients.stop_waiting(client) else {
            continue;
        };
        if let Some(session) = parts.clients.get_mut(client) {
            session.pending.put_first(args);
        }
    }
}

/// A migration is over: who waited for its keys goes on.
pub fn migration_ended(parts: &mut Parts) {
    for (_, wait) in parts.clients.waiting() {
        if let Wait::Keys { keys, .. } = wait {
            parts.server.ready_keys.extend(keys.iter().cloned());
        }
    }
    resume_held(parts);
}

// The end of a pause: what was held back runs, in order.
fn resume_held(parts: &mut Parts) {
    let is_held = |wait: &Wait| matches!(wait, Wait::Resume { .. });
    let held = parts.clients.waiting().filter(|(_, wait)| is_held(wait));
    let held: Vec<ClientId> = held.map(|(client, _)| client).collect();
    for client in held {
        if let Some(Wait::Resume { args }) = parts.clients.stop_waiting(client) {
            dispatch::run(parts, client, args);
        }
    }
}

fn end_pauses(parts: &mut Parts) {
    let now = parts.now;
    let before = (parts.server.client_pause, parts.server.failover_pause);
    parts.server.client_pause = before.0.filter(|pause| pause.until > now);
    parts.server.failover_pause = before.1.filter(|until| *until > now);
    if before != (parts.server.client_pause, parts.server.failover_pause) {
        resume_held(parts);
    }
}

fn time_out(parts: &mut Parts) {
    let is_over = |wait: &Wait| wait.until().is_some_and(|until| until <= parts.now);
    let over = parts.clients.waiting().filter(|(_, wait)| is_over(wait));
    let over: Vec<ClientId> = over.map(|(client, _)| client).collect();
    for client in over {
        let reply = match parts.clients.stop_waiting(client) {
            Some(Wait::Keys { on_timeout, .. }) => on_timeout,
            Some(Wait::Replicas { offset, .. }) => {
                Reply::Integer(parts.replication.acked(offset) as i64)
            }
            Some(Wait::Migration | Wait::Resume { .. }) | None => Reply::None,
        };
        parts.reply(client, reply);
    }
}

// RD-13: about once a second.
fn check_blocked(parts: &mut Parts) {
    if parts
        .server
        .next_blocked_check
        .is_none_or(|at| at > parts.now)
    {
        return;
    }
    let mut ended = Vec::new();
    let mut is_any_left = false;
    for (client, wait) in parts.clients.waiting() {
        let Wait::Keys { keys, .. } = wait else {
            continue;
        };
        let reads = parts.cluster.reads();
        let routes = keys.iter().map(|key| route::decide_blocked(key, reads));
        let route = routes
            .flatten()
            .next()
            .filter(|_| parts.config.cluster_enabled)
            .filter(|_| !parts.config.mutant.is(Mutant::WaitersNotReleased));
        match route.and_then(|route| route::refusal(route, reads, parts.config)) {
            Some(refusal) => ended.push((client, refusal)),
            None => is_any_left = true,
        }
    }
    for (client, refusal) in ended {
        parts.clients.stop_waiting(client);
        parts.reply(client, refusal.into());
    }
    let next = parts.now + BLOCKED_CHECK_PERIOD;
    parts.server.next_blocked_check = is_any_left.then_some(next);
}

fn expire_actively(parts: &mut Parts) {
    let is_paused = parts.pause().is_some();
    if parts.is_replica() || parts.server.is_active_expiry_off || is_paused {
        return;
    }
    let due = parts.keyspace.due(parts.now, usize::MAX);
    for key in due {
        expire_keys(parts, &[&key]);
        dispatch::finish_unit(parts, None);
    }
}

fn serve_waiters(parts: &mut Parts, key: &Bytes) {
    let waits_for = |wait: &Wait| match wait {
        Wait::Keys { keys, .. } => keys.contains(key),
        Wait::Replicas { .. } | Wait::Migration | Wait::Resume { .. } => false,
    };
    let waiting = parts.clients.waiting().filter(|(_, wait)| waits_for(wait));
    let clients: Vec<ClientId> = waiting.map(|(client, _)| client).collect();
    for client in clients {
        retry(parts, client, key);
    }
}

// Runs the blocked command again if the key is of use to it; it may have to go on waiting.
fn retry(parts: &mut Parts, client: ClientId, key: &Bytes) {
    let Some((place, wait)) = parts.clients.get_mut(client).and_then(|s| s.wait.clone()) else {
        return;
    };
    let Wait::Keys {
        args, type_name, ..
    } = &wait
    else {
        return;
    };
    let value = parts.keyspace.get(key, parts.now);
    let Some(command) = table::find(&args[0]) else {
        return;
    };
    if let Some(refusal) = streams::read::end_of_wait(args, value) {
        parts.clients.stop_waiting(client);
        parts.server.stats.count_error(&refusal);
        parts.reply(client, refusal.into());
        return;
    }
    if value.is_none_or(|value| value.type_name() != *type_name) {
        return;
    }
    if parts.server.migrations.holds(command, &command.keys(args)) {
        // It is looked at again when they have arrived.
        return;
    }
    parts.clients.stop_waiting(client);
    let caller = Caller::Client(client);
    let reply = dispatch::execute(parts, caller, command, args, Blocking::Allowed);
    dispatch::finish_unit(parts, Some(client));
    let waits_again = parts.clients.get(client).is_some_and(|s| s.wait.is_some());
    if waits_again {
        parts.clients.keep_waiting(client, place, wait);
    }
    parts.reply(client, reply);
}

fn run_pending(parts: &mut Parts, client: ClientId) {
    while let Some(session) = parts.clients.get_mut(client) {
        if session.wait.is_some() || session.is_closing {
            return;
        }
        let Some(args) = session.pending.next_command() else {
            return;
        };
        dispatch::run(parts, client, args);
    }
}

const BLOCKED_CHECK_PERIOD: Millis = Millis(1000);
