//! Streams: XREAD and XREADGROUP, also for entries yet to come.
//!
//! A client that waits is run again with what its words meant when it began: `$` as the id it
//! stood for, and a count, so that a late start does not give it everything at once. Deliveries
//! are replicated as XCLAIM, or as XGROUP SETID where nothing becomes pending (RW-34).

use bytes::Bytes;

use crate::commands::args::{self, digits, is_word};
use crate::commands::parts::{Answer, Blocking, Call};
use crate::commands::session::Wait;
use crate::commands::streams::claim::xclaim_effect;
use crate::commands::streams::{entry_reply, no_group, strict_id};
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::commands::typed::Collection;
use crate::keyspace::Value;
use crate::keyspace::stream::{Created, Pending, Stream, StreamId};
use crate::output::Protocol;
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

use Flag::{Movablekeys, Readonly, Write};

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed(
        "xread",
        -4,
        &[Readonly, Flag::Blocking, Movablekeys],
        Keys::Movable(key_places),
        xread,
        "stream",
    ),
    keyed(
        "xreadgroup",
        -7,
        &[Write, Flag::Blocking, Movablekeys],
        Keys::Movable(key_places),
        xreadgroup,
        "stream",
    ),
];

fn key_places(args: &[Bytes]) -> Vec<usize> {
    let mut place = 1;
    while let Some(arg) = args.get(place) {
        match args::word(arg).as_str() {
            "streams" => {
                let count = args.len() - place - 1;
                if !count.is_multiple_of(2) {
                    return Vec::new();
                }
                return (place + 1..=place + count / 2).collect();
            }
            "block" | "count" => place += 2,
            "group" => place += 3,
            "noack" => place += 1,
            _ => return Vec::new(),
        }
    }
    Vec::new()
}

/// What XREAD and XREADGROUP say.
struct Request {
    /// Present: for ever, or until then.
    block: Option<Option<Millis>>,
    count: usize,
    /// Group and consumer.
    reader: Option<(Bytes, Bytes)>,
    is_noack: bool,
    keys: Vec<Bytes>,
    /// Where the first id stands.
    ids_place: usize,
}

/// From where a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// Behind this id; with a group, out of what its consumer has pending.
    Behind(StreamId),
    /// `>`: what the group has not read.
    New,
}

impl Request {
    fn read(call: &Call) -> Result<Request, Refusal> {
        let is_group = is_word(call.arg(0), "xreadgroup");
        let mut request = Request {
            block: None,
            count: 0,
            reader: None,
            is_noack: false,
            keys: Vec::new(),
            ids_place: 0,
        };
        let args = call.args;
        let mut place = 1;
        while let Some(arg) = args.get(place) {
            let more = args.len() - place - 1;
            match args::word(arg).as_str() {
                "block" if more > 0 => {
                    place += 1;
                    request.block = Some(timeout_ms(&args[place], call.parts.now)?);
                }
                "count" if more > 0 => {
                    place += 1;
                    request.count = usize::try_from(args::integer(&args[place])?).unwrap_or(0);
                }
                "streams" if more > 0 => {
                    if !more.is_multiple_of(2) {
                        return Err(UNBALANCED);
                    }
                    request.keys = args[place + 1..=place + more / 2].to_vec();
                    request.ids_place = place + 1 + more / 2;
                    break;
                }
                "group" if more > 1 => {
                    if !is_group {
                        return Err(GROUP_IN_XREAD);
                    }
                    request.reader = Some((args[place + 1].clone(), args[place + 2].clone()));
                    place += 2;
                }
                "noack" => {
                    if !is_group {
                        return Err(NOACK_IN_XREAD);
                    }
                    request.is_noack = true;
                }
                _ => return Err(Refusal::Syntax),
            }
            place += 1;
        }
        if request.keys.is_empty() {
            return Err(Refusal::Syntax);
        }
        if is_group && request.reader.is_none() {
            return Err(Refusal::Text("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(request)
    }

    fn limit(&self) -> usize {
        if self.count == 0 {
            usize::MAX
        } else {
            self.count
        }
    }
}

fn timeout_ms(text: &[u8], now: Millis) -> Result<Option<Millis>, Refusal> {
    let span = args::integer(text).map_err(|_| Refusal::TimeoutNotInteger)?;
    let span = u64::try_from(span).map_err(|_| Refusal::TimeoutNegative)?;
    if span > i64::MAX as u64 - now.0 {
        return Err(Refusal::Text("ERR timeout is out of range"));
    }
    Ok((span > 0).then(|| now + Millis(span)))
}

fn xread(call: &mut Call) -> Answer {
    let request = Request::read(call)?;
    let mut starts = Vec::new();
    for (index, key) in request.keys.iter().enumerate() {
        let text = call.arg(request.ids_place + index).clone();
        let stream = call.read_as::<Stream>(key)?;
        starts.push(match text.as_ref() {
            b"$" => stream.map_or(StreamId::MIN, |stream| stream.last_id),
            b">" => return Err(NEW_IN_XREAD),
            id => strict_id(id)?,
        });
    }
    let mut found = Vec::new();
    for (key, start) in request.keys.iter().zip(&starts) {
        let Some(stream) = call.read_as::<Stream>(key)? else {
            continue;
        };
        let Some(from) = start.next() else {
            continue;
        };
        let entries = stream.range(from, StreamId::MAX).take(request.limit());
        let entries: Vec<Reply> = entries.map(|(id, f)| entry_reply(id, f)).collect();
        if !entries.is_empty() {
            found.push((key.clone(), Reply::Array(entries)));
        }
    }
    if !found.is_empty() {
        return Ok(by_key(call, found));
    }
    let ids = starts.iter().map(|id| id.text()).collect();
    Ok(wait(call, &request, ids))
}

fn xreadgroup(call: &mut Call) -> Answer {
    let request = Request::read(call)?;
    let reader = request.reader.clone();
    let (group, consumer) = reader.expect("read() refuses XREADGROUP without a group");
    let mut starts = Vec::new();
    for (index, key) in request.keys.iter().enumerate() {
        let text = call.arg(request.ids_place + index).clone();
        let stream = call.read_as::<Stream>(key)?;
        if stream.is_none_or(|stream| !stream.groups.contains_key(&group)) {
            return Err(no_group(call, key, &group));
        }
        starts.push(match text.as_ref() {
            b"$" => return Err(LAST_IN_XREADGROUP),
            b">" => From::New,
            id => From::Behind(strict_id(id)?),
        });
    }
    // What happened is replicated, never the command.
    call.effects.get_or_insert_default();
    let mut found = Vec::new();
    for (key, start) in request.keys.iter().zip(&starts) {
        let now = call.parts.now;
        let delivery = Delivery {
            key,
            group: &group,
            consumer: &consumer,
            request: &request,
            now,
        };
        let stream = call.write(key).and_then(Stream::of_mut);
        let Some((entries, effects)) = stream.and_then(|s| delivery.serve(s, *start)) else {
            continue;
        };
        effects
            .into_iter()
            .for_each(|effect| call.replicate(effect));
        call.dirty();
        found.push((key.clone(), Reply::Array(entries)));
    }
    if !found.is_empty() {
        return Ok(by_key(call, found));
    }
    let ids = starts.iter().map(|_| Bytes::from_static(b">")).collect();
    Ok(wait(call, &request, ids))
}

/// Reading one stream for a consumer.
struct Delivery<'a> {
    key: &'a Bytes,
    group: &'a Bytes,
    consumer: &'a Bytes,
    request: &'a Request,
    now: Millis,
}

type Served = (Vec<Reply>, Vec<Vec<Bytes>>);

impl Delivery<'_> {
    // None: there is nothing new, the client may have to wait.
    fn serve(&self, stream: &mut Stream, start: From) -> Option<Served> {
        match start {
            From::Behind(id) => self.history(stream, id),
            From::New => self.news(stream),
        }
    }

    fn see(&self, stream: &mut Stream, effects: &mut Vec<Vec<Bytes>>) -> Option<()> {
        let group = stream.groups.get_mut(self.group)?;
        let created = group.see(self.consumer, self.now);
        if created == Created::Yes && self.request.is_noack {
            let words = [&b"XGROUP"[..], b"CREATECONSUMER"].map(Bytes::from_static);
            let names = [self.key, self.group, self.consumer].map(Bytes::clone);
            effects.push(words.into_iter().chain(names).collect());
        }
        Some(())
    }

    fn history(&self, stream: &mut Stream, behind: StreamId) -> Option<Served> {
        let mut effects = Vec::new();
        self.see(stream, &mut effects)?;
        let group = stream.groups.get(self.group)?;
        let pending = &group.consumers().get(self.consumer)?.pending;
        let ids: Vec<StreamId> = match behind.next() {
            Some(from) => pending
                .range(from..)
                .take(self.request.limit())
                .copied()
                .collect(),
            None => Vec::new(),
        };
        let mut replies = Vec::new();
        for id in ids {
            match stream.entry(id) {
                Some(fields) => {
                    replies.push(entry_reply(id, fields));
                    stream
                        .groups
                        .get_mut(self.group)?
                        .deliver_again(id, self.now);
                }
                // Deleted since: the id alone, so that it can be acknowledged.
                None => {
                    let gone = vec![Reply::Bulk(id.text()), Reply::NilArray];
                    replies.push(Reply::Array(gone));
                }
            }
        }
        Some((replies, effects))
    }

    fn news(&self, stream: &mut Stream) -> Option<Served> {
        let last = stream.groups.get(self.group)?.last_id;
        let entries = stream.range(last.next()?, StreamId::MAX);
        let entries = entries.take(self.request.limit());
        let entries: Vec<_> = entries.map(|(id, f)| (id, entry_reply(id, f))).collect();
        if entries.is_empty() {
            return None;
        }
        let mut effects = Vec::new();
        self.see(stream, &mut effects)?;
        let mut replies = Vec::new();
        for (id, reply) in entries {
            let group = stream.groups.get(self.group)?;
            let read = stream.entries_read_after(group, id);
            let group = stream.groups.get_mut(self.group)?;
            group.entries_read = read;
            group.last_id = id;
            if !self.request.is_noack {
                let pending = Pending {
                    consumer: self.consumer.clone(),
                    delivered: self.now,
                    deliveries: 1,
                };
                effects.push(xclaim_effect(self.key, self.group, group, id, &pending));
                group.assign(id, pending);
            }
            replies.push(reply);
        }
        if self.request.is_noack {
            let group = stream.groups.get(self.group)?;
            effects.push(super::claim::setid_effect(self.key, self.group, group));
        }
        Some((replies, effects))
    }
}

fn by_key(call: &mut Call, found: Vec<(Bytes, Reply)>) -> Reply {
    let protocol = call
        .session()
        .map_or(Protocol::Resp2, |session| session.protocol);
    let pairs = found
        .into_iter()
        .map(|(key, entries)| (Reply::Bulk(key), entries));
    match protocol {
        Protocol::Resp3 => Reply::Map(pairs.collect()),
        Protocol::Resp2 => {
            let pairs = pairs.map(|(key, entries)| Reply::Array(vec![key, entries]));
            Reply::Array(pairs.collect())
        }
    }
}

fn wait(call: &mut Call, request: &Request, ids: Vec<Bytes>) -> Reply {
    let Some(until) = request.block.filter(|_| call.blocking == Blocking::Allowed) else {
        return Reply::NilArray;
    };
    let mut args = call.args[..request.ids_place].to_vec();
    args.extend(ids);
    if request.count == 0 {
        let count = [Bytes::from_static(b"COUNT"), digits(COUNT_AFTER_WAIT)];
        args.splice(1..1, count);
    }
    call.wait = Some(Wait::Keys {
        keys: request.keys.clone(),
        args,
        type_name: "stream",
        until,
        on_timeout: Reply::NilArray,
    });
    Reply::None
}

/// Why a client that waits in a group need wait no longer for this key, if so.
pub fn end_of_wait(args: &[Bytes], value: Option<&Value>) -> Option<Refusal> {
    let is_group = args.first().is_some_and(|name| is_word(name, "xreadgroup"));
    if !is_group {
        return None;
    }
    let Some(Value::Stream(stream)) = value else {
        return Some(Refusal::Text("UNBLOCKED the stream key no longer exists"));
    };
    let place = args.iter().position(|arg| is_word(arg, "group"))?;
    let group = args.get(place + 1)?;
    let is_there = stream.groups.contains_key(group);
    (!is_there).then_some(Refusal::Text(
        "NOGROUP the consumer group this client was blocked on no longer exists",
    ))
}

const COUNT_AFTER_WAIT: usize = 1000;

const UNBALANCED: Refusal = Refusal::Text(
    "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
);
const GROUP_IN_XREAD: Refusal = Refusal::Text(
    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
);
const NOACK_IN_XREAD: Refusal = Refusal::Text(
    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
);
const NEW_IN_XREAD: Refusal = Refusal::Text(
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
     <consumer> option.",
);
const LAST_IN_XREADGROUP: Refusal = Refusal::Text(
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of \
     this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID \
     would just return an empty result set.",
);
