//! The usual form of a history line, read without a general parser.
//!
//! What is unusual (an escape, a float, a field nobody knows, a hundred levels of lists) is left to
//! the general parser, which reads it or says what is wrong.

use std::sync::Arc;

use crate::history::{Event, EventKind, Function, Key, Value};
use crate::observation::NodeName;
use crate::table::{IndexTable, Mix};

/// Reads lines; each name is kept once.
#[derive(Debug, Default)]
pub struct FastLines {
    names: Vec<Arc<str>>,
    table: IndexTable,
}

impl FastLines {
    /// The event in this line, if it has the usual form.
    pub fn event(&mut self, line: &[u8]) -> Option<Event> {
        let mut rest = Cursor { bytes: line };
        let mut event = blank();
        let mut seen = 0u32;
        rest.expect(b'{')?;
        loop {
            let field = rest.string()?;
            rest.expect(b':')?;
            let bit = self.field(field, &mut rest, &mut event)?;
            if seen & bit != 0 {
                return None;
            }
            seen |= bit;
            match rest.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        let is_whole = seen & REQUIRED == REQUIRED && rest.bytes.trim_ascii().is_empty();
        is_whole.then_some(event)
    }

    fn field(&mut self, name: &[u8], rest: &mut Cursor<'_>, event: &mut Event) -> Option<u32> {
        Some(match name {
            b"index" => {
                event.index = rest.number()?;
                1
            }
            b"time" => {
                event.time = rest.number()?;
                2
            }
            b"process" => {
                event.process = rest.number()?.try_into().ok()?;
                4
            }
            b"type" => {
                event.kind = kind(rest.string()?)?;
                8
            }
            b"f" => {
                event.f = Function::of_name(rest.string()?)?;
                16
            }
            b"key" => {
                event.key = Some(self.name(rest.string()?)?);
                32
            }
            b"value" => {
                event.value = rest.value(0)?;
                64
            }
            b"node" => {
                event.node = Some(NodeName(self.name(rest.string()?)?.into()));
                128
            }
            b"error" => {
                event.error = Some(self.name(rest.string()?)?);
                256
            }
            b"replicas" => {
                event.replicas = Some(rest.number()?.try_into().ok()?);
                512
            }
            _ => return None,
        })
    }

    fn name(&mut self, bytes: &[u8]) -> Option<Key> {
        let hash = Mix::of(bytes);
        let is_it = |at: u32| self.names[at as usize].as_bytes() == bytes;
        if let Some(known) = self.table.find(hash, is_it) {
            return Some(self.names[known as usize].clone());
        }
        let name: Arc<str> = std::str::from_utf8(bytes).ok()?.into();
        if self.names.len() < NAMES_MAX {
            self.table.insert(hash, self.names.len() as u32);
            self.names.push(name.clone());
        }
        Some(name)
    }
}

fn kind(name: &[u8]) -> Option<EventKind> {
    Some(match name {
        b"invoke" => EventKind::Invoke,
        b"ok" => EventKind::Ok,
        b"fail" => EventKind::Fail,
        b"info" => EventKind::Info,
        _ => return None,
    })
}

/// An event about nothing.
pub fn blank() -> Event {
    Event {
        index: 0,
        time: 0,
        process: 0,
        kind: EventKind::Invoke,
        f: Function::Read,
        key: None,
        value: Value::Nil,
        node: None,
        hops: Vec::new(),
        error: None,
        replicas: None,
        final_read: false,
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// The next byte that is not white.
    fn next(&mut self) -> Option<u8> {
        loop {
            let (first, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            if !first.is_ascii_whitespace() {
                return Some(*first);
            }
        }
    }

    fn peek(&mut self) -> Option<u8> {
        while let Some((first, rest)) = self.bytes.split_first() {
            if !first.is_ascii_whitespace() {
                return Some(*first);
            }
            self.bytes = rest;
        }
        None
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// A string without escapes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let ends = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < b' ';
        let end = self.bytes.iter().position(ends)?;
        let (string, rest) = self.bytes.split_at(end);
        self.bytes = rest.strip_prefix(b"\"")?;
        Some(string)
    }

    fn number(&mut self) -> Option<u64> {
        self.peek()?;
        let mut number = 0u64;
        let mut digits = 0;
        while let Some((digit, rest)) = self.bytes.split_first()
            && digit.is_ascii_digit()
        {
            number = number
                .checked_mul(10)?
                .checked_add(u64::from(digit - b'0'))?;
            digits += 1;
            self.bytes = rest;
        }
        let is_over = !matches!(self.bytes.first(), Some(b'.' | b'e' | b'E'));
        (digits > 0 && is_over).then_some(number)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.peek()? {
            b'n' => {
                self.bytes = self.bytes.strip_prefix(b"null")?;
                Some(Value::Nil)
            }
            b'"' => {
                let text = std::str::from_utf8(self.string()?).ok()?;
                Some(Value::Text(text.into()))
            }
            b'-' => {
                self.next()?;
                let number = i64::try_from(self.number()?).ok()?;
                Some(Value::Int(-number))
            }
            b'0'..=b'9' => Some(Value::Int(self.number()?.try_into().ok()?)),
            b'[' if depth < DEPTH_MAX => {
                self.next()?;
                let mut items = Vec::new();
                if self.peek()? == b']' {
                    self.next()?;
                    return Some(Value::List(items));
                }
                loop {
                    items.push(self.value(depth + 1)?);
                    match self.next()? {
                        b',' => {}
                        b']' => return Some(Value::List(items)),
                        _ => return None,
                    }
                }
            }
            _ => None,
        }
    }
}

/// Index, time, process, type and function.
const REQUIRED: u32 = 31;
/// Levels of lists read here.
const DEPTH_MAX: usize = 8;
/// Names kept; a history of more keys pays for each.
const NAMES_MAX: usize = 1 << 20;
