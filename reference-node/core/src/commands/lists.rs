//! Lists.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::parts::{Answer, Call};
use crate::commands::strings::ranges::range;
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::commands::typed::Change;
use crate::mutants::Mutant;
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Denyoom, Fast, Readonly, Write};

pub mod blocking;

const ONE: Keys = Keys::Range(1, 1, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("lpush", -3, &[Write, Denyoom, Fast], ONE, lpush, "list"),
    keyed("rpush", -3, &[Write, Denyoom, Fast], ONE, rpush, "list"),
    keyed("lpushx", -3, &[Write, Denyoom, Fast], ONE, lpushx, "list"),
    keyed("rpushx", -3, &[Write, Denyoom, Fast], ONE, rpushx, "list"),
    keyed("lpop", -2, &[Write, Fast], ONE, lpop, "list"),
    keyed("rpop", -2, &[Write, Fast], ONE, rpop, "list"),
    keyed("llen", 2, &[Readonly, Fast], ONE, llen, "list"),
    keyed("lindex", 3, &[Readonly], ONE, lindex, "list"),
    keyed("lset", 4, &[Write, Denyoom], ONE, lset, "list"),
    keyed("lrange", 4, &[Readonly], ONE, lrange, "list"),
    keyed("ltrim", 4, &[Write], ONE, ltrim, "list"),
    keyed("lrem", 4, &[Write], ONE, lrem, "list"),
    keyed("linsert", 5, &[Write, Denyoom], ONE, linsert, "list"),
    keyed("lpos", -3, &[Readonly], ONE, lpos, "list"),
];

type List = VecDeque<Bytes>;

/// An end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The head.
    Left,
    /// The tail.
    Right,
}

impl End {
    /// Reads LEFT or RIGHT.
    pub fn read(text: &[u8]) -> Result<End, Refusal> {
        match args::word(text).as_str() {
            "left" => Ok(End::Left),
            "right" => Ok(End::Right),
            _ => Err(Refusal::Syntax),
        }
    }

    /// Its name in LMOVE.
    pub fn name(self) -> Bytes {
        match self {
            End::Left => Bytes::from_static(b"LEFT"),
            End::Right => Bytes::from_static(b"RIGHT"),
        }
    }

    /// Name of the popping command.
    pub fn pop_name(self) -> Bytes {
        match self {
            End::Left => Bytes::from_static(b"LPOP"),
            End::Right => Bytes::from_static(b"RPOP"),
        }
    }

    /// Takes an element there.
    pub fn pop(self, list: &mut List) -> Option<Bytes> {
        match self {
            End::Left => list.pop_front(),
            End::Right => list.pop_back(),
        }
    }

    /// Puts an element there.
    pub fn push(self, list: &mut List, item: Bytes) {
        match self {
            End::Left => list.push_front(item),
            End::Right => list.push_back(item),
        }
    }
}

fn lpush(call: &mut Call) -> Answer {
    push(call, End::Left)
}

fn rpush(call: &mut Call) -> Answer {
    push(call, End::Right)
}

fn push(call: &mut Call, end: End) -> Answer {
    let key = call.arg(1).clone();
    let items = &call.args[2..];
    let length = call.upsert(&key, |list: &mut List| {
        for item in items {
            end.push(list, item.clone());
        }
        (list.len(), Change::Done)
    })?;
    Ok(Reply::Integer(length as i64))
}

fn lpushx(call: &mut Call) -> Answer {
    push_if_there(call, End::Left)
}

fn rpushx(call: &mut Call) -> Answer {
    push_if_there(call, End::Right)
}

fn push_if_there(call: &mut Call, end: End) -> Answer {
    let key = call.arg(1).clone();
    if call.read_as::<List>(&key)?.is_none() {
        return Ok(Reply::Integer(0));
    }
    push(call, end)
}

fn lpop(call: &mut Call) -> Answer {
    let from_the_end = call.parts.config.mutant.is(Mutant::PopsFromTheEnd);
    let end = if from_the_end { End::Right } else { End::Left };
    pop(call, end)
}

fn rpop(call: &mut Call) -> Answer {
    pop(call, End::Right)
}

fn pop(call: &mut Call, end: End) -> Answer {
    let key = call.arg(1).clone();
    let count = match call.args.len() {
        2 => None,
        3 => Some(args::positive(call.arg(2))?),
        _ => return Err(Refusal::Arity(args::word(call.arg(0)))),
    };
    let items = call.edit(&key, |list: &mut List| {
        let wanted = count.unwrap_or(1).min(list.len());
        let items: Vec<Bytes> = (0..wanted).filter_map(|_| end.pop(list)).collect();
        let changed = Change::when(!items.is_empty());
        (items, changed)
    })?;
    Ok(match (items, count) {
        (None, None) => Reply::Nil,
        (None, Some(_)) => Reply::NilArray,
        (Some(items), Some(_)) => bulks(items),
        (Some(items), None) => items.into_iter().next().map_or(Reply::Nil, Reply::Bulk),
    })
}

/// An array of bulk strings.
pub fn bulks(items: impl IntoIterator<Item = Bytes>) -> Reply {
    Reply::Array(items.into_iter().map(Reply::Bulk).collect())
}

fn llen(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    Ok(Reply::Integer(
        call.read_as::<List>(&key)?.map_or(0, VecDeque::len) as i64,
    ))
}

fn place(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 {
        index + length as i64
    } else {
        index
    };
    usize::try_from(index).ok().filter(|index| *index < length)
}

fn lindex(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let index = args::integer(call.arg(2))?;
    let item = call.read_as::<List>(&key)?.and_then(|list| {
        let place = place(index, list.len())?;
        list.get(place).cloned()
    });
    Ok(item.map_or(Reply::Nil, Reply::Bulk))
}

fn lset(call: &mut Call) -> Answer {
    let (key, item) = (call.arg(1).clone(), call.arg(3).clone());
    if call.read_as::<List>(&key)?.is_none() {
        return Err(Refusal::NoSuchKey);
    }
    let index = args::integer(call.arg(2))?;
    let is_set = call.edit(&key, |list: &mut List| {
        let place = place(index, list.len());
        if let Some(place) = place {
            list[place] = item;
        }
        (place.is_some(), Change::when(place.is_some()))
    })?;
    if is_set == Some(true) {
        Ok(Reply::OK)
    } else {
        Err(Refusal::IndexOutOfRange)
    }
}

fn lrange(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let (start, end) = (args::integer(call.arg(2))?, args::integer(call.arg(3))?);
    let list = call.read_as::<List>(&key)?;
    let items = list.map(|list| list.range(range(start, end, list.len())).cloned().collect());
    Ok(bulks(items.unwrap_or_else(Vec::new)))
}

fn ltrim(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let (start, end) = (args::integer(call.arg(2))?, args::integer(call.arg(3))?);
    call.edit(&key, |list: &mut List| {
        let kept = range(start, end, list.len());
        list.truncate(kept.end);
        list.drain(..kept.start);
        ((), Change::Done)
    })?;
    Ok(Reply::OK)
}

fn lrem(call: &mut Call) -> Answer {
    let (key, item) = (call.arg(1).clone(), call.arg(3).clone());
    let count = args::integer(call.arg(2))?;
    let removed = call.edit(&key, |list: &mut List| {
        let limit = if count == 0 {
            usize::MAX
        } else {
            count.unsigned_abs() as usize
        };
        let mut places: Vec<usize> = (0..list.len())
            .filter(|place| list[*place] == item)
            .collect();
        if count < 0 {
            places.reverse();
        }
        places.truncate(limit);
        places.sort_unstable();
        for place in places.iter().rev() {
            list.remove(*place);
        }
        (places.len(), Change::when(!places.is_empty()))
    })?;
    Ok(Reply::Integer(removed.unwrap_or(0) as i64))
}

fn linsert(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let offset = match args::word(call.arg(2)).as_str() {
        "before" => 0,
        "after" => 1,
        _ => return Err(Refusal::Syntax),
    };
    let (pivot, item) = (call.arg(3).clone(), call.arg(4).clone());
    let length = call.edit(&key, |list: &mut List| {
        match list.iter().position(|other| *other == pivot) {
            None => (-1, Change::None),
            Some(place) => {
                list.insert(place + offset, item);
                (list.len() as i64, Change::Done)
            }
        }
    })?;
    Ok(Reply::Integer(length.unwrap_or(0)))
}

fn lpos(call: &mut Call) -> Answer {
    let (key, item) = (call.arg(1).clone(), call.arg(2).clone());
    let (mut rank, mut count, mut limit) = (1i64, None, 0usize);
    for pair in call.args[3..].chunks(2) {
        let [word, number] = pair else {
            return Err(Refusal::Syntax);
        };
        if is_word(word, "rank") {
            rank = args::integer(number)?;
            if rank == 0 {
                return Err(Refusal::Text(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                     second ... or use negative to start from the end of the list",
                ));
            }
        } else if is_word(word, "count") {
            let refusal = Refusal::Text("ERR COUNT can't be negative");
            count = Some(args::positive(number).map_err(|_| refusal)?);
        } else if is_word(word, "maxlen") {
            let refusal = Refusal::Text("ERR MAXLEN can't be negative");
            limit = args::positive(number).map_err(|_| refusal)?;
        } else {
            return Err(Refusal::Syntax);
        }
    }
    let list = call.copy_of::<List>(&key)?;
    let mut places: Vec<usize> = (0..list.len()).collect();
    if rank < 0 {
        places.reverse();
    }
    if limit > 0 {
        places.truncate(limit);
    }
    let matches = places.into_iter().filter(|place| list[*place] == item);
    let skipped = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let mut matches = matches
        .skip(skipped)
        .map(|place| Reply::Integer(place as i64));
    Ok(match count {
        None => matches.next().unwrap_or(Reply::Nil),
        Some(0) => Reply::Array(matches.collect()),
        Some(count) => Reply::Array(matches.take(count).collect()),
    })
}
