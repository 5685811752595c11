//! Streams: XGROUP, XACK, XPENDING, the life of consumer groups.

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::parts::{Answer, Call};
use crate::commands::streams::{
    bad_subcommand, end_id, help, loose_id, no_group, start_id, strict_id,
};
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::commands::typed::Change;
use crate::keyspace::stream::{Created, Group, Pending, Stream, StreamId};
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Denyoom, Fast, Readonly, Write};

const ONE: Keys = Keys::Range(1, 1, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed(
        "xgroup",
        -2,
        &[Write, Denyoom],
        Keys::Range(2, 2, 1),
        xgroup,
        "stream",
    ),
    keyed("xack", -4, &[Write, Fast], ONE, xack, "stream"),
    keyed("xpending", -3, &[Readonly], ONE, xpending, "stream"),
];

fn xgroup(call: &mut Call) -> Answer {
    let subcommand = args::word(call.arg(1));
    let count = call.args.len();
    match (subcommand.as_str(), count) {
        ("help", 2) => Ok(help("XGROUP", HELP)),
        ("create", 5..=8) => create(call),
        ("setid", 5 | 7) => set_id(call),
        ("destroy", 4) => destroy(call),
        ("createconsumer", 5) => create_consumer(call),
        ("delconsumer", 5) => delete_consumer(call),
        ("help" | "create" | "setid" | "destroy" | "createconsumer" | "delconsumer", _) => {
            Err(Refusal::Arity(format!("xgroup|{subcommand}")))
        }
        _ => Err(Refusal::UnknownSubcommand(
            args::shown(call.arg(1)),
            "XGROUP".into(),
        )),
    }
}

/// Whether CREATE may make the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MakeStream {
    /// MKSTREAM.
    Yes,
    /// It must be there.
    No,
}

fn group_options(call: &Call) -> Result<(MakeStream, Option<i64>), Refusal> {
    let is_create = is_word(call.arg(1), "create");
    let (mut makes, mut read) = (MakeStream::No, None);
    let mut rest = &call.args[5..];
    loop {
        match rest {
            [] => return Ok((makes, read)),
            [word, after @ ..] if is_create && is_word(word, "mkstream") => {
                makes = MakeStream::Yes;
                rest = after;
            }
            [word, text, after @ ..] if is_word(word, "entriesread") => {
                let number = args::integer(text)?;
                if number < -1 {
                    return Err(Refusal::Text(
                        "ERR value for ENTRIESREAD must be positive or -1",
                    ));
                }
                read = (number >= 0).then_some(number);
                rest = after;
            }
            _ => return Err(bad_subcommand(call)),
        }
    }
}

fn create(call: &mut Call) -> Answer {
    let (makes, read) = group_options(call)?;
    let (key, name) = (call.arg(2).clone(), call.arg(3).clone());
    let stream = call.read_as::<Stream>(&key)?;
    if stream.is_none() && makes == MakeStream::No {
        return Err(KEY_MUST_EXIST);
    }
    let last = stream.map_or(StreamId::MIN, |stream| stream.last_id);
    let is_taken = stream.is_some_and(|stream| stream.groups.contains_key(&name));
    let id = match call.arg(4).as_ref() {
        b"$" => last,
        text => strict_id(text)?,
    };
    if is_taken {
        return Err(Refusal::Text(
            "BUSYGROUP Consumer Group name already exists",
        ));
    }
    call.upsert(&key, |stream: &mut Stream| {
        stream.groups.insert(name, Group::new(id, read));
        ((), Change::Done)
    })?;
    Ok(Reply::OK)
}

// The group must be there; gives the last id of its stream.
fn require(call: &mut Call) -> Result<(Bytes, Bytes, StreamId), Refusal> {
    let (key, name) = (call.arg(2).clone(), call.arg(3).clone());
    let stream = call.read_as::<Stream>(&key)?.ok_or(KEY_MUST_EXIST)?;
    let last = stream.last_id;
    if stream.groups.contains_key(&name) {
        Ok((key, name, last))
    } else {
        Err(no_group(call, &key, &name))
    }
}

fn set_id(call: &mut Call) -> Answer {
    let (_, read) = group_options(call)?;
    let (key, name, last) = require(call)?;
    let id = match call.arg(4).as_ref() {
        b"$" => last,
        text => loose_id(text, 0)?,
    };
    edit(call, &key, &name, |group| {
        group.last_id = id;
        group.entries_read = read;
        ((), Change::Done)
    })?;
    Ok(Reply::OK)
}

fn destroy(call: &mut Call) -> Answer {
    let (key, name) = (call.arg(2).clone(), call.arg(3).clone());
    if call.read_as::<Stream>(&key)?.is_none() {
        return Err(KEY_MUST_EXIST);
    }
    let was_there = call.edit(&key, |stream: &mut Stream| {
        let was_there = stream.groups.remove(&name).is_some();
        (was_there, Change::when(was_there))
    })?;
    Ok(Reply::Integer(was_there.unwrap_or(false).into()))
}

fn create_consumer(call: &mut Call) -> Answer {
    let (key, name, _) = require(call)?;
    let (consumer, now) = (call.arg(4).clone(), call.parts.now);
    let created = edit(call, &key, &name, |group| {
        let created = group.create_consumer(&consumer, now);
        (created, Change::when(created == Created::Yes))
    })?;
    Ok(Reply::Integer((created == Some(Created::Yes)).into()))
}

fn delete_consumer(call: &mut Call) -> Answer {
    let (key, name, _) = require(call)?;
    let consumer = call.arg(4).clone();
    let pending = edit(call, &key, &name, |group| {
        let pending = group.delete_consumer(&consumer);
        (pending, Change::when(pending.is_some()))
    })?;
    Ok(Reply::Integer(pending.flatten().unwrap_or(0) as i64))
}

// Changes a group; none if the key or the group is not there.
fn edit<R>(
    call: &mut Call,
    key: &Bytes,
    name: &Bytes,
    change: impl FnOnce(&mut Group) -> (R, Change),
) -> Result<Option<R>, Refusal> {
    let result = call.edit(key, |stream: &mut Stream| {
        match stream.groups.get_mut(name) {
            None => (None, Change::None),
            Some(group) => {
                let (result, changed) = change(group);
                (Some(result), changed)
            }
        }
    })?;
    Ok(result.flatten())
}

fn xack(call: &mut Call) -> Answer {
    let (key, name) = (call.arg(1).clone(), call.arg(2).clone());
    let stream = call.read_as::<Stream>(&key)?;
    if stream.is_none_or(|stream| !stream.groups.contains_key(&name)) {
        return Ok(Reply::Integer(0));
    }
    let ids = call.args[3..].iter().map(|text| strict_id(text));
    let ids = ids.collect::<Result<Vec<StreamId>, Refusal>>()?;
    let done = edit(call, &key, &name, |group| {
        let done = ids.iter().filter(|id| group.acknowledge(**id).is_some());
        let done = done.count();
        (done, Change::when(done > 0))
    })?;
    Ok(Reply::Integer(done.unwrap_or(0) as i64))
}

/// What XPENDING asks for, beyond the summary.
struct Wanted {
    idle_min: u64,
    from: StreamId,
    to: StreamId,
    count: usize,
    consumer: Option<Bytes>,
}

fn wanted(args: &[Bytes]) -> Result<Option<Wanted>, Refusal> {
    if args.len() != 3 && !(6..=9).contains(&args.len()) {
        return Err(Refusal::Syntax);
    }
    let mut rest = &args[3..];
    let mut idle_min = 0;
    if let [word, idle, after @ ..] = rest
        && is_word(word, "idle")
    {
        idle_min = u64::try_from(args::integer(idle)?).unwrap_or(0);
        if args.len() < 8 {
            return Err(Refusal::Syntax);
        }
        rest = after;
    }
    let [from, to, count, rest @ ..] = rest else {
        return Ok(None);
    };
    let count = usize::try_from(args::integer(count)?).unwrap_or(0);
    Ok(Some(Wanted {
        idle_min,
        from: start_id(from)?,
        to: end_id(to)?,
        count,
        consumer: rest.first().cloned(),
    }))
}

fn xpending(call: &mut Call) -> Answer {
    let wanted = wanted(call.args)?;
    let (key, name) = (call.arg(1).clone(), call.arg(2).clone());
    let now = call.parts.now;
    let stream = call.read_as::<Stream>(&key)?;
    let Some(group) = stream.and_then(|stream| stream.groups.get(&name)) else {
        return Err(no_group(call, &key, &name));
    };
    let Some(wanted) = wanted else {
        return Ok(summary(group));
    };
    if wanted.from > wanted.to {
        return Ok(Reply::Array(Vec::new()));
    }
    let idle = |pending: &Pending| now.0.saturating_sub(pending.delivered.0);
    let is_owner = |pending: &Pending| {
        let owner = wanted.consumer.as_ref();
        owner.is_none_or(|owner| *owner == pending.consumer)
    };
    let entries = group.pending().range(wanted.from..=wanted.to);
    let entries = entries.filter(|(_, p)| is_owner(p) && idle(p) >= wanted.idle_min);
    let rows = entries.take(wanted.count).map(|(id, pending)| {
        Reply::Array(vec![
            Reply::Bulk(id.text()),
            Reply::Bulk(pending.consumer.clone()),
            Reply::Integer(idle(pending) as i64),
            Reply::Integer(pending.deliveries),
        ])
    });
    Ok(Reply::Array(rows.collect()))
}

fn summary(group: &Group) -> Reply {
    let pending = group.pending();
    let (first, last) = (pending.first_key_value(), pending.last_key_value());
    let (Some((first, _)), Some((last, _))) = (first, last) else {
        let nothing = vec![Reply::Integer(0), Reply::Nil, Reply::Nil, Reply::NilArray];
        return Reply::Array(nothing);
    };
    let busy = group.consumers().iter();
    let busy = busy.filter(|(_, consumer)| !consumer.pending.is_empty());
    let rows = busy.map(|(name, consumer)| {
        let count = consumer.pending.len().to_string();
        Reply::Array(vec![Reply::Bulk(name.clone()), Reply::text(count)])
    });
    Reply::Array(vec![
        Reply::Integer(pending.len() as i64),
        Reply::Bulk(first.text()),
        Reply::Bulk(last.text()),
        Reply::Array(rows.collect()),
    ])
}

const KEY_MUST_EXIST: Refusal = Refusal::Text(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to \
     use the MKSTREAM option to create an empty stream automatically.",
);

const HELP: &[&str] = &[
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
];
