//! Strings as arrays of integers of any width: BITFIELD.

use bytes::Bytes;

use crate::commands::args;
use crate::commands::bitmaps::{bit_at, bit_offset};
use crate::commands::parts::{Answer, Call};
use crate::commands::strings::replace;
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Denyoom, Fast, Readonly, Write};

const ONE: Keys = Keys::Range(1, 1, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("bitfield", -2, &[Write, Denyoom], ONE, bitfield, "bitmap"),
    keyed(
        "bitfield_ro",
        -2,
        &[Readonly, Fast],
        ONE,
        bitfield_ro,
        "bitmap",
    ),
];

/// What becomes of a number that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

/// What is done to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Get,
    Set(i64),
    Add(i64),
}

/// Whether a field has negative numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Signed,
    Unsigned,
}

/// One operation on one field.
#[derive(Debug, Clone, Copy)]
struct Operation {
    deed: Deed,
    sign: Sign,
    width: u64,
    offset: u64,
    overflow: Overflow,
}

impl Operation {
    fn bounds(self) -> (i128, i128) {
        match self.sign {
            Sign::Unsigned => (0, (1 << self.width) - 1),
            Sign::Signed => (-(1 << (self.width - 1)), (1 << (self.width - 1)) - 1),
        }
    }

    fn load(self, text: &[u8]) -> i128 {
        let bits = (0..self.width).map(|bit| bit_at(text, self.offset + bit));
        self.interpret(bits.fold(0, |number, bit| number << 1 | i128::from(bit)))
    }

    // The number that the low bits are.
    fn interpret(self, number: i128) -> i128 {
        let low = number & ((1 << self.width) - 1);
        let (_, greatest) = self.bounds();
        if low > greatest {
            low - (1 << self.width)
        } else {
            low
        }
    }

    fn store(self, text: &mut [u8], number: i128) {
        for bit in 0..self.width {
            let place = self.offset + bit;
            let mask = 1 << (7 - place % 8);
            let byte = &mut text[(place / 8) as usize];
            let is_set = number >> (self.width - 1 - bit) & 1 == 1;
            *byte = if is_set { *byte | mask } else { *byte & !mask };
        }
    }

    // What a number becomes in this field; none if it does not fit and must not be bent.
    fn fit(self, number: i128) -> Option<i128> {
        let (least, greatest) = self.bounds();
        if (least..=greatest).contains(&number) {
            return Some(number);
        }
        match self.overflow {
            Overflow::Wrap => Some(self.interpret(number)),
            Overflow::Saturate => Some(number.clamp(least, greatest)),
            Overflow::Fail => None,
        }
    }

    // The reply, and the number to be stored if any.
    fn carry_out(self, text: &[u8]) -> (Option<i128>, Option<i128>) {
        let old = self.load(text);
        match self.deed {
            Deed::Get => (Some(old), None),
            Deed::Set(number) => {
                let number = match self.sign {
                    Sign::Signed => i128::from(number),
                    Sign::Unsigned => i128::from(number as u64),
                };
                let new = self.fit(number);
                (new.map(|_| old), new)
            }
            Deed::Add(step) => {
                let new = self.fit(old + i128::from(step));
                (new, new)
            }
        }
    }
}

fn operations(mut rest: &[Bytes]) -> Result<Vec<Operation>, Refusal> {
    let mut overflow = Overflow::Wrap;
    let mut operations = Vec::new();
    while let Some((word, after)) = rest.split_first() {
        let name = args::word(word);
        let length = match (name.as_str(), after.len()) {
            ("get", 2..) => 2,
            ("set" | "incrby", 3..) => 3,
            ("overflow", 1..) => {
                overflow = overflow_of(&after[0])?;
                rest = &after[1..];
                continue;
            }
            _ => return Err(Refusal::Syntax),
        };
        let (sign, width) = field_type(&after[0])?;
        let offset = field_offset(&after[1], width)?;
        let deed = match name.as_str() {
            "get" => Deed::Get,
            "set" => Deed::Set(args::integer(&after[2])?),
            _ => Deed::Add(args::integer(&after[2])?),
        };
        operations.push(Operation {
            deed,
            sign,
            width,
            offset,
            overflow,
        });
        rest = &after[length..];
    }
    Ok(operations)
}

fn overflow_of(text: &[u8]) -> Result<Overflow, Refusal> {
    match args::word(text).as_str() {
        "wrap" => Ok(Overflow::Wrap),
        "sat" => Ok(Overflow::Saturate),
        "fail" => Ok(Overflow::Fail),
        _ => Err(Refusal::Text("ERR Invalid OVERFLOW type specified")),
    }
}

fn field_type(text: &[u8]) -> Result<(Sign, u64), Refusal> {
    let (sign, width_max) = match text.first() {
        Some(b'i') => (Sign::Signed, 64),
        Some(b'u') => (Sign::Unsigned, 63),
        Some(_) | None => return Err(BAD_TYPE),
    };
    let width = args::integer(&text[1..]).map_err(|_| BAD_TYPE)?;
    let width = u64::try_from(width).ok();
    let width = width.filter(|width| (1..=width_max).contains(width));
    Ok((sign, width.ok_or(BAD_TYPE)?))
}

fn field_offset(text: &[u8], width: u64) -> Result<u64, Refusal> {
    let Some(index) = text.strip_prefix(b"#") else {
        return bit_offset(text);
    };
    let index = args::integer(index).ok();
    let bits = index.and_then(|index| index.checked_mul(width as i64));
    let bits = bits.map(|bits| bits.to_string()).unwrap_or_default();
    bit_offset(bits.as_bytes())
}

fn bitfield_ro(call: &mut Call) -> Answer {
    let operations = operations(&call.args[2..])?;
    if operations
        .iter()
        .any(|operation| operation.deed != Deed::Get)
    {
        return Err(Refusal::Text(
            "ERR BITFIELD_RO only supports the GET subcommand",
        ));
    }
    run(call, &operations)
}

fn bitfield(call: &mut Call) -> Answer {
    let operations = operations(&call.args[2..])?;
    run(call, &operations)
}

fn run(call: &mut Call, operations: &[Operation]) -> Answer {
    let key = call.arg(1).clone();
    let old = call.read_as::<Bytes>(&key)?.cloned().unwrap_or_default();
    let writing = operations
        .iter()
        .filter(|operation| operation.deed != Deed::Get);
    let end = writing
        .map(|operation| (operation.offset + operation.width).div_ceil(8))
        .max();
    let mut text = old.to_vec();
    if let Some(end) = end {
        text.resize(text.len().max(end as usize), 0);
    }
    let grew = text.len() > old.len();
    let mut has_changed = false;
    let mut replies = Vec::new();
    for operation in operations {
        let (reply, new) = operation.carry_out(&text);
        if let Some(new) = new {
            has_changed |= grew || operation.load(&text) != new;
            operation.store(&mut text, new);
        }
        replies.push(reply.map_or(Reply::Nil, |number| Reply::Integer(number as i64)));
    }
    if has_changed {
        replace(call, &key, text.into());
    }
    Ok(Reply::Array(replies))
}

const BAD_TYPE: Refusal = Refusal::Text(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but \
     i64 is.",
);
