//! Values to and from RDB bytes (replication-wire.md 5.4).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::reader::{Reader, score};
use super::writer::{put_length, put_string};
use super::{RdbError, packed, stream};
use crate::keyspace::{Score, Value, Zset};

/// The type byte written for a value.
pub fn type_byte(value: &Value) -> u8 {
    match value {
        Value::String(_) => STRING,
        Value::List(_) => LIST,
        Value::Set(_) => SET,
        Value::Hash(_) => HASH,
        Value::Zset(_) => ZSET_2,
        Value::Stream(_) => stream::STREAM,
    }
}

/// Appends a value, without its type byte.
pub fn encode_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(text) => put_string(out, text),
        Value::List(items) => {
            put_length(out, items.len() as u64);
            items.iter().for_each(|item| put_string(out, item));
        }
        Value::Set(items) => {
            put_length(out, items.len() as u64);
            items.iter().for_each(|item| put_string(out, item));
        }
        Value::Hash(fields) => {
            put_length(out, fields.len() as u64);
            for (field, value) in fields {
                put_string(out, field);
                put_string(out, value);
            }
        }
        Value::Zset(members) => {
            put_length(out, members.len() as u64);
            for (member, score) in members.iter() {
                put_string(out, member);
                out.extend_from_slice(&score.get().to_le_bytes());
            }
        }
        Value::Stream(content) => stream::encode(out, content),
    }
}

/// Reads a value of this type; none for an empty aggregate.
///
/// # Errors
/// Whatever the bytes do wrong; types that this node does not hold.
pub fn decode_value(type_byte: u8, reader: &mut Reader) -> Result<Option<Value>, RdbError> {
    let value = match type_byte {
        STRING => Value::String(reader.string()?),
        LIST => Value::List(strings(reader)?.into()),
        SET => set(strings(reader)?)?,
        ZSET => zset(members(reader, |reader| reader.text_double())?)?,
        HASH => hash(many(reader, |reader| {
            Ok((reader.string()?, reader.string()?))
        })?)?,
        ZSET_2 => zset(members(reader, |reader| reader.double())?)?,
        HASH_ZIPMAP => hash(pairs(packed::zipmap(&reader.string()?)?)?)?,
        LIST_ZIPLIST => Value::List(packed::ziplist(&reader.string()?)?.into()),
        SET_INTSET => set(packed::intset(&reader.string()?)?)?,
        ZSET_ZIPLIST => zset(scored(packed::ziplist(&reader.string()?)?)?)?,
        HASH_ZIPLIST => hash(pairs(packed::ziplist(&reader.string()?)?)?)?,
        LIST_QUICKLIST => Value::List(quicklist(reader)?.into()),
        HASH_LISTPACK => hash(pairs(packed::listpack(&reader.string()?)?)?)?,
        ZSET_LISTPACK => zset(scored(packed::listpack(&reader.string()?)?)?)?,
        LIST_QUICKLIST_2 => Value::List(quicklist_2(reader)?.into()),
        SET_LISTPACK => set(packed::listpack(&reader.string()?)?)?,
        HASH_METADATA => hash(hash_metadata(reader)?)?,
        HASH_LISTPACK_EX => hash(hash_listpack_ex(reader)?)?,
        stream::STREAM | stream::STREAM_2 | stream::STREAM_3 => {
            Value::Stream(stream::decode(type_byte, reader)?)
        }
        6..=8 => return Err(RdbError::Unsupported(type_byte)),
        byte => {
            return Err(RdbError::Unknown {
                what: "value type",
                byte,
            });
        }
    };
    Ok((!value.is_empty_collection()).then_some(value))
}

fn set(items: Vec<Bytes>) -> Result<Value, RdbError> {
    let count = items.len();
    let set: BTreeSet<Bytes> = items.into_iter().collect();
    if set.len() == count {
        Ok(Value::Set(set))
    } else {
        Err(DUPLICATE)
    }
}

fn hash(fields: Vec<(Bytes, Bytes)>) -> Result<Value, RdbError> {
    let count = fields.len();
    let hash: BTreeMap<Bytes, Bytes> = fields.into_iter().collect();
    if hash.len() == count {
        Ok(Value::Hash(hash))
    } else {
        Err(DUPLICATE)
    }
}

fn zset(members: Vec<(Bytes, f64)>) -> Result<Value, RdbError> {
    let mut zset = Zset::default();
    for (member, score) in members {
        let score = Score::new(score).ok_or(RdbError::Bad("score is not a number"))?;
        if zset.insert(member, score).is_some() {
            return Err(DUPLICATE);
        }
    }
    Ok(Value::Zset(zset))
}

/// As many items as the length says; memory grows with the bytes that are there.
fn many<T>(
    reader: &mut Reader,
    mut item: impl FnMut(&mut Reader) -> Result<T, RdbError>,
) -> Result<Vec<T>, RdbError> {
    let count = reader.length()?;
    let mut items = Vec::with_capacity(count.min(PREALLOCATED_MAX) as usize);
    for _ in 0..count {
        items.push(item(reader)?);
    }
    Ok(items)
}

fn strings(reader: &mut Reader) -> Result<Vec<Bytes>, RdbError> {
    many(reader, |reader| reader.string())
}

fn members(
    reader: &mut Reader,
    mut score: impl FnMut(&mut Reader<'_>) -> Result<f64, RdbError>,
) -> Result<Vec<(Bytes, f64)>, RdbError> {
    many(reader, |reader| Ok((reader.string()?, score(reader)?)))
}

fn pairs(elements: Vec<Bytes>) -> Result<Vec<(Bytes, Bytes)>, RdbError> {
    let mut elements = elements.into_iter();
    let mut pairs = Vec::with_capacity(elements.len() / 2);
    while let Some(first) = elements.next() {
        let second = elements
            .next()
            .ok_or(RdbError::Bad("a field without a value"))?;
        pairs.push((first, second));
    }
    Ok(pairs)
}

fn scored(elements: Vec<Bytes>) -> Result<Vec<(Bytes, f64)>, RdbError> {
    let pairs = pairs(elements)?;
    pairs
        .into_iter()
        .map(|(member, text)| Ok((member, score(&text)?)))
        .collect()
}

fn quicklist(reader: &mut Reader) -> Result<Vec<Bytes>, RdbError> {
    let nodes = many(reader, |reader| packed::ziplist(&reader.string()?))?;
    Ok(nodes.into_iter().flatten().collect())
}

fn quicklist_2(reader: &mut Reader) -> Result<Vec<Bytes>, RdbError> {
    let nodes = many(reader, |reader| match reader.length()? {
        1 => Ok(vec![reader.string()?]),
        2 => packed::listpack(&reader.string()?),
        _ => Err(RdbError::Bad(
            "quicklist node that is neither plain nor packed",
        )),
    })?;
    Ok(nodes.into_iter().flatten().collect())
}

fn hash_metadata(reader: &mut Reader) -> Result<Vec<(Bytes, Bytes)>, RdbError> {
    let _expires_min: [u8; 8] = reader.array()?;
    many(reader, |reader| match reader.length()? {
        0 => Ok((reader.string()?, reader.string()?)),
        _ => Err(RdbError::Unsupported(HASH_METADATA)),
    })
}

fn hash_listpack_ex(reader: &mut Reader) -> Result<Vec<(Bytes, Bytes)>, RdbError> {
    let _expires_min: [u8; 8] = reader.array()?;
    let elements = packed::listpack(&reader.string()?)?;
    let mut fields = Vec::new();
    for triple in elements.chunks(3) {
        match triple {
            [field, value, expires] if expires == "0" => {
                fields.push((field.clone(), value.clone()));
            }
            [_, _, _] => return Err(RdbError::Unsupported(HASH_LISTPACK_EX)),
            _ => return Err(RdbError::Bad("a field without a value or an expiry")),
        }
    }
    Ok(fields)
}

const DUPLICATE: RdbError = RdbError::Bad("the same member twice");

/// Items for which room is made before they are there.
const PREALLOCATED_MAX: u64 = 1024;

const STRING: u8 = 0;
const LIST: u8 = 1;
const SET: u8 = 2;
const ZSET: u8 = 3;
const HASH: u8 = 4;
const ZSET_2: u8 = 5;
const HASH_ZIPMAP: u8 = 9;
const LIST_ZIPLIST: u8 = 10;
const SET_INTSET: u8 = 11;
const ZSET_ZIPLIST: u8 = 12;
const HASH_ZIPLIST: u8 = 13;
const LIST_QUICKLIST: u8 = 14;
const HASH_LISTPACK: u8 = 16;
const ZSET_LISTPACK: u8 = 17;
const LIST_QUICKLIST_2: u8 = 18;
const SET_LISTPACK: u8 = 20;
pub(super) const HASH_METADATA: u8 = 24;
pub(super) const HASH_LISTPACK_EX: u8 = 25;
