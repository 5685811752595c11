//! Bytes to packets and back, protocol version 1 (cluster-bus.md sections 2 to 5 and 9).
//!
//! [`frame_length`] cuts a stream into packets and is the only place that condemns a connection
//! (BUS-08); [`decode`] checks one packet and may only drop it (BUS-09). Bytes are hostile: nothing
//! here panics on them or allocates by a length that was not compared with the bytes at hand.
//! [`encode`] is for packets this node made. Clauses: BUS-08 to BUS-14, BUS-43 to BUS-45.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::ext;
use super::packet::{Body, Gossip, Header, Heartbeat, MessageFlags, NodeFlags, Packet};
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::slot::{SLOT_COUNT, SlotSet};

/// Length of the header, and of the shortest packet, bytes.
pub const HEADER_BYTES: usize = 2256;

/// Bytes of a stream that [`frame_length`] needs to see.
pub const FRAME_HEAD_BYTES: usize = 8;

const GOSSIP_BYTES: usize = 104;
const UPDATE_BYTES: usize = 2096;
const MODULE_HEAD_BYTES: usize = 13;
const SIGNATURE: &[u8; 4] = b"RCmb";
const VERSION: u16 = 1;
const IP_BYTES: usize = 46;

/// Why a connection must be closed (BUS-08).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not `RCmb`.
    #[error("bad signature on the cluster bus: {0:02x?}")]
    Signature([u8; 4]),
    /// Less than a header.
    #[error("bad length on the cluster bus: {0} bytes, at least {HEADER_BYTES} expected")]
    Length(u32),
}

/// Why a packet is dropped, its connection kept (BUS-09).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DropReason {
    /// Fewer bytes than a header, or than the packet says.
    #[error("{got} bytes of a packet of {expected}")]
    Truncated {
        /// Bytes it should have.
        expected: usize,
        /// Bytes at hand.
        got: usize,
    },
    /// Not version 1.
    #[error("bus version {0}")]
    Version(u16),
    /// An extension's length is no multiple of 8.
    #[error("an extension without proper padding, {0} bytes long")]
    Padding(u32),
    /// An extension leaves the packet.
    #[error("an extension of {length} bytes with {left} left")]
    Extension {
        /// What it says.
        length: usize,
        /// What there is.
        left: usize,
    },
    /// The length does not fit the type.
    #[error("type {kind} of {got} bytes, {expected} expected")]
    Length {
        /// The packet's type.
        kind: u16,
        /// Bytes by its content.
        expected: u64,
        /// Bytes it says it has.
        got: usize,
    },
}

/// The length of the packet a stream begins with; none if more bytes are needed to tell. BUS-02: a
/// stream is packets one after another, from its first byte on.
///
/// # Errors
/// The connection must be closed.
pub fn frame_length(stream: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(head) = stream.first_chunk::<FRAME_HEAD_BYTES>() else {
        return Ok(None);
    };
    let [s0, s1, s2, s3, l0, l1, l2, l3] = *head;
    let length = u32::from_be_bytes([l0, l1, l2, l3]);
    if [s0, s1, s2, s3] != *SIGNATURE {
        return Err(FrameError::Signature([s0, s1, s2, s3]));
    }
    if (length as usize) < HEADER_BYTES {
        return Err(FrameError::Length(length));
    }
    Ok(Some(length as usize))
}

/// One packet from its bytes.
///
/// # Errors
/// The packet must be dropped, the connection kept.
pub fn decode(frame: &[u8]) -> Result<Packet, DropReason> {
    let total = match frame.first_chunk::<HEADER_BYTES>() {
        Some(head) => u32_at(head, 4) as usize,
        None => return Err(truncated(HEADER_BYTES, frame.len())),
    };
    if total < HEADER_BYTES || total > frame.len() {
        return Err(truncated(total.max(HEADER_BYTES), frame.len()));
    }
    if u16_at(frame, 8) != VERSION {
        return Err(DropReason::Version(u16_at(frame, 8)));
    }
    let kind = u16_at(frame, 12);
    let reader = BodyReader {
        kind,
        head: &frame[..HEADER_BYTES],
        body: &frame[HEADER_BYTES..total],
    };
    Ok(Packet {
        body: reader.read()?,
        header: decode_header(frame),
    })
}

fn truncated(expected: usize, got: usize) -> DropReason {
    DropReason::Truncated { expected, got }
}

fn decode_header(frame: &[u8]) -> Header {
    let message = frame[2253];
    Header {
        sender: NodeId::parse(&frame[40..80]),
        port: u16_at(frame, 10),
        bus_port: u16_at(frame, 2248),
        second_port: u16_at(frame, 2246),
        current_epoch: CurrentEpoch(u64_at(frame, 16)),
        config_epoch: ConfigEpoch(u64_at(frame, 24)),
        offset: u64_at(frame, 32),
        slots: slots_at(frame, 80),
        master: master_at(frame),
        ip: ip_at(frame, 2168),
        flags: NodeFlags(u16_at(frame, 2250)),
        state_ok: frame[2252] == 0,
        message_flags: MessageFlags {
            paused: message & 1 != 0,
            force_ack: message & 2 != 0,
            ext_data: message & 4 != 0,
            keeps_open_slots: frame[2255] & 128 != 0,
        },
    }
}

/// BUS-12: zero bytes mean "I am a master"; any other bytes mean "I am none", readable or not.
fn master_at(frame: &[u8]) -> Option<NodeId> {
    let name = &frame[2128..2168];
    let is_named = name.iter().any(|byte| *byte != 0);
    is_named.then(|| NodeId::parse(name).unwrap_or(NodeId::UNREADABLE))
}

struct BodyReader<'a> {
    kind: u16,
    head: &'a [u8],
    body: &'a [u8],
}

impl BodyReader<'_> {
    fn read(&self) -> Result<Body, DropReason> {
        Ok(match self.kind {
            0 => Body::Ping(self.heartbeat()?),
            1 => Body::Pong(self.heartbeat()?),
            2 => Body::Meet(self.heartbeat()?),
            3 => {
                self.expect(40)?;
                Body::Fail {
                    failed: NodeId::parse(self.body),
                }
            }
            4 => {
                let (channel, message) = self.publish()?;
                Body::Publish { channel, message }
            }
            5 => self.bodyless(Body::AuthRequest)?,
            6 => self.bodyless(Body::AuthAck)?,
            7 => self.update()?,
            8 => self.bodyless(Body::MfStart)?,
            9 => {
                self.at_least(MODULE_HEAD_BYTES)?;
                self.expect(MODULE_HEAD_BYTES as u64 + u64::from(u32_at(self.body, 8)))?;
                Body::Module
            }
            10 => {
                let (channel, message) = self.publish()?;
                Body::PublishShard { channel, message }
            }
            unknown => Body::Unknown(unknown),
        })
    }

    fn expect(&self, body_bytes: u64) -> Result<(), DropReason> {
        if self.body.len() as u64 == body_bytes {
            return Ok(());
        }
        Err(DropReason::Length {
            kind: self.kind,
            expected: HEADER_BYTES as u64 + body_bytes,
            got: HEADER_BYTES + self.body.len(),
        })
    }

    fn at_least(&self, body_bytes: usize) -> Result<(), DropReason> {
        if self.body.len() < body_bytes {
            self.expect(body_bytes as u64)?;
        }
        Ok(())
    }

    fn bodyless(&self, body: Body) -> Result<Body, DropReason> {
        self.expect(0).map(|()| body)
    }

    fn heartbeat(&self) -> Result<Heartbeat, DropReason> {
        let gossip_bytes = usize::from(u16_at(self.head, 14)) * GOSSIP_BYTES;
        self.at_least(gossip_bytes)?;
        let (gossip, rest) = self.body.split_at(gossip_bytes);
        // BUS-45: the count means nothing without the flag.
        let has_extensions = self.head[2253] & 4 != 0;
        let count = if has_extensions {
            u16_at(self.head, 2214)
        } else {
            0
        };
        let (extensions, extension_bytes) = ext::decode_all(rest, count)?;
        self.expect((gossip_bytes + extension_bytes) as u64)?;
        Ok(Heartbeat {
            gossip: gossip
                .chunks_exact(GOSSIP_BYTES)
                .filter_map(decode_gossip)
                .collect(),
            extensions,
        })
    }

    fn publish(&self) -> Result<(Bytes, Bytes), DropReason> {
        self.at_least(8)?;
        let (channel_bytes, message_bytes) = (u32_at(self.body, 0), u32_at(self.body, 4));
        self.expect(8 + u64::from(channel_bytes) + u64::from(message_bytes))?;
        let (channel, message) = self.body[8..].split_at(channel_bytes as usize);
        Ok((
            Bytes::copy_from_slice(channel),
            Bytes::copy_from_slice(message),
        ))
    }

    fn update(&self) -> Result<Body, DropReason> {
        self.expect(UPDATE_BYTES as u64)?;
        Ok(Body::Update {
            config_epoch: ConfigEpoch(u64_at(self.body, 0)),
            owner: NodeId::parse(&self.body[8..48]),
            slots: slots_at(self.body, 48),
        })
    }
}

/// BUS-43: an entry whose id is none is left out.
fn decode_gossip(entry: &[u8]) -> Option<Gossip> {
    Some(Gossip {
        id: NodeId::parse(&entry[..40])?,
        ping_sent_s: u32_at(entry, 40),
        pong_received_s: u32_at(entry, 44),
        ip: ip_at(entry, 48),
        port: u16_at(entry, 94),
        bus_port: u16_at(entry, 96),
        flags: NodeFlags(u16_at(entry, 98)),
        second_port: u16_at(entry, 100),
    })
}

/// The bytes of a packet.
///
/// # Panics
/// If it has more than 65535 gossip entries or extensions: this node never makes such.
pub fn encode(packet: &Packet) -> Vec<u8> {
    let mut out = vec![0; HEADER_BYTES];
    encode_header(&packet.header, &mut out);
    match &packet.body {
        Body::Ping(heartbeat) | Body::Pong(heartbeat) | Body::Meet(heartbeat) => {
            encode_heartbeat(heartbeat, &mut out);
        }
        Body::Fail { failed } => out.extend_from_slice(&id_bytes(*failed)),
        Body::Publish { channel, message } | Body::PublishShard { channel, message } => {
            out.extend_from_slice(&(channel.len() as u32).to_be_bytes());
            out.extend_from_slice(&(message.len() as u32).to_be_bytes());
            out.extend_from_slice(channel);
            out.extend_from_slice(message);
        }
        Body::Update {
            owner,
            config_epoch,
            slots,
        } => {
            out.extend_from_slice(&config_epoch.0.to_be_bytes());
            out.extend_from_slice(&id_bytes(*owner));
            out.extend_from_slice(&slots.to_wire());
        }
        Body::Module => out.extend_from_slice(&[0; MODULE_HEAD_BYTES]),
        Body::AuthRequest | Body::AuthAck | Body::MfStart | Body::Unknown(_) => {}
    }
    out[12..14].copy_from_slice(&kind_of(&packet.body).to_be_bytes());
    let total = u32::try_from(out.len()).expect("a packet is shorter than 4 GiB");
    out[4..8].copy_from_slice(&total.to_be_bytes());
    out
}

/// The type number of a body, cluster-bus.md section 4.
pub fn kind_of(body: &Body) -> u16 {
    match body {
        Body::Ping(_) => 0,
        Body::Pong(_) => 1,
        Body::Meet(_) => 2,
        Body::Fail { .. } => 3,
        Body::Publish { .. } => 4,
        Body::AuthRequest => 5,
        Body::AuthAck => 6,
        Body::Update { .. } => 7,
        Body::MfStart => 8,
        Body::Module => 9,
        Body::PublishShard { .. } => 10,
        Body::Unknown(kind) => *kind,
    }
}

fn encode_header(header: &Header, out: &mut [u8]) {
    let message = header.message_flags;
    out[..4].copy_from_slice(SIGNATURE);
    out[8..10].copy_from_slice(&VERSION.to_be_bytes());
    out[10..12].copy_from_slice(&header.port.to_be_bytes());
    out[16..24].copy_from_slice(&header.current_epoch.0.to_be_bytes());
    out[24..32].copy_from_slice(&header.config_epoch.0.to_be_bytes());
    out[32..40].copy_from_slice(&header.offset.to_be_bytes());
    out[40..80].copy_from_slice(&id_bytes(header.sender));
    out[80..2128].copy_from_slice(&header.slots.to_wire());
    out[2128..2168].copy_from_slice(&id_bytes(header.master));
    put_ip(header.ip, &mut out[2168..2214]);
    out[2246..2248].copy_from_slice(&header.second_port.to_be_bytes());
    out[2248..2250].copy_from_slice(&header.bus_port.to_be_bytes());
    out[2250..2252].copy_from_slice(&header.flags.0.to_be_bytes());
    out[2252] = u8::from(!header.state_ok);
    out[2253] = u8::from(message.paused)
        | u8::from(message.force_ack) << 1
        | u8::from(message.ext_data) << 2;
    out[2255] = u8::from(message.keeps_open_slots) << 7;
}

fn encode_heartbeat(heartbeat: &Heartbeat, out: &mut Vec<u8>) {
    let count = u16::try_from(heartbeat.gossip.len()).expect("gossip is a sample of the nodes");
    out[14..16].copy_from_slice(&count.to_be_bytes());
    out.reserve(heartbeat.gossip.len() * GOSSIP_BYTES);
    for entry in &heartbeat.gossip {
        let at = out.len();
        out.resize(at + GOSSIP_BYTES, 0);
        let bytes = &mut out[at..];
        bytes[..40].copy_from_slice(entry.id.as_bytes());
        bytes[40..44].copy_from_slice(&entry.ping_sent_s.to_be_bytes());
        bytes[44..48].copy_from_slice(&entry.pong_received_s.to_be_bytes());
        put_ip(entry.ip, &mut bytes[48..94]);
        bytes[94..96].copy_from_slice(&entry.port.to_be_bytes());
        bytes[96..98].copy_from_slice(&entry.bus_port.to_be_bytes());
        bytes[98..100].copy_from_slice(&entry.flags.0.to_be_bytes());
        bytes[100..102].copy_from_slice(&entry.second_port.to_be_bytes());
    }
    let count = u16::try_from(heartbeat.extensions.len()).expect("a handful of extensions");
    out[2214..2216].copy_from_slice(&count.to_be_bytes());
    for extension in &heartbeat.extensions {
        ext::encode(extension, out);
    }
}

fn id_bytes(id: Option<NodeId>) -> [u8; 40] {
    id.map_or([0; 40], |id| *id.as_bytes())
}

fn put_ip(ip: Option<IpAddr>, field: &mut [u8]) {
    if let Some(ip) = ip {
        let text = ip.to_string();
        let bytes = text.as_bytes();
        // The longest text of an address is 39 bytes; the field has 46.
        field[..bytes.len()].copy_from_slice(bytes);
    }
}

fn ip_at(bytes: &[u8], at: usize) -> Option<IpAddr> {
    let field = &bytes[at..at + IP_BYTES];
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(IP_BYTES);
    std::str::from_utf8(&field[..end]).ok()?.parse().ok()
}

fn slots_at(bytes: &[u8], at: usize) -> Arc<SlotSet> {
    let wire = bytes[at..].first_chunk::<{ SLOT_COUNT / 8 }>();
    Arc::new(wire.map(SlotSet::from_wire).unwrap_or_default())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
