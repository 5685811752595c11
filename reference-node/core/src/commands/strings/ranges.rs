//! Strings: lengths, parts, bits of length, and the longest common subsequence.

use bytes::Bytes;

use crate::commands::args::{self};
use crate::commands::parts::{Answer, Call};
use crate::commands::strings::replace;
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Denyoom, Fast, Readonly, Write};

const ONE: Keys = Keys::Range(1, 1, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("append", 3, &[Write, Denyoom, Fast], ONE, append, "string"),
    keyed("strlen", 2, &[Readonly, Fast], ONE, strlen, "string"),
    keyed("getrange", 4, &[Readonly], ONE, getrange, "string"),
    keyed("substr", 4, &[Readonly], ONE, getrange, "string"),
    keyed("setrange", 4, &[Write, Denyoom], ONE, setrange, "string"),
    keyed("lcs", -3, &[Readonly], Keys::Range(1, 2, 1), lcs, "string"),
];

fn append(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let mut text = call.copy_of::<Bytes>(&key)?.to_vec();
    if text.len() + call.arg(2).len() > LEN_MAX {
        return Err(Refusal::StringTooLong);
    }
    text.extend_from_slice(call.arg(2));
    let length = text.len();
    replace(call, &key, text.into());
    Ok(Reply::Integer(length as i64))
}

fn strlen(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    Ok(Reply::Integer(call.copy_of::<Bytes>(&key)?.len() as i64))
}

fn getrange(call: &mut Call) -> Answer {
    let (start, end) = (args::integer(call.arg(2))?, args::integer(call.arg(3))?);
    let key = call.arg(1).clone();
    let text = call.copy_of::<Bytes>(&key)?;
    Ok(Reply::Bulk(text.slice(range(start, end, text.len()))))
}

/// A range of upstream's kind, both ends included, negative from the end; empty if it is none.
pub fn range(start: i64, end: i64, length: usize) -> std::ops::Range<usize> {
    let length = length as i64;
    let from_front = |place: i64| {
        if place < 0 {
            (length + place).max(0)
        } else {
            place
        }
    };
    let is_before = end < 0 && length + end < 0;
    let start = from_front(start).min(length);
    let end = if is_before {
        0
    } else {
        (from_front(end) + 1).min(length)
    };
    start as usize..end.max(start) as usize
}

fn setrange(call: &mut Call) -> Answer {
    let offset = args::integer(call.arg(2))?;
    let offset = usize::try_from(offset).map_err(|_| Refusal::Offset)?;
    let (key, patch) = (call.arg(1).clone(), call.arg(3).clone());
    let mut text = call.copy_of::<Bytes>(&key)?.to_vec();
    if patch.is_empty() {
        return Ok(Reply::Integer(text.len() as i64));
    }
    let end = offset.saturating_add(patch.len());
    if end > LEN_MAX {
        return Err(Refusal::StringTooLong);
    }
    if text.len() < end {
        text.resize(end, 0);
    }
    text[offset..end].copy_from_slice(&patch);
    let length = text.len();
    replace(call, &key, text.into());
    Ok(Reply::Integer(length as i64))
}

fn lcs(call: &mut Call) -> Answer {
    let (left, right) = (call.arg(1).clone(), call.arg(2).clone());
    let refusal = |_| Refusal::Text("ERR The specified keys must contain string values");
    let left = call.copy_of::<Bytes>(&left).map_err(refusal)?;
    let right = call.copy_of::<Bytes>(&right).map_err(refusal)?;
    let options = LcsOptions::read(&call.args[3..])?;
    let cells = (left.len() + 1).checked_mul(right.len() + 1);
    if cells.is_none_or(|cells| cells > LCS_CELLS_MAX) {
        return Err(Refusal::Text(
            "ERR Insufficient memory, transient memory for LCS exceeds \
                                  proto-max-bulk-len",
        ));
    }
    let common = longest_common(&left, &right);
    let length = Reply::Integer(common.len() as i64);
    Ok(match (options.wants_ranges, options.wants_length) {
        (true, _) => {
            let ranges = Reply::Array(options.ranges(&common));
            let (matches, len) = (Reply::text("matches"), Reply::text("len"));
            Reply::Map(vec![(matches, ranges), (len, length)])
        }
        (false, true) => length,
        (false, false) => {
            let bytes = common.iter().rev().map(|(row, _)| left[*row]);
            Reply::Bulk(bytes.collect::<Vec<u8>>().into())
        }
    })
}

/// What LCS is to show.
#[derive(Debug, Default)]
struct LcsOptions {
    wants_length: bool,
    wants_ranges: bool,
    shows_match_length: bool,
    match_length_min: i64,
}

impl LcsOptions {
    fn read(mut rest: &[Bytes]) -> Result<LcsOptions, Refusal> {
        let mut options = LcsOptions::default();
        while let Some((word, after)) = rest.split_first() {
            rest = after;
            match (args::word(word).as_str(), after) {
                ("len", _) => options.wants_length = true,
                ("idx", _) => options.wants_ranges = true,
                ("withmatchlen", _) => options.shows_match_length = true,
                ("minmatchlen", [number, after @ ..]) => {
                    options.match_length_min = args::integer(number)?.max(0);
                    rest = after;
                }
                _ => return Err(Refusal::Syntax),
            }
        }
        if options.wants_length && options.wants_ranges {
            return Err(Refusal::Text(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }

    // Runs of common places, last first, as the places are.
    fn ranges(&self, common: &[(usize, usize)]) -> Vec<Reply> {
        let runs =
            common.chunk_by(|later, earlier| (later.0, later.1) == (earlier.0 + 1, earlier.1 + 1));
        let long = runs.filter(|run| run.len() as i64 >= self.match_length_min);
        let pair = |from: usize, to: usize| {
            let ends = [from, to].map(|place| Reply::Integer(place as i64));
            Reply::Array(ends.into())
        };
        long.map(|run| {
            let (last, first) = (run[0], run[run.len() - 1]);
            let mut row = vec![pair(first.0, last.0), pair(first.1, last.1)];
            if self.shows_match_length {
                row.push(Reply::Integer(run.len() as i64));
            }
            Reply::Array(row)
        })
        .collect()
    }
}

// Places of the longest common subsequence in both texts, last first.
fn longest_common(left: &[u8], right: &[u8]) -> Vec<(usize, usize)> {
    let width = right.len() + 1;
    let mut lengths = vec![0u32; (left.len() + 1) * width];
    for row in 1..=left.len() {
        for column in 1..width {
            let here = row * width + column;
            lengths[here] = if left[row - 1] == right[column - 1] {
                lengths[here - width - 1] + 1
            } else {
                lengths[here - width].max(lengths[here - 1])
            };
        }
    }
    let (mut row, mut column) = (left.len(), right.len());
    let mut common = Vec::new();
    while row > 0 && column > 0 {
        let here = row * width + column;
        if left[row - 1] == right[column - 1] {
            common.push((row - 1, column - 1));
            row -= 1;
            column -= 1;
        } else if lengths[here - width] > lengths[here - 1] {
            row -= 1;
        } else {
            column -= 1;
        }
    }
    common
}

const LEN_MAX: usize = 512 * 1024 * 1024;
const LCS_CELLS_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_ranges_as_upstream_does() {
        for (start, end, expected) in [
            (0, -1, 0..5),
            (0, 3, 0..4),
            (-3, -1, 2..5),
            (-100, 1, 0..2),
            (3, 2, 3..3),
            (10, 20, 5..5),
            (0, -100, 0..0),
        ] {
            assert_eq!(range(start, end, 5), expected, "{start} {end}");
        }
    }
}
