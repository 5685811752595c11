//! Hashes.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::commands::args::{self, digits, is_word};
use crate::commands::generic::{cursor, scan_options};
use crate::commands::lists::bulks;
use crate::commands::parts::{Answer, Call};
use crate::commands::strings::decimal;
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::commands::typed::Change;
use crate::keyspace::parse_integer;
use crate::output::Protocol;
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Denyoom, Fast, Readonly, Write};

const ONE: Keys = Keys::Range(1, 1, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("hset", -4, &[Write, Denyoom, Fast], ONE, hset, "hash"),
    keyed("hmset", -4, &[Write, Denyoom, Fast], ONE, hmset, "hash"),
    keyed("hsetnx", 4, &[Write, Denyoom, Fast], ONE, hsetnx, "hash"),
    keyed("hget", 3, &[Readonly, Fast], ONE, hget, "hash"),
    keyed("hmget", -3, &[Readonly, Fast], ONE, hmget, "hash"),
    keyed("hdel", -3, &[Write, Fast], ONE, hdel, "hash"),
    keyed("hlen", 2, &[Readonly, Fast], ONE, hlen, "hash"),
    keyed("hstrlen", 3, &[Readonly, Fast], ONE, hstrlen, "hash"),
    keyed("hexists", 3, &[Readonly, Fast], ONE, hexists, "hash"),
    keyed("hkeys", 2, &[Readonly], ONE, hkeys, "hash"),
    keyed("hvals", 2, &[Readonly], ONE, hvals, "hash"),
    keyed("hgetall", 2, &[Readonly], ONE, hgetall, "hash"),
    keyed("hincrby", 4, &[Write, Denyoom, Fast], ONE, hincrby, "hash"),
    keyed(
        "hincrbyfloat",
        4,
        &[Write, Denyoom, Fast],
        ONE,
        hincrbyfloat,
        "hash",
    ),
    keyed("hrandfield", -2, &[Readonly], ONE, hrandfield, "hash"),
    keyed("hscan", -3, &[Readonly], ONE, hscan, "hash"),
];

type Hash = BTreeMap<Bytes, Bytes>;

fn set_fields(call: &mut Call, name: &str) -> Result<usize, Refusal> {
    if call.args.len() % 2 == 1 {
        return Err(Refusal::Arity(name.into()));
    }
    let key = call.arg(1).clone();
    let pairs = &call.args[2..];
    call.upsert(&key, |hash: &mut Hash| {
        let mut added = 0;
        for pair in pairs.chunks_exact(2) {
            added += usize::from(hash.insert(pair[0].clone(), pair[1].clone()).is_none());
        }
        (added, Change::Done)
    })
}

fn hset(call: &mut Call) -> Answer {
    Ok(Reply::Integer(set_fields(call, "hset")? as i64))
}

fn hmset(call: &mut Call) -> Answer {
    set_fields(call, "hmset")?;
    Ok(Reply::OK)
}

fn hsetnx(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let (field, value) = (call.arg(2).clone(), call.arg(3).clone());
    let is_set = call.upsert(&key, |hash: &mut Hash| {
        let is_free = !hash.contains_key(&field);
        if is_free {
            hash.insert(field, value);
        }
        (is_free, Change::when(is_free))
    })?;
    Ok(Reply::Integer(i64::from(is_set)))
}

fn hget(call: &mut Call) -> Answer {
    let (key, field) = (call.arg(1).clone(), call.arg(2).clone());
    let value = call
        .read_as::<Hash>(&key)?
        .and_then(|hash| hash.get(&field).cloned());
    Ok(value.map_or(Reply::Nil, Reply::Bulk))
}

fn hmget(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let fields = &call.args[2..];
    let hash = call.read_as::<Hash>(&key)?;
    let value = |field: &Bytes| hash.and_then(|hash| hash.get(field).cloned());
    let values = fields
        .iter()
        .map(|field| value(field).map_or(Reply::Nil, Reply::Bulk));
    Ok(Reply::Array(values.collect()))
}

fn hdel(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let fields = &call.args[2..];
    let deleted = call.edit(&key, |hash: &mut Hash| {
        let deleted = fields
            .iter()
            .filter(|field| hash.remove(*field).is_some())
            .count();
        (deleted, Change::when(deleted > 0))
    })?;
    Ok(Reply::Integer(deleted.unwrap_or(0) as i64))
}

fn hlen(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    Ok(Reply::Integer(
        call.read_as::<Hash>(&key)?.map_or(0, BTreeMap::len) as i64,
    ))
}

fn hstrlen(call: &mut Call) -> Answer {
    let (key, field) = (call.arg(1).clone(), call.arg(2).clone());
    let value = call
        .read_as::<Hash>(&key)?
        .and_then(|hash| hash.get(&field));
    Ok(Reply::Integer(value.map_or(0, Bytes::len) as i64))
}

fn hexists(call: &mut Call) -> Answer {
    let (key, field) = (call.arg(1).clone(), call.arg(2).clone());
    let is_there = call
        .read_as::<Hash>(&key)?
        .is_some_and(|hash| hash.contains_key(&field));
    Ok(Reply::Integer(i64::from(is_there)))
}

fn hkeys(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    Ok(bulks(call.copy_of::<Hash>(&key)?.into_keys()))
}

fn hvals(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    Ok(bulks(call.copy_of::<Hash>(&key)?.into_values()))
}

fn hgetall(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let pairs = call.copy_of::<Hash>(&key)?.into_iter();
    Ok(Reply::Map(
        pairs
            .map(|(f, v)| (Reply::Bulk(f), Reply::Bulk(v)))
            .collect(),
    ))
}

fn hincrby(call: &mut Call) -> Answer {
    let step = args::integer(call.arg(3))?;
    let (key, field) = (call.arg(1).clone(), call.arg(2).clone());
    let old = call
        .read_as::<Hash>(&key)?
        .and_then(|hash| hash.get(&field));
    let old = match old {
        None => 0,
        Some(text) => parse_integer(text).ok_or(Refusal::HashNotInteger)?,
    };
    let new = old.checked_add(step).ok_or(Refusal::Overflow)?;
    put_field(call, &key, field, digits(new))?;
    Ok(Reply::Integer(new))
}

fn hincrbyfloat(call: &mut Call) -> Answer {
    let increment = args::float(call.arg(3)).ok_or(Refusal::NotFloat)?;
    if !increment.is_finite() {
        return Err(Refusal::Text("ERR value is NaN or Infinity"));
    }
    let (key, field) = (call.arg(1).clone(), call.arg(2).clone());
    let old = call
        .read_as::<Hash>(&key)?
        .and_then(|hash| hash.get(&field).cloned());
    let old = old.unwrap_or(Bytes::from_static(b"0"));
    args::float(&old).ok_or(Refusal::HashNotFloat)?;
    let new = Bytes::from(decimal::sum(&old, call.arg(3))?);
    put_field(call, &key, field.clone(), new.clone())?;
    // RW-34: the result, so that every copy holds the same digits.
    call.replicate(vec![Bytes::from_static(b"HSET"), key, field, new.clone()]);
    Ok(Reply::Bulk(new))
}

fn put_field(call: &mut Call, key: &Bytes, field: Bytes, value: Bytes) -> Result<(), Refusal> {
    call.upsert(key, |hash: &mut Hash| {
        hash.insert(field, value);
        ((), Change::Done)
    })
}

fn hrandfield(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let hash: Vec<(Bytes, Bytes)> = call.copy_of::<Hash>(&key)?.into_iter().collect();
    let Some(count) = call.args.get(2) else {
        let place = call.parts.rng.below(hash.len() as u64) as usize;
        let field = hash.into_iter().nth(place);
        return Ok(field.map_or(Reply::Nil, |(field, _)| Reply::Bulk(field)));
    };
    let count = args::integer(count)?;
    let with_values = match &call.args[3..] {
        [] => false,
        [word] if is_word(word, "withvalues") => true,
        _ => return Err(Refusal::Syntax),
    };
    let picked = super::sets::pick(&hash, count, call.parts.rng)?;
    let is_nested = call
        .session()
        .is_some_and(|s| s.protocol == Protocol::Resp3);
    let item = |(field, value): (Bytes, Bytes)| match (with_values, is_nested) {
        (false, _) => vec![Reply::Bulk(field)],
        (true, false) => vec![Reply::Bulk(field), Reply::Bulk(value)],
        (true, true) => vec![Reply::Array(vec![Reply::Bulk(field), Reply::Bulk(value)])],
    };
    Ok(Reply::Array(picked.into_iter().flat_map(item).collect()))
}

// All at once: a cursor of 0 says that nothing is left.
fn hscan(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    cursor(call.arg(2))?;
    let options = scan_options(&call.args[3..])?;
    if options.type_name.is_some() {
        return Err(Refusal::Syntax);
    }
    let hash = call.copy_of::<Hash>(&key)?;
    let fits = |field: &Bytes| {
        options
            .pattern
            .as_ref()
            .is_none_or(|p| args::glob(p, field))
    };
    let pairs = hash.into_iter().filter(|(field, _)| fits(field));
    let items = bulks(pairs.flat_map(|(field, value)| [field, value]));
    Ok(Reply::Array(vec![Reply::text("0"), items]))
}
