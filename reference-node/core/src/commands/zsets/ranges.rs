//! Sorted sets: ranges by rank, by score and by bytes.

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::parts::{Answer, Call};
use crate::commands::strings::ranges::range;
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::commands::typed::Change;
use crate::commands::zsets::{Shape, is_nested_when, pairs};
use crate::keyspace::{Score, Zset};
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Denyoom, Fast, Readonly, Write};

const ONE: Keys = Keys::Range(1, 1, 1);
const TWO: Keys = Keys::Range(1, 2, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("zrange", -4, &[Readonly], ONE, zrange, "sorted-set"),
    keyed("zrevrange", -4, &[Readonly], ONE, zrevrange, "sorted-set"),
    keyed(
        "zrangebyscore",
        -4,
        &[Readonly],
        ONE,
        zrangebyscore,
        "sorted-set",
    ),
    keyed(
        "zrevrangebyscore",
        -4,
        &[Readonly],
        ONE,
        zrevrangebyscore,
        "sorted-set",
    ),
    keyed(
        "zrangebylex",
        -4,
        &[Readonly],
        ONE,
        zrangebylex,
        "sorted-set",
    ),
    keyed(
        "zrevrangebylex",
        -4,
        &[Readonly],
        ONE,
        zrevrangebylex,
        "sorted-set",
    ),
    keyed(
        "zrangestore",
        -5,
        &[Write, Denyoom],
        TWO,
        zrangestore,
        "sorted-set",
    ),
    keyed("zcount", 4, &[Readonly, Fast], ONE, zcount, "sorted-set"),
    keyed(
        "zlexcount",
        4,
        &[Readonly, Fast],
        ONE,
        zlexcount,
        "sorted-set",
    ),
    keyed(
        "zremrangebyrank",
        4,
        &[Write],
        ONE,
        zremrangebyrank,
        "sorted-set",
    ),
    keyed(
        "zremrangebyscore",
        4,
        &[Write],
        ONE,
        zremrangebyscore,
        "sorted-set",
    ),
    keyed(
        "zremrangebylex",
        4,
        &[Write],
        ONE,
        zremrangebylex,
        "sorted-set",
    ),
];

/// What a range goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// Which way a range is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// A range, its ends read, from low to high.
enum Range {
    Ranks(i64, i64),
    Scores(Bound<Score>, Bound<Score>),
    Members(LexBound, LexBound),
}

/// An end of a range of scores.
struct Bound<T> {
    value: T,
    is_open: bool,
}

/// An end of a range of members.
enum LexBound {
    Lowest,
    Highest,
    At(Bound<Bytes>),
}

struct Query {
    by: By,
    direction: Direction,
    limit: Option<(i64, i64)>,
    shape: Shape,
}

fn score_bound(text: &[u8]) -> Result<Bound<Score>, Refusal> {
    let (is_open, number) = match text.strip_prefix(b"(") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let value = args::float(number)
        .and_then(Score::new)
        .ok_or(Refusal::MinMaxFloat)?;
    Ok(Bound { value, is_open })
}

fn lex_bound(text: &Bytes) -> Result<LexBound, Refusal> {
    match text.as_ref() {
        b"-" => Ok(LexBound::Lowest),
        b"+" => Ok(LexBound::Highest),
        [b'(', ..] => Ok(LexBound::At(Bound {
            value: text.slice(1..),
            is_open: true,
        })),
        [b'[', ..] => Ok(LexBound::At(Bound {
            value: text.slice(1..),
            is_open: false,
        })),
        _ => Err(Refusal::MinMaxLex),
    }
}

impl Range {
    fn read(by: By, low: &Bytes, high: &Bytes) -> Result<Range, Refusal> {
        Ok(match by {
            By::Rank => Range::Ranks(args::integer(low)?, args::integer(high)?),
            By::Score => Range::Scores(score_bound(low)?, score_bound(high)?),
            By::Lex => Range::Members(lex_bound(low)?, lex_bound(high)?),
        })
    }

    // Members of the range, ascending; ranks count in the direction of reading.
    fn of(&self, zset: &Zset, direction: Direction) -> Vec<(Bytes, Score)> {
        let owned = |(member, score): (&Bytes, Score)| (member.clone(), score);
        match self {
            Range::Ranks(start, end) => {
                let places = range(*start, *end, zset.len());
                let (start, count) = match direction {
                    Direction::Forward => (places.start, places.len()),
                    Direction::Backward => (zset.len() - places.end, places.len()),
                };
                zset.iter().skip(start).take(count).map(owned).collect()
            }
            Range::Scores(low, high) => {
                let is_in = |score: Score| {
                    let above = score > low.value || (score == low.value && !low.is_open);
                    above && (score < high.value || (score == high.value && !high.is_open))
                };
                zset.iter()
                    .filter(|(_, score)| is_in(*score))
                    .map(owned)
                    .collect()
            }
            Range::Members(low, high) => {
                let is_in = |member: &Bytes| is_above(member, low) && is_below(member, high);
                zset.iter()
                    .filter(|(member, _)| is_in(member))
                    .map(owned)
                    .collect()
            }
        }
    }
}

fn is_above(member: &Bytes, low: &LexBound) -> bool {
    match low {
        LexBound::Lowest => true,
        LexBound::Highest => false,
        LexBound::At(bound) => *member > bound.value || (*member == bound.value && !bound.is_open),
    }
}

fn is_below(member: &Bytes, high: &LexBound) -> bool {
    match high {
        LexBound::Lowest => false,
        LexBound::Highest => true,
        LexBound::At(bound) => *member < bound.value || (*member == bound.value && !bound.is_open),
    }
}

// Reads the options after the two ends.
fn options(call: &mut Call, mut query: Query, mut rest: &[Bytes]) -> Result<Query, Refusal> {
    while let Some(word) = rest.first() {
        match (args::word(word).as_str(), rest.len()) {
            ("withscores", _) => query.shape = is_nested_when(call.is_resp3()),
            ("limit", 3..) => {
                query.limit = Some((args::integer(&rest[1])?, args::integer(&rest[2])?));
                rest = &rest[2..];
            }
            ("byscore", _) if query.by == By::Rank => query.by = By::Score,
            ("bylex", _) if query.by == By::Rank => query.by = By::Lex,
            ("rev", _) => query.direction = Direction::Backward,
            _ => return Err(Refusal::Syntax),
        }
        rest = &rest[1..];
    }
    if query.limit.is_some() && query.by == By::Rank {
        return Err(Refusal::Text(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
        ));
    }
    if query.by == By::Lex && query.shape != Shape::Members {
        return Err(Refusal::Text(
            "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
        ));
    }
    Ok(query)
}

fn select(
    call: &mut Call,
    key: &Bytes,
    ends: [&Bytes; 2],
    query: &Query,
) -> Result<Vec<(Bytes, Score)>, Refusal> {
    // Read backwards, the first end is the high one; ranks are counted from there.
    let is_swapped = query.direction == Direction::Backward && query.by != By::Rank;
    let [low, high] = if is_swapped { [ends[1], ends[0]] } else { ends };
    let wanted = Range::read(query.by, low, high)?;
    let zset = call.read_as::<Zset>(key)?;
    let mut items = zset
        .map(|zset| wanted.of(zset, query.direction))
        .unwrap_or_default();
    if query.direction == Direction::Backward {
        items.reverse();
    }
    if let Some((offset, count)) = query.limit {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        items.drain(..offset.min(items.len()));
        items.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    }
    Ok(items)
}

fn query(by: By, direction: Direction) -> Query {
    Query {
        by,
        direction,
        limit: None,
        shape: Shape::Members,
    }
}

fn run(call: &mut Call, base: Query) -> Answer {
    let args = call.args;
    let query = options(call, base, &args[4..])?;
    let items = select(call, &args[1], [&args[2], &args[3]], &query)?;
    Ok(pairs(items, query.shape))
}

fn zrange(call: &mut Call) -> Answer {
    run(call, query(By::Rank, Direction::Forward))
}

// The older commands take no words that would change what they are.
fn run_older(call: &mut Call, base: Query) -> Answer {
    let is_foreign = |word: &Bytes| ["byscore", "bylex", "rev"].iter().any(|w| is_word(word, w));
    if call.args[4..].iter().any(is_foreign) {
        return Err(Refusal::Syntax);
    }
    run(call, base)
}

fn zrevrange(call: &mut Call) -> Answer {
    run_older(call, query(By::Rank, Direction::Backward))
}

fn zrangebyscore(call: &mut Call) -> Answer {
    run_older(call, query(By::Score, Direction::Forward))
}

fn zrevrangebyscore(call: &mut Call) -> Answer {
    run_older(call, query(By::Score, Direction::Backward))
}

fn zrangebylex(call: &mut Call) -> Answer {
    run_older(call, query(By::Lex, Direction::Forward))
}

fn zrevrangebylex(call: &mut Call) -> Answer {
    run_older(call, query(By::Lex, Direction::Backward))
}

fn zrangestore(call: &mut Call) -> Answer {
    let args = call.args;
    let query = options(call, query(By::Rank, Direction::Forward), &args[5..])?;
    if query.shape != Shape::Members {
        return Err(Refusal::Syntax);
    }
    let items = select(call, &args[2], [&args[3], &args[4]], &query)?;
    let zset: Zset = items.into_iter().collect();
    let length = zset.len();
    call.store(&args[1], zset);
    Ok(Reply::Integer(length as i64))
}

fn zcount(call: &mut Call) -> Answer {
    count(call, By::Score)
}

fn zlexcount(call: &mut Call) -> Answer {
    count(call, By::Lex)
}

fn count(call: &mut Call, by: By) -> Answer {
    let args = call.args;
    let query = query(by, Direction::Forward);
    let items = select(call, &args[1], [&args[2], &args[3]], &query)?;
    Ok(Reply::Integer(items.len() as i64))
}

fn zremrangebyrank(call: &mut Call) -> Answer {
    remove(call, By::Rank)
}

fn zremrangebyscore(call: &mut Call) -> Answer {
    remove(call, By::Score)
}

fn zremrangebylex(call: &mut Call) -> Answer {
    remove(call, By::Lex)
}

fn remove(call: &mut Call, by: By) -> Answer {
    let args = call.args;
    let query = query(by, Direction::Forward);
    let items = select(call, &args[1], [&args[2], &args[3]], &query)?;
    call.edit(&args[1], |zset: &mut Zset| {
        for (member, _) in &items {
            zset.remove(member);
        }
        ((), Change::when(!items.is_empty()))
    })?;
    Ok(Reply::Integer(items.len() as i64))
}
