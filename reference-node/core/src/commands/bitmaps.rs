//! Strings as arrays of bits: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP.
//!
//! Bit 0 is the highest of the first byte. Bits behind the end are zero.

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::parts::{Answer, Call};
use crate::commands::strings::replace;
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Denyoom, Fast, Readonly, Write};

pub mod field;

const ONE: Keys = Keys::Range(1, 1, 1);
const FROM_SECOND: Keys = Keys::Range(2, -1, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("setbit", 4, &[Write, Denyoom], ONE, setbit, "bitmap"),
    keyed("getbit", 3, &[Readonly, Fast], ONE, getbit, "bitmap"),
    keyed("bitcount", -2, &[Readonly], ONE, bitcount, "bitmap"),
    keyed("bitpos", -3, &[Readonly], ONE, bitpos, "bitmap"),
    keyed("bitop", -4, &[Write, Denyoom], FROM_SECOND, bitop, "bitmap"),
];

/// Reads the offset of a bit within the greatest string.
pub fn bit_offset(text: &[u8]) -> Result<u64, Refusal> {
    let offset = args::integer(text).ok();
    let offset = offset.and_then(|offset| u64::try_from(offset).ok());
    offset.filter(|offset| *offset < BITS_MAX).ok_or(BAD_OFFSET)
}

/// A bit of a string.
pub fn bit_at(text: &[u8], offset: u64) -> bool {
    let byte = text.get((offset / 8) as usize).copied().unwrap_or(0);
    byte >> (7 - offset % 8) & 1 == 1
}

fn bit_of(text: &[u8], refusal: Refusal) -> Result<bool, Refusal> {
    match args::integer(text) {
        Ok(0) => Ok(false),
        Ok(1) => Ok(true),
        Ok(_) | Err(_) => Err(refusal),
    }
}

fn setbit(call: &mut Call) -> Answer {
    let offset = bit_offset(call.arg(2))?;
    let bad_bit = Refusal::Text("ERR bit is not an integer or out of range");
    let is_set = bit_of(call.arg(3), bad_bit)?;
    let key = call.arg(1).clone();
    let old = call.read_as::<Bytes>(&key)?.cloned();
    let mut text = old.clone().unwrap_or_default().to_vec();
    let place = (offset / 8) as usize;
    let was_set = bit_at(&text, offset);
    let grows = text.len() <= place;
    if grows {
        text.resize(place + 1, 0);
    }
    let mask = 1 << (7 - offset % 8);
    text[place] = if is_set {
        text[place] | mask
    } else {
        text[place] & !mask
    };
    if grows || was_set != is_set {
        replace(call, &key, text.into());
    }
    Ok(Reply::Integer(was_set.into()))
}

fn getbit(call: &mut Call) -> Answer {
    let offset = bit_offset(call.arg(2))?;
    let key = call.arg(1).clone();
    let text = call.read_as::<Bytes>(&key)?;
    let is_set = text.is_some_and(|text| bit_at(text, offset));
    Ok(Reply::Integer(is_set.into()))
}

/// What a range counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

fn unit(text: Option<&Bytes>) -> Result<Unit, Refusal> {
    match text {
        None => Ok(Unit::Byte),
        Some(word) if is_word(word, "byte") => Ok(Unit::Byte),
        Some(word) if is_word(word, "bit") => Ok(Unit::Bit),
        Some(_) => Err(Refusal::Syntax),
    }
}

// First and last bit of a range with ends counted from either side; none if it is empty.
fn bits_between(length: usize, unit: Unit, start: i64, end: i64) -> Option<(u64, u64)> {
    let total = match unit {
        Unit::Byte => length as i64,
        Unit::Bit => length as i64 * 8,
    };
    let from_front = |place: i64| {
        if place < 0 {
            place.saturating_add(total).max(0)
        } else {
            place
        }
    };
    let (start, end) = (from_front(start), from_front(end).min(total - 1));
    if start > end {
        return None;
    }
    let (start, end) = (start as u64, end as u64);
    Some(match unit {
        Unit::Byte => (start * 8, end * 8 + 7),
        Unit::Bit => (start, end),
    })
}

fn bitcount(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let Some(text) = call.read_as::<Bytes>(&key)?.cloned() else {
        return Ok(Reply::Integer(0));
    };
    let (start, end, unit) = match &call.args[2..] {
        [] => (0, -1, Unit::Byte),
        [start, end] => (args::integer(start)?, args::integer(end)?, Unit::Byte),
        [start, end, word] => {
            let (start, end) = (args::integer(start)?, args::integer(end)?);
            (start, end, unit(Some(word))?)
        }
        _ => return Err(Refusal::Syntax),
    };
    if start < 0 && end < 0 && start > end {
        return Ok(Reply::Integer(0));
    }
    let Some((first, last)) = bits_between(text.len(), unit, start, end) else {
        return Ok(Reply::Integer(0));
    };
    let (head, tail) = ((first / 8) as usize, (last / 8) as usize);
    let count = text[head..=tail]
        .iter()
        .map(|byte| i64::from(byte.count_ones()))
        .sum::<i64>();
    let before = text[head] & !(0xff >> (first % 8));
    let after = text[tail] & ((0xff_u16 >> (last % 8 + 1)) as u8);
    let outside = before.count_ones() + after.count_ones();
    Ok(Reply::Integer(count - i64::from(outside)))
}

fn bitpos(call: &mut Call) -> Answer {
    let bad_bit = Refusal::Text("ERR The bit argument must be 1 or 0.");
    args::integer(call.arg(2))?;
    let wanted = bit_of(call.arg(2), bad_bit)?;
    let key = call.arg(1).clone();
    let Some(text) = call.read_as::<Bytes>(&key)?.cloned() else {
        return Ok(Reply::Integer(if wanted { -1 } else { 0 }));
    };
    let (start, end, unit) = match &call.args[3..] {
        [] => (0, None, Unit::Byte),
        [start] => (args::integer(start)?, None, Unit::Byte),
        [start, end] => (args::integer(start)?, Some(args::integer(end)?), Unit::Byte),
        [start, end, word] => {
            let start = args::integer(start)?;
            let unit = unit(Some(word))?;
            (start, Some(args::integer(end)?), unit)
        }
        _ => return Err(Refusal::Syntax),
    };
    let Some((first, last)) = bits_between(text.len(), unit, start, end.unwrap_or(-1)) else {
        return Ok(Reply::Integer(-1));
    };
    Ok(Reply::Integer(match find_bit(&text, wanted, first, last) {
        Some(place) => place as i64,
        // Without an end the string goes on with zeros for ever.
        None if !wanted && end.is_none() => text.len() as i64 * 8,
        None => -1,
    }))
}

fn find_bit(text: &[u8], wanted: bool, first: u64, last: u64) -> Option<u64> {
    let skipped = if wanted { 0x00 } else { 0xff };
    let mut place = first;
    while place <= last {
        if place.is_multiple_of(8) && text[(place / 8) as usize] == skipped {
            place += 8;
        } else if bit_at(text, place) == wanted {
            return Some(place);
        } else {
            place += 1;
        }
    }
    None
}

fn bitop(call: &mut Call) -> Answer {
    let word = args::word(call.arg(1));
    let combine: fn(u8, u8) -> u8 = match word.as_str() {
        "and" => |a, b| a & b,
        "or" => |a, b| a | b,
        "xor" | "not" => |a, b| a ^ b,
        _ => return Err(Refusal::Syntax),
    };
    if word == "not" && call.args.len() != 4 {
        return Err(Refusal::Text(
            "ERR BITOP NOT must be called with a single source key.",
        ));
    }
    let mut sources = Vec::new();
    for key in &call.args[3..] {
        sources.push(call.copy_of::<Bytes>(key)?);
    }
    let length = sources.iter().map(Bytes::len).max().unwrap_or(0);
    let mut result = sources[0].to_vec();
    result.resize(length, 0);
    for source in &sources[1..] {
        for (place, byte) in result.iter_mut().enumerate() {
            *byte = combine(*byte, source.get(place).copied().unwrap_or(0));
        }
    }
    if word == "not" {
        result.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let target = call.arg(2).clone();
    if result.is_empty() {
        call.delete(&target);
    } else {
        call.put(&target, crate::keyspace::Value::String(result.into()));
    }
    Ok(Reply::Integer(length as i64))
}

const BAD_OFFSET: Refusal = Refusal::Text("ERR bit offset is not an integer or out of range");

// The greatest string has 512 MiB.
const BITS_MAX: u64 = 1 << 32;
