//! Streams to and from RDB bytes (replication-wire.md 5.6).
//!
//! Written is type 15, which 6.2 and everything later reads (RW-53); it has no room for the
//! counters of 7.0, which a reader then estimates. Read are types 15, 19 and 21.

use bytes::Bytes;

use super::listpack::ListpackWriter;
use super::reader::Reader;
use super::writer::{put_length, put_string};
use super::{RdbError, packed};
use crate::keyspace::parse_integer;
use crate::keyspace::stream::{Created, Fields, Group, Pending, Stream, StreamId};
use crate::time::Millis;

/// Type 15: 5.0 and later.
pub const STREAM: u8 = 15;
/// Type 19: with the counters of 7.0.
pub const STREAM_2: u8 = 19;
/// Type 21: with the active time of consumers, 7.2.
pub const STREAM_3: u8 = 21;

/// Appends a stream as type 15.
pub fn encode(out: &mut Vec<u8>, stream: &Stream) {
    put_length(out, stream.node_count() as u64);
    for (master, entries) in stream.packed() {
        put_length(out, 16);
        out.extend_from_slice(&master.to_bytes());
        let blob = node(master, &entries);
        put_length(out, blob.len() as u64);
        out.extend_from_slice(&blob);
    }
    put_length(out, stream.len() as u64);
    put_id(out, stream.last_id);
    put_length(out, stream.groups.len() as u64);
    for (name, group) in &stream.groups {
        put_string(out, name);
        put_id(out, group.last_id);
        put_group(out, group);
    }
}

fn put_id(out: &mut Vec<u8>, id: StreamId) {
    put_length(out, id.ms);
    put_length(out, id.seq);
}

fn put_group(out: &mut Vec<u8>, group: &Group) {
    put_length(out, group.pending().len() as u64);
    for (id, pending) in group.pending() {
        out.extend_from_slice(&id.to_bytes());
        out.extend_from_slice(&pending.delivered.0.to_le_bytes());
        put_length(out, u64::try_from(pending.deliveries).unwrap_or(0));
    }
    put_length(out, group.consumers().len() as u64);
    for (name, consumer) in group.consumers() {
        put_string(out, name);
        out.extend_from_slice(&consumer.seen.0.to_le_bytes());
        put_length(out, consumer.pending.len() as u64);
        for id in &consumer.pending {
            out.extend_from_slice(&id.to_bytes());
        }
    }
}

fn node(master: StreamId, entries: &[(StreamId, &Fields)]) -> Vec<u8> {
    let mut blob = ListpackWriter::default();
    let names: Vec<&Bytes> = entries
        .first()
        .into_iter()
        .flat_map(|(_, fields)| fields.iter().map(|(field, _)| field))
        .collect();
    blob.integer(entries.len() as i64);
    blob.integer(0);
    blob.integer(names.len() as i64);
    names.iter().for_each(|name| blob.text(name));
    blob.integer(0);
    for (id, fields) in entries {
        let is_same = fields
            .iter()
            .map(|(field, _)| field)
            .eq(names.iter().copied());
        blob.integer(if is_same { SAME_FIELDS } else { 0 });
        blob.integer(id.ms.wrapping_sub(master.ms) as i64);
        blob.integer(id.seq.wrapping_sub(master.seq) as i64);
        let count = fields.len() as i64;
        if !is_same {
            blob.integer(count);
        }
        for (field, value) in fields.iter() {
            if !is_same {
                blob.text(field);
            }
            blob.text(value);
        }
        blob.integer(if is_same { count + 3 } else { 2 * count + 4 });
    }
    blob.finish()
}

/// Reads a stream of type 15, 19 or 21.
///
/// # Errors
/// Whatever the bytes do wrong.
pub fn decode(kind: u8, reader: &mut Reader) -> Result<Stream, RdbError> {
    let mut stream = Stream::default();
    for _ in 0..reader.length()? {
        read_node(&mut stream, reader)?;
    }
    let length = reader.length()?;
    if length != stream.len() as u64 {
        return Err(RdbError::Bad("stream of another length than announced"));
    }
    stream.last_id = read_id(reader)?;
    if stream.last_id < stream.last_entry_id() {
        return Err(RdbError::Bad("stream whose last id is before an entry"));
    }
    stream.entries_added = length;
    if kind != STREAM {
        let _first = read_id(reader)?;
        stream.max_deleted_id = read_id(reader)?;
        stream.entries_added = reader.length()?;
    }
    for _ in 0..reader.length()? {
        read_group(kind, &mut stream, reader)?;
    }
    Ok(stream)
}

fn read_id(reader: &mut Reader) -> Result<StreamId, RdbError> {
    Ok(StreamId {
        ms: reader.length()?,
        seq: reader.length()?,
    })
}

fn read_node(stream: &mut Stream, reader: &mut Reader) -> Result<(), RdbError> {
    let master = reader.string()?;
    let master: [u8; 16] = master
        .as_ref()
        .try_into()
        .map_err(|_| RdbError::Bad("stream node whose id has not 16 bytes"))?;
    let master = StreamId::from_bytes(master);
    let elements = packed::listpack(&reader.string()?)?;
    let entries = NodeReader {
        elements: &elements,
    }
    .entries(master)?;
    if entries.is_empty() || !stream.restore_node(master, entries) {
        return Err(RdbError::Bad("stream entries out of order"));
    }
    Ok(())
}

/// What is left of a node's elements.
struct NodeReader<'a> {
    elements: &'a [Bytes],
}

impl NodeReader<'_> {
    fn text(&mut self) -> Result<Bytes, RdbError> {
        let (first, rest) = self.elements.split_first().ok_or(BAD_NODE)?;
        self.elements = rest;
        Ok(first.clone())
    }

    fn integer(&mut self) -> Result<i64, RdbError> {
        parse_integer(&self.text()?).ok_or(BAD_NODE)
    }

    fn count(&mut self) -> Result<usize, RdbError> {
        let count = usize::try_from(self.integer()?).map_err(|_| BAD_NODE)?;
        if count > self.elements.len() {
            return Err(BAD_NODE);
        }
        Ok(count)
    }

    fn entries(mut self, master: StreamId) -> Result<Vec<(StreamId, Fields)>, RdbError> {
        let announced = self.integer()?;
        self.integer()?;
        let count = self.count()?;
        let names = (0..count)
            .map(|_| self.text())
            .collect::<Result<Vec<Bytes>, RdbError>>()?;
        if self.integer()? != 0 {
            return Err(BAD_NODE);
        }
        let mut entries = Vec::new();
        while !self.elements.is_empty() {
            let flags = self.integer()?;
            let id = StreamId {
                ms: master.ms.wrapping_add(self.integer()? as u64),
                seq: master.seq.wrapping_add(self.integer()? as u64),
            };
            let fields = self.fields(flags, &names)?;
            let expected = if flags & SAME_FIELDS != 0 {
                fields.len() + 3
            } else {
                fields.len() * 2 + 4
            };
            if self.integer()? != expected as i64 {
                return Err(BAD_NODE);
            }
            if flags & DELETED == 0 {
                entries.push((id, fields));
            }
        }
        if announced != entries.len() as i64 {
            return Err(BAD_NODE);
        }
        Ok(entries)
    }

    fn fields(&mut self, flags: i64, names: &[Bytes]) -> Result<Fields, RdbError> {
        if flags & SAME_FIELDS != 0 {
            let names = names.iter();
            return names.map(|name| Ok((name.clone(), self.text()?))).collect();
        }
        let count = self.count()?;
        (0..count)
            .map(|_| Ok((self.text()?, self.text()?)))
            .collect()
    }
}

fn read_group(kind: u8, stream: &mut Stream, reader: &mut Reader) -> Result<(), RdbError> {
    let name = reader.string()?;
    let mut group = Group::new(read_id(reader)?, None);
    if kind == STREAM {
        group.entries_read = stream.entries_read_up_to(group.last_id);
    } else {
        // 2^64 - 1 is unknown.
        group.entries_read = i64::try_from(reader.length()?).ok();
    }
    let mut pending = Vec::new();
    for _ in 0..reader.length()? {
        let id = StreamId::from_bytes(reader.array()?);
        let delivered = Millis(u64::from_le_bytes(reader.array()?));
        let deliveries = i64::try_from(reader.length()?).unwrap_or(i64::MAX);
        if pending.last().is_some_and(|(last, _, _)| *last >= id) {
            return Err(RdbError::Bad("pending entries out of order"));
        }
        pending.push((id, delivered, deliveries));
    }
    for _ in 0..reader.length()? {
        let consumer = reader.string()?;
        let seen = Millis(u64::from_le_bytes(reader.array()?));
        if kind == STREAM_3 {
            let _active: [u8; 8] = reader.array()?;
        }
        if group.see(&consumer, seen) == Created::No {
            return Err(RdbError::Bad("the same consumer twice"));
        }
        for _ in 0..reader.length()? {
            let id = StreamId::from_bytes(reader.array()?);
            let place = pending.binary_search_by_key(&id, |(id, _, _)| *id);
            let place = place.map_err(|_| RdbError::Bad("pending with a consumer, not a group"))?;
            let (_, delivered, deliveries) = pending[place];
            let consumer = consumer.clone();
            group.assign(
                id,
                Pending {
                    consumer,
                    delivered,
                    deliveries,
                },
            );
        }
    }
    if group.pending().len() != pending.len() {
        return Err(RdbError::Bad("pending with a group, not a consumer"));
    }
    if stream.groups.insert(name, group).is_some() {
        return Err(RdbError::Bad("the same group twice"));
    }
    Ok(())
}

const BAD_NODE: RdbError = RdbError::Bad("stream node that makes no entries");
const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
