//! One TCP segment out of an IPv4 packet.
//!
//! Pure. Bytes are hostile: every length is checked, and what does not fit is no segment.

use std::net::{Ipv4Addr, SocketAddrV4};

/// What reassembly needs of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Sender.
    pub source: SocketAddrV4,
    /// Receiver.
    pub target: SocketAddrV4,
    /// Sequence number of the first byte.
    pub sequence: u32,
    /// What the sender has received of the other direction, if it says so.
    pub acknowledged: Option<u32>,
    /// Whether it opens a connection.
    pub opens: bool,
    /// The bytes it carries.
    pub payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Reads the segment in an IPv4 packet; none if it is anything else or cut short.
    pub fn parse(packet: &'a [u8]) -> Option<Segment<'a>> {
        let first = *packet.first()?;
        let header_length = usize::from(first & 0x0f) * 4;
        if first >> 4 != 4 || header_length < 20 || *packet.get(9)? != PROTOCOL_TCP {
            return None;
        }
        // The kernel leaves the length at 0 when a large send does not fit its 16 bits.
        let total = match u16_at(packet, 2)? {
            0 => packet.len(),
            total => usize::from(total),
        };
        let is_fragment = u16_at(packet, 6)? & 0x3fff != 0;
        let tcp = packet.get(header_length..total)?;
        let tcp_header_length = usize::from(*tcp.get(12)? >> 4) * 4;
        if is_fragment || tcp_header_length < 20 {
            return None;
        }
        let flags = *tcp.get(13)?;
        let address = |at: usize, port: u16| {
            let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
            Some(SocketAddrV4::new(Ipv4Addr::from(octets), port))
        };
        Some(Segment {
            source: address(12, u16_at(tcp, 0)?)?,
            target: address(16, u16_at(tcp, 2)?)?,
            sequence: u32_at(tcp, 4)?,
            acknowledged: match flags & FLAG_ACK {
                0 => None,
                _ => Some(u32_at(tcp, 8)?),
            },
            opens: flags & FLAG_SYN != 0,
            payload: tcp.get(tcp_header_length..)?,
        })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

const PROTOCOL_TCP: u8 = 6;
const FLAG_SYN: u8 = 2;
const FLAG_ACK: u8 = 16;
