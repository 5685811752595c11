//! Sorted sets: union, intersection and difference of several, with weights.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::parts::{Answer, Call};
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::commands::zsets::{Shape, is_nested_when, pairs};
use crate::keyspace::{Score, Value, Zset};
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Denyoom, Movablekeys, Readonly, Write};

const READING: &[Flag] = &[Readonly, Movablekeys];
const STORING: &[Flag] = &[Write, Denyoom, Movablekeys];
const SOURCES: Keys = Keys::Counted(1, 0);
const TARGET_AND_SOURCES: Keys = Keys::Counted(2, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("zunion", -3, READING, SOURCES, zunion, "sorted-set"),
    keyed("zinter", -3, READING, SOURCES, zinter, "sorted-set"),
    keyed("zdiff", -3, READING, SOURCES, zdiff, "sorted-set"),
    keyed("zintercard", -3, READING, SOURCES, zintercard, "sorted-set"),
    keyed(
        "zunionstore",
        -4,
        STORING,
        TARGET_AND_SOURCES,
        zunionstore,
        "sorted-set",
    ),
    keyed(
        "zinterstore",
        -4,
        STORING,
        TARGET_AND_SOURCES,
        zinterstore,
        "sorted-set",
    ),
    keyed(
        "zdiffstore",
        -4,
        STORING,
        TARGET_AND_SOURCES,
        zdiffstore,
        "sorted-set",
    ),
];

/// How sets are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// How the scores of one member are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

struct Query {
    weights: Vec<f64>,
    aggregate: Aggregate,
    shape: Shape,
    limit: usize,
}

type Scores = BTreeMap<Bytes, f64>;

impl Aggregate {
    // Infinities that cancel out count as 0, as upstream has it.
    fn combine(self, left: f64, right: f64) -> f64 {
        let result = match self {
            Aggregate::Sum => left + right,
            Aggregate::Min => left.min(right),
            Aggregate::Max => left.max(right),
        };
        if result.is_nan() { 0.0 } else { result }
    }
}

fn sources<'a>(call: &Call<'a, '_>, place: usize) -> Result<(&'a [Bytes], &'a [Bytes]), Refusal> {
    let args: &'a [Bytes] = call.args;
    let count = args::integer(&args[place])?;
    let name = args::word(&args[0]);
    let too_few = Refusal::Facts(format!(
        "ERR at least 1 input key is needed for '{name}' command"
    ));
    let count = usize::try_from(count)
        .ok()
        .filter(|count| *count > 0)
        .ok_or(too_few)?;
    let rest = &args[place + 1..];
    let keys = rest.get(..count).ok_or(Refusal::Syntax)?;
    Ok((keys, &rest[count..]))
}

fn options(call: &mut Call, keys: usize, mut rest: &[Bytes]) -> Result<Query, Refusal> {
    let mut query = Query {
        weights: vec![1.0; keys],
        aggregate: Aggregate::Sum,
        shape: Shape::Members,
        limit: 0,
    };
    while let Some(word) = rest.first() {
        let is_difference = call.arg(0).to_ascii_lowercase().starts_with(b"zdiff");
        if is_difference && !is_word(word, "withscores") {
            return Err(Refusal::Syntax);
        }
        if is_word(word, "weights") && rest.len() > keys {
            let refusal = Refusal::Text("ERR weight value is not a float");
            let weight = |text: &Bytes| args::float(text).ok_or(refusal.clone());
            let weights: Result<Vec<f64>, Refusal> = rest[1..=keys].iter().map(weight).collect();
            query.weights = weights?;
            rest = &rest[keys + 1..];
        } else if is_word(word, "aggregate") && rest.len() > 1 {
            query.aggregate = match args::word(&rest[1]).as_str() {
                "sum" => Aggregate::Sum,
                "min" => Aggregate::Min,
                "max" => Aggregate::Max,
                _ => return Err(Refusal::Syntax),
            };
            rest = &rest[2..];
        } else if is_word(word, "withscores") && !args::word(call.arg(0)).ends_with("store") {
            query.shape = is_nested_when(call.is_resp3());
            rest = &rest[1..];
        } else if is_word(word, "limit") && rest.len() > 1 {
            let refusal = Refusal::Text("ERR LIMIT can't be negative");
            query.limit = args::positive(&rest[1]).map_err(|_| refusal)?;
            rest = &rest[2..];
        } else {
            return Err(Refusal::Syntax);
        }
    }
    Ok(query)
}

// A plain set counts as one whose scores are all 1.
fn scores_of(call: &mut Call, key: &[u8], weight: f64) -> Result<Scores, Refusal> {
    let weigh = |score: f64| {
        let score = score * weight;
        if score.is_nan() { 0.0 } else { score }
    };
    match call.read(key) {
        None => Ok(Scores::new()),
        Some(Value::Zset(zset)) => Ok(zset
            .iter()
            .map(|(member, score)| (member.clone(), weigh(score.get())))
            .collect()),
        Some(Value::Set(set)) => Ok(set.iter().map(|m| (m.clone(), weigh(1.0))).collect()),
        Some(Value::String(_) | Value::List(_) | Value::Hash(_) | Value::Stream(_)) => {
            Err(Refusal::WrongType)
        }
    }
}

fn combined(call: &mut Call, operation: Operation, place: usize) -> Result<(Zset, Query), Refusal> {
    let (keys, rest) = sources(call, place)?;
    let query = options(call, keys.len(), rest)?;
    let mut result: Option<Scores> = None;
    for (key, weight) in keys.iter().zip(&query.weights) {
        let next = scores_of(call, key, *weight)?;
        result = Some(match result {
            None => next,
            Some(so_far) => combine(so_far, &next, operation, query.aggregate),
        });
    }
    let scores = result.unwrap_or_default().into_iter();
    let zset = scores
        .filter_map(|(member, score)| Some((member, Score::new(score)?)))
        .collect();
    Ok((zset, query))
}

fn combine(mut left: Scores, right: &Scores, operation: Operation, how: Aggregate) -> Scores {
    match operation {
        Operation::Diff => left.retain(|member, _| !right.contains_key(member)),
        Operation::Inter => left.retain(|member, score| {
            let other = right.get(member);
            *score = other.map_or(0.0, |other| how.combine(*score, *other));
            other.is_some()
        }),
        Operation::Union => {
            for (member, other) in right {
                let entry = left.entry(member.clone());
                entry
                    .and_modify(|score| *score = how.combine(*score, *other))
                    .or_insert(*other);
            }
        }
    }
    left
}

fn read(call: &mut Call, operation: Operation) -> Answer {
    let (zset, query) = combined(call, operation, 1)?;
    let items = zset.iter().map(|(member, score)| (member.clone(), score));
    Ok(pairs(items, query.shape))
}

fn store(call: &mut Call, operation: Operation) -> Answer {
    let (zset, _) = combined(call, operation, 2)?;
    let length = zset.len();
    let target = call.arg(1).clone();
    call.store(&target, zset);
    Ok(Reply::Integer(length as i64))
}

fn zunion(call: &mut Call) -> Answer {
    read(call, Operation::Union)
}

fn zinter(call: &mut Call) -> Answer {
    read(call, Operation::Inter)
}

fn zdiff(call: &mut Call) -> Answer {
    read(call, Operation::Diff)
}

fn zintercard(call: &mut Call) -> Answer {
    let (zset, query) = combined(call, Operation::Inter, 1)?;
    let length = if query.limit > 0 {
        zset.len().min(query.limit)
    } else {
        zset.len()
    };
    Ok(Reply::Integer(length as i64))
}

fn zunionstore(call: &mut Call) -> Answer {
    store(call, Operation::Union)
}

fn zinterstore(call: &mut Call) -> Answer {
    store(call, Operation::Inter)
}

fn zdiffstore(call: &mut Call) -> Answer {
    store(call, Operation::Diff)
}
