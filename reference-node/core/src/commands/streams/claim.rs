//! Streams: XCLAIM and XAUTOCLAIM, pending entries that change hands.
//!
//! Each change is replicated as one XCLAIM that says all of it (RW-34).

use bytes::Bytes;

use crate::commands::args::{self, digits, is_word, shown};
use crate::commands::parts::{Answer, Call};
use crate::commands::streams::{entry_reply, no_group, start_id, strict_id};
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::commands::typed::Collection;
use crate::keyspace::stream::{Group, Pending, Stream, StreamId};
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

use Flag::{Fast, Write};

const ONE: Keys = Keys::Range(1, 1, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("xclaim", -6, &[Write, Fast], ONE, xclaim, "stream"),
    keyed("xautoclaim", -6, &[Write, Fast], ONE, xautoclaim, "stream"),
];

/// The XCLAIM that makes a replica's group say the same of a pending entry.
pub fn xclaim_effect(
    key: &Bytes,
    name: &Bytes,
    group: &Group,
    id: StreamId,
    pending: &Pending,
) -> Vec<Bytes> {
    let word = Bytes::from_static;
    vec![
        word(b"XCLAIM"),
        key.clone(),
        name.clone(),
        pending.consumer.clone(),
        word(b"0"),
        id.text(),
        word(b"TIME"),
        digits(pending.delivered.0),
        word(b"RETRYCOUNT"),
        digits(pending.deliveries),
        word(b"FORCE"),
        word(b"JUSTID"),
        word(b"LASTID"),
        group.last_id.text(),
    ]
}

/// The XGROUP SETID that makes a replica's group have read as much.
pub fn setid_effect(key: &Bytes, name: &Bytes, group: &Group) -> Vec<Bytes> {
    let word = Bytes::from_static;
    vec![
        word(b"XGROUP"),
        word(b"SETID"),
        key.clone(),
        name.clone(),
        group.last_id.text(),
        word(b"ENTRIESREAD"),
        digits(group.entries_read.unwrap_or(-1)),
    ]
}

/// What the claimed entries are shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Show {
    /// Their fields; it counts as a delivery.
    Entries,
    /// Their ids; it does not.
    Ids,
}

/// Whether an entry nobody has pending is claimed too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Force {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// One change of hands.
struct Claim<'a> {
    key: &'a Bytes,
    name: &'a Bytes,
    consumer: &'a Bytes,
    idle_min: u64,
    now: Millis,
    delivered: Millis,
    deliveries: Option<i64>,
    show: Show,
    force: Force,
}

/// What came of it.
enum Claimed {
    /// Not pending, or not idle for long enough.
    Nothing,
    /// The entry is no more; it is no longer pending.
    Gone(Vec<Bytes>),
    /// It is the consumer's now.
    Moved(Reply, Vec<Bytes>),
}

impl Claim<'_> {
    fn carry_out(&self, stream: &mut Stream, id: StreamId) -> Option<Claimed> {
        let fields = stream.entry(id).cloned();
        let group = stream.groups.get_mut(self.name)?;
        let old = group.pending().get(&id).cloned();
        let Some(fields) = fields else {
            let Some(old) = old else {
                return Some(Claimed::Nothing);
            };
            let effect = xclaim_effect(self.key, self.name, group, id, &old);
            group.acknowledge(id);
            return Some(Claimed::Gone(effect));
        };
        if old.is_none() && self.force == Force::No {
            return Some(Claimed::Nothing);
        }
        let idle = |old: &Pending| self.now.0.saturating_sub(old.delivered.0);
        if old.as_ref().is_some_and(|old| idle(old) < self.idle_min) {
            return Some(Claimed::Nothing);
        }
        group.see(self.consumer, self.now);
        let before = old.map_or(1, |old| old.deliveries);
        let counted = match (self.show, self.force) {
            (Show::Entries, _) => before.saturating_add(1),
            (Show::Ids, _) => before,
        };
        let pending = Pending {
            consumer: self.consumer.clone(),
            delivered: self.delivered,
            deliveries: self.deliveries.unwrap_or(counted),
        };
        let effect = xclaim_effect(self.key, self.name, group, id, &pending);
        group.assign(id, pending);
        let reply = match self.show {
            Show::Entries => entry_reply(id, &fields),
            Show::Ids => Reply::Bulk(id.text()),
        };
        Some(Claimed::Moved(reply, effect))
    }
}

/// The options of XCLAIM.
struct Options {
    delivered: Option<i64>,
    deliveries: Option<i64>,
    last_id: StreamId,
    show: Show,
    force: Force,
}

fn number(text: &[u8], option: &str) -> Result<i64, Refusal> {
    let text_of = |_| Refusal::Facts(format!("ERR Invalid {option} argument for XCLAIM"));
    args::integer(text).map_err(text_of)
}

fn xclaim_options(mut rest: &[Bytes], now: Millis) -> Result<Options, Refusal> {
    let mut options = Options {
        delivered: None,
        deliveries: None,
        last_id: StreamId::MIN,
        show: Show::Entries,
        force: Force::No,
    };
    while let Some((word, after)) = rest.split_first() {
        let value = after.first();
        let taken = match (args::word(word).as_str(), value) {
            ("force", _) => {
                options.force = Force::Yes;
                1
            }
            ("justid", _) => {
                options.show = Show::Ids;
                1
            }
            ("idle", Some(text)) => {
                let idle = number(text, "IDLE option")?;
                options.delivered = Some((now.0 as i64).wrapping_sub(idle));
                2
            }
            ("time", Some(text)) => {
                options.delivered = Some(number(text, "TIME option")?);
                2
            }
            ("retrycount", Some(text)) => {
                options.deliveries = Some(number(text, "RETRYCOUNT option")?);
                2
            }
            ("lastid", Some(text)) => {
                options.last_id = strict_id(text)?;
                2
            }
            _ => {
                let name = shown(word);
                let text = format!("ERR Unrecognized XCLAIM option '{name}'");
                return Err(Refusal::Facts(text));
            }
        };
        rest = &rest[taken..];
    }
    Ok(options)
}

fn xclaim(call: &mut Call) -> Answer {
    let (key, name) = (call.arg(1).clone(), call.arg(2).clone());
    let consumer = call.arg(3).clone();
    let stream = call.read_as::<Stream>(&key)?;
    if stream.is_none_or(|stream| !stream.groups.contains_key(&name)) {
        return Err(no_group(call, &key, &name));
    }
    let idle_min = number(call.arg(4), "min-idle-time")?;
    let ids = call.args[5..].iter().map_while(|text| strict_id(text).ok());
    let ids: Vec<StreamId> = ids.collect();
    let now = call.parts.now;
    let options = xclaim_options(&call.args[5 + ids.len()..], now)?;
    let delivered = options.delivered.and_then(|at| u64::try_from(at).ok());
    let claim = Claim {
        key: &key,
        name: &name,
        consumer: &consumer,
        idle_min: u64::try_from(idle_min).unwrap_or(0),
        now,
        delivered: delivered.map(Millis).filter(|at| *at <= now).unwrap_or(now),
        deliveries: options.deliveries.filter(|count| *count >= 0),
        show: options.show,
        force: options.force,
    };
    call.effects.get_or_insert_default();
    let Some(stream) = call.write(&key).and_then(Stream::of_mut) else {
        return Ok(Reply::Array(Vec::new()));
    };
    let mut effects = Vec::new();
    let mut replies = Vec::new();
    let group = stream.groups.get_mut(&name);
    let advances = group
        .filter(|group| group.last_id < options.last_id)
        .map(|group| {
            group.last_id = options.last_id;
        });
    for id in ids {
        match claim.carry_out(stream, id) {
            Some(Claimed::Gone(effect)) => effects.push(effect),
            Some(Claimed::Moved(reply, effect)) => {
                replies.push(reply);
                effects.push(effect);
            }
            Some(Claimed::Nothing) | None => {}
        }
    }
    let group = stream.groups.get(&name);
    if let (Some(()), Some(group), []) = (advances, group, effects.as_slice()) {
        effects.push(setid_effect(&key, &name, group));
    }
    settle(call, effects);
    Ok(Reply::Array(replies))
}

fn settle(call: &mut Call, effects: Vec<Vec<Bytes>>) {
    if !effects.is_empty() {
        call.dirty();
    }
    effects
        .into_iter()
        .for_each(|effect| call.replicate(effect));
}

fn xautoclaim(call: &mut Call) -> Answer {
    let idle_min = args::integer(call.arg(4));
    let idle_min =
        idle_min.map_err(|_| Refusal::Text("ERR Invalid min-idle-time argument for XAUTOCLAIM"))?;
    let start = start_id(call.arg(5))?;
    let (count, show) = autoclaim_options(&call.args[6..])?;
    let (key, name) = (call.arg(1).clone(), call.arg(2).clone());
    let consumer = call.arg(3).clone();
    let stream = call.read_as::<Stream>(&key)?;
    let Some(group) = stream.and_then(|stream| stream.groups.get(&name)) else {
        return Err(no_group(call, &key, &name));
    };
    let attempts = count.saturating_mul(10);
    let ids = group.pending().range(start..).map(|(id, _)| *id);
    let ids: Vec<StreamId> = ids.take(attempts.saturating_add(1)).collect();
    let now = call.parts.now;
    let claim = Claim {
        key: &key,
        name: &name,
        consumer: &consumer,
        idle_min: u64::try_from(idle_min).unwrap_or(0),
        now,
        delivered: now,
        deliveries: None,
        show,
        force: Force::No,
    };
    call.effects.get_or_insert_default();
    let mut effects = Vec::new();
    let (mut moved, mut gone) = (Vec::new(), Vec::new());
    let mut looked_at = 0;
    if let Some(stream) = call.write(&key).and_then(Stream::of_mut) {
        for id in &ids {
            if looked_at == attempts || moved.len() + gone.len() == count {
                break;
            }
            looked_at += 1;
            match claim.carry_out(stream, *id) {
                Some(Claimed::Gone(effect)) => {
                    gone.push(Reply::Bulk(id.text()));
                    effects.push(effect);
                }
                Some(Claimed::Moved(reply, effect)) => {
                    moved.push(reply);
                    effects.push(effect);
                }
                Some(Claimed::Nothing) | None => {}
            }
        }
    }
    settle(call, effects);
    let cursor = ids.get(looked_at).copied().unwrap_or(StreamId::MIN);
    Ok(Reply::Array(vec![
        Reply::Bulk(cursor.text()),
        Reply::Array(moved),
        Reply::Array(gone),
    ]))
}

fn autoclaim_options(mut rest: &[Bytes]) -> Result<(usize, Show), Refusal> {
    let (mut count, mut show) = (100, Show::Entries);
    loop {
        match rest {
            [] => return Ok((count, show)),
            [word, text, after @ ..] if is_word(word, "count") => {
                let number = args::integer(text)?;
                let fits = (1..=i64::MAX / 16).contains(&number);
                let number = usize::try_from(number).ok().filter(|_| fits);
                count = number.ok_or(Refusal::Text("ERR COUNT must be > 0"))?;
                rest = after;
            }
            [word, after @ ..] if is_word(word, "justid") => {
                show = Show::Ids;
                rest = after;
            }
            _ => return Err(Refusal::Syntax),
        }
    }
}
