//! The judge's own decoder of cluster bus packets: bytes of one whole packet to a [`Decoded`].
//!
//! It shares no code with the node's codec, so that a mistake there shows up here. It checks every
//! length before it reads, never panics, and allocates only what the packet itself carries. What a
//! server would drop (BUS-09) is an error here: such a packet has told its receiver nothing.
//! Unknown types are decoded as far as their header goes (BUS-44).
//!
//! Input: bytes from a capture, hostile. Clauses: BUS-08, BUS-11 to BUS-13, BUS-43, sections 2-6,
//! 8 and 9 of cluster-bus.md.

use super::names::NodeId;
use super::packet::{Body, GossipEntry, Header, PacketKind};
use super::slots::SlotSet;

/// Bytes of the header every normal packet begins with.
pub const HEADER_BYTES: usize = 2256;
/// Bytes of the header of a light message (Valkey, section 8).
pub const LIGHT_HEADER_BYTES: usize = 16;
/// Longest packet the judge is willing to buffer; the protocol itself has no limit (BUS-08).
pub const PACKET_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One packet, without what only its capture knows (time, addresses).
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Type.
    pub kind: PacketKind,
    /// Header.
    pub header: Header,
    /// Body.
    pub body: Body,
}

/// Why bytes are not a packet of the cluster bus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The stream is not a cluster bus, or the capture lost its place in it.
    #[error("a packet begins with \"RCmb\", these bytes with {0:02x?}")]
    Signature([u8; 4]),
    /// The length field is below that of any packet.
    #[error("the packet gives its length as {length} bytes, less than a header has")]
    LengthTooSmall {
        /// As given in the packet.
        length: usize,
    },
    /// The length field is above what the judge buffers.
    #[error("the packet gives its length as {length} bytes, more than {PACKET_BYTES_MAX}")]
    LengthTooLarge {
        /// As given in the packet.
        length: usize,
    },
    /// The bytes given are not one whole packet.
    #[error("the packet gives its length as {expected} bytes, {got} were given")]
    Incomplete {
        /// As given in the packet.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// The protocol version is not 1.
    #[error("the packet has protocol version {0}, expected 1")]
    Version(u16),
    /// The length is not the one its type and counts imply (section 4).
    #[error("a {kind:?} packet of this content has {expected} bytes, this one {got}")]
    LengthMismatch {
        /// Type.
        kind: PacketKind,
        /// Bytes that the type and the counts imply.
        expected: usize,
        /// Bytes of the packet.
        got: usize,
    },
    /// A ping extension does not fit (section 6).
    #[error("ping extension {position} has an impossible length of {length} bytes")]
    Extension {
        /// Which, from 0.
        position: u16,
        /// As given in the packet.
        length: usize,
    },
    /// A node id has other characters than digits and lower case letters (BUS-43).
    #[error("the field {0} is no node id")]
    NodeId(&'static str),
    /// A light message: well formed, but it has no header and tells a checker nothing.
    #[error("a light message of type {0}, which no checker judges")]
    Light(u16),
}

/// Length of the packet that a stream goes on with, as soon as its first bytes tell.
///
/// `None` asks for more bytes; 14 always suffice.
///
/// # Errors
/// [`DecodeError::Signature`], [`DecodeError::LengthTooSmall`] and [`DecodeError::LengthTooLarge`]:
/// the stream cannot be split any further; a server would close the connection (BUS-08).
pub fn frame_length(prefix: &[u8]) -> Result<Option<usize>, DecodeError> {
    check_signature(prefix)?;
    if prefix.len() < 8 {
        return Ok(None);
    }
    let length = length_at(prefix, 4);
    if length > PACKET_BYTES_MAX {
        return Err(DecodeError::LengthTooLarge { length });
    }
    if length >= HEADER_BYTES {
        return Ok(Some(length));
    }
    if length < LIGHT_HEADER_BYTES {
        return Err(DecodeError::LengthTooSmall { length });
    }
    // Only a light message may be shorter than the header, and its type comes at byte 12.
    if prefix.len() < 14 {
        return Ok(None);
    }
    match u16_at(prefix, 12) & LIGHT_BIT {
        0 => Err(DecodeError::LengthTooSmall { length }),
        _ => Ok(Some(length)),
    }
}

/// Decodes one whole packet.
///
/// # Errors
/// Any [`DecodeError`]; the stream itself stays in step, only this packet is to be ignored.
pub fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let expected = match frame_length(bytes)? {
        Some(length) => length,
        None => {
            return Err(DecodeError::Incomplete {
                expected: HEADER_BYTES,
                got: bytes.len(),
            });
        }
    };
    if expected != bytes.len() {
        return Err(DecodeError::Incomplete {
            expected,
            got: bytes.len(),
        });
    }
    let version = u16_at(bytes, 8);
    if version != 1 {
        return Err(DecodeError::Version(version));
    }
    let type_number = u16_at(bytes, 12);
    if type_number & LIGHT_BIT != 0 {
        return Err(DecodeError::Light(type_number & !LIGHT_BIT));
    }
    let kind = kind_of(type_number);
    let header = header(bytes)?;
    check_length(kind, &header, bytes)?;
    let body = body(kind, bytes)?;
    Ok(Decoded { kind, header, body })
}

fn check_signature(prefix: &[u8]) -> Result<(), DecodeError> {
    let seen = prefix.len().min(SIGNATURE.len());
    if prefix[..seen] == SIGNATURE[..seen] {
        return Ok(());
    }
    let mut first = [0; 4];
    first[..seen].copy_from_slice(&prefix[..seen]);
    Err(DecodeError::Signature(first))
}

fn kind_of(type_number: u16) -> PacketKind {
    match type_number {
        0 => PacketKind::Ping,
        1 => PacketKind::Pong,
        2 => PacketKind::Meet,
        3 => PacketKind::Fail,
        4 => PacketKind::Publish,
        5 => PacketKind::AuthRequest,
        6 => PacketKind::AuthAck,
        7 => PacketKind::Update,
        8 => PacketKind::MfStart,
        9 => PacketKind::Module,
        10 => PacketKind::PublishShard,
        other => PacketKind::Unknown(other),
    }
}

/// The fixed part; `bytes` has at least [`HEADER_BYTES`].
fn header(bytes: &[u8]) -> Result<Header, DecodeError> {
    let master_field = &bytes[2128..2168];
    // BUS-12: zero `slaveof` means "I am a master", whatever the flags say.
    let master = match master_field.iter().all(|byte| *byte == 0) {
        true => None,
        false => Some(node_id(master_field).ok_or(DecodeError::NodeId("slaveof"))?),
    };
    Ok(Header {
        sender: node_id(&bytes[40..80]).ok_or(DecodeError::NodeId("sender"))?,
        current_epoch: u64_at(bytes, 16),
        config_epoch: u64_at(bytes, 24),
        offset: u64_at(bytes, 32),
        slots: bitmap(bytes, 80),
        master,
        flags: u16_at(bytes, 2250),
        message_flags: bytes[2253],
        state_ok: bytes[2252] == 0,
    })
}

/// Section 9, step 6: the length must be the one that type and counts imply.
fn check_length(kind: PacketKind, header: &Header, bytes: &[u8]) -> Result<(), DecodeError> {
    let got = bytes.len();
    let expected = match kind {
        PacketKind::Ping | PacketKind::Pong | PacketKind::Meet => {
            gossip_length(header.message_flags, bytes)?
        }
        PacketKind::Fail => HEADER_BYTES + 40,
        PacketKind::Publish | PacketKind::PublishShard => {
            if got < HEADER_BYTES + 8 {
                HEADER_BYTES + 8
            } else {
                HEADER_BYTES + 8 + length_at(bytes, 2256) + length_at(bytes, 2260)
            }
        }
        PacketKind::AuthRequest | PacketKind::AuthAck | PacketKind::MfStart => HEADER_BYTES,
        PacketKind::Update => HEADER_BYTES + 8 + 40 + 2048,
        PacketKind::Module => {
            if got < HEADER_BYTES + 13 {
                HEADER_BYTES + 13
            } else {
                HEADER_BYTES + 13 + length_at(bytes, 2264)
            }
        }
        // Unknown types have no length check.
        PacketKind::Unknown(_) => got,
    };
    match expected == got {
        true => Ok(()),
        false => Err(DecodeError::LengthMismatch {
            kind,
            expected,
            got,
        }),
    }
}

fn gossip_length(message_flags: u8, bytes: &[u8]) -> Result<usize, DecodeError> {
    // BUS-13: `count` and `extensions` mean something in PING, PONG and MEET only.
    let mut end = HEADER_BYTES + GOSSIP_BYTES * usize::from(u16_at(bytes, 14));
    if message_flags & EXTENSIONS_FLAG == 0 {
        return Ok(end);
    }
    for position in 0..u16_at(bytes, 2214) {
        let room = bytes.len().saturating_sub(end);
        let length = if room < 8 { 0 } else { length_at(bytes, end) };
        if length < 8 || length % 8 != 0 || length > room {
            return Err(DecodeError::Extension { position, length });
        }
        end += length;
    }
    Ok(end)
}

/// The part after the header; the length was checked.
fn body(kind: PacketKind, bytes: &[u8]) -> Result<Body, DecodeError> {
    Ok(match kind {
        PacketKind::Ping | PacketKind::Pong | PacketKind::Meet => {
            Body::Gossip(gossip(bytes).into())
        }
        PacketKind::Fail => {
            Body::Failed(node_id(&bytes[2256..2296]).ok_or(DecodeError::NodeId("failed node"))?)
        }
        PacketKind::Update => Body::Owner {
            config_epoch: u64_at(bytes, 2256),
            id: node_id(&bytes[2264..2304]).ok_or(DecodeError::NodeId("slot owner"))?,
            slots: bitmap(bytes, 2304),
        },
        PacketKind::Publish
        | PacketKind::PublishShard
        | PacketKind::AuthRequest
        | PacketKind::AuthAck
        | PacketKind::MfStart
        | PacketKind::Module
        | PacketKind::Unknown(_) => Body::Nothing,
    })
}

fn gossip(bytes: &[u8]) -> Vec<GossipEntry> {
    let count = usize::from(u16_at(bytes, 14));
    let entries = bytes[HEADER_BYTES..HEADER_BYTES + GOSSIP_BYTES * count].chunks(GOSSIP_BYTES);
    // BUS-43: one id that is none voids the whole gossip section.
    entries
        .map(|entry| {
            node_id(&entry[..40]).map(|id| GossipEntry {
                id,
                flags: u16_at(entry, 98),
            })
        })
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default()
}

fn node_id(field: &[u8]) -> Option<NodeId> {
    let text = std::str::from_utf8(field).ok()?;
    let fits = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    text.bytes().all(fits).then(|| NodeId(text.into()))
}

fn bitmap(bytes: &[u8], at: usize) -> SlotSet {
    let field = bytes[at..at + 2048].try_into();
    SlotSet::from_wire(field.expect("a slice of 2048 bytes"))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn length_at(bytes: &[u8], at: usize) -> usize {
    let field = bytes[at..at + 4].try_into();
    let length = u32::from_be_bytes(field.expect("a slice of 4 bytes"));
    usize::try_from(length).unwrap_or(usize::MAX / 4)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let field = bytes[at..at + 8].try_into();
    u64::from_be_bytes(field.expect("a slice of 8 bytes"))
}

const SIGNATURE: [u8; 4] = *b"RCmb";
const GOSSIP_BYTES: usize = 104;
const LIGHT_BIT: u16 = 0x8000;
const EXTENSIONS_FLAG: u8 = 4;

#[cfg(test)]
mod tests;
