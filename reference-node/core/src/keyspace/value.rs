//! What a key can hold.
//!
//! Collections are ordered maps, so that every node lists, scans and copies them in the same
//! order: determinism before speed. The names of encodings are upstream's, computed from the
//! content for OBJECT ENCODING; nothing here is stored in those encodings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::stream::Stream;
use super::zset::Zset;

/// The value of one key.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SET.
    String(Bytes),
    /// LPUSH.
    List(VecDeque<Bytes>),
    /// SADD.
    Set(BTreeSet<Bytes>),
    /// HSET.
    Hash(BTreeMap<Bytes, Bytes>),
    /// ZADD.
    Zset(Zset),
    /// XADD.
    Stream(Stream),
}

impl Value {
    /// The answer of TYPE.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Set(_) => "set",
            Value::Hash(_) => "hash",
            Value::Zset(_) => "zset",
            Value::Stream(_) => "stream",
        }
    }

    /// Whether it is a collection without elements: such a key must not stay.
    pub fn is_empty_collection(&self) -> bool {
        match self {
            Value::String(_) => false,
            Value::List(list) => list.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Zset(zset) => zset.is_empty(),
            // A stream may be empty: its last id and its groups are kept.
            Value::Stream(_) => false,
        }
    }

    /// The answer of OBJECT ENCODING, with upstream's default limits.
    pub fn encoding(&self) -> &'static str {
        match self {
            Value::String(text) => string_encoding(text),
            Value::List(_) => "quicklist",
            Value::Set(set) if set.len() <= 512 && set.iter().all(|m| is_integer(m)) => "intset",
            Value::Set(_) => "hashtable",
            Value::Hash(hash) => {
                let is_small = hash.iter().all(|(f, v)| f.len() <= 64 && v.len() <= 64);
                let fits = hash.len() <= 512 && is_small;
                if fits { "listpack" } else { "hashtable" }
            }
            Value::Zset(zset) => {
                let fits = zset.len() <= 128 && zset.iter().all(|(m, _)| m.len() <= 64);
                if fits { "listpack" } else { "skiplist" }
            }
            Value::Stream(_) => "stream",
        }
    }

    /// Rough memory of the content in bytes, for MEMORY USAGE.
    pub fn size_bytes(&self) -> usize {
        match self {
            Value::String(text) => text.len(),
            Value::List(list) => list.iter().map(|item| item.len() + 16).sum(),
            Value::Set(set) => set.iter().map(|item| item.len() + 32).sum(),
            Value::Hash(hash) => hash.iter().map(|(f, v)| f.len() + v.len() + 48).sum(),
            Value::Zset(zset) => zset.iter().map(|(m, _)| m.len() + 64).sum(),
            Value::Stream(stream) => stream.size_bytes(),
        }
    }
}

fn string_encoding(text: &[u8]) -> &'static str {
    if is_integer(text) {
        "int"
    } else if text.len() <= 44 {
        "embstr"
    } else {
        "raw"
    }
}

fn is_integer(text: &[u8]) -> bool {
    parse_integer(text).is_some()
}

/// A decimal 64-bit integer as upstream reads it: no sign but `-`, no leading zero, no spaces.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_canonical = match digits {
        [] => false,
        [b'0'] => digits.len() == text.len(),
        [first, ..] => *first != b'0' && digits.iter().all(u8::is_ascii_digit),
    };
    if !is_canonical || text.len() > 20 {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
