//! CLIENT and its subcommands.

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::connection::checked_name;
use crate::commands::parts::{Answer, Call, Caller, Parts, Pause, PauseKind};
use crate::commands::session::{ReplyMode, Session, Wait};
use crate::commands::table::{Command, Flag, Handler, keyless};
use crate::commands::{dispatch, tracking, wake};
use crate::ids::ClientId;
use crate::output::Protocol;
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

use Flag::{Admin, Loading, Noscript, Stale};

/// The rows of this group.
pub const COMMANDS: &[Command] = &[keyless(
    "client",
    -2,
    &[Admin, Noscript, Loading, Stale],
    client,
    "connection",
)];

fn client(call: &mut Call) -> Answer {
    let subcommand = args::word(call.arg(1));
    let Some((arity, handler)) = subcommand_of(&subcommand) else {
        return Err(Refusal::UnknownSubcommand(
            args::shown(call.arg(1)),
            "CLIENT".into(),
        ));
    };
    let count = call.args.len() as i64;
    let fits = if arity >= 0 {
        count == arity
    } else {
        count >= -arity
    };
    if !fits {
        return Err(Refusal::Arity(format!("client|{subcommand}")));
    }
    handler(call)
}

fn subcommand_of(name: &str) -> Option<(i64, Handler)> {
    Some(match name {
        "id" => (2, id),
        "getname" => (2, getname),
        "setname" => (3, setname),
        "list" => (-2, list),
        "info" => (2, info),
        "kill" => (-3, kill),
        "pause" => (-3, pause),
        "unpause" => (2, unpause),
        "reply" => (3, reply),
        "no-evict" => (3, no_evict),
        "unblock" => (-3, unblock),
        "getredir" => (2, tracking::getredir),
        "tracking" => (-3, tracking::tracking),
        "trackinginfo" => (2, tracking::trackinginfo),
        "caching" => (3, tracking::caching),
        "help" => (2, help),
        _ => return None,
    })
}

fn id(call: &mut Call) -> Answer {
    let id = call.session().map_or(0, |session| session.id.0);
    Ok(Reply::Integer(id as i64))
}

fn getname(call: &mut Call) -> Answer {
    let name = call.session().map(|session| session.name.clone());
    Ok(name
        .filter(|name| !name.is_empty())
        .map_or(Reply::Nil, Reply::Bulk))
}

fn setname(call: &mut Call) -> Answer {
    let name = checked_name(call.arg(2))?;
    if let Some(session) = call.session() {
        session.name = name;
    }
    Ok(Reply::OK)
}

fn list(call: &mut Call) -> Answer {
    let mut wanted_type = None;
    let mut wanted_ids: Option<Vec<u64>> = None;
    match &call.args[2..] {
        [] => {}
        [word, name] if is_word(word, "type") => wanted_type = Some(client_type(name)?),
        [word, ids @ ..] if is_word(word, "id") && !ids.is_empty() => {
            let invalid = Refusal::Text("ERR Invalid client ID");
            let read = |id: &Bytes| args::positive(id).map(|id| id as u64);
            let ids: Result<Vec<u64>, Refusal> = ids.iter().map(read).collect();
            wanted_ids = Some(ids.map_err(|_| invalid)?);
        }
        _ => return Err(Refusal::Syntax),
    }
    let parts = &*call.parts;
    let is_type = |session: &&Session| wanted_type.is_none_or(|t| t == type_of(parts, session));
    let is_id = |session: &&Session| {
        wanted_ids
            .as_ref()
            .is_none_or(|ids| ids.contains(&session.id.0))
    };
    let sessions = parts.clients.iter().filter(is_type).filter(is_id);
    Ok(Reply::Verbatim(
        sessions
            .map(|session| line(parts, session) + "\n")
            .collect(),
    ))
}

fn info(call: &mut Call) -> Answer {
    let Caller::Client(id) = call.caller else {
        return Ok(Reply::Nil);
    };
    let session = call.parts.clients.get(id).ok_or(Refusal::NoSuchClient)?;
    Ok(Reply::Verbatim(line(call.parts, session) + "\n"))
}

/// What kind of client a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientType {
    Normal,
    Master,
    Replica,
    Pubsub,
}

fn client_type(name: &[u8]) -> Result<ClientType, Refusal> {
    match args::word(name).as_str() {
        "normal" => Ok(ClientType::Normal),
        "master" => Ok(ClientType::Master),
        "replica" | "slave" => Ok(ClientType::Replica),
        "pubsub" => Ok(ClientType::Pubsub),
        _ => Err(Refusal::Facts(format!(
            "ERR Unknown client type '{}'",
            args::shown(name)
        ))),
    }
}

fn type_of(parts: &Parts, session: &Session) -> ClientType {
    if parts.replication.is_replica_client(session.id) {
        ClientType::Replica
    } else if session.is_subscriber() {
        ClientType::Pubsub
    } else {
        ClientType::Normal
    }
}

fn line(parts: &Parts, session: &Session) -> String {
    let mut flags = String::new();
    let (letters, redirect) = tracking::listed(session);
    for (flag, holds) in [
        ('O', parts.clients.monitors.contains(&session.id)),
        ('S', parts.replication.is_replica_client(session.id)),
        ('P', session.is_subscriber()),
        ('x', session.transaction.is_some()),
        ('b', session.wait.is_some()),
        ('r', session.is_readonly),
        ('e', !session.is_evictable),
    ] {
        if holds {
            flags.push(flag);
        }
    }
    flags.push_str(&letters);
    if flags.is_empty() {
        flags.push('N');
    }
    let multi = session
        .transaction
        .as_ref()
        .map_or(-1, |t| t.queue.len() as i64);
    let protocol = match session.protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    };
    format!(
        "id={} addr={} laddr={} fd=-1 name={} age={} idle={} flags={flags} db=0 sub={} psub={} \
         ssub={} multi={multi} qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 \
         omem=0 tot-mem=0 events=r cmd={} user={} redir={redirect} resp={protocol}",
        session.id.0,
        session.peer,
        session.local,
        String::from_utf8_lossy(&session.name),
        parts.now.since(session.opened).0 / 1000,
        parts.now.since(session.last_active).0 / 1000,
        session.channels.len(),
        session.patterns.len(),
        session.shard_channels.len(),
        session.last_command,
        args::shown(&session.user),
    )
}

/// Which clients CLIENT KILL is after; what is given must all fit.
#[derive(Default)]
struct KillFilter {
    id: Option<u64>,
    addr: Option<String>,
    laddr: Option<String>,
    kind: Option<ClientType>,
    user: Option<Bytes>,
    spares_caller: bool,
}

fn kill(call: &mut Call) -> Answer {
    if let [_, _, addr] = call.args {
        let addr = args::shown(addr);
        let found = call
            .parts
            .clients
            .iter()
            .find(|session| session.peer.to_string() == addr);
        if found.is_none() && is_master_at(call.parts, &addr) {
            call.parts
                .replication
                .close_master_link(call.parts.now, call.parts.out);
            return Ok(Reply::OK);
        }
        let client = found
            .map(|session| session.id)
            .ok_or(Refusal::NoSuchClient)?;
        end(call, client);
        return Ok(Reply::OK);
    }
    let filter = kill_filter(&call.args[2..], call.parts)?;
    let parts = &*call.parts;
    let fits = |session: &&Session| {
        filter.id.is_none_or(|id| id == session.id.0)
            && filter
                .addr
                .as_ref()
                .is_none_or(|addr| *addr == session.peer.to_string())
            && filter
                .laddr
                .as_ref()
                .is_none_or(|addr| *addr == session.local.to_string())
            && filter
                .kind
                .is_none_or(|kind| kind == type_of(parts, session))
            && filter
                .user
                .as_ref()
                .is_none_or(|user| *user == session.user)
            && !(filter.spares_caller && call.caller == Caller::Client(session.id))
    };
    let found: Vec<ClientId> = parts.clients.iter().filter(fits).map(|s| s.id).collect();
    let mut count = found.len();
    if is_after_master(&filter, call.parts) {
        call.parts
            .replication
            .close_master_link(call.parts.now, call.parts.out);
        count += 1;
    }
    for client in found {
        end(call, client);
    }
    Ok(Reply::Integer(count as i64))
}

// The link to the master counts as a client whose address is the master's.
fn is_master_at(parts: &Parts, addr: &str) -> bool {
    let master = parts.replication.master_link();
    master.is_some_and(|master| master.to_string() == addr)
}

fn is_after_master(filter: &KillFilter, parts: &Parts) -> bool {
    let by_addr = filter.addr.as_ref().map(|addr| is_master_at(parts, addr));
    let by_kind = filter.kind.map(|kind| kind == ClientType::Master);
    parts.replication.master_link().is_some()
        && (filter.id.is_none() && filter.laddr.is_none() && filter.user.is_none())
        && (by_addr.is_some() || by_kind.is_some())
        && by_addr.unwrap_or(true)
        && by_kind.unwrap_or(true)
}

fn kill_filter(rest: &[Bytes], parts: &Parts) -> Result<KillFilter, Refusal> {
    let (users, config) = (&parts.server.users, &*parts.config);
    let mut filter = KillFilter {
        spares_caller: true,
        ..KillFilter::default()
    };
    for pair in rest.chunks(2) {
        let [word, value] = pair else {
            return Err(Refusal::Syntax);
        };
        match args::word(word).as_str() {
            "id" => {
                let refusal = Refusal::Text("ERR client-id should be greater than 0");
                let id = args::positive(value)
                    .ok()
                    .filter(|id| *id > 0)
                    .ok_or(refusal)?;
                filter.id = Some(id as u64);
            }
            "addr" => filter.addr = Some(args::shown(value)),
            "laddr" => filter.laddr = Some(args::shown(value)),
            "type" => filter.kind = Some(client_type(value)?),
            "user" => {
                if users.find(value, config).is_none() {
                    let name = args::shown(value);
                    return Err(Refusal::Facts(format!("ERR No such user '{name}'")));
                }
                filter.user = Some(value.clone());
            }
            "skipme" => match args::word(value).as_str() {
                "yes" => filter.spares_caller = true,
                "no" => filter.spares_caller = false,
                _ => return Err(Refusal::Syntax),
            },
            _ => return Err(Refusal::Syntax),
        }
    }
    Ok(filter)
}

// The caller itself still gets its reply.
fn end(call: &mut Call, client: ClientId) {
    if call.caller == Caller::Client(client) {
        if let Some(session) = call.session() {
            session.is_closing = true;
        }
    } else {
        dispatch::close(call.parts, client);
    }
}

fn pause(call: &mut Call) -> Answer {
    let span = args::integer(call.arg(2)).map_err(|_| Refusal::TimeoutNotInteger)?;
    let span = u64::try_from(span).map_err(|_| Refusal::TimeoutNegative)?;
    let kind = match &call.args[3..] {
        [] => PauseKind::All,
        [word] if is_word(word, "all") => PauseKind::All,
        [word] if is_word(word, "write") => PauseKind::Write,
        _ => {
            return Err(Refusal::Text("ERR CLIENT PAUSE mode must be WRITE or ALL"));
        }
    };
    let until = call.parts.now + Millis(span);
    let old = call.parts.server.client_pause;
    // A longer or stronger pause that runs is not weakened.
    let until = old.map_or(until, |old| old.until.max(until));
    let kind = old.map_or(kind, |old| old.kind.max(kind));
    call.parts.server.client_pause = Some(Pause { until, kind });
    Ok(Reply::OK)
}

fn unpause(call: &mut Call) -> Answer {
    call.parts.server.client_pause = None;
    // The failover's own pause stays, so held writes may be held again.
    wake::resume_soon(call.parts);
    Ok(Reply::OK)
}

fn reply(call: &mut Call) -> Answer {
    let mode = match args::word(call.arg(2)).as_str() {
        "on" => ReplyMode::On,
        "off" => ReplyMode::Off,
        "skip" => ReplyMode::SkipNext,
        _ => return Err(Refusal::Syntax),
    };
    let Some(session) = call.session() else {
        return Ok(Reply::None);
    };
    // SKIP says nothing to one who wants no replies at all.
    if mode != ReplyMode::SkipNext || session.reply_mode != ReplyMode::Off {
        session.reply_mode = mode;
    }
    Ok(if mode == ReplyMode::On {
        Reply::OK
    } else {
        Reply::None
    })
}

fn no_evict(call: &mut Call) -> Answer {
    let is_evictable = match args::word(call.arg(2)).as_str() {
        "on" => false,
        "off" => true,
        _ => return Err(Refusal::Syntax),
    };
    if let Some(session) = call.session() {
        session.is_evictable = is_evictable;
    }
    Ok(Reply::OK)
}

fn unblock(call: &mut Call) -> Answer {
    let client = ClientId(args::positive(call.arg(2)).map_err(|_| Refusal::NotInteger)? as u64);
    let is_error = match &call.args[3..] {
        [] => false,
        [word] if is_word(word, "timeout") => false,
        [word] if is_word(word, "error") => true,
        _ => {
            return Err(Refusal::Text(
                "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
    };
    let wait = call
        .parts
        .clients
        .get(client)
        .and_then(|session| session.wait.clone());
    let on_timeout = match wait {
        Some((_, Wait::Keys { on_timeout, .. })) => on_timeout,
        Some((_, Wait::Replicas { offset, .. })) => {
            Reply::Integer(call.parts.replication.acked(offset) as i64)
        }
        Some((_, Wait::Migration | Wait::Resume { .. })) | None => return Ok(Reply::Integer(0)),
    };
    call.parts.clients.stop_waiting(client);
    let error = Refusal::Text("UNBLOCKED client unblocked via CLIENT UNBLOCK");
    call.parts
        .reply(client, if is_error { error.into() } else { on_timeout });
    Ok(Reply::Integer(1))
}

fn help(_: &mut Call) -> Answer {
    let forms = [
        "CACHING (YES|NO)",
        "GETREDIR",
        "GETNAME",
        "ID",
        "INFO",
        "KILL <ip:port>",
        "KILL <option> <value> [<option> <value> [...]]",
        "LIST [options ...]",
        "NO-EVICT (ON|OFF)",
        "PAUSE <timeout> [WRITE|ALL]",
        "REPLY (ON|OFF|SKIP)",
        "SETNAME <name>",
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]] [OPTIN] [OPTOUT]",
        "TRACKINGINFO",
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        "UNPAUSE",
    ];
    Ok(crate::commands::help::of("CLIENT", &forms))
}
