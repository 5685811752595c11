//! Events of a block, read where they lie; bytes are hostile.

use std::sync::Arc;

use super::{DEPTH_MAX, KINDS, head, value};
use crate::history::event::{EventKind, Function, Process};
use crate::history::jsonl::HistoryProblem;
use crate::history::value::Value;

/// An event whose names are numbers.
#[derive(Debug)]
pub struct Row<'a> {
    pub index: u64,
    pub time: u64,
    pub process: Process,
    pub kind: EventKind,
    pub f: Function,
    pub final_read: bool,
    pub key: Option<usize>,
    pub node: Option<usize>,
    pub value: Held<'a>,
    pub rare: Option<Rare>,
}

/// A value; a text lies in the block.
#[derive(Debug)]
pub enum Held<'a> {
    Nil,
    Int(i64),
    Text(&'a str),
    List(Vec<Value>),
}

/// What few events have.
#[derive(Debug)]
pub struct Rare {
    pub error: Option<usize>,
    pub hops: Vec<usize>,
    pub replicas: Option<u32>,
}

/// What is left of a block.
#[derive(Debug)]
pub struct Rows<'a> {
    bytes: &'a [u8],
}

impl<'a> Rows<'a> {
    /// What is left, of a block without its length.
    pub fn of(bytes: &'a [u8]) -> Rows<'a> {
        Rows { bytes }
    }

    /// Bytes that are left.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes in the names at the beginning of a block.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn names(&mut self, names: &mut Vec<Arc<str>>) -> Result<(), HistoryProblem> {
        for _ in 0..self.number()? {
            names.push(self.text()?.into());
        }
        Ok(())
    }

    /// The next event; none at the end of the block. `last` are index and time of the one before.
    ///
    /// # Errors
    /// What is wrong with it.
    #[inline]
    pub fn next(&mut self, last: (u64, u64)) -> Result<Option<Row<'a>>, HistoryProblem> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let (first, rest) = self.bytes.split_first_chunk().ok_or_else(ends)?;
        self.bytes = rest;
        let head = u16::from_le_bytes(*first);
        if head & !head::ALL != 0 {
            return Err(foreign("an event of an unknown form"));
        }
        let f = Function::ALL.get(usize::from(head >> head::FUNCTION & head::FUNCTION_MASK));
        let step = match head & head::INDEX {
            0 => 1,
            _ => self.number()?,
        };
        // What wraps around goes back, and is refused for that.
        let index = last.0.wrapping_add(step);
        let time = last.1.wrapping_add(self.number()?);
        let process = self.number()?.try_into();
        Ok(Some(Row {
            index,
            time,
            process: process.map_err(|_| foreign("a process number above 2^32"))?,
            kind: KINDS[usize::from(head & 3)],
            f: *f.ok_or_else(|| foreign("an unknown function"))?,
            final_read: head & head::FINAL != 0,
            key: self.number_if(head & head::KEY)?,
            node: self.number_if(head & head::NODE)?,
            value: self.held((head >> head::VALUE & 3) as u8)?,
            rare: match head & head::RARE {
                0 => None,
                _ => Some(self.rare()?),
            },
        }))
    }

    #[inline]
    fn number_if(&mut self, bit: u16) -> Result<Option<usize>, HistoryProblem> {
        match bit {
            0 => Ok(None),
            _ => Ok(Some(self.number()? as usize)),
        }
    }

    #[inline]
    fn held(&mut self, kind: u8) -> Result<Held<'a>, HistoryProblem> {
        Ok(match kind {
            value::NIL => Held::Nil,
            value::INT => Held::Int(unzigzag(self.number()?)),
            value::TEXT => Held::Text(self.text()?),
            value::LIST => Held::List(self.list(0)?),
            _ => return Err(foreign("a value of no known kind")),
        })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>, HistoryProblem> {
        if depth > DEPTH_MAX {
            return Err(foreign("a value nested too deep"));
        }
        let mut items = Vec::new();
        // Grows with what is there, not with what is promised.
        for _ in 0..self.number()? {
            let (kind, rest) = self.bytes.split_first().ok_or_else(ends)?;
            self.bytes = rest;
            items.push(match *kind {
                value::NIL => Value::Nil,
                value::INT => Value::Int(unzigzag(self.number()?)),
                value::TEXT => Value::Text(self.text()?.into()),
                value::LIST => Value::List(self.list(depth + 1)?),
                _ => return Err(foreign("a value of no known kind")),
            });
        }
        Ok(items)
    }

    fn rare(&mut self) -> Result<Rare, HistoryProblem> {
        let error = self.number()?.checked_sub(1);
        let mut hops = Vec::new();
        for _ in 0..self.number()? {
            hops.push(self.number()? as usize);
        }
        let replicas = self.number()?.checked_sub(1).map(u32::try_from);
        Ok(Rare {
            error: error.map(|number| number as usize),
            hops,
            replicas: replicas
                .transpose()
                .map_err(|_| foreign("more than 2^32 replicas"))?,
        })
    }

    fn text(&mut self) -> Result<&'a str, HistoryProblem> {
        let length = self.number()?;
        let length = usize::try_from(length).ok().filter(|it| *it <= self.len());
        let (text, rest) = self.bytes.split_at(length.ok_or_else(ends)?);
        self.bytes = rest;
        std::str::from_utf8(text).map_err(|_| foreign("a text that is none"))
    }

    #[inline]
    fn number(&mut self) -> Result<u64, HistoryProblem> {
        // Nearly all numbers have few bytes, but not always the same few: no branch asks how many.
        if let Some(ahead) = self.bytes.first_chunk() {
            let word = u64::from_le_bytes(*ahead);
            let ends = !word & 0x8080_8080_8080_8080;
            if ends != 0 {
                self.bytes = &self.bytes[ends.trailing_zeros() as usize / 8 + 1..];
                let up_to_end = ends ^ (ends - 1);
                return Ok(seven_of_eight(word & up_to_end));
            }
        }
        self.long_number()
    }

    #[cold]
    fn long_number(&mut self) -> Result<u64, HistoryProblem> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.bytes.split_first().ok_or_else(ends)?;
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Ok(number);
            }
        }
        Err(foreign("a number above 2^64"))
    }
}

/// The lower seven bits of each byte, together.
fn seven_of_eight(word: u64) -> u64 {
    let word = word & 0x7f7f_7f7f_7f7f_7f7f;
    let word = word & 0x007f_007f_007f_007f | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let word = word & 0x0000_3fff_0000_3fff | (word & 0x3fff_0000_3fff_0000) >> 2;
    word & 0x0fff_ffff | (word & 0x0fff_ffff_0000_0000) >> 4
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cold]
fn ends() -> HistoryProblem {
    foreign("the history ends within a block, or a block within an event")
}

#[cold]
pub fn foreign(what: &str) -> HistoryProblem {
    HistoryProblem::Foreign(format!("binary: {what}"))
}
