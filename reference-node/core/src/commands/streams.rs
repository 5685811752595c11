//! Streams: adding, trimming, deleting, ranges.
//!
//! What is replicated names ids and lengths outright (RW-34): a replica never makes its own.

use bytes::Bytes;

use crate::commands::args::{self, digits, is_word, shown};
use crate::commands::parts::{Answer, Call, Caller};
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::commands::typed::Change;
use crate::config;
use crate::keyspace::stream::{Fields, NodeLimits, Stream, StreamId, TrimKind, TrimTo, id};
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Denyoom, Fast, Readonly, Write};

pub mod claim;
pub mod groups;
pub mod info;
pub mod read;

const ONE: Keys = Keys::Range(1, 1, 1);
const GROUP: &str = "stream";

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("xadd", -5, &[Write, Denyoom, Fast], ONE, xadd, GROUP),
    keyed("xtrim", -4, &[Write], ONE, xtrim, GROUP),
    keyed("xdel", -3, &[Write, Fast], ONE, xdel, GROUP),
    keyed("xlen", 2, &[Readonly, Fast], ONE, xlen, GROUP),
    keyed("xrange", -4, &[Readonly], ONE, xrange, GROUP),
    keyed("xrevrange", -4, &[Readonly], ONE, xrevrange, GROUP),
    keyed("xsetid", -3, &[Write, Denyoom, Fast], ONE, xsetid, GROUP),
];

const BAD_ID: Refusal = Refusal::Text("ERR Invalid stream ID specified as stream command argument");

/// Reads an id that is neither `-` nor `+`.
pub fn strict_id(text: &[u8]) -> Result<StreamId, Refusal> {
    StreamId::parse(text, 0).ok_or(BAD_ID)
}

/// Reads an id; `-` and `+` are the least and the greatest.
pub fn loose_id(text: &[u8], missing_seq: u64) -> Result<StreamId, Refusal> {
    match text {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => StreamId::parse(text, missing_seq).ok_or(BAD_ID),
    }
}

/// Reads the start of an interval; `(` leaves the id itself out.
pub fn start_id(text: &[u8]) -> Result<StreamId, Refusal> {
    match text {
        [b'(', id, rest @ ..] => {
            let id = StreamId::parse(&[&[*id], rest].concat(), 0).ok_or(BAD_ID)?;
            id.next()
                .ok_or(Refusal::Text("ERR invalid start ID for the interval"))
        }
        _ => loose_id(text, 0),
    }
}

/// Reads the end of an interval; `(` leaves the id itself out.
pub fn end_id(text: &[u8]) -> Result<StreamId, Refusal> {
    match text {
        [b'(', id, rest @ ..] => {
            let id = StreamId::parse(&[&[*id], rest].concat(), u64::MAX).ok_or(BAD_ID)?;
            id.previous()
                .ok_or(Refusal::Text("ERR invalid end ID for the interval"))
        }
        _ => loose_id(text, u64::MAX),
    }
}

/// One entry as a reply.
pub fn entry_reply(id: StreamId, fields: &Fields) -> Reply {
    let texts = fields
        .iter()
        .flat_map(|(field, value)| [Reply::Bulk(field.clone()), Reply::Bulk(value.clone())]);
    Reply::Array(vec![Reply::Bulk(id.text()), Reply::Array(texts.collect())])
}

/// The id XADD is to give.
enum NewId {
    /// `*`.
    Auto,
    /// `ms-*`.
    AutoSeq(u64),
    /// All of it.
    Given(StreamId),
}

/// A trim and where its threshold stands among the arguments.
struct Trim {
    to: TrimTo,
    is_approximate: bool,
    place: usize,
}

/// What XADD and XTRIM say before the fields.
struct Options {
    trim: Option<Trim>,
    limit: Option<u64>,
    makes_stream: bool,
    id: Option<(NewId, usize)>,
}

/// Which command the options are of.
#[derive(PartialEq, Eq, Clone, Copy)]
enum OptionsOf {
    Xadd,
    Xtrim,
}

impl Options {
    fn read(args: &[Bytes], of: OptionsOf, caller: Caller) -> Result<Options, Refusal> {
        let mut options = Options {
            trim: None,
            limit: None,
            makes_stream: true,
            id: None,
        };
        let mut place = 2;
        while let Some(arg) = args.get(place) {
            let more = args.len() - 1 - place;
            match args::word(arg).as_str() {
                "*" if of == OptionsOf::Xadd => {
                    options.id = Some((NewId::Auto, place));
                    break;
                }
                name @ ("maxlen" | "minid") if more > 0 => {
                    let trim = read_trim(args, place, name)?;
                    if options.trim.is_some() {
                        return Err(BOTH_TRIMS);
                    }
                    place = trim.place;
                    options.trim = Some(trim);
                }
                "limit" if more > 0 => {
                    place += 1;
                    let limit = u64::try_from(args::integer(&args[place])?);
                    options.limit = Some(limit.map_err(|_| LIMIT_NEGATIVE)?);
                }
                "nomkstream" if of == OptionsOf::Xadd => options.makes_stream = false,
                _ if of == OptionsOf::Xadd => {
                    options.id = Some((new_id(arg)?, place));
                    break;
                }
                _ => return Err(Refusal::Syntax),
            }
            place += 1;
        }
        options.check(of, caller)?;
        Ok(options)
    }

    fn check(&self, of: OptionsOf, caller: Caller) -> Result<(), Refusal> {
        match &self.trim {
            None if self.limit.is_some_and(|limit| limit > 0) => Err(LIMIT_WITHOUT_TRIM),
            None if of == OptionsOf::Xtrim => Err(NO_TRIM),
            // A master names the exact trim and leaves the limit where it was.
            Some(trim) if self.limit.is_some() && !trim.is_approximate => match caller {
                Caller::Client(_) => Err(LIMIT_WITHOUT_ABOUT),
                Caller::Master => Ok(()),
            },
            None | Some(_) => Ok(()),
        }
    }

    fn kind(&self, trim: &Trim, caller: Caller, limits: NodeLimits) -> TrimKind {
        match (trim.is_approximate, caller) {
            (false, _) => TrimKind::Exact,
            (true, Caller::Master) => TrimKind::Nodes(0),
            (true, Caller::Client(_)) => {
                let by_itself = match limits.entries.saturating_mul(100) {
                    0 => 10_000,
                    limit => limit.min(1_000_000),
                };
                TrimKind::Nodes(self.limit.unwrap_or(by_itself))
            }
        }
    }
}

fn read_trim(args: &[Bytes], place: usize, name: &str) -> Result<Trim, Refusal> {
    let sign = args.get(place + 1).filter(|_| place + 2 < args.len());
    let is_approximate = sign.is_some_and(|sign| sign == "~");
    let has_sign = is_approximate || sign.is_some_and(|sign| sign == "=");
    let place = place + 1 + usize::from(has_sign);
    let to = if name == "maxlen" {
        let length = u64::try_from(args::integer(&args[place])?);
        TrimTo::Length(length.map_err(|_| MAXLEN_NEGATIVE)?)
    } else {
        TrimTo::MinId(strict_id(&args[place])?)
    };
    Ok(Trim {
        to,
        is_approximate,
        place,
    })
}

fn new_id(text: &[u8]) -> Result<NewId, Refusal> {
    match text.strip_suffix(b"-*") {
        Some(ms) => id::number(ms).map(NewId::AutoSeq).ok_or(BAD_ID),
        None => strict_id(text).map(NewId::Given),
    }
}

/// When packed nodes are full, by the configuration.
pub fn node_limits(call: &Call) -> NodeLimits {
    let read = |name| config::value(call.parts.config, name);
    let number = |name, default| {
        read(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    NodeLimits {
        entries: number("stream-node-max-entries", NodeLimits::DEFAULT.entries),
        size_bytes: number("stream-node-max-bytes", NodeLimits::DEFAULT.size_bytes),
    }
}

fn xadd(call: &mut Call) -> Answer {
    let options = Options::read(call.args, OptionsOf::Xadd, call.caller)?;
    let arity = || Refusal::Arity("xadd".into());
    let (wanted, place) = options.id.as_ref().ok_or_else(arity)?;
    let texts = &call.args[place + 1..];
    if texts.is_empty() || !texts.len().is_multiple_of(2) {
        return Err(arity());
    }
    if matches!(wanted, NewId::Given(StreamId::MIN)) {
        return Err(Refusal::Text(
            "ERR The ID specified in XADD must be greater than 0-0",
        ));
    }
    let key = call.arg(1).clone();
    let last = match call.read_as::<Stream>(&key)? {
        None if !options.makes_stream => return Ok(Reply::Nil),
        stream => stream.map_or(StreamId::MIN, |stream| stream.last_id),
    };
    if last == StreamId::MAX {
        return Err(Refusal::Text(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    let id = next_id(wanted, last, call.parts.now.0).ok_or(ID_TOO_SMALL)?;
    let pairs = texts.chunks_exact(2);
    let fields: Fields = pairs
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect();
    let limits = node_limits(call);
    let trim = options.trim.as_ref();
    let kind = trim.map(|trim| options.kind(trim, call.caller, limits));
    let left = call.upsert(&key, |stream: &mut Stream| {
        stream.append(id, fields, limits);
        if let (Some(trim), Some(kind)) = (trim, kind) {
            stream.trim(trim.to, kind);
        }
        ((stream.len(), stream.first_id()), Change::Done)
    })?;
    let mut effect = call.args.to_vec();
    effect[*place] = id.text();
    settle_trim(&mut effect, trim, left);
    call.replicate(effect);
    Ok(Reply::Bulk(id.text()))
}

fn next_id(wanted: &NewId, last: StreamId, now_ms: u64) -> Option<StreamId> {
    let id = match wanted {
        NewId::Given(id) => *id,
        NewId::Auto if now_ms > last.ms => StreamId { ms: now_ms, seq: 0 },
        NewId::Auto => last.next()?,
        NewId::AutoSeq(ms) if *ms == last.ms => {
            let seq = last.seq.checked_add(1)?;
            StreamId { ms: *ms, seq }
        }
        NewId::AutoSeq(ms) => StreamId { ms: *ms, seq: 0 },
    };
    (id > last).then_some(id)
}

// RW-34: an approximate trim is replicated as the exact one that it came to.
fn settle_trim(effect: &mut [Bytes], trim: Option<&Trim>, left: (usize, StreamId)) {
    let Some(trim) = trim.filter(|trim| trim.is_approximate) else {
        return;
    };
    effect[trim.place - 1] = Bytes::from_static(b"=");
    effect[trim.place] = match trim.to {
        TrimTo::Length(_) => digits(left.0),
        TrimTo::MinId(_) => left.1.text(),
    };
}

fn xtrim(call: &mut Call) -> Answer {
    let options = Options::read(call.args, OptionsOf::Xtrim, call.caller)?;
    let key = call.arg(1).clone();
    let limits = node_limits(call);
    let trim = options.trim.as_ref().ok_or(NO_TRIM)?;
    let kind = options.kind(trim, call.caller, limits);
    let done = call.edit(&key, |stream: &mut Stream| {
        let deleted = stream.trim(trim.to, kind);
        let left = (stream.len(), stream.first_id());
        ((deleted, left), Change::when(deleted > 0))
    })?;
    let Some((deleted, left)) = done else {
        return Ok(Reply::Integer(0));
    };
    if deleted > 0 {
        let mut effect = call.args.to_vec();
        settle_trim(&mut effect, Some(trim), left);
        call.replicate(effect);
    }
    Ok(Reply::Integer(deleted as i64))
}

fn xdel(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    if call.read_as::<Stream>(&key)?.is_none() {
        return Ok(Reply::Integer(0));
    }
    let ids = call.args[2..].iter().map(|text| strict_id(text));
    let ids = ids.collect::<Result<Vec<StreamId>, Refusal>>()?;
    let deleted = call.edit(&key, |stream: &mut Stream| {
        let deleted = ids.iter().filter(|id| stream.delete(**id)).count();
        (deleted, Change::when(deleted > 0))
    })?;
    Ok(Reply::Integer(deleted.unwrap_or(0) as i64))
}

fn xlen(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let stream = call.read_as::<Stream>(&key)?;
    Ok(Reply::Integer(stream.map_or(0, Stream::len) as i64))
}

fn xrange(call: &mut Call) -> Answer {
    let (from, to) = (start_id(call.arg(2))?, end_id(call.arg(3))?);
    let Some((stream, count)) = ranged(call)? else {
        return Ok(Reply::Array(Vec::new()));
    };
    let Some(count) = count else {
        return Ok(Reply::NilArray);
    };
    let entries = stream.range(from, to).take(count);
    Ok(Reply::Array(
        entries.map(|(id, f)| entry_reply(id, f)).collect(),
    ))
}

fn xrevrange(call: &mut Call) -> Answer {
    let (from, to) = (start_id(call.arg(3))?, end_id(call.arg(2))?);
    let Some((stream, count)) = ranged(call)? else {
        return Ok(Reply::Array(Vec::new()));
    };
    let Some(count) = count else {
        return Ok(Reply::NilArray);
    };
    let entries = stream.range(from, to).rev().take(count);
    Ok(Reply::Array(
        entries.map(|(id, f)| entry_reply(id, f)).collect(),
    ))
}

// The stream and how many entries are wanted; no number where that is none.
fn ranged<'c>(call: &'c mut Call) -> Result<Option<(&'c Stream, Option<usize>)>, Refusal> {
    let mut count = Some(usize::MAX);
    for pair in call.args[4..].chunks(2) {
        match pair {
            [word, number] if is_word(word, "count") => {
                let number = usize::try_from(args::integer(number)?).unwrap_or(0);
                count = (number > 0).then_some(number);
            }
            _ => return Err(Refusal::Syntax),
        }
    }
    let key = call.arg(1).clone();
    let stream = call.read_as::<Stream>(&key)?;
    Ok(stream.map(|stream| (stream, count)))
}

fn xsetid(call: &mut Call) -> Answer {
    let id = strict_id(call.arg(2))?;
    let (mut added, mut max_deleted) = (None, StreamId::MIN);
    for pair in call.args[3..].chunks(2) {
        match pair {
            [word, number] if is_word(word, "entriesadded") => {
                let number = u64::try_from(args::integer(number)?);
                let negative = |_| Refusal::Text("ERR entries_added must be positive");
                added = Some(number.map_err(negative)?);
            }
            [word, text] if is_word(word, "maxdeletedid") => {
                max_deleted = strict_id(text)?;
                if id < max_deleted {
                    return Err(Refusal::Text(
                        "ERR The ID specified in XSETID is smaller than the provided \
                         max_deleted_entry_id",
                    ));
                }
            }
            _ => return Err(Refusal::Syntax),
        }
    }
    let key = call.arg(1).clone();
    let stream = call.read_as::<Stream>(&key)?.ok_or(Refusal::NoSuchKey)?;
    if !stream.is_empty() && id < stream.last_entry_id() {
        return Err(Refusal::Text(
            "ERR The ID specified in XSETID is smaller than the target stream top item",
        ));
    }
    if !stream.is_empty() && added.is_some_and(|added| added < stream.len() as u64) {
        return Err(Refusal::Text(
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        ));
    }
    call.edit(&key, |stream: &mut Stream| {
        stream.last_id = id;
        stream.entries_added = added.unwrap_or(stream.entries_added);
        if max_deleted != StreamId::MIN {
            stream.max_deleted_id = max_deleted;
        }
        ((), Change::Done)
    })?;
    Ok(Reply::OK)
}

/// NOGROUP, upstream's several texts.
pub fn no_group(call: &Call, key: &[u8], group: &[u8]) -> Refusal {
    let (key, group) = (shown(key), shown(group));
    Refusal::Facts(match args::word(call.arg(0)).as_str() {
        "xgroup" | "xinfo" => {
            format!("NOGROUP No such consumer group '{group}' for key name '{key}'")
        }
        "xreadgroup" => format!(
            "NOGROUP No such key '{key}' or consumer group '{group}' in XREADGROUP with GROUP \
             option"
        ),
        _ => format!("NOGROUP No such key '{key}' or consumer group '{group}'"),
    })
}

/// A subcommand that is unknown or has the wrong number of arguments.
pub fn bad_subcommand(call: &Call) -> Refusal {
    let name: String = shown(call.arg(1)).chars().take(128).collect();
    let command = shown(call.arg(0)).to_uppercase();
    Refusal::Facts(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try {command} HELP."
    ))
}

/// The reply of a HELP subcommand.
pub fn help(command: &str, lines: &[&'static str]) -> Reply {
    let first = format!("{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let lines = lines
        .iter()
        .copied()
        .chain(["HELP", "    Prints this help."]);
    let lines = lines.map(Reply::Simple);
    Reply::Array([Reply::Status(first)].into_iter().chain(lines).collect())
}

const ID_TOO_SMALL: Refusal = Refusal::Text(
    "ERR The ID specified in XADD is equal or smaller than the target stream top item",
);
const BOTH_TRIMS: Refusal =
    Refusal::Text("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
const MAXLEN_NEGATIVE: Refusal = Refusal::Text("ERR The MAXLEN argument must be >= 0.");
const LIMIT_NEGATIVE: Refusal = Refusal::Text("ERR The LIMIT argument must be >= 0.");
const LIMIT_WITHOUT_TRIM: Refusal =
    Refusal::Text("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
const LIMIT_WITHOUT_ABOUT: Refusal =
    Refusal::Text("ERR syntax error, LIMIT cannot be used without the special ~ option");
const NO_TRIM: Refusal =
    Refusal::Text("ERR syntax error, XTRIM must be called with a trimming strategy");
