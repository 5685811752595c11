//! Expiry times of keys: EXPIRE and TTL and their kin.

use bytes::Bytes;

use crate::commands::args::{self, TimeKind, digits, expiry_ms, moment};
use crate::commands::parts::{Answer, Call, Caller};
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

use Flag::{Fast, Readonly, Write};

const ONE: Keys = Keys::Range(1, 1, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("expire", -3, &[Write, Fast], ONE, expire, "generic"),
    keyed("pexpire", -3, &[Write, Fast], ONE, pexpire, "generic"),
    keyed("expireat", -3, &[Write, Fast], ONE, expireat, "generic"),
    keyed("pexpireat", -3, &[Write, Fast], ONE, pexpireat, "generic"),
    keyed("ttl", 2, &[Readonly, Fast], ONE, ttl, "generic"),
    keyed("pttl", 2, &[Readonly, Fast], ONE, pttl, "generic"),
    keyed(
        "expiretime",
        2,
        &[Readonly, Fast],
        ONE,
        expiretime,
        "generic",
    ),
    keyed(
        "pexpiretime",
        2,
        &[Readonly, Fast],
        ONE,
        pexpiretime,
        "generic",
    ),
    keyed("persist", 2, &[Write, Fast], ONE, persist, "generic"),
];

fn expire(call: &mut Call) -> Answer {
    set_expiry(call, TimeKind::Seconds, "expire")
}

fn pexpire(call: &mut Call) -> Answer {
    set_expiry(call, TimeKind::Millis, "pexpire")
}

fn expireat(call: &mut Call) -> Answer {
    set_expiry(call, TimeKind::UnixSeconds, "expireat")
}

fn pexpireat(call: &mut Call) -> Answer {
    set_expiry(call, TimeKind::UnixMillis, "pexpireat")
}

/// The conditions of EXPIRE; all that are given must hold.
#[derive(Debug, Clone, Copy, Default)]
struct Conditions {
    without_expiry: bool,
    with_expiry: bool,
    later: bool,
    earlier: bool,
}

impl Conditions {
    fn read(words: &[Bytes]) -> Result<Conditions, Refusal> {
        let mut conditions = Conditions::default();
        for word in words {
            match args::word(word).as_str() {
                "nx" => conditions.without_expiry = true,
                "xx" => conditions.with_expiry = true,
                "gt" => conditions.later = true,
                "lt" => conditions.earlier = true,
                _ => {
                    let word = args::shown(word);
                    return Err(Refusal::Facts(format!("ERR Unsupported option {word}")));
                }
            }
        }
        let Conditions {
            without_expiry,
            with_expiry,
            later,
            earlier,
        } = conditions;
        if without_expiry && (with_expiry || later || earlier) {
            return Err(Refusal::Text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if later && earlier {
            return Err(Refusal::Text(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(conditions)
    }

    fn hold(self, old: Option<Millis>, new: i64) -> bool {
        let old_ms = old.map(|at| i64::try_from(at.0).unwrap_or(i64::MAX));
        // No expiry counts as infinitely late.
        !(self.without_expiry && old.is_some()
            || self.with_expiry && old.is_none()
            || self.later && old_ms.is_none_or(|old| new <= old)
            || self.earlier && old_ms.is_some_and(|old| new >= old))
    }
}

fn set_expiry(call: &mut Call, kind: TimeKind, name: &'static str) -> Answer {
    let key = call.arg(1).clone();
    let number = args::integer(call.arg(2))?;
    let conditions = Conditions::read(&call.args[3..])?;
    let ms = expiry_ms(number, kind, call.parts.now).ok_or(Refusal::ExpireTime(name))?;
    if !call.parts.keyspace.contains(&key, call.view()) {
        return Ok(Reply::Integer(0));
    }
    if !conditions.hold(call.parts.keyspace.expiry(&key), ms) {
        return Ok(Reply::Integer(0));
    }
    let is_past = ms <= i64::try_from(call.parts.now.0).unwrap_or(i64::MAX);
    if is_past && call.caller != Caller::Master {
        call.delete(&key);
        call.replicate(vec![Bytes::from_static(b"DEL"), key]);
    } else {
        call.parts.keyspace.set_expiry(&key, Some(moment(ms)));
        call.dirty();
        // RW-34: a relative expiry becomes absolute.
        call.replicate(vec![Bytes::from_static(b"PEXPIREAT"), key, digits(ms)]);
    }
    Ok(Reply::Integer(1))
}

fn ttl(call: &mut Call) -> Answer {
    left(call, |left_ms| (left_ms + 500) / 1000)
}

fn pttl(call: &mut Call) -> Answer {
    left(call, |left_ms| left_ms)
}

fn left(call: &mut Call, unit: fn(i64) -> i64) -> Answer {
    let now = call.parts.now;
    expiry_of(call, |at| unit(at.since(now).0 as i64))
}

fn expiretime(call: &mut Call) -> Answer {
    expiry_of(call, |at| (at.0 as i64 + 500) / 1000)
}

fn pexpiretime(call: &mut Call) -> Answer {
    expiry_of(call, |at| at.0 as i64)
}

// -2: no such key; -1: it does not expire.
fn expiry_of(call: &mut Call, shown: impl Fn(Millis) -> i64) -> Answer {
    let key = call.arg(1).clone();
    if call.read(&key).is_none() {
        return Ok(Reply::Integer(-2));
    }
    let expires = call.parts.keyspace.expiry(&key);
    Ok(Reply::Integer(expires.map_or(-1, shown)))
}

fn persist(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let is_there = call.parts.keyspace.contains(&key, call.view());
    if !is_there || call.parts.keyspace.expiry(&key).is_none() {
        return Ok(Reply::Integer(0));
    }
    call.parts.keyspace.set_expiry(&key, None);
    call.dirty();
    Ok(Reply::Integer(1))
}
