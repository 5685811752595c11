//! Events of the usual form, read where they lie: names that are known, values that are small.
//!
//! What is not of that form, or not whole in the bytes at hand, is left to the reader next door;
//! nothing is consumed here.

use std::sync::Arc;

use super::KINDS;
use crate::history::compact::{Atom, Collector, Entry, KeyId};
use crate::history::{EventKind, Function, Value};

/// The names of a history by the numbers that a collector has for them.
#[derive(Debug, Default)]
pub struct Known {
    keys: Vec<KeyId>,
    texts: Vec<Atom>,
}

impl Known {
    /// Takes in names that are new.
    pub fn learn(&mut self, names: &[Arc<str>], collector: &mut Collector) {
        for name in &names[self.texts.len()..] {
            // A name may be that of a node: then this is a key of which nothing is told.
            self.keys.push(collector.key(name));
            self.texts.push(collector.atom(&Value::Text(name.clone())));
        }
    }

    /// The event at the beginning of these bytes, and its length; `last` are index and time of
    /// the one before.
    pub fn entry(&self, bytes: &[u8], last: (u64, u64)) -> Option<(Entry, usize)> {
        let mut rest = Cursor { bytes, at: 0 };
        let head = rest.byte()?;
        // More of a head, and reads at the end, are rare.
        if head & 0x80 != 0 {
            return None;
        }
        let kind = KINDS[usize::from(head & 3)];
        let f = *Function::ALL.get(usize::from(head >> 2 & 15))?;
        let index = last.0.checked_add(rest.number()?)?;
        let time = last.1.checked_add(rest.number()?)?;
        let process = rest.number()?.try_into().ok()?;
        let key = match rest.number()? {
            0 => None,
            name => Some(*self.keys.get(name as usize - 1)?),
        };
        for _ in 0..2 {
            // Node and error are nothing to judges of objects.
            let name = rest.number()?;
            self.keys
                .get((name as usize).max(1) - 1)
                .or((name == 0).then_some(&KeyId(0)))?;
        }
        if rest.number()? != 0 {
            return None;
        }
        let needs_list = matches!(f, Function::Cas | Function::Txn);
        let value = match rest.number()? {
            0 if f != Function::Add => Atom::NIL,
            1 => {
                let number = rest.number()?;
                Atom::of_int((number >> 1) as i64 ^ -((number & 1) as i64))?
            }
            2 => *self.texts.get((rest.number()? as usize).checked_sub(1)?)?,
            _ => return None,
        };
        if needs_list && kind == EventKind::Invoke {
            return None;
        }
        let entry = Entry {
            index,
            time,
            process,
            kind,
            f,
            key,
            value,
        };
        Some((entry, rest.at))
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// A number of few bytes; others are rare.
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        if first < 0x80 {
            return Some(u64::from(first));
        }
        let mut number = u64::from(first & 0x7f);
        for shift in [7, 14, 21, 28, 35, 42, 49, 56] {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}
