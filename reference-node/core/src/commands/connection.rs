//! The connection itself: PING, HELLO, AUTH, SELECT, QUIT, RESET, and the redirection flags.

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::parts::{Answer, Call, Caller};
use crate::commands::session::ReplyMode;
use crate::commands::table::{Command, Flag, keyless};
use crate::commands::{info, pubsub, tracking, transactions};
use crate::mutants::Mutant;
use crate::output::Protocol;
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Fast, Loading, NoAuth, Noscript, Stale};

const OPEN: &[Flag] = &[Noscript, Loading, Stale, Fast, NoAuth];

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyless("ping", -1, &[Fast], ping, "connection"),
    keyless("echo", 2, &[Loading, Stale, Fast], echo, "connection"),
    keyless("hello", -1, OPEN, hello, "connection"),
    keyless("auth", -2, OPEN, auth, "connection"),
    keyless("select", 2, &[Loading, Stale, Fast], select, "connection"),
    keyless("quit", -1, OPEN, quit, "connection"),
    keyless("reset", 1, OPEN, reset, "connection"),
    keyless("asking", 1, &[Fast], asking, "cluster"),
    keyless("readonly", 1, &[Loading, Stale, Fast], readonly, "cluster"),
    keyless(
        "readwrite",
        1,
        &[Loading, Stale, Fast],
        readwrite,
        "cluster",
    ),
];

fn ping(call: &mut Call) -> Answer {
    let text = call.args.get(1).cloned();
    if call.args.len() > 2 {
        return Err(Refusal::Arity("ping".into()));
    }
    let pong = call
        .session()
        .and_then(|s| pubsub::subscriber_pong(s, text.as_ref()));
    if let Some(reply) = pong {
        return Ok(reply);
    }
    Ok(text.map_or(Reply::Simple("PONG"), Reply::Bulk))
}

fn echo(call: &mut Call) -> Answer {
    Ok(Reply::Bulk(call.arg(1).clone()))
}

fn hello(call: &mut Call) -> Answer {
    let mut protocol = None;
    if let Some(version) = call.args.get(1) {
        let refusal = Refusal::Text("ERR Protocol version is not an integer or out of range");
        protocol = Some(match args::integer(version).map_err(|_| refusal)? {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return Err(Refusal::NoProto),
        });
    }
    let mut name = None;
    let mut logged_in = None;
    let mut rest = call.args.get(2..).unwrap_or_default();
    let mut is_authenticated = call
        .session()
        .is_some_and(|session| session.is_authenticated);
    while let Some(option) = rest.first() {
        match rest {
            [_, user, password, ..] if is_word(option, "auth") => {
                check_password(call, user, password)?;
                logged_in = Some(user.clone());
                is_authenticated = true;
                rest = &rest[3..];
            }
            [_, text, ..] if is_word(option, "setname") => {
                name = Some(text.clone());
                rest = &rest[2..];
            }
            _ => {
                let option = args::shown(option);
                let text = format!("ERR Syntax error in HELLO option '{option}'");
                return Err(Refusal::Facts(text));
            }
        }
    }
    if !is_authenticated {
        return Err(Refusal::Text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        ));
    }
    let session = call.session().ok_or(Refusal::NoSuchClient)?;
    session.is_authenticated = true;
    session.user = logged_in.unwrap_or_else(|| session.user.clone());
    if let Some(name) = name {
        session.name = checked_name(&name)?;
    }
    session.protocol = protocol.unwrap_or(session.protocol);
    let (id, protocol) = (session.id, session.protocol);
    let version = if protocol == Protocol::Resp3 { 3 } else { 2 };
    let is_replica = call.parts.is_replica();
    let is_cluster = call.parts.config.cluster_enabled;
    let pair = |name: &str, value: Reply| (Reply::text(name), value);
    Ok(Reply::Map(vec![
        pair("server", Reply::text("redis")),
        pair("version", Reply::text(info::REDIS_VERSION)),
        pair("proto", Reply::Integer(version)),
        pair("id", Reply::Integer(id.0 as i64)),
        pair(
            "mode",
            Reply::text(if is_cluster { "cluster" } else { "standalone" }),
        ),
        pair(
            "role",
            Reply::text(if is_replica { "replica" } else { "master" }),
        ),
        pair("modules", Reply::Array(Vec::new())),
    ]))
}

/// A client name: no spaces, no control characters.
pub fn checked_name(name: &Bytes) -> Result<Bytes, Refusal> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Ok(name.clone());
    }
    Err(Refusal::Text(
        "ERR Client names cannot contain spaces, newlines or special characters.",
    ))
}

fn auth(call: &mut Call) -> Answer {
    let default_user = Bytes::from_static(b"default");
    let (user, password) = match call.args {
        [_, password] => (&default_user, password),
        [_, user, password] => (user, password),
        _ => return Err(Refusal::Syntax),
    };
    let is_open = call.parts.server.users.is_open(call.parts.config);
    if call.args.len() == 2 && is_open {
        return Err(Refusal::Text(
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        ));
    }
    check_password(call, user, password)?;
    if let Some(session) = call.session() {
        session.is_authenticated = true;
        session.user = user.clone();
    }
    Ok(Reply::OK)
}

fn check_password(call: &Call, user: &[u8], password: &[u8]) -> Result<(), Refusal> {
    let users = &call.parts.server.users;
    match users.accepts(user, password, call.parts.config) {
        true => Ok(()),
        false => Err(Refusal::WrongPass),
    }
}

// RP-14: only database 0 in cluster mode; there is no other anyway.
fn select(call: &mut Call) -> Answer {
    let number = args::integer(call.arg(1))?;
    match (number, call.parts.config.cluster_enabled) {
        (0, _) => Ok(Reply::OK),
        (_, true) => Err(Refusal::Text("ERR SELECT is not allowed in cluster mode")),
        (_, false) => Err(Refusal::DbIndex),
    }
}

fn quit(call: &mut Call) -> Answer {
    if let Some(session) = call.session() {
        session.is_closing = true;
    }
    Ok(Reply::OK)
}

fn reset(call: &mut Call) -> Answer {
    let Caller::Client(client) = call.caller else {
        return Err(Refusal::NoSuchClient);
    };
    transactions::discard(call.parts, client);
    tracking::stop(call.parts, client);
    call.parts.clients.monitors.remove(&client);
    pubsub::leave_all(call.parts, client);
    let is_open = call.parts.server.users.is_open(call.parts.config);
    if let Some(session) = call.session() {
        session.name = Bytes::new();
        session.protocol = Protocol::Resp2;
        session.is_authenticated = is_open;
        session.user = Bytes::from_static(b"default");
        session.reply_mode = ReplyMode::On;
        // RD-15.
        session.is_asking = false;
        session.is_readonly = false;
    }
    Ok(Reply::Simple("RESET"))
}

fn asking(call: &mut Call) -> Answer {
    needs_cluster(call)?;
    if let Some(session) = call.session() {
        session.is_asking = true;
    }
    Ok(Reply::OK)
}

fn readonly(call: &mut Call) -> Answer {
    needs_cluster(call)?;
    if let Some(session) = call.session() {
        session.is_readonly = true;
    }
    Ok(Reply::OK)
}

fn readwrite(call: &mut Call) -> Answer {
    needs_cluster(call)?;
    let is_ignored = call.parts.config.mutant.is(Mutant::ReadwriteIgnored);
    if let Some(session) = call.session().filter(|_| !is_ignored) {
        session.is_readonly = false;
    }
    Ok(Reply::OK)
}

/// CF-01: refuses cluster commands where cluster mode is off.
pub fn needs_cluster(call: &Call) -> Result<(), Refusal> {
    if call.parts.config.cluster_enabled {
        Ok(())
    } else {
        Err(Refusal::ClusterDisabled)
    }
}
