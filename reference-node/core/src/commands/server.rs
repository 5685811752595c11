//! The server as a whole: flushing, saving, shutting down, time.

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::parts::{Answer, Call};
use crate::commands::session::Wait;
use crate::commands::table::{Command, Flag, keyless};
use crate::output::{Durability, File, LogLevel, Output};
use crate::rdb;
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Admin, Fast, Loading, NoMulti, Noscript, Readonly, Stale, Write};

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyless("dbsize", 1, &[Readonly, Fast], dbsize, "server"),
    keyless("flushall", -1, &[Write], flush, "server"),
    keyless("flushdb", -1, &[Write], flush, "server"),
    keyless("time", 1, &[Loading, Stale, Fast], time, "server"),
    keyless("save", 1, &[Admin, Noscript, NoMulti], save, "server"),
    keyless("bgsave", -1, &[Admin, Noscript], bgsave, "server"),
    keyless(
        "bgrewriteaof",
        1,
        &[Admin, Noscript],
        bgrewriteaof,
        "server",
    ),
    keyless("lastsave", 1, &[Loading, Stale, Fast], lastsave, "server"),
    keyless(
        "shutdown",
        -1,
        &[Admin, Noscript, Loading, Stale, NoMulti],
        shutdown,
        "server",
    ),
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
        content: bytes.into(),
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
    match &call.args[1..] {
        [] => {}
        [word] if is_word(word, "schedule") => {}
        _ => return Err(Refusal::Syntax),
    }
    persist(call);
    Ok(Reply::Simple("Background saving started"))
}

// The new base is written before the reply leaves; without a log there is nothing to do.
fn bgrewriteaof(call: &mut Call) -> Answer {
    call.parts.server.append_only.restart();
    Ok(Reply::Simple(
        "Background append only file rewriting started",
    ))
}

fn lastsave(call: &mut Call) -> Answer {
    Ok(Reply::Integer(
        (call.parts.server.last_save.0 / 1000) as i64,
    ))
}

fn shutdown(call: &mut Call) -> Answer {
    let mut saves = !call.parts.config.save.is_empty();
    let names = |name: &str| call.args[1..].iter().any(|word| is_word(word, name));
    if (names("save") && names("nosave")) || (names("abort") && call.args.len() > 2) {
        return Err(Refusal::Syntax);
    }
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
