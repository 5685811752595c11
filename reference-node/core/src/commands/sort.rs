//! SORT and SORT_RO.

use bytes::Bytes;

use crate::commands::args::{self, float, is_word};
use crate::commands::parts::{Answer, Call};
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::keyspace::Value;
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Denyoom, Movablekeys, Readonly, Write};

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed(
        "sort",
        -2,
        &[Write, Denyoom, Movablekeys],
        Keys::Movable(key_places),
        sort,
        "generic",
    ),
    keyed(
        "sort_ro",
        -2,
        &[Readonly, Movablekeys],
        Keys::Range(1, 1, 1),
        sort_ro,
        "generic",
    ),
];

// The key, and that of the last STORE.
fn key_places(args: &[Bytes]) -> Vec<usize> {
    let mut places = vec![1];
    let mut place = 2;
    while let Some(arg) = args.get(place) {
        match args::word(arg).as_str() {
            "limit" => place += 2,
            "get" | "by" => place += 1,
            "store" if place + 1 < args.len() => {
                places.truncate(1);
                places.push(place + 1);
                place += 1;
            }
            _ => {}
        }
        place += 1;
    }
    places
}

/// By what elements are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Numbers,
    Bytes,
}

/// What SORT says.
struct Request {
    by: Option<Bytes>,
    gets: Vec<Bytes>,
    limit: Option<(i64, i64)>,
    order: Order,
    is_descending: bool,
    store: Option<Bytes>,
}

impl Request {
    fn read(call: &Call) -> Result<Request, Refusal> {
        let may_store = is_word(call.arg(0), "sort");
        let mut request = Request {
            by: None,
            gets: Vec::new(),
            limit: None,
            order: Order::Numbers,
            is_descending: false,
            store: None,
        };
        let mut rest = &call.args[2..];
        while let Some((word, after)) = rest.split_first() {
            let taken = match (args::word(word).as_str(), after) {
                ("asc", _) => {
                    request.is_descending = false;
                    0
                }
                ("desc", _) => {
                    request.is_descending = true;
                    0
                }
                ("alpha", _) => {
                    request.order = Order::Bytes;
                    0
                }
                ("limit", [start, count, ..]) => {
                    request.limit = Some((args::integer(start)?, args::integer(count)?));
                    2
                }
                ("store", [key, ..]) if may_store => {
                    request.store = Some(key.clone());
                    1
                }
                ("by", [pattern, ..]) => {
                    let is_foreign = pattern.contains(&b'*') && call.parts.config.cluster_enabled;
                    if is_foreign {
                        return Err(BY_IN_CLUSTER);
                    }
                    request.by = Some(pattern.clone());
                    1
                }
                ("get", [pattern, ..]) => {
                    if call.parts.config.cluster_enabled && pattern != "#" {
                        return Err(GET_IN_CLUSTER);
                    }
                    request.gets.push(pattern.clone());
                    1
                }
                _ => return Err(Refusal::Syntax),
            };
            rest = &after[taken..];
        }
        Ok(request)
    }

    fn sorts(&self) -> bool {
        self.by
            .as_ref()
            .is_none_or(|pattern| pattern.contains(&b'*'))
    }
}

fn sort(call: &mut Call) -> Answer {
    let request = Request::read(call)?;
    run(call, &request)
}

fn sort_ro(call: &mut Call) -> Answer {
    let request = Request::read(call)?;
    run(call, &request)
}

fn run(call: &mut Call, request: &Request) -> Answer {
    let key = call.arg(1).clone();
    let (mut elements, is_ordered) = elements(call, &key)?;
    if request.sorts() {
        elements = sorted(call, request, elements)?;
    } else if is_ordered && request.is_descending {
        elements.reverse();
    }
    let elements = limited(elements, request.limit);
    let mut results = Vec::new();
    for element in &elements {
        if request.gets.is_empty() {
            results.push(Some(element.clone()));
        }
        for pattern in &request.gets {
            results.push(look_up(call, pattern, element));
        }
    }
    let Some(target) = &request.store else {
        let replies = results
            .into_iter()
            .map(|text| text.map_or(Reply::Nil, Reply::Bulk));
        return Ok(Reply::Array(replies.collect()));
    };
    let count = results.len() as i64;
    if results.is_empty() {
        call.delete(target);
    } else {
        let texts = results.into_iter().map(Option::unwrap_or_default);
        call.put(target, Value::List(texts.collect()));
    }
    Ok(Reply::Integer(count))
}

// The elements, and whether their order means something.
fn elements(call: &mut Call, key: &[u8]) -> Result<(Vec<Bytes>, bool), Refusal> {
    match call.read(key) {
        None => Ok((Vec::new(), false)),
        Some(Value::List(list)) => Ok((list.iter().cloned().collect(), false)),
        Some(Value::Set(set)) => Ok((set.iter().cloned().collect(), false)),
        Some(Value::Zset(zset)) => {
            let members = zset.iter().map(|(member, _)| member.clone());
            Ok((members.collect(), true))
        }
        Some(Value::String(_) | Value::Hash(_) | Value::Stream(_)) => Err(Refusal::WrongType),
    }
}

fn sorted(call: &mut Call, request: &Request, elements: Vec<Bytes>) -> Result<Vec<Bytes>, Refusal> {
    let not_number = Refusal::Text("ERR One or more scores can't be converted into double");
    let mut weighted = Vec::with_capacity(elements.len());
    for element in elements {
        let weight = match &request.by {
            Some(pattern) => look_up(call, pattern, &element),
            None => Some(element.clone()),
        };
        let number = match (&weight, request.order) {
            (Some(text), Order::Numbers) => float(text).ok_or_else(|| not_number.clone())?,
            (Some(_), Order::Bytes) | (None, _) => 0.0,
        };
        weighted.push((number, weight, element));
    }
    weighted.sort_by(|left, right| {
        let by_weight = match request.order {
            Order::Numbers => left.0.partial_cmp(&right.0),
            Order::Bytes => Some(left.1.cmp(&right.1)),
        };
        let by_weight = by_weight.unwrap_or(std::cmp::Ordering::Equal);
        // Equal weights: by bytes, so that every node answers the same.
        let order = by_weight.then_with(|| match (&request.by, request.order) {
            (None, Order::Bytes) => std::cmp::Ordering::Equal,
            (Some(_), _) | (None, Order::Numbers) => left.2.cmp(&right.2),
        });
        if request.is_descending {
            order.reverse()
        } else {
            order
        }
    });
    Ok(weighted
        .into_iter()
        .map(|(_, _, element)| element)
        .collect())
}

fn limited(elements: Vec<Bytes>, limit: Option<(i64, i64)>) -> Vec<Bytes> {
    let Some((start, count)) = limit else {
        return elements;
    };
    let start = usize::try_from(start).unwrap_or(0);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    elements.into_iter().skip(start).take(count).collect()
}

// `#` is the element; else the key of the pattern with the element for the star, or a field of it.
fn look_up(call: &mut Call, pattern: &Bytes, element: &Bytes) -> Option<Bytes> {
    if pattern == "#" {
        return Some(element.clone());
    }
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let (head, tail) = (&pattern[..star], &pattern[star + 1..]);
    let arrow = tail.windows(2).position(|pair| pair == b"->");
    let arrow = arrow.filter(|arrow| arrow + 2 < tail.len());
    let end = arrow.unwrap_or(tail.len());
    let key = [head, element, &tail[..end]].concat();
    match (call.read(&key)?, arrow) {
        (Value::String(text), None) => Some(text.clone()),
        (Value::Hash(hash), Some(arrow)) => hash.get(&tail[arrow + 2..]).cloned(),
        _ => None,
    }
}

const BY_IN_CLUSTER: Refusal = Refusal::Text("ERR BY option of SORT denied in cluster mode.");
const GET_IN_CLUSTER: Refusal = Refusal::Text("ERR GET option of SORT denied in cluster mode.");
