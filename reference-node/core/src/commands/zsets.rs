//! Sorted sets: adding, counting, scores and ranks, popping.

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::generic::{cursor, scan_options};
use crate::commands::lists::blocking::{counted_keys, pop_count, wait};
use crate::commands::parts::{Answer, Call};
use crate::commands::sets::pick;
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::commands::typed::Change;
use crate::keyspace::{Score, Zset};
use crate::output::Protocol;
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::resp::reply::double_text;

use Flag::{Denyoom, Fast, Movablekeys, Noscript, Readonly, Write};

pub mod combine;
pub mod ranges;

const ONE: Keys = Keys::Range(1, 1, 1);
const ALL_BUT_LAST: Keys = Keys::Range(1, -2, 1);
const WAITING: &[Flag] = &[Write, Noscript, Fast, Flag::Blocking];

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("zadd", -4, &[Write, Denyoom, Fast], ONE, zadd, "sorted-set"),
    keyed(
        "zincrby",
        4,
        &[Write, Denyoom, Fast],
        ONE,
        zincrby,
        "sorted-set",
    ),
    keyed("zrem", -3, &[Write, Fast], ONE, zrem, "sorted-set"),
    keyed("zcard", 2, &[Readonly, Fast], ONE, zcard, "sorted-set"),
    keyed("zscore", 3, &[Readonly, Fast], ONE, zscore, "sorted-set"),
    keyed("zmscore", -3, &[Readonly, Fast], ONE, zmscore, "sorted-set"),
    keyed("zrank", 3, &[Readonly, Fast], ONE, zrank, "sorted-set"),
    keyed(
        "zrevrank",
        3,
        &[Readonly, Fast],
        ONE,
        zrevrank,
        "sorted-set",
    ),
    keyed("zpopmin", -2, &[Write, Fast], ONE, zpopmin, "sorted-set"),
    keyed("zpopmax", -2, &[Write, Fast], ONE, zpopmax, "sorted-set"),
    keyed(
        "bzpopmin",
        -3,
        WAITING,
        ALL_BUT_LAST,
        bzpopmin,
        "sorted-set",
    ),
    keyed(
        "bzpopmax",
        -3,
        WAITING,
        ALL_BUT_LAST,
        bzpopmax,
        "sorted-set",
    ),
    keyed(
        "zmpop",
        -4,
        &[Write, Movablekeys],
        Keys::Counted(1, 0),
        zmpop,
        "sorted-set",
    ),
    keyed(
        "bzmpop",
        -5,
        &[Write, Flag::Blocking, Movablekeys],
        Keys::Counted(2, 0),
        bzmpop,
        "sorted-set",
    ),
    keyed(
        "zrandmember",
        -2,
        &[Readonly],
        ONE,
        zrandmember,
        "sorted-set",
    ),
    keyed("zscan", -3, &[Readonly], ONE, zscan, "sorted-set"),
];

/// Reads a score.
pub fn score(text: &[u8]) -> Result<Score, Refusal> {
    args::float(text)
        .and_then(Score::new)
        .ok_or(Refusal::NotFloat)
}

/// A score as an argument, for replication.
pub fn score_text(score: Score) -> Bytes {
    double_text(score.get()).into()
}

/// The options of ZADD.
#[derive(Debug, Clone, Copy, Default)]
struct AddOptions {
    only_new: bool,
    only_there: bool,
    only_greater: bool,
    only_less: bool,
    counts_changed: bool,
    increments: bool,
}

impl AddOptions {
    fn read(args: &[Bytes]) -> Result<(AddOptions, &[Bytes]), Refusal> {
        let mut options = AddOptions::default();
        let mut rest = args;
        while let Some(word) = rest.first() {
            match args::word(word).as_str() {
                "nx" => options.only_new = true,
                "xx" => options.only_there = true,
                "gt" => options.only_greater = true,
                "lt" => options.only_less = true,
                "ch" => options.counts_changed = true,
                "incr" => options.increments = true,
                _ => break,
            }
            rest = &rest[1..];
        }
        if rest.is_empty() || !rest.len().is_multiple_of(2) {
            return Err(Refusal::Syntax);
        }
        options.check(rest.len() / 2)?;
        Ok((options, rest))
    }

    fn check(self, pairs: usize) -> Result<(), Refusal> {
        let AddOptions {
            only_new,
            only_there,
            only_greater,
            only_less,
            ..
        } = self;
        if only_new && only_there {
            return Err(Refusal::Text(
                "ERR XX and NX options at the same time are not compatible",
            ));
        }
        if (only_new && (only_greater || only_less)) || (only_greater && only_less) {
            return Err(Refusal::Text(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if self.increments && pairs > 1 {
            return Err(Refusal::Text(
                "ERR INCR option supports a single increment-element pair",
            ));
        }
        Ok(())
    }

    // The new score of a member, if it is to be set.
    fn apply(self, old: Option<Score>, given: Score) -> Result<Option<Score>, Refusal> {
        let Some(old) = old else {
            return Ok((!self.only_there).then_some(given));
        };
        if self.only_new {
            return Ok(None);
        }
        let new = if self.increments {
            Score::new(old.get() + given.get())
        } else {
            Some(given)
        };
        let new = new.ok_or(Refusal::ScoreNotNumber)?;
        let is_refused = (self.only_greater && new <= old) || (self.only_less && new >= old);
        Ok((!is_refused).then_some(new))
    }
}

fn zadd(call: &mut Call) -> Answer {
    let (options, rest) = AddOptions::read(&call.args[2..])?;
    add(call, options, rest)
}

fn zincrby(call: &mut Call) -> Answer {
    let options = AddOptions {
        increments: true,
        ..AddOptions::default()
    };
    add(call, options, &call.args[2..])
}

fn add(call: &mut Call, options: AddOptions, rest: &[Bytes]) -> Answer {
    let mut pairs = Vec::with_capacity(rest.len() / 2);
    for pair in rest.chunks_exact(2) {
        pairs.push((score(&pair[0])?, pair[1].clone()));
    }
    let key = call.arg(1).clone();
    let result = call.upsert(&key, |zset: &mut Zset| {
        let (mut added, mut updated, mut last) = (0, 0, None);
        for (given, member) in pairs {
            let old = zset.score(&member);
            match options.apply(old, given) {
                Err(refusal) => return (Err(refusal), Change::when(added + updated > 0)),
                Ok(None) => last = None,
                Ok(Some(new)) => {
                    added += i64::from(old.is_none());
                    updated += i64::from(old.is_some_and(|old| old != new));
                    zset.insert(member, new);
                    last = Some(new);
                }
            }
        }
        (
            Ok((added, updated, last)),
            Change::when(added + updated > 0),
        )
    })?;
    let (added, updated, last) = result?;
    if options.increments {
        return Ok(last.map_or(Reply::Nil, |score| Reply::Double(score.get())));
    }
    Ok(Reply::Integer(if options.counts_changed {
        added + updated
    } else {
        added
    }))
}

fn zrem(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let members = &call.args[2..];
    let removed = call.edit(&key, |zset: &mut Zset| {
        let removed = members
            .iter()
            .filter(|member| zset.remove(member).is_some())
            .count();
        (removed, Change::when(removed > 0))
    })?;
    Ok(Reply::Integer(removed.unwrap_or(0) as i64))
}

fn zcard(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    Ok(Reply::Integer(
        call.read_as::<Zset>(&key)?.map_or(0, Zset::len) as i64,
    ))
}

fn scores_of(call: &mut Call) -> Result<Vec<Reply>, Refusal> {
    let key = call.arg(1).clone();
    let members = &call.args[2..];
    let zset = call.read_as::<Zset>(&key)?;
    let score = |member: &Bytes| zset.and_then(|zset| zset.score(member));
    let shown = |score: Option<Score>| score.map_or(Reply::Nil, |s| Reply::Double(s.get()));
    Ok(members.iter().map(|member| shown(score(member))).collect())
}

fn zscore(call: &mut Call) -> Answer {
    Ok(scores_of(call)?.pop().unwrap_or(Reply::Nil))
}

fn zmscore(call: &mut Call) -> Answer {
    Ok(Reply::Array(scores_of(call)?))
}

fn zrank(call: &mut Call) -> Answer {
    rank(call, |rank, _| rank)
}

fn zrevrank(call: &mut Call) -> Answer {
    rank(call, |rank, length| length - 1 - rank)
}

fn rank(call: &mut Call, shown: fn(usize, usize) -> usize) -> Answer {
    let (key, member) = (call.arg(1).clone(), call.arg(2).clone());
    let zset = call.read_as::<Zset>(&key)?;
    let rank = zset.and_then(|zset| Some(shown(zset.rank(&member)?, zset.len())));
    Ok(rank.map_or(Reply::Nil, |rank| Reply::Integer(rank as i64)))
}

/// An end of a sorted set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extreme {
    Min,
    Max,
}

impl Extreme {
    fn command(self) -> Bytes {
        match self {
            Extreme::Min => Bytes::from_static(b"ZPOPMIN"),
            Extreme::Max => Bytes::from_static(b"ZPOPMAX"),
        }
    }

    fn read(text: &[u8]) -> Result<Extreme, Refusal> {
        match args::word(text).as_str() {
            "min" => Ok(Extreme::Min),
            "max" => Ok(Extreme::Max),
            _ => Err(Refusal::Syntax),
        }
    }
}

type Popped = Vec<(Bytes, Score)>;

fn pop(call: &mut Call, key: &[u8], end: Extreme, count: usize) -> Result<Option<Popped>, Refusal> {
    call.edit(key, |zset: &mut Zset| {
        let owned = |(member, score): (&Bytes, Score)| (member.clone(), score);
        let popped: Popped = match end {
            Extreme::Min => zset.iter().take(count).map(owned).collect(),
            Extreme::Max => zset.iter().rev().take(count).map(owned).collect(),
        };
        for (member, _) in &popped {
            zset.remove(member);
        }
        let changed = Change::when(!popped.is_empty());
        (popped, changed)
    })
}

fn zpopmin(call: &mut Call) -> Answer {
    pop_one_key(call, Extreme::Min)
}

fn zpopmax(call: &mut Call) -> Answer {
    pop_one_key(call, Extreme::Max)
}

fn pop_one_key(call: &mut Call, end: Extreme) -> Answer {
    let key = call.arg(1).clone();
    let count = match call.args.len() {
        2 => None,
        3 => Some(args::positive(call.arg(2))?),
        _ => return Err(Refusal::Syntax),
    };
    let popped = pop(call, &key, end, count.unwrap_or(1))?.unwrap_or_default();
    let is_nested = count.is_some() && call.is_resp3();
    Ok(pairs(popped, is_nested_when(is_nested)))
}

/// Whether members and scores come as pairs or in one flat array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `[[member, score], …]`.
    Nested,
    /// `[member, score, …]`.
    Flat,
    /// `[member, …]`.
    Members,
}

/// Nested if this holds, else flat.
pub fn is_nested_when(condition: bool) -> Shape {
    if condition {
        Shape::Nested
    } else {
        Shape::Flat
    }
}

/// An array of members with their scores.
pub fn pairs(items: impl IntoIterator<Item = (Bytes, Score)>, shape: Shape) -> Reply {
    let reply = |(member, score): (Bytes, Score)| {
        let (member, score) = (Reply::Bulk(member), Reply::Double(score.get()));
        match shape {
            Shape::Nested => vec![Reply::Array(vec![member, score])],
            Shape::Flat => vec![member, score],
            Shape::Members => vec![member],
        }
    };
    Reply::Array(items.into_iter().flat_map(reply).collect())
}

fn bzpopmin(call: &mut Call) -> Answer {
    pop_or_wait(call, Extreme::Min)
}

fn bzpopmax(call: &mut Call) -> Answer {
    pop_or_wait(call, Extreme::Max)
}

fn pop_or_wait(call: &mut Call, end: Extreme) -> Answer {
    let last = call.args.len() - 1;
    let until = args::timeout(call.arg(last), call.parts.now)?;
    let keys = call.args[1..last].to_vec();
    for key in &keys {
        let popped = pop(call, key, end, 1)?.and_then(|mut popped| popped.pop());
        if let Some((member, score)) = popped {
            call.replicate(vec![end.command(), key.clone()]);
            let score = Reply::Double(score.get());
            return Ok(Reply::Array(vec![
                Reply::Bulk(key.clone()),
                Reply::Bulk(member),
                score,
            ]));
        }
    }
    Ok(wait(call, keys, until, "zset", Reply::NilArray))
}

fn zmpop(call: &mut Call) -> Answer {
    let (keys, end, count) = many_options(call, 1)?;
    Ok(pop_many(call, &keys, end, count)?.unwrap_or(Reply::NilArray))
}

fn bzmpop(call: &mut Call) -> Answer {
    let until = args::timeout(call.arg(1), call.parts.now)?;
    let (keys, end, count) = many_options(call, 2)?;
    match pop_many(call, &keys, end, count)? {
        Some(reply) => Ok(reply),
        None => Ok(wait(call, keys, until, "zset", Reply::NilArray)),
    }
}

fn many_options(call: &Call, place: usize) -> Result<(Vec<Bytes>, Extreme, usize), Refusal> {
    let (keys, rest) = counted_keys(&call.args[place..])?;
    let end = Extreme::read(rest.first().ok_or(Refusal::Syntax)?)?;
    Ok((keys, end, pop_count(&rest[1..])?))
}

fn pop_many(
    call: &mut Call,
    keys: &[Bytes],
    end: Extreme,
    count: usize,
) -> Result<Option<Reply>, Refusal> {
    for key in keys {
        if let Some(popped) = pop(call, key, end, count)? {
            call.replicate(vec![end.command(), key.clone(), args::digits(popped.len())]);
            let popped = pairs(popped, Shape::Nested);
            return Ok(Some(Reply::Array(vec![Reply::Bulk(key.clone()), popped])));
        }
    }
    Ok(None)
}

fn zrandmember(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let zset = call.copy_of::<Zset>(&key)?;
    let all: Popped = zset
        .iter()
        .map(|(member, score)| (member.clone(), score))
        .collect();
    let Some(count) = call.args.get(2) else {
        let place = call.parts.rng.below(all.len() as u64) as usize;
        return Ok(all
            .get(place)
            .map_or(Reply::Nil, |(member, _)| Reply::Bulk(member.clone())));
    };
    let count = args::integer(count)?;
    let shape = match &call.args[3..] {
        [] => Shape::Members,
        [word] if is_word(word, "withscores") => is_nested_when(call.is_resp3()),
        _ => return Err(Refusal::Syntax),
    };
    Ok(pairs(pick(&all, count, call.parts.rng)?, shape))
}

// All at once: a cursor of 0 says that nothing is left.
fn zscan(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    cursor(call.arg(2))?;
    let options = scan_options(&call.args[3..])?;
    if options.type_name.is_some() {
        return Err(Refusal::Syntax);
    }
    let zset = call.copy_of::<Zset>(&key)?;
    let fits = |member: &Bytes| {
        options
            .pattern
            .as_ref()
            .is_none_or(|p| args::glob(p, member))
    };
    let pairs = zset.iter().filter(|(member, _)| fits(member));
    let items = pairs.flat_map(|(m, s)| [Reply::Bulk(m.clone()), Reply::Bulk(score_text(s))]);
    Ok(Reply::Array(vec![
        Reply::text("0"),
        Reply::Array(items.collect()),
    ]))
}

impl Call<'_, '_> {
    /// Whether the reply will be encoded as RESP3.
    pub fn is_resp3(&mut self) -> bool {
        self.session()
            .is_some_and(|session| session.protocol == Protocol::Resp3)
    }
}
