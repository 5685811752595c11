//! Lists: moving and popping from several, also when they have yet to get elements.
//!
//! A handler that finds nothing puts its client to wait and is run again as a whole when one of
//! the keys got elements. What is replicated is the effect: the pop or move that did happen.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::commands::args::{self, digits, is_word};
use crate::commands::lists::{End, bulks};
use crate::commands::parts::{Answer, Blocking, Call};
use crate::commands::session::Wait;
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::commands::typed::Change;
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

use Flag::{Denyoom, Movablekeys, Noscript, Write};

const WAITING: &[Flag] = &[Write, Noscript, Flag::Blocking];
const MOVING: &[Flag] = &[Write, Denyoom, Noscript, Flag::Blocking];
const TWO: Keys = Keys::Range(1, 2, 1);
const ALL_BUT_LAST: Keys = Keys::Range(1, -2, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("rpoplpush", 3, &[Write, Denyoom], TWO, rpoplpush, "list"),
    keyed("lmove", 5, &[Write, Denyoom], TWO, lmove, "list"),
    keyed(
        "lmpop",
        -4,
        &[Write, Movablekeys],
        Keys::Counted(1, 0),
        lmpop,
        "list",
    ),
    keyed("blpop", -3, WAITING, ALL_BUT_LAST, blpop, "list"),
    keyed("brpop", -3, WAITING, ALL_BUT_LAST, brpop, "list"),
    keyed("brpoplpush", 4, MOVING, TWO, brpoplpush, "list"),
    keyed("blmove", 6, MOVING, TWO, blmove, "list"),
    keyed(
        "blmpop",
        -5,
        &[Write, Flag::Blocking, Movablekeys],
        Keys::Counted(2, 0),
        blmpop,
        "list",
    ),
];

type List = VecDeque<Bytes>;

fn rpoplpush(call: &mut Call) -> Answer {
    let moved = move_item(call, End::Right, End::Left)?;
    Ok(moved.map_or(Reply::Nil, Reply::Bulk))
}

fn lmove(call: &mut Call) -> Answer {
    let (from, to) = (End::read(call.arg(3))?, End::read(call.arg(4))?);
    let moved = move_item(call, from, to)?;
    Ok(moved.map_or(Reply::Nil, Reply::Bulk))
}

fn brpoplpush(call: &mut Call) -> Answer {
    let until = args::timeout(call.arg(3), call.parts.now)?;
    move_or_wait(call, End::Right, End::Left, until)
}

fn blmove(call: &mut Call) -> Answer {
    let (from, to) = (End::read(call.arg(3))?, End::read(call.arg(4))?);
    let until = args::timeout(call.arg(5), call.parts.now)?;
    move_or_wait(call, from, to, until)
}

fn move_or_wait(call: &mut Call, from: End, to: End, until: Option<Millis>) -> Answer {
    match move_item(call, from, to)? {
        Some(item) => Ok(Reply::Bulk(item)),
        None if call.blocking == Blocking::Denied => Ok(Reply::Nil),
        None => Ok(wait(
            call,
            vec![call.arg(1).clone()],
            until,
            "list",
            Reply::NilArray,
        )),
    }
}

fn move_item(call: &mut Call, from: End, to: End) -> Result<Option<Bytes>, Refusal> {
    let (source, target) = (call.arg(1).clone(), call.arg(2).clone());
    if call.read_as::<List>(&source)?.is_none() {
        return Ok(None);
    }
    call.read_as::<List>(&target)?;
    let popped = call.edit(&source, |list: &mut List| {
        let item = from.pop(list);
        if let Some(item) = item.clone().filter(|_| source == target) {
            to.push(list, item);
        }
        (item, Change::Done)
    })?;
    let item = popped.flatten();
    if let Some(item) = item.clone().filter(|_| source != target) {
        call.upsert(&target, |list: &mut List| {
            to.push(list, item);
            ((), Change::Done)
        })?;
    }
    let lmove = Bytes::from_static(b"LMOVE");
    call.replicate(vec![lmove, source, target, from.name(), to.name()]);
    Ok(item)
}

fn blpop(call: &mut Call) -> Answer {
    pop_or_wait(call, End::Left)
}

fn brpop(call: &mut Call) -> Answer {
    pop_or_wait(call, End::Right)
}

fn pop_or_wait(call: &mut Call, end: End) -> Answer {
    let last = call.args.len() - 1;
    let until = args::timeout(call.arg(last), call.parts.now)?;
    let keys = call.args[1..last].to_vec();
    match pop_first(call, &keys, end, 1)? {
        Some((key, items)) => {
            call.replicate(vec![end.pop_name(), key.clone()]);
            Ok(bulks([key].into_iter().chain(items)))
        }
        None => Ok(wait(call, keys, until, "list", Reply::NilArray)),
    }
}

fn lmpop(call: &mut Call) -> Answer {
    let (keys, end, count) = many_options(call, 1)?;
    Ok(pop_many(call, &keys, end, count)?.unwrap_or(Reply::NilArray))
}

fn blmpop(call: &mut Call) -> Answer {
    let until = args::timeout(call.arg(1), call.parts.now)?;
    let (keys, end, count) = many_options(call, 2)?;
    match pop_many(call, &keys, end, count)? {
        Some(reply) => Ok(reply),
        None => Ok(wait(call, keys, until, "list", Reply::NilArray)),
    }
}

fn many_options(call: &Call, place: usize) -> Result<(Vec<Bytes>, End, usize), Refusal> {
    let (keys, rest) = counted_keys(&call.args[place..])?;
    let end = End::read(rest.first().ok_or(Refusal::Syntax)?)?;
    Ok((keys, end, pop_count(&rest[1..])?))
}

/// Reads `numkeys key …`; gives the keys and what follows them.
pub fn counted_keys(args: &[Bytes]) -> Result<(Vec<Bytes>, &[Bytes]), Refusal> {
    let count = args::integer(&args[0])
        .ok()
        .and_then(|count| usize::try_from(count).ok());
    let count = count.filter(|count| *count > 0).ok_or(Refusal::NumKeys)?;
    match args.get(1..1 + count) {
        Some(keys) if args.len() > 1 + count => Ok((keys.to_vec(), &args[1 + count..])),
        Some(_) | None => Err(Refusal::Syntax),
    }
}

/// Reads `[COUNT n]`.
pub fn pop_count(rest: &[Bytes]) -> Result<usize, Refusal> {
    match rest {
        [] => Ok(1),
        [word, number] if is_word(word, "count") => {
            let count = args::positive(number).ok().filter(|count| *count > 0);
            count.ok_or(Refusal::Text("ERR count should be greater than 0"))
        }
        _ => Err(Refusal::Syntax),
    }
}

fn pop_many(
    call: &mut Call,
    keys: &[Bytes],
    end: End,
    count: usize,
) -> Result<Option<Reply>, Refusal> {
    let Some((key, items)) = pop_first(call, keys, end, count)? else {
        return Ok(None);
    };
    call.replicate(vec![end.pop_name(), key.clone(), digits(items.len())]);
    Ok(Some(Reply::Array(vec![Reply::Bulk(key), bulks(items)])))
}

// Pops from the first key that has something.
fn pop_first(
    call: &mut Call,
    keys: &[Bytes],
    end: End,
    count: usize,
) -> Result<Option<(Bytes, Vec<Bytes>)>, Refusal> {
    for key in keys {
        let popped = call.edit(key, |list: &mut List| {
            let wanted = count.min(list.len());
            let items: Vec<Bytes> = (0..wanted).filter_map(|_| end.pop(list)).collect();
            (items, Change::Done)
        })?;
        if let Some(items) = popped {
            return Ok(Some((key.clone(), items)));
        }
    }
    Ok(None)
}

/// Puts the client to wait for keys, or answers at once where it may not wait.
pub fn wait(
    call: &mut Call,
    keys: Vec<Bytes>,
    until: Option<Millis>,
    type_name: &'static str,
    on_timeout: Reply,
) -> Reply {
    match call.blocking {
        Blocking::Denied => on_timeout,
        Blocking::Allowed => {
            let args = call.args.to_vec();
            call.wait = Some(Wait::Keys {
                keys,
                args,
                type_name,
                until,
                on_timeout,
            });
            Reply::None
        }
    }
}
