//! The usual form of a history line, read without a general parser.
//!
//! What is unusual (an escape, a float, a field nobody knows, a hundred levels of lists) is left to
//! the general parser, which reads it or says what is wrong.

use std::sync::Arc;

use crate::history::compact::{Atom, Collector, Entry};
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
    /// Puts the event of this line in place of another, if the line has the usual form.
    pub fn read(&mut self, line: &[u8], event: &mut Event) -> Option<()> {
        let mut rest = Cursor { bytes: line };
        let (mut seen, mut is_over) = (HEAD, false);
        if let Some(head) = rest.head() {
            (event.index, event.time, event.process) = (head.index, head.time, head.process);
            (event.kind, event.f) = (head.kind, head.f);
            is_over = rest.is_last()?;
        } else {
            seen = 0;
            rest.bytes = line;
            rest.expect(b'{')?;
        }
        while !is_over {
            let field = rest.string()?;
            rest.expect(b':')?;
            let bit = self.field(field, &mut rest, event)?;
            if seen & bit != 0 {
                return None;
            }
            seen |= bit;
            is_over = rest.is_last()?;
        }
        clear(event, seen);
        let is_whole = seen & REQUIRED == REQUIRED && rest.bytes.trim_ascii().is_empty();
        is_whole.then_some(())
    }

    fn field(&mut self, name: &[u8], rest: &mut Cursor<'_>, event: &mut Event) -> Option<u32> {
        Some(match name {
            b"index" => {
                event.index = rest.number()?;
                INDEX
            }
            b"time" => {
                event.time = rest.number()?;
                TIME
            }
            b"process" => {
                event.process = rest.number()?.try_into().ok()?;
                PROCESS
            }
            b"type" => {
                event.kind = kind(rest.string()?)?;
                KIND
            }
            b"f" => {
                event.f = Function::of_name(rest.string()?)?;
                FUNCTION
            }
            b"key" => {
                self.name_in(rest.string()?, &mut event.key)?;
                KEY
            }
            b"value" => {
                event.value = rest.value(0)?;
                VALUE
            }
            b"node" => {
                event.node = Some(NodeName(self.name(rest.string()?)?.into()));
                NODE
            }
            b"error" => {
                event.error = Some(self.name(rest.string()?)?);
                ERROR
            }
            b"replicas" => {
                event.replicas = Some(rest.number()?.try_into().ok()?);
                REPLICAS
            }
            _ => return None,
        })
    }

    /// As [`FastLines::name`], unless it is there already.
    fn name_in(&mut self, bytes: &[u8], place: &mut Option<Key>) -> Option<()> {
        if place.as_ref().is_none_or(|known| known.as_bytes() != bytes) {
            *place = Some(self.name(bytes)?);
        }
        Some(())
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

/// The event of this line with names and values by number, if the line has the usual form.
pub fn entry(line: &[u8], collector: &mut Collector) -> Option<Entry> {
    let mut rest = Cursor { bytes: line };
    let mut event = rest.head()?;
    let mut seen = HEAD;
    while !rest.is_last()? {
        let field = rest.string()?;
        rest.expect(b':')?;
        let bit = match field {
            b"key" => {
                let name = std::str::from_utf8(rest.string()?).ok()?;
                event.key = Some(collector.key(name));
                KEY
            }
            b"value" => {
                event.value = rest.atom(&event, collector)?;
                VALUE
            }
            b"node" => {
                std::str::from_utf8(rest.string()?).ok()?;
                NODE
            }
            b"error" => {
                std::str::from_utf8(rest.string()?).ok()?;
                ERROR
            }
            b"replicas" => {
                u32::try_from(rest.number()?).ok()?;
                REPLICAS
            }
            _ => return None,
        };
        if seen & bit != 0 {
            return None;
        }
        seen |= bit;
    }
    let is_needed = event.kind == EventKind::Invoke && takes_a_list_or_more(event.f);
    let is_whole = rest.bytes.trim_ascii().is_empty() && (seen & VALUE != 0 || !is_needed);
    is_whole.then_some(event)
}

/// Whether an invocation must have a value of a certain form.
fn takes_a_list_or_more(f: Function) -> bool {
    matches!(f, Function::Cas | Function::Txn | Function::Add)
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

/// What the line did not have is not left over from the event before.
fn clear(event: &mut Event, seen: u32) {
    if seen & KEY == 0 {
        event.key = None;
    }
    if seen & VALUE == 0 {
        event.value = Value::Nil;
    }
    if seen & NODE == 0 {
        event.node = None;
    }
    if seen & ERROR == 0 {
        event.error = None;
    }
    if seen & REPLICAS == 0 {
        event.replicas = None;
    }
    // These are left to the general parser.
    event.hops.clear();
    event.final_read = false;
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
    /// The first five fields, in the order and without the spaces in which they are written.
    fn head(&mut self) -> Option<Entry> {
        self.literal(b"{\"index\":")?;
        let index = self.number()?;
        self.literal(b",\"time\":")?;
        let time = self.number()?;
        self.literal(b",\"process\":")?;
        let process = self.number()?.try_into().ok()?;
        self.literal(b",\"type\":")?;
        let kind = kind(self.string()?)?;
        self.literal(b",\"f\":")?;
        Some(Entry {
            index,
            time,
            process,
            kind,
            f: Function::of_name(self.string()?)?,
            key: None,
            value: Atom::NIL,
        })
    }

    /// A value by number, if it is one that the operation may have.
    fn atom(&mut self, event: &Entry, collector: &mut Collector) -> Option<Atom> {
        let value = match self.peek()? {
            b'0'..=b'9' => Value::Int(self.number()?.try_into().ok()?),
            _ => self.value(0)?,
        };
        let is_invoked = event.kind == EventKind::Invoke;
        let fits = match (event.f, &value) {
            (Function::Cas, Value::List(pair)) => pair.len() == 2,
            (Function::Txn, Value::List(_)) => true,
            (Function::Add, value) => *value != Value::Nil,
            (f, _) => !takes_a_list_or_more(f),
        };
        (fits || !is_invoked).then(|| collector.atom(&value))
    }

    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.bytes = self.bytes.strip_prefix(literal)?;
        Some(())
    }

    /// Whether the object ends here, rather than going on behind a comma.
    fn is_last(&mut self) -> Option<bool> {
        match self.next()? {
            b',' => Some(false),
            b'}' => Some(true),
            _ => None,
        }
    }

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

    /// A natural number of few digits; others are for the general parser.
    fn number(&mut self) -> Option<u64> {
        self.peek()?;
        let mut number = 0;
        let mut digits = 0;
        for byte in self.bytes.iter().take(DIGITS_MAX + 1) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number * 10 + u64::from(digit);
            digits += 1;
        }
        self.bytes = &self.bytes[digits..];
        let is_over = !matches!(self.bytes.first(), Some(b'.' | b'e' | b'E'));
        (digits > 0 && digits <= DIGITS_MAX && is_over).then_some(number)
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

/// A bit for each field.
const INDEX: u32 = 1;
const TIME: u32 = 2;
const PROCESS: u32 = 4;
const KIND: u32 = 8;
const FUNCTION: u32 = 16;
const KEY: u32 = 32;
const VALUE: u32 = 64;
const NODE: u32 = 128;
const ERROR: u32 = 256;
const REPLICAS: u32 = 512;
/// What an event cannot do without, and what [`Cursor::head`] reads.
const REQUIRED: u32 = INDEX | TIME | PROCESS | KIND | FUNCTION;
const HEAD: u32 = REQUIRED;
/// Digits that fit into 64 bits whatever they are, with one to spare.
const DIGITS_MAX: usize = 18;
/// Levels of lists read here.
const DEPTH_MAX: usize = 8;
/// Names kept; a history of more keys pays for each.
const NAMES_MAX: usize = 1 << 20;
