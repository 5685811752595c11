//! Sets.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::generic::{cursor, scan_options};
use crate::commands::lists::bulks;
use crate::commands::parts::{Answer, Call};
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::commands::typed::Change;
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::rng::Rng;

use Flag::{Denyoom, Fast, Movablekeys, Readonly, Write};

const ONE: Keys = Keys::Range(1, 1, 1);
const TWO: Keys = Keys::Range(1, 2, 1);
const ALL: Keys = Keys::Range(1, -1, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("sadd", -3, &[Write, Denyoom, Fast], ONE, sadd, "set"),
    keyed("srem", -3, &[Write, Fast], ONE, srem, "set"),
    keyed("smembers", 2, &[Readonly], ONE, smembers, "set"),
    keyed("sismember", 3, &[Readonly, Fast], ONE, sismember, "set"),
    keyed("smismember", -3, &[Readonly, Fast], ONE, smismember, "set"),
    keyed("scard", 2, &[Readonly, Fast], ONE, scard, "set"),
    keyed("spop", -2, &[Write, Fast], ONE, spop, "set"),
    keyed("srandmember", -2, &[Readonly], ONE, srandmember, "set"),
    keyed("smove", 4, &[Write, Fast], TWO, smove, "set"),
    keyed("sscan", -3, &[Readonly], ONE, sscan, "set"),
    keyed("sinter", -2, &[Readonly], ALL, sinter, "set"),
    keyed("sunion", -2, &[Readonly], ALL, sunion, "set"),
    keyed("sdiff", -2, &[Readonly], ALL, sdiff, "set"),
    keyed(
        "sinterstore",
        -3,
        &[Write, Denyoom],
        ALL,
        sinterstore,
        "set",
    ),
    keyed(
        "sunionstore",
        -3,
        &[Write, Denyoom],
        ALL,
        sunionstore,
        "set",
    ),
    keyed("sdiffstore", -3, &[Write, Denyoom], ALL, sdiffstore, "set"),
    keyed(
        "sintercard",
        -3,
        &[Readonly, Movablekeys],
        Keys::Counted(1, 0),
        sintercard,
        "set",
    ),
];

type Set = BTreeSet<Bytes>;

fn sadd(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let members = &call.args[2..];
    let added = call.upsert(&key, |set: &mut Set| {
        let added = members
            .iter()
            .filter(|member| set.insert((*member).clone()))
            .count();
        (added, Change::when(added > 0))
    })?;
    Ok(Reply::Integer(added as i64))
}

fn srem(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let members = &call.args[2..];
    let removed = call.edit(&key, |set: &mut Set| {
        let removed = members.iter().filter(|member| set.remove(*member)).count();
        (removed, Change::when(removed > 0))
    })?;
    Ok(Reply::Integer(removed.unwrap_or(0) as i64))
}

fn members(set: Set) -> Reply {
    Reply::Set(set.into_iter().map(Reply::Bulk).collect())
}

fn smembers(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    Ok(members(call.copy_of::<Set>(&key)?))
}

fn sismember(call: &mut Call) -> Answer {
    let (key, member) = (call.arg(1).clone(), call.arg(2).clone());
    let is_there = call
        .read_as::<Set>(&key)?
        .is_some_and(|set| set.contains(&member));
    Ok(Reply::Integer(i64::from(is_there)))
}

fn smismember(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let wanted = &call.args[2..];
    let set = call.read_as::<Set>(&key)?;
    let is_there = |member: &Bytes| set.is_some_and(|set| set.contains(member));
    let answers = wanted
        .iter()
        .map(|member| Reply::Integer(i64::from(is_there(member))));
    Ok(Reply::Array(answers.collect()))
}

fn scard(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    Ok(Reply::Integer(
        call.read_as::<Set>(&key)?.map_or(0, BTreeSet::len) as i64,
    ))
}

// RW-34: what was taken is replicated as SREM, or DEL if nothing is left.
fn spop(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let count = match call.args.len() {
        2 => None,
        3 => Some(args::positive(call.arg(2))?),
        _ => return Err(Refusal::Syntax),
    };
    let all: Vec<Bytes> = call.copy_of::<Set>(&key)?.into_iter().collect();
    let wanted = count.unwrap_or(1).min(all.len());
    let taken = pick(&all, wanted as i64, call.parts.rng)?;
    if taken.is_empty() {
        return Ok(count.map_or(Reply::Nil, |_| Reply::Set(Vec::new())));
    }
    if taken.len() == all.len() {
        call.delete(&key);
        call.replicate(vec![Bytes::from_static(b"DEL"), key]);
    } else {
        call.edit(&key, |set: &mut Set| {
            for member in &taken {
                set.remove(member);
            }
            ((), Change::Done)
        })?;
        let srem = vec![Bytes::from_static(b"SREM"), key];
        call.replicate(srem.into_iter().chain(taken.iter().cloned()).collect());
    }
    Ok(match count {
        None => taken.into_iter().next().map_or(Reply::Nil, Reply::Bulk),
        Some(_) => Reply::Set(taken.into_iter().map(Reply::Bulk).collect()),
    })
}

fn srandmember(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let all: Vec<Bytes> = call.copy_of::<Set>(&key)?.into_iter().collect();
    match call.args.len() {
        2 => {
            let place = call.parts.rng.below(all.len() as u64) as usize;
            Ok(all.get(place).cloned().map_or(Reply::Nil, Reply::Bulk))
        }
        3 => {
            let count = args::integer(call.arg(2))?;
            Ok(bulks(pick(&all, count, call.parts.rng)?))
        }
        _ => Err(Refusal::Syntax),
    }
}

/// Picks at random: so many different ones, or, if negative, so many with repetition.
///
/// # Errors
/// If more are asked for than a reply may hold.
pub fn pick<T: Clone>(all: &[T], count: i64, rng: &mut Rng) -> Result<Vec<T>, Refusal> {
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if all.is_empty() {
        return Ok(Vec::new());
    }
    if count < 0 {
        if wanted > REPEATED_PICKS_MAX {
            return Err(Refusal::Text(
                "ERR value is out of range, value must between -9223372036854775807 and \
                 9223372036854775807",
            ));
        }
        let mut one = |_| all[rng.below(all.len() as u64) as usize].clone();
        return Ok((0..wanted).map(&mut one).collect());
    }
    if wanted >= all.len() {
        return Ok(all.to_vec());
    }
    let mut left: Vec<T> = all.to_vec();
    for place in 0..wanted {
        let other = place + rng.below((left.len() - place) as u64) as usize;
        left.swap(place, other);
    }
    left.truncate(wanted);
    Ok(left)
}

fn smove(call: &mut Call) -> Answer {
    let (source, target) = (call.arg(1).clone(), call.arg(2).clone());
    let member = call.arg(3).clone();
    let is_there = call
        .read_as::<Set>(&source)?
        .is_some_and(|set| set.contains(&member));
    call.read_as::<Set>(&target)?;
    if is_there && source != target {
        call.edit(&source, |set: &mut Set| (set.remove(&member), Change::Done))?;
        call.upsert(&target, |set: &mut Set| (set.insert(member), Change::Done))?;
    }
    Ok(Reply::Integer(i64::from(is_there)))
}

// All at once: a cursor of 0 says that nothing is left.
fn sscan(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    cursor(call.arg(2))?;
    let options = scan_options(&call.args[3..])?;
    if options.type_name.is_some() {
        return Err(Refusal::Syntax);
    }
    let set = call.copy_of::<Set>(&key)?;
    let fits = |member: &Bytes| {
        options
            .pattern
            .as_ref()
            .is_none_or(|p| args::glob(p, member))
    };
    let items = bulks(set.into_iter().filter(fits));
    Ok(Reply::Array(vec![Reply::text("0"), items]))
}

/// How sets are combined.
type Combine = fn(&Set, &Set) -> Set;

fn inter(left: &Set, right: &Set) -> Set {
    left.intersection(right).cloned().collect()
}

fn union(left: &Set, right: &Set) -> Set {
    left.union(right).cloned().collect()
}

fn diff(left: &Set, right: &Set) -> Set {
    left.difference(right).cloned().collect()
}

fn combined(call: &mut Call, keys: &[Bytes], combine: Combine) -> Result<Set, Refusal> {
    let mut result: Option<Set> = None;
    for key in keys {
        let set = call.copy_of::<Set>(key)?;
        result = Some(result.map_or(set.clone(), |result| combine(&result, &set)));
    }
    Ok(result.unwrap_or_default())
}

fn sinter(call: &mut Call) -> Answer {
    Ok(members(combined(call, &call.args[1..], inter)?))
}

fn sunion(call: &mut Call) -> Answer {
    Ok(members(combined(call, &call.args[1..], union)?))
}

fn sdiff(call: &mut Call) -> Answer {
    Ok(members(combined(call, &call.args[1..], diff)?))
}

fn sinterstore(call: &mut Call) -> Answer {
    store(call, inter)
}

fn sunionstore(call: &mut Call) -> Answer {
    store(call, union)
}

fn sdiffstore(call: &mut Call) -> Answer {
    store(call, diff)
}

fn store(call: &mut Call, combine: Combine) -> Answer {
    let target = call.arg(1).clone();
    let result = combined(call, &call.args[2..], combine)?;
    let length = result.len();
    call.store(&target, result);
    Ok(Reply::Integer(length as i64))
}

fn sintercard(call: &mut Call) -> Answer {
    let count = args::integer(call.arg(1))
        .ok()
        .and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|count| *count > 0).ok_or(Refusal::NumKeys)?;
    let keys = call
        .args
        .get(2..2 + count)
        .ok_or(Refusal::NumKeysTooMany)?
        .to_vec();
    let limit = match &call.args[2 + count..] {
        [] => 0,
        [word, number] if is_word(word, "limit") => {
            args::positive(number).map_err(|_| Refusal::Text("ERR LIMIT can't be negative"))?
        }
        _ => return Err(Refusal::Syntax),
    };
    let length = combined(call, &keys, inter)?.len();
    Ok(Reply::Integer(
        if limit > 0 { length.min(limit) } else { length } as i64,
    ))
}

const REPEATED_PICKS_MAX: usize = 1 << 20;
