//! ACL and the users it makes: who may log in, and run what on which keys and channels.
//!
//! The user `default` is everybody who has not said AUTH; its password is `requirepass` until it
//! is changed here. Selectors and the ACL file are left out: both are refused.

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::catalogue::{self, Row};
use crate::commands::dispatch;
use crate::commands::help;
use crate::commands::parts::{Answer, Call, Caller};
use crate::commands::table::{self, Command, Flag, keyless};
use crate::commands::users::{Grant, User, rule_error};
use crate::ids::ClientId;
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Admin, Loading, Noscript, Stale};

/// The rows of this group.
pub const COMMANDS: &[Command] = &[keyless(
    "acl",
    -2,
    &[Admin, Noscript, Loading, Stale],
    acl,
    "server",
)];

fn acl(call: &mut Call) -> Answer {
    let rest = &call.args[2..];
    match args::word(call.arg(1)).as_str() {
        "whoami" => {
            let user = call.session().map(|session| session.user.clone());
            Ok(user.map_or(Reply::Nil, Reply::Bulk))
        }
        "users" => {
            let users = call.parts.server.users.all(call.parts.config);
            let names = users.into_iter().map(|user| Reply::Bulk(user.name));
            Ok(Reply::Array(names.collect()))
        }
        "list" => {
            let users = call.parts.server.users.all(call.parts.config);
            let lines = users.into_iter().map(|user| {
                let name = args::shown(&user.name);
                Reply::text(format!("user {name} {}", user.description()))
            });
            Ok(Reply::Array(lines.collect()))
        }
        "getuser" => Ok(getuser(call)),
        "setuser" => setuser(call),
        "deluser" => deluser(call),
        "cat" => categories(rest),
        "dryrun" => dryrun(call),
        "genpass" => genpass(call),
        "log" => log(rest),
        "load" | "save" => Err(Refusal::Text(
            "ERR This Redis instance is not configured to use an ACL file. You may want to \
             specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming \
             you have a Redis configuration file set) in order to store users in the Redis \
             configuration.",
        )),
        _ => Ok(help::of(
            "ACL",
            &[
                "CAT [<category>]",
                "DELUSER <username> [<username> ...]",
                "DRYRUN <username> <command> [<arg> ...]",
                "GETUSER <username>",
                "GENPASS [<bits>]",
                "LIST",
                "LOG [<count> | RESET]",
                "SETUSER <username> <attribute> [<attribute> ...]",
                "USERS",
                "WHOAMI",
            ],
        )),
    }
}

fn getuser(call: &Call) -> Reply {
    let Some(user) = call.parts.server.users.find(call.arg(2), call.parts.config) else {
        return Reply::Nil;
    };
    let texts = |texts: Vec<String>| texts.into_iter().map(Reply::text).collect();
    let pair = |name: &str, value: Reply| (Reply::text(name), value);
    Reply::Map(vec![
        pair("flags", Reply::Set(texts(user.flags()))),
        pair("passwords", Reply::Array(texts(user.passwords()))),
        pair("commands", Reply::text(user.commands())),
        pair("keys", Reply::text(user.keys())),
        pair("channels", Reply::text(user.channels())),
        pair("selectors", Reply::Array(Vec::new())),
    ])
}

fn setuser(call: &mut Call) -> Answer {
    let name = call.arg(2).clone();
    if name.iter().any(|byte| *byte == b' ' || *byte == 0) {
        return Err(Refusal::Text(
            "ERR Usernames can't contain spaces or null characters",
        ));
    }
    let found = call.parts.server.users.find(&name, call.parts.config);
    let mut user = found.unwrap_or_else(|| User::new(name));
    for rule in &call.args[3..] {
        user.apply(rule).map_err(|why| rule_error(rule, why))?;
    }
    call.parts.server.users.put(user);
    Ok(Reply::OK)
}

fn deluser(call: &mut Call) -> Answer {
    let names = call.args[2..].to_vec();
    if names.iter().any(|name| name == "default") {
        return Err(Refusal::Text("ERR The 'default' user cannot be removed"));
    }
    let mut count = 0;
    for name in names {
        if !call.parts.server.users.remove(&name) {
            continue;
        }
        count += 1;
        let sessions = call.parts.clients.iter().filter(|s| s.user == name);
        let clients: Vec<ClientId> = sessions.map(|session| session.id).collect();
        for client in clients {
            if call.caller == Caller::Client(client) {
                if let Some(session) = call.session() {
                    session.is_closing = true;
                }
            } else {
                dispatch::close(call.parts, client);
            }
        }
    }
    Ok(Reply::Integer(count))
}

fn categories(rest: &[Bytes]) -> Answer {
    let Some(wanted) = rest.first() else {
        return Ok(Reply::Array(CATEGORIES.iter().map(Reply::text).collect()));
    };
    if rest.len() > 1 {
        return Err(Refusal::Facts(
            "ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.".into(),
        ));
    }
    let word = args::word(wanted);
    if !CATEGORIES.contains(&word.as_str()) {
        return Err(Refusal::Facts(format!(
            "ERR Unknown category '{}'",
            args::shown(wanted)
        )));
    }
    let rows = catalogue::all().filter(|row| row.categories.contains(&word.as_str()));
    Ok(Reply::Array(
        rows.map(|row| Reply::text(row.name)).collect(),
    ))
}

fn dryrun(call: &Call) -> Answer {
    let found = call.parts.server.users.find(call.arg(2), call.parts.config);
    let Some(user) = found else {
        let name = args::shown(call.arg(2));
        return Err(Refusal::Facts(format!("ERR User '{name}' not found")));
    };
    let words = &call.args[3..];
    let Some(command) = table::find(&words[0]) else {
        let name = args::shown(&words[0]);
        return Err(Refusal::Facts(format!("ERR Command '{name}' not found")));
    };
    let row = catalogue::called(command.name, words)?;
    if !command.fits(words.len()) {
        return Err(Refusal::Arity(
            row.map_or(command.name, |row| row.name).into(),
        ));
    }
    Ok(match denied(&user, command, row, words) {
        None => Reply::OK,
        Some(Denied::Command(name)) => Reply::text(format!(
            "This user has no permissions to run the '{name}' command"
        )),
        Some(Denied::Key(key)) => Reply::text(format!(
            "This user has no permissions to access the '{key}' key"
        )),
        Some(Denied::Channel(channel)) => Reply::text(format!(
            "This user has no permissions to access the '{channel}' channel"
        )),
    })
}

fn genpass(call: &mut Call) -> Answer {
    let refusal = Refusal::Text(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive \
         number up to 4096",
    );
    let bits = call
        .args
        .get(2)
        .map_or(Ok(256), |bits| args::integer(bits))?;
    let bits = usize::try_from(bits)
        .ok()
        .filter(|bits| (1..=4096).contains(bits));
    let digits = bits.ok_or(refusal)?.div_ceil(4);
    let mut text = String::new();
    while text.len() < digits {
        text.push_str(&String::from_utf8_lossy(&call.parts.rng.hex()));
    }
    text.truncate(digits);
    Ok(Reply::text(text))
}

// Refusals are counted in INFO; none is kept.
fn log(rest: &[Bytes]) -> Answer {
    match rest.first() {
        Some(word) if is_word(word, "reset") => Ok(Reply::OK),
        Some(count) => args::integer(count).map(|_| Reply::Array(Vec::new())),
        None => Ok(Reply::Array(Vec::new())),
    }
}

/// What a user may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// Run this command.
    Command(&'static str),
    /// Touch this key.
    Key(String),
    /// Use this channel.
    Channel(String),
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Refusal {
        match denied {
            Denied::Command(name) => Refusal::Facts(format!(
                "NOPERM this user has no permissions to run the '{name}' command"
            )),
            Denied::Key(_) => Refusal::Text(
                "NOPERM this user has no permissions to access one of the keys used as arguments",
            ),
            Denied::Channel(_) => Refusal::Text(
                "NOPERM this user has no permissions to access one of the channels used as \
                 arguments",
            ),
        }
    }
}

/// The first thing in a command that a user may not do.
pub fn denied(
    user: &User,
    command: &'static Command,
    row: Option<&'static Row>,
    words: &[Bytes],
) -> Option<Denied> {
    let name = row.map_or(command.name, |row| row.name);
    if !command.has(Flag::NoAuth) && !user.may_run(command.name, row) {
        return Some(Denied::Command(name));
    }
    if !user.has_all_keys() {
        let grant = match (command.has(Flag::Write), command.has(Flag::Readonly)) {
            (true, _) => Grant::Write,
            (false, _) => Grant::Read,
        };
        let keys = command.keys(words);
        let is_channel = matches!(command.keys, table::Keys::ShardChannels(..));
        let mut barred = keys.into_iter().filter(|key| !user.may_touch(key, grant));
        if let Some(key) = barred.next().filter(|_| !is_channel) {
            return Some(Denied::Key(args::shown(key)));
        }
    }
    let channels = match command.name {
        "publish" | "spublish" => &words[1..2],
        "subscribe" | "ssubscribe" | "psubscribe" => &words[1..],
        _ => &[],
    };
    let is_pattern = command.name == "psubscribe";
    let mut barred = channels.iter().filter(|channel| match is_pattern {
        true => !user.may_use_pattern(channel),
        false => !user.may_use(channel),
    });
    barred
        .next()
        .map(|channel| Denied::Channel(args::shown(channel)))
}

/// The ACL categories, in upstream's order.
pub const CATEGORIES: &[&str] = &[
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];
