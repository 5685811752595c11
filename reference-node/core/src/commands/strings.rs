//! Strings: getting, setting, counting.

use bytes::Bytes;

use crate::commands::args::{self, TimeKind, digits, expiry_ms, is_word, moment};
use crate::commands::parts::{Answer, Call};
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::keyspace::{Entry, Value, parse_integer};
use crate::mutants::Mutant;
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

use Flag::{Denyoom, Fast, Readonly, Write};

pub mod decimal;
pub mod ranges;

const ONE: Keys = Keys::Range(1, 1, 1);
const ALL: Keys = Keys::Range(1, -1, 1);
const PAIRS: Keys = Keys::Range(1, -1, 2);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("get", 2, &[Readonly, Fast], ONE, get, "string"),
    keyed("set", -3, &[Write, Denyoom], ONE, set, "string"),
    keyed("setnx", 3, &[Write, Denyoom, Fast], ONE, setnx, "string"),
    keyed("setex", 4, &[Write, Denyoom], ONE, setex, "string"),
    keyed("psetex", 4, &[Write, Denyoom], ONE, psetex, "string"),
    keyed("getset", 3, &[Write, Denyoom, Fast], ONE, getset, "string"),
    keyed("getdel", 2, &[Write, Fast], ONE, getdel, "string"),
    keyed("getex", -2, &[Write, Fast], ONE, getex, "string"),
    keyed("mget", -2, &[Readonly, Fast], ALL, mget, "string"),
    keyed("mset", -3, &[Write, Denyoom], PAIRS, mset, "string"),
    keyed("msetnx", -3, &[Write, Denyoom], PAIRS, msetnx, "string"),
    keyed("incr", 2, &[Write, Denyoom, Fast], ONE, incr, "string"),
    keyed("decr", 2, &[Write, Denyoom, Fast], ONE, decr, "string"),
    keyed("incrby", 3, &[Write, Denyoom, Fast], ONE, incrby, "string"),
    keyed("decrby", 3, &[Write, Denyoom, Fast], ONE, decrby, "string"),
    keyed(
        "incrbyfloat",
        3,
        &[Write, Denyoom, Fast],
        ONE,
        incrbyfloat,
        "string",
    ),
];

fn get(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    Ok(call
        .read_as::<Bytes>(&key)?
        .cloned()
        .map_or(Reply::Nil, Reply::Bulk))
}

/// When SET applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    IfMissing,
    IfThere,
}

/// What happens to the expiry time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiry {
    Clear,
    Keep,
    At(i64),
}

struct SetOptions {
    condition: Condition,
    expiry: Expiry,
    gives_old: bool,
}

fn set(call: &mut Call) -> Answer {
    let options = set_options(&call.args[3..], call.parts.now)?;
    let (key, value) = (call.arg(1).clone(), call.arg(2).clone());
    let mut old = Reply::Nil;
    if options.gives_old {
        old = call
            .read_as::<Bytes>(&key)?
            .cloned()
            .map_or(Reply::Nil, Reply::Bulk);
    }
    let is_there = call.parts.keyspace.contains(&key, call.view());
    let applies = match options.condition {
        Condition::Always => true,
        Condition::IfMissing => !is_there,
        Condition::IfThere => is_there,
    };
    if !applies {
        return Ok(if options.gives_old { old } else { Reply::Nil });
    }
    let expires = match options.expiry {
        Expiry::Clear => None,
        Expiry::Keep => call.parts.keyspace.expiry(&key).filter(|_| is_there),
        Expiry::At(ms) if call.parts.config.mutant.is(Mutant::ExpiresEarly) => {
            let now = call.view();
            Some(Millis(now.0.midpoint(moment(ms).0)))
        }
        Expiry::At(ms) => Some(moment(ms)),
    };
    put_with_expiry(call, &key, &value, expires);
    match options.expiry {
        // RW-34: a relative expiry becomes absolute.
        Expiry::At(_) if call.parts.config.mutant.is(Mutant::ExpiryNotReplicated) => {
            call.replicate(vec![Bytes::from_static(b"SET"), key, value]);
        }
        Expiry::At(ms) => call.replicate(set_until(&key, &value, ms)),
        Expiry::Keep | Expiry::Clear => {}
    }
    Ok(if options.gives_old { old } else { Reply::OK })
}

fn set_until(key: &Bytes, value: &Bytes, ms: i64) -> Vec<Bytes> {
    let (set, pxat) = (Bytes::from_static(b"SET"), Bytes::from_static(b"PXAT"));
    vec![set, key.clone(), value.clone(), pxat, digits(ms)]
}

fn put_with_expiry(call: &mut Call, key: &Bytes, value: &Bytes, expires: Option<Millis>) {
    let value = Value::String(value.clone());
    call.parts
        .keyspace
        .insert_entry(key.clone(), Entry { value, expires });
    call.dirty();
}

fn set_options(mut rest: &[Bytes], now: Millis) -> Result<SetOptions, Refusal> {
    let mut options = SetOptions {
        condition: Condition::Always,
        expiry: Expiry::Clear,
        gives_old: false,
    };
    while let Some(word) = rest.first() {
        let is_free = options.expiry == Expiry::Clear;
        match args::word(word).as_str() {
            "nx" if options.condition != Condition::IfThere => {
                options.condition = Condition::IfMissing;
            }
            "xx" if options.condition != Condition::IfMissing => {
                options.condition = Condition::IfThere;
            }
            "get" => options.gives_old = true,
            "keepttl" if is_free => options.expiry = Expiry::Keep,
            _ => {
                let kind = time_kind(word).filter(|_| is_free).ok_or(Refusal::Syntax)?;
                let number = rest.get(1).ok_or(Refusal::Syntax)?;
                options.expiry = Expiry::At(future_ms(number, kind, now, "set")?);
                rest = &rest[1..];
            }
        }
        rest = &rest[1..];
    }
    Ok(options)
}

fn time_kind(word: &[u8]) -> Option<TimeKind> {
    match args::word(word).as_str() {
        "ex" => Some(TimeKind::Seconds),
        "px" => Some(TimeKind::Millis),
        "exat" => Some(TimeKind::UnixSeconds),
        "pxat" => Some(TimeKind::UnixMillis),
        _ => None,
    }
}

// A time of a SET-like command: a positive number, no overflow.
fn future_ms(
    number: &[u8],
    kind: TimeKind,
    now: Millis,
    command: &'static str,
) -> Result<i64, Refusal> {
    let number = args::integer(number)?;
    let ms = if number <= 0 {
        None
    } else {
        expiry_ms(number, kind, now)
    };
    ms.ok_or(Refusal::ExpireTime(command))
}

fn setnx(call: &mut Call) -> Answer {
    let (key, value) = (call.arg(1).clone(), call.arg(2).clone());
    if call.parts.keyspace.contains(&key, call.view()) {
        return Ok(Reply::Integer(0));
    }
    call.put(&key, Value::String(value));
    Ok(Reply::Integer(1))
}

fn setex(call: &mut Call) -> Answer {
    set_expiring(call, TimeKind::Seconds, "setex")
}

fn psetex(call: &mut Call) -> Answer {
    set_expiring(call, TimeKind::Millis, "psetex")
}

fn set_expiring(call: &mut Call, kind: TimeKind, name: &'static str) -> Answer {
    let ms = future_ms(call.arg(2), kind, call.parts.now, name)?;
    let (key, value) = (call.arg(1).clone(), call.arg(3).clone());
    put_with_expiry(call, &key, &value, Some(moment(ms)));
    call.replicate(set_until(&key, &value, ms));
    Ok(Reply::OK)
}

fn getset(call: &mut Call) -> Answer {
    let old = get(call)?;
    let (key, value) = (call.arg(1).clone(), call.arg(2).clone());
    call.put(&key, Value::String(value.clone()));
    call.replicate(vec![Bytes::from_static(b"SET"), key, value]);
    Ok(old)
}

fn getdel(call: &mut Call) -> Answer {
    let old = get(call)?;
    let key = call.arg(1).clone();
    if call.delete(&key) {
        call.replicate(vec![Bytes::from_static(b"DEL"), key]);
    }
    Ok(old)
}

fn getex(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let expires = match call.args {
        [_, _] => None,
        [_, _, word] if is_word(word, "persist") => Some(None),
        [_, _, word, number] => {
            let kind = time_kind(word).ok_or(Refusal::Syntax)?;
            Some(Some(future_ms(number, kind, call.parts.now, "getex")?))
        }
        _ => return Err(Refusal::Syntax),
    };
    let value = get(call)?;
    if value == Reply::Nil {
        return Ok(value);
    }
    match expires {
        None => {}
        Some(None) if call.parts.keyspace.expiry(&key).is_none() => {}
        Some(None) => {
            call.parts.keyspace.set_expiry(&key, None);
            call.dirty();
            call.replicate(vec![Bytes::from_static(b"PERSIST"), key]);
        }
        Some(Some(ms)) => {
            call.parts.keyspace.set_expiry(&key, Some(moment(ms)));
            call.dirty();
            call.replicate(vec![Bytes::from_static(b"PEXPIREAT"), key, digits(ms)]);
        }
    }
    Ok(value)
}

fn mget(call: &mut Call) -> Answer {
    let mut values = Vec::with_capacity(call.args.len() - 1);
    for key in &call.args[1..] {
        let value = call.read(key).and_then(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::List(_) | Value::Set(_) | Value::Hash(_) | Value::Zset(_) | Value::Stream(_) => {
                None
            }
        });
        values.push(value.map_or(Reply::Nil, Reply::Bulk));
    }
    Ok(Reply::Array(values))
}

fn mset(call: &mut Call) -> Answer {
    set_pairs(call, "mset")?;
    Ok(Reply::OK)
}

fn msetnx(call: &mut Call) -> Answer {
    let view = call.view();
    let mut keys = call.args[1..].iter().step_by(2);
    let is_any_there = keys.any(|key| call.parts.keyspace.contains(key, view));
    if call.args.len() % 2 == 1 && is_any_there {
        return Ok(Reply::Integer(0));
    }
    set_pairs(call, "msetnx")?;
    Ok(Reply::Integer(1))
}

fn set_pairs(call: &mut Call, name: &str) -> Result<(), Refusal> {
    if call.args.len().is_multiple_of(2) {
        return Err(Refusal::Arity(name.into()));
    }
    for pair in call.args[1..].chunks_exact(2) {
        call.put(&pair[0], Value::String(pair[1].clone()));
    }
    Ok(())
}

fn incr(call: &mut Call) -> Answer {
    add(call, 1)
}

fn decr(call: &mut Call) -> Answer {
    add(call, -1)
}

fn incrby(call: &mut Call) -> Answer {
    let step = args::integer(call.arg(2))?;
    add(call, step)
}

fn decrby(call: &mut Call) -> Answer {
    let step = args::integer(call.arg(2))?.checked_neg();
    add(call, step.ok_or(Refusal::DecrementOverflow)?)
}

fn add(call: &mut Call, step: i64) -> Answer {
    let key = call.arg(1).clone();
    let old = match call.read_as::<Bytes>(&key)? {
        None => 0,
        Some(text) => parse_integer(text).ok_or(Refusal::NotInteger)?,
    };
    let new = old.checked_add(step).ok_or(Refusal::Overflow)?;
    replace(call, &key, digits(new));
    Ok(Reply::Integer(new))
}

fn incrbyfloat(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let old = call.copy_of::<Bytes>(&key)?;
    let old = if old.is_empty() {
        Bytes::from_static(b"0")
    } else {
        old
    };
    let new = decimal::sum(&old, call.arg(2))?;
    let new = Bytes::from(new);
    replace(call, &key, new.clone());
    // RW-34: the result, not the sum, so that every copy holds the same digits.
    let keep = Bytes::from_static(b"KEEPTTL");
    call.replicate(vec![Bytes::from_static(b"SET"), key, new.clone(), keep]);
    Ok(Reply::Bulk(new))
}

/// Gives a key a new text and keeps its expiry time.
pub fn replace(call: &mut Call, key: &Bytes, text: Bytes) {
    let is_there = call.parts.keyspace.contains(key, call.view());
    if is_there {
        call.parts
            .keyspace
            .replace(key.clone(), Value::String(text));
    } else {
        call.parts.keyspace.insert(key.clone(), Value::String(text));
    }
    call.dirty();
}
