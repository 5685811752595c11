//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//!
//! Whether EXEC is served here at all is decided before, over all queued keys (RD-11).

use crate::commands::dispatch;
use crate::commands::parts::{Answer, Blocking, Call, Caller, Parts};
use crate::commands::session::{Transaction, Watched};
use crate::commands::table::{self, Command, Flag, Keys, keyed, keyless};
use crate::ids::ClientId;
use crate::keyspace::is_due;
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Fast, Loading, Noscript, Stale};

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyless(
        "multi",
        1,
        &[Noscript, Loading, Stale, Fast],
        multi,
        "transactions",
    ),
    keyless("exec", 1, &[Noscript, Loading, Stale], exec, "transactions"),
    keyless(
        "discard",
        1,
        &[Noscript, Loading, Stale, Fast],
        discard_command,
        "transactions",
    ),
    keyed(
        "watch",
        -2,
        &[Noscript, Loading, Stale, Fast],
        Keys::Range(1, -1, 1),
        watch,
        "transactions",
    ),
    keyless(
        "unwatch",
        1,
        &[Noscript, Loading, Stale, Fast],
        unwatch,
        "transactions",
    ),
];

/// Forgets a client's MULTI and its watches.
pub fn discard(parts: &mut Parts, client: ClientId) {
    if let Some(session) = parts.clients.get_mut(client) {
        session.transaction = None;
    }
    forget_watches(parts, client);
}

fn multi(call: &mut Call) -> Answer {
    let Some(session) = call.session() else {
        return Ok(Reply::OK);
    };
    if session.transaction.is_some() {
        return Err(Refusal::NestedMulti);
    }
    session.transaction = Some(Transaction::default());
    Ok(Reply::OK)
}

fn exec(call: &mut Call) -> Answer {
    let Caller::Client(client) = call.caller else {
        return Ok(Reply::OK);
    };
    let session = call.session().ok_or(Refusal::NoSuchClient)?;
    let transaction = session
        .transaction
        .take()
        .ok_or(Refusal::WithoutMulti("EXEC"))?;
    let is_outdated = is_any_watch_outdated(call.parts, client);
    forget_watches(call.parts, client);
    if transaction.is_doomed {
        return Err(Refusal::ExecAbort);
    }
    if is_outdated {
        return Ok(Reply::NilArray);
    }
    let mut replies = Vec::with_capacity(transaction.queue.len());
    for args in &transaction.queue {
        let command = table::find(&args[0]).ok_or_else(|| table::unknown(args))?;
        let caller = Caller::Client(client);
        replies.push(dispatch::execute(
            call.parts,
            caller,
            command,
            args,
            Blocking::Denied,
        ));
    }
    Ok(Reply::Array(replies))
}

fn discard_command(call: &mut Call) -> Answer {
    let Caller::Client(client) = call.caller else {
        return Ok(Reply::OK);
    };
    if call
        .session()
        .is_none_or(|session| session.transaction.is_none())
    {
        return Err(Refusal::WithoutMulti("DISCARD"));
    }
    discard(call.parts, client);
    Ok(Reply::OK)
}

fn watch(call: &mut Call) -> Answer {
    let Caller::Client(client) = call.caller else {
        return Ok(Reply::OK);
    };
    if call
        .session()
        .is_some_and(|session| session.transaction.is_some())
    {
        return Err(Refusal::WatchInMulti);
    }
    let keys = call.args[1..].to_vec();
    for key in keys {
        let is_watched = call.session().is_none_or(|s| s.watched.contains_key(&key));
        if !is_watched {
            let was_due = is_due(call.parts.keyspace.expiry(&key), call.parts.now);
            let version = call.parts.keyspace.watch(&key);
            if let Some(session) = call.parts.clients.get_mut(client) {
                session.watched.insert(key, Watched { version, was_due });
            }
        }
    }
    Ok(Reply::OK)
}

fn unwatch(call: &mut Call) -> Answer {
    if let Caller::Client(client) = call.caller {
        forget_watches(call.parts, client);
    }
    Ok(Reply::OK)
}

fn forget_watches(parts: &mut Parts, client: ClientId) {
    if let Some(session) = parts.clients.get_mut(client) {
        for key in std::mem::take(&mut session.watched).keys() {
            parts.keyspace.unwatch(key);
        }
    }
}

// A key that became due since it was watched has changed; the deletion of one that was due
// before has changed nothing.
fn is_any_watch_outdated(parts: &Parts, client: ClientId) -> bool {
    let Some(session) = parts.clients.get(client) else {
        return false;
    };
    session.watched.iter().any(|(key, watched)| {
        let is_gone = parts.keyspace.entry(key).is_none();
        if watched.was_due && is_gone {
            return false;
        }
        let is_due_now = is_due(parts.keyspace.expiry(key), parts.now);
        parts.keyspace.version(key) != watched.version || (is_due_now && !watched.was_due)
    })
}
