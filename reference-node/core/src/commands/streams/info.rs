//! Streams: XINFO.

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::parts::{Answer, Call};
use crate::commands::streams::{bad_subcommand, entry_reply, help, no_group};
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::keyspace::stream::{Consumer, Group, Stream, StreamId};
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

use Flag::Readonly;

/// The rows of this group.
pub const COMMANDS: &[Command] = &[keyed(
    "xinfo",
    -2,
    &[Readonly],
    Keys::Range(2, 2, 1),
    xinfo,
    "stream",
)];

fn xinfo(call: &mut Call) -> Answer {
    let subcommand = args::word(call.arg(1));
    let count = call.args.len();
    match (subcommand.as_str(), count) {
        ("help", 2) => Ok(help("XINFO", HELP)),
        ("consumers", 4) => consumers(call),
        ("groups", 3) => groups(call),
        ("stream", 3..) => stream(call),
        ("help" | "consumers" | "groups" | "stream", _) => {
            Err(Refusal::Arity(format!("xinfo|{subcommand}")))
        }
        _ => Err(Refusal::UnknownSubcommand(
            args::shown(call.arg(1)),
            "XINFO".into(),
        )),
    }
}

type Pairs = Vec<(Reply, Reply)>;

fn pair(name: &str, value: Reply) -> (Reply, Reply) {
    (Reply::text(name), value)
}

fn count_of(length: usize) -> Reply {
    Reply::Integer(length as i64)
}

fn number_or_nil(number: Option<i64>) -> Reply {
    number.map_or(Reply::Nil, Reply::Integer)
}

fn consumers(call: &mut Call) -> Answer {
    let (key, name) = (call.arg(2).clone(), call.arg(3).clone());
    let now = call.parts.now;
    let stream = call.read_as::<Stream>(&key)?.ok_or(Refusal::NoSuchKey)?;
    let Some(group) = stream.groups.get(&name) else {
        return Err(no_group(call, &key, &name));
    };
    let rows = group.consumers().iter().map(|(name, consumer)| {
        let idle = now.0.saturating_sub(consumer.seen.0);
        Reply::Map(vec![
            pair("name", Reply::Bulk(name.clone())),
            pair("pending", count_of(consumer.pending.len())),
            pair("idle", Reply::Integer(idle as i64)),
        ])
    });
    Ok(Reply::Array(rows.collect()))
}

fn groups(call: &mut Call) -> Answer {
    let key = call.arg(2).clone();
    let stream = call.read_as::<Stream>(&key)?.ok_or(Refusal::NoSuchKey)?;
    let rows = stream.groups.iter().map(|(name, group)| {
        Reply::Map(vec![
            pair("name", Reply::Bulk(name.clone())),
            pair("consumers", count_of(group.consumers().len())),
            pair("pending", count_of(group.pending().len())),
            pair("last-delivered-id", Reply::Bulk(group.last_id.text())),
            pair("entries-read", number_or_nil(group.entries_read)),
            pair("lag", number_or_nil(stream.lag(group))),
        ])
    });
    Ok(Reply::Array(rows.collect()))
}

// How much of it: none for the summary, else so many of each list (0: all).
fn fullness(call: &Call) -> Result<Option<usize>, Refusal> {
    match &call.args[3..] {
        [] => Ok(None),
        [full] if is_word(full, "full") => Ok(Some(FULL_COUNT)),
        [full, word, number] if is_word(full, "full") && is_word(word, "count") => {
            let number = usize::try_from(args::integer(number)?);
            Ok(Some(number.unwrap_or(FULL_COUNT)))
        }
        _ => Err(bad_subcommand(call)),
    }
}

fn stream(call: &mut Call) -> Answer {
    let key = call.arg(2).clone();
    if call.read_as::<Stream>(&key)?.is_none() {
        return Err(Refusal::NoSuchKey);
    }
    let fullness = fullness(call)?;
    let stream = call.read_as::<Stream>(&key)?.ok_or(Refusal::NoSuchKey)?;
    let mut pairs = vec![
        pair("length", count_of(stream.len())),
        pair("radix-tree-keys", count_of(stream.node_count())),
        pair("radix-tree-nodes", count_of(stream.node_count() + 1)),
        pair("last-generated-id", Reply::Bulk(stream.last_id.text())),
        pair(
            "max-deleted-entry-id",
            Reply::Bulk(stream.max_deleted_id.text()),
        ),
        pair("entries-added", Reply::Integer(stream.entries_added as i64)),
        pair(
            "recorded-first-entry-id",
            Reply::Bulk(stream.first_id().text()),
        ),
    ];
    match fullness {
        None => summary(stream, &mut pairs),
        Some(count) => full(stream, count, &mut pairs),
    }
    Ok(Reply::Map(pairs))
}

fn summary(stream: &Stream, pairs: &mut Pairs) {
    let entry = |id: StreamId| {
        let fields = stream.entry(id);
        fields.map_or(Reply::Nil, |fields| entry_reply(id, fields))
    };
    pairs.push(pair("groups", count_of(stream.groups.len())));
    pairs.push(pair("first-entry", entry(stream.first_id())));
    pairs.push(pair("last-entry", entry(stream.last_entry_id())));
}

fn full(stream: &Stream, count: usize, pairs: &mut Pairs) {
    let limit = if count == 0 { usize::MAX } else { count };
    let entries = stream.range(StreamId::MIN, StreamId::MAX).take(limit);
    let entries = entries.map(|(id, fields)| entry_reply(id, fields));
    pairs.push(pair("entries", Reply::Array(entries.collect())));
    let groups = stream.groups.iter();
    let groups = groups.map(|(name, group)| full_group(stream, name, group, limit));
    pairs.push(pair("groups", Reply::Array(groups.collect())));
}

fn full_group(stream: &Stream, name: &Bytes, group: &Group, limit: usize) -> Reply {
    let pending = group.pending().iter().take(limit).map(|(id, pending)| {
        Reply::Array(vec![
            Reply::Bulk(id.text()),
            Reply::Bulk(pending.consumer.clone()),
            time_reply(pending.delivered),
            Reply::Integer(pending.deliveries),
        ])
    });
    let consumers = group.consumers().iter();
    let consumers = consumers.map(|(name, consumer)| full_consumer(group, name, consumer, limit));
    Reply::Map(vec![
        pair("name", Reply::Bulk(name.clone())),
        pair("last-delivered-id", Reply::Bulk(group.last_id.text())),
        pair("entries-read", number_or_nil(group.entries_read)),
        pair("lag", number_or_nil(stream.lag(group))),
        pair("pel-count", count_of(group.pending().len())),
        pair("pending", Reply::Array(pending.collect())),
        pair("consumers", Reply::Array(consumers.collect())),
    ])
}

fn full_consumer(group: &Group, name: &Bytes, consumer: &Consumer, limit: usize) -> Reply {
    let pending = consumer.pending.iter().take(limit);
    let pending = pending.filter_map(|id| {
        let pending = group.pending().get(id)?;
        Some(Reply::Array(vec![
            Reply::Bulk(id.text()),
            time_reply(pending.delivered),
            Reply::Integer(pending.deliveries),
        ]))
    });
    Reply::Map(vec![
        pair("name", Reply::Bulk(name.clone())),
        pair("seen-time", time_reply(consumer.seen)),
        pair("pel-count", count_of(consumer.pending.len())),
        pair("pending", Reply::Array(pending.collect())),
    ])
}

fn time_reply(at: Millis) -> Reply {
    Reply::Integer(at.0 as i64)
}

const FULL_COUNT: usize = 10;

const HELP: &[&str] = &[
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
];
