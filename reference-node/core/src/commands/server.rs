//! The server as a whole: flushing, saving, shutting down, time, and the command table itself.

use bytes::Bytes;

use crate::commands::args::{self, glob, is_word};
use crate::commands::parts::{Answer, Call};
use crate::commands::session::Wait;
use crate::commands::table::{self, Command, Flag, Keys, keyless};
use crate::output::{Durability, File, LogLevel, Output};
use crate::rdb;
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Admin, Fast, Loading, NoMulti, Noscript, Readonly, Stale, Write};

const ANYTIME: &[Flag] = &[Loading, Stale];

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyless("dbsize", 1, &[Readonly, Fast], dbsize, "server"),
    keyless("flushall", -1, &[Write], flush, "server"),
    keyless("flushdb", -1, &[Write], flush, "server"),
    keyless("time", 1, &[Loading, Stale, Fast], time, "server"),
    keyless("save", 1, &[Admin, Noscript, NoMulti], save, "server"),
    keyless("bgsave", -1, &[Admin, Noscript], bgsave, "server"),
    keyless("lastsave", 1, &[Loading, Stale, Fast], lastsave, "server"),
    keyless(
        "shutdown",
        -1,
        &[Admin, Noscript, Loading, Stale, NoMulti],
        shutdown,
        "server",
    ),
    keyless("command", -1, ANYTIME, command, "server"),
    keyless("function", -2, &[Noscript], function, "scripting"),
];

fn dbsize(call: &mut Call) -> Answer {
    Ok(Reply::Integer(call.parts.keyspace.len() as i64))
}

fn flush(call: &mut Call) -> Answer {
    match &call.args[1..] {
        [] => {}
        [word] if is_word(word, "async") || is_word(word, "sync") => {}
        _ => return Err(Refusal::Syntax),
    }
    call.parts.keyspace.flush();
    call.dirty();
    // Who waits in a consumer group is told that its stream is gone.
    let waiting = call.parts.clients.waiting();
    let keys = waiting.filter_map(|(_, wait)| {
        if let Wait::Keys { keys, .. } = wait {
            Some(keys.clone())
        } else {
            None
        }
    });
    let keys: Vec<Bytes> = keys.flatten().collect();
    call.parts.server.ready_keys.extend(keys);
    Ok(Reply::OK)
}

fn time(call: &mut Call) -> Answer {
    let now = call.parts.now.0;
    let seconds = Reply::text((now / 1000).to_string());
    Ok(Reply::Array(vec![
        seconds,
        Reply::text((now % 1000 * 1000).to_string()),
    ]))
}

fn persist(call: &mut Call) {
    let bytes = rdb::encode_file(call.parts.keyspace, call.parts.now);
    let durability = Durability::Synced;
    call.parts.out.push(Output::Persist {
        file: File::Rdb,
        bytes,
        durability,
    });
    call.parts.server.dirty = 0;
    call.parts.server.last_save = call.parts.now;
    let text = "DB saved on disk".into();
    call.parts.out.push(Output::Log {
        level: LogLevel::Notice,
        text,
    });
}

fn save(call: &mut Call) -> Answer {
    persist(call);
    Ok(Reply::OK)
}

// There is no fork: the file is whole before the reply leaves.
fn bgsave(call: &mut Call) -> Answer {
    persist(call);
    Ok(Reply::Simple("Background saving started"))
}

fn lastsave(call: &mut Call) -> Answer {
    Ok(Reply::Integer(
        (call.parts.server.last_save.0 / 1000) as i64,
    ))
}

fn shutdown(call: &mut Call) -> Answer {
    let mut saves = !call.parts.config.save.is_empty();
    for word in &call.args[1..] {
        match args::word(word).as_str() {
            "nosave" => saves = false,
            "save" => saves = true,
            "now" | "force" => {}
            "abort" => return Err(Refusal::Text("ERR No shutdown in progress.")),
            _ => return Err(Refusal::Syntax),
        }
    }
    if saves {
        persist(call);
    }
    let text = "User requested shutdown...".into();
    call.parts.out.push(Output::Log {
        level: LogLevel::Warning,
        text,
    });
    call.parts.out.push(Output::Exit { status: 0 });
    Ok(Reply::None)
}

fn command(call: &mut Call) -> Answer {
    let Some(subcommand) = call.args.get(1) else {
        return Ok(Reply::Array(table::all().map(row).collect()));
    };
    let rest = &call.args[2..];
    match args::word(subcommand).as_str() {
        "count" if rest.is_empty() => Ok(Reply::Integer(table::all().count() as i64)),
        "info" if rest.is_empty() => Ok(Reply::Array(table::all().map(row).collect())),
        "info" => {
            let rows = rest
                .iter()
                .map(|name| table::find(name).map_or(Reply::Nil, row));
            Ok(Reply::Array(rows.collect()))
        }
        "docs" => Ok(docs(rest)),
        "list" => list(rest),
        "getkeys" if rest.len() > 1 => keys_of(rest),
        "getkeys" => Err(Refusal::Arity("command|getkeys".into())),
        "help" => Ok(Reply::Array(vec![Reply::Simple(
            "COMMAND COUNT|DOCS|GETKEYS|INFO|LIST",
        )])),
        _ => Err(Refusal::UnknownSubcommand(
            args::shown(subcommand),
            "COMMAND".into(),
        )),
    }
}

// The ten elements of COMMAND INFO; tips, key specifications and subcommands are left empty.
fn row(command: &'static Command) -> Reply {
    // Upstream keeps may_replicate to itself.
    let shown = command
        .flags
        .iter()
        .filter(|flag| **flag != Flag::MayReplicate);
    let flags = shown.map(|flag| Reply::Simple(flag.name()));
    let (first, last, step) = match command.keys {
        Keys::None | Keys::Movable(_) => (0, 0, 0),
        Keys::Counted(_, 0) => (0, 0, 0),
        Keys::Counted(_, extra) => (extra as i64, extra as i64, 1),
        Keys::Range(first, last, step) => (first as i64, last, step as i64),
        Keys::ShardChannels(first, last) => (first as i64, last, 1),
    };
    Reply::Array(vec![
        Reply::text(command.name),
        Reply::Integer(command.arity),
        Reply::Set(flags.collect()),
        Reply::Integer(first),
        Reply::Integer(last),
        Reply::Integer(step),
        Reply::Set(categories(command)),
        Reply::Array(Vec::new()),
        Reply::Array(Vec::new()),
        Reply::Array(Vec::new()),
    ])
}

fn categories(command: &Command) -> Vec<Reply> {
    let mut names = Vec::new();
    for (flag, name) in [
        (Flag::Write, "@write"),
        (Flag::Readonly, "@read"),
        (Flag::Admin, "@admin"),
        (Flag::Pubsub, "@pubsub"),
        (Flag::Blocking, "@blocking"),
    ] {
        if command.has(flag) {
            names.push(Reply::Simple(name));
        }
    }
    names.push(Reply::Simple(if command.has(Fast) {
        "@fast"
    } else {
        "@slow"
    }));
    names
}

fn docs(names: &[Bytes]) -> Reply {
    let doc = |command: &'static Command| {
        let group = (Reply::text("group"), Reply::text(command.group));
        let arity = (Reply::text("arity"), Reply::Integer(command.arity));
        (Reply::text(command.name), Reply::Map(vec![group, arity]))
    };
    if names.is_empty() {
        return Reply::Map(table::all().map(doc).collect());
    }
    Reply::Map(
        names
            .iter()
            .filter_map(|name| table::find(name))
            .map(doc)
            .collect(),
    )
}

fn list(rest: &[Bytes]) -> Answer {
    let pattern = match rest {
        [] => None,
        [filter, kind, pattern] if is_word(filter, "filterby") && is_word(kind, "pattern") => {
            Some(pattern)
        }
        [filter, kind, _] if is_word(filter, "filterby") && is_word(kind, "module") => {
            return Ok(Reply::Array(Vec::new()));
        }
        _ => return Err(Refusal::Syntax),
    };
    let fits = |command: &&Command| pattern.is_none_or(|p| glob(p, command.name.as_bytes()));
    let names = table::all().filter(|command| fits(command));
    Ok(Reply::Array(
        names.map(|command| Reply::text(command.name)).collect(),
    ))
}

fn keys_of(rest: &[Bytes]) -> Answer {
    let command = table::find(&rest[0]).ok_or(Refusal::InvalidCommandGetkeys)?;
    if matches!(command.keys, Keys::None) {
        return Err(Refusal::NoKeyArguments);
    }
    if !command.fits(rest.len()) {
        return Err(Refusal::InvalidArgumentsGetkeys);
    }
    let keys: Vec<Reply> = command
        .keys(rest)
        .into_iter()
        .cloned()
        .map(Reply::Bulk)
        .collect();
    if keys.is_empty() {
        Err(Refusal::InvalidArgumentsGetkeys)
    } else {
        Ok(Reply::Array(keys))
    }
}

// No functions: what redis-cli --cluster add-node asks is answered as by a server without any.
fn function(call: &mut Call) -> Answer {
    match args::word(call.arg(1)).as_str() {
        "list" => Ok(Reply::Array(Vec::new())),
        "dump" => Ok(Reply::Bulk(rdb::encode_no_functions())),
        "restore" if call.args.len() >= 3 => {
            if call.arg(2).len() == rdb::encode_no_functions().len() {
                Ok(Reply::OK)
            } else {
                Err(Refusal::Text(
                    "ERR functions are not supported by this server",
                ))
            }
        }
        "flush" => Ok(Reply::OK),
        "stats" => Ok(Reply::Map(vec![
            (Reply::text("running_script"), Reply::Nil),
            (Reply::text("engines"), Reply::Map(Vec::new())),
        ])),
        "load" | "delete" | "kill" => Err(Refusal::Text(
            "ERR functions are not supported by this server",
        )),
        _ => Err(Refusal::UnknownSubcommand(
            args::shown(call.arg(1)),
            "FUNCTION".into(),
        )),
    }
}
