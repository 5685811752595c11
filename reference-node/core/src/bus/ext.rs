//! Ping extensions: the tail of PING, PONG and MEET (cluster-bus.md section 6).
//!
//! All known types are parsed; an unknown type, or a known one whose content is unusable (a
//! hostname with a space would break nodes.conf), becomes [`Extension::Unknown`]. When to send
//! which is decided by the cluster room. Clauses: BUS-21 to BUS-28.

use super::codec::{DropReason, u32_at};
use super::packet::{Extension, OpenSlots};
use crate::ids::NodeId;
use crate::slot::Slot;

const HEAD_BYTES: usize = 8;
const HOSTNAME: u16 = 0;
const HUMAN_NODENAME: u16 = 1;
const FORGOTTEN_NODE: u16 = 2;
const SHARD_ID: u16 = 3;
const OPEN_SLOTS: u16 = u16::MAX;

/// One open slot: its number, 0 for migrating or 1 for importing, and the other end.
const MARK_BYTES: usize = 2 + 1 + 40;
/// Most open slots that fit: more are left out, migrating ones first to go in.
const MARKS_MAX: usize = 1024;

/// Longest name that is accepted, bytes (CF-14).
pub const NAME_BYTES_MAX: usize = 255;

/// Whether a hostname or nodename may be announced (CF-14).
pub fn is_valid_name(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    name.len() <= NAME_BYTES_MAX && name.iter().all(is_plain)
}

/// Reads `count` extensions; gives them and the bytes they take.
pub(super) fn decode_all(bytes: &[u8], count: u16) -> Result<(Vec<Extension>, usize), DropReason> {
    let mut extensions = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        let left = bytes.len() - at;
        if left < HEAD_BYTES {
            return Err(DropReason::Extension {
                length: HEAD_BYTES,
                left,
            });
        }
        let length = u32_at(bytes, at) as usize;
        if !length.is_multiple_of(8) {
            return Err(DropReason::Padding(length as u32));
        }
        if length > left {
            return Err(DropReason::Extension { length, left });
        }
        // A length of zero passes and counts as zero bytes, as upstream does; it says nothing.
        if length >= HEAD_BYTES {
            let kind = u16::from_be_bytes([bytes[at + 4], bytes[at + 5]]);
            extensions.push(decode(kind, &bytes[at + HEAD_BYTES..at + length]));
        }
        at += length;
    }
    Ok((extensions, at))
}

fn decode(kind: u16, data: &[u8]) -> Extension {
    let known = match kind {
        HOSTNAME => name(data).map(Extension::Hostname),
        HUMAN_NODENAME => name(data).map(Extension::HumanNodename),
        FORGOTTEN_NODE => forgotten(data),
        SHARD_ID => data
            .first_chunk::<40>()
            .and_then(|id| NodeId::parse(id))
            .map(Extension::ShardId),
        OPEN_SLOTS => open_slots(data).map(Extension::OpenSlots),
        _ => None,
    };
    known.unwrap_or(Extension::Unknown(kind))
}

fn name(data: &[u8]) -> Option<String> {
    let end = data.iter().position(|byte| *byte == 0)?;
    let name = &data[..end];
    is_valid_name(name).then(|| String::from_utf8_lossy(name).into_owned())
}

fn forgotten(data: &[u8]) -> Option<Extension> {
    let (id, rest) = data.split_first_chunk::<40>()?;
    let ttl = rest.first_chunk::<8>()?;
    Some(Extension::ForgottenNode {
        id: NodeId::parse(id)?,
        ttl_s: u64::from_be_bytes(*ttl),
    })
}

fn open_slots(data: &[u8]) -> Option<OpenSlots> {
    let (count, rest) = data.split_first_chunk::<2>()?;
    let count = usize::from(u16::from_be_bytes(*count));
    let marks = rest.get(..count.checked_mul(MARK_BYTES)?)?;
    let mut open = OpenSlots::default();
    for mark in marks.chunks_exact(MARK_BYTES) {
        let slot = Slot::new(u64::from(u16::from_be_bytes([mark[0], mark[1]])))?;
        let peer = NodeId::parse(&mark[3..])?;
        let way = match mark[2] {
            0 => &mut open.migrating,
            1 => &mut open.importing,
            _ => return None,
        };
        way.insert(slot, peer);
    }
    Some(open)
}

fn put_open_slots(open: &OpenSlots, out: &mut Vec<u8>) {
    let migrating = open.migrating.iter().map(|mark| (0, mark));
    let importing = open.importing.iter().map(|mark| (1, mark));
    let marks = migrating.chain(importing).take(MARKS_MAX);
    let marks: Vec<_> = marks.collect();
    out.extend_from_slice(&(marks.len() as u16).to_be_bytes());
    for (way, (slot, peer)) in marks {
        out.extend_from_slice(&slot.number().to_be_bytes());
        out.push(way);
        out.extend_from_slice(peer.as_bytes());
    }
}

/// Appends one extension, padded to a multiple of 8 bytes.
pub(super) fn encode(extension: &Extension, out: &mut Vec<u8>) {
    let at = out.len();
    out.resize(at + HEAD_BYTES, 0);
    let kind = match extension {
        Extension::Hostname(name) => {
            put_name(name, out);
            HOSTNAME
        }
        Extension::HumanNodename(name) => {
            put_name(name, out);
            HUMAN_NODENAME
        }
        Extension::ForgottenNode { id, ttl_s } => {
            out.extend_from_slice(id.as_bytes());
            out.extend_from_slice(&ttl_s.to_be_bytes());
            FORGOTTEN_NODE
        }
        Extension::ShardId(id) => {
            out.extend_from_slice(id.as_bytes());
            SHARD_ID
        }
        Extension::OpenSlots(open) => {
            put_open_slots(open, out);
            OPEN_SLOTS
        }
        Extension::Unknown(kind) => *kind,
    };
    let length = (out.len() - at).next_multiple_of(8);
    out.resize(at + length, 0);
    out[at..at + 4].copy_from_slice(&(length as u32).to_be_bytes());
    out[at + 4..at + 6].copy_from_slice(&kind.to_be_bytes());
}

fn put_name(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(count: u64) -> OpenSlots {
        let peer = NodeId::parse(&[b'p'; 40]).expect("an id");
        let slots = (0..count).map(|number| Slot::new(number).expect("a slot"));
        let (migrating, importing) = slots.partition(|slot: &Slot| slot.number().is_multiple_of(2));
        let with_peer = |slots: Vec<Slot>| slots.into_iter().map(|slot| (slot, peer)).collect();
        OpenSlots {
            migrating: with_peer(migrating),
            importing: with_peer(importing),
        }
    }

    fn read(bytes: &[u8]) -> Extension {
        let (extensions, length) = decode_all(bytes, 1).expect("one extension");
        assert_eq!(length, bytes.len());
        extensions[0].clone()
    }

    #[test]
    fn open_slots_are_read_as_they_were_written() {
        for count in [0, 1, 2, 3, 1000] {
            let open = Extension::OpenSlots(marks(count));
            let mut bytes = Vec::new();
            encode(&open, &mut bytes);
            assert_eq!(read(&bytes), open);
        }
    }

    #[test]
    fn open_slots_that_make_no_sense_say_nothing() {
        let mut whole = Vec::new();
        encode(&Extension::OpenSlots(marks(3)), &mut whole);
        // The count, a slot, a way, an id.
        for (at, byte) in [(8, 9), (9, 9), (10, 0xff), (12, 2), (13, b' ')] {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            assert_eq!(read(&bytes), Extension::Unknown(OPEN_SLOTS), "byte {at}");
        }
    }

    #[test]
    fn more_open_slots_than_fit_are_left_out() {
        let mut bytes = Vec::new();
        encode(&Extension::OpenSlots(marks(5000)), &mut bytes);
        let Extension::OpenSlots(open) = read(&bytes) else {
            panic!("open slots expected");
        };
        assert_eq!(open.migrating.len() + open.importing.len(), MARKS_MAX);
    }
}
