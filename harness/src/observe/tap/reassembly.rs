//! From TCP segments to bus packets: order, overlaps and retransmissions undone.
//!
//! Pure: segments with their times go in, packets come out. Each direction of a connection is a
//! flow. A flow begins at its SYN, or, when the capture began later, at a segment that starts with
//! a packet's signature; it starts over the same way when it loses its place. What waits for a
//! missing segment is bounded.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

use slotquake_checkers::observation::decode::{decode, frame_length};
use slotquake_checkers::observation::{NodeName, Packet};

use super::Tapped;
use super::segment::Segment;

/// The state of all connections.
#[derive(Debug)]
pub struct Reassembly {
    owners: BTreeMap<Ipv4Addr, NodeName>,
    flows: BTreeMap<(SocketAddrV4, SocketAddrV4), Flow>,
    tapped: Tapped,
}

/// One direction of one connection. Positions count bytes and do not wrap.
#[derive(Debug, Default)]
struct Flow {
    /// Position of the next byte; none while the flow has not found its place.
    next: Option<u64>,
    /// Segments that came before their turn, by position.
    waiting: BTreeMap<u64, (u64, Vec<u8>)>,
    waiting_bytes: usize,
    /// Bytes of a packet that is not complete yet.
    frame: Vec<u8>,
    /// Packets whose last byte was not acknowledged yet: position after it, index of the packet.
    unacknowledged: VecDeque<(u64, usize)>,
}

/// The flow lost its place: at least one packet is missing.
struct Lost;

impl Reassembly {
    /// Without connections yet; `owners` says whose address is whose.
    pub fn new(owners: BTreeMap<Ipv4Addr, NodeName>) -> Reassembly {
        Reassembly {
            owners,
            flows: BTreeMap::new(),
            tapped: Tapped::default(),
        }
    }

    /// Takes in a segment that left at this time, ns since the start.
    pub fn observe(&mut self, time: u64, segment: &Segment<'_>) {
        if let Some(acknowledged) = segment.acknowledged
            && let Some(reverse) = self.flows.get_mut(&(segment.target, segment.source))
        {
            for index in reverse.acknowledge(acknowledged) {
                self.tapped.packets[index].delivered = Some(time);
            }
        }
        let ends = (segment.source, segment.target);
        if segment.opens {
            let next = Some(ORIGIN + u64::from(segment.sequence) + 1);
            self.flows.insert(
                ends,
                Flow {
                    next,
                    ..Flow::default()
                },
            );
        }
        if segment.payload.is_empty() {
            return;
        }
        let flow = self.flows.entry(ends).or_default();
        let (owners, tapped) = (&self.owners, &mut self.tapped);
        let taken = flow.take(time, segment, &mut |time, bytes| {
            // What a server drops has told its receiver nothing; a light message is no vote.
            let decoded = decode(bytes).ok()?;
            tapped.packets.push(Packet {
                time,
                delivered: None,
                from: owners.get(ends.0.ip())?.clone(),
                to: owners.get(ends.1.ip())?.clone(),
                source: ends.0,
                target: ends.1,
                kind: decoded.kind,
                header: decoded.header,
                body: decoded.body,
            });
            Some(tapped.packets.len() - 1)
        });
        if let Err(Lost) = taken {
            flow.start_over();
            tapped.lost += 1;
        }
    }

    /// All packets in order of time.
    pub fn finish(self) -> Tapped {
        let mut tapped = self.tapped;
        tapped.packets.sort_by_key(|packet| packet.time);
        tapped
    }
}

/// Given a whole packet and the time of its last byte; gives its index if it is to be kept.
type Keep<'a> = dyn FnMut(u64, &[u8]) -> Option<usize> + 'a;

impl Flow {
    fn take(&mut self, time: u64, segment: &Segment<'_>, keep: &mut Keep<'_>) -> Result<(), Lost> {
        if self.next.is_none() && segment.payload.starts_with(SIGNATURE) {
            self.next = Some(ORIGIN + u64::from(segment.sequence));
        }
        let Some(next) = self.next else {
            return Ok(());
        };
        let position = unwrap_sequence(segment.sequence, next);
        if position > next {
            return self.put_aside(position, time, segment.payload);
        }
        self.append(position, time, segment.payload, keep)?;
        while let Some(entry) = self.waiting.first_entry() {
            let position = *entry.key();
            if self.next.is_none_or(|next| position > next) {
                break;
            }
            let (time, bytes) = entry.remove();
            self.waiting_bytes -= bytes.len();
            self.append(position, time, &bytes, keep)?;
        }
        Ok(())
    }

    fn put_aside(&mut self, position: u64, time: u64, bytes: &[u8]) -> Result<(), Lost> {
        if self.waiting.len() >= WAITING_SEGMENTS_MAX
            || self.waiting_bytes + bytes.len() > WAITING_BYTES_MAX
        {
            return Err(Lost);
        }
        let known = self
            .waiting
            .get(&position)
            .map_or(0, |(_, known)| known.len());
        if bytes.len() > known {
            self.waiting.insert(position, (time, bytes.to_vec()));
            self.waiting_bytes += bytes.len() - known;
        }
        Ok(())
    }

    /// Appends what is new of these bytes, which begin at or before the next position.
    fn append(
        &mut self,
        position: u64,
        time: u64,
        bytes: &[u8],
        keep: &mut Keep<'_>,
    ) -> Result<(), Lost> {
        let next = self.next.unwrap_or(position);
        assert!(
            position <= next,
            "bytes at {position} leave a gap after {next}"
        );
        let known = usize::try_from(next - position).unwrap_or(usize::MAX);
        let Some(new) = bytes.get(known..) else {
            return Ok(());
        };
        let next = next + new.len() as u64;
        self.next = Some(next);
        self.frame.extend_from_slice(new);
        let mut done = 0;
        while let Some(length) = frame_length(&self.frame[done..]).map_err(|_| Lost)? {
            let Some(packet) = self.frame[done..].get(..length) else {
                break;
            };
            done += length;
            if let Some(index) = keep(time, packet) {
                let end = next - (self.frame.len() - done) as u64;
                self.unacknowledged.push_back((end, index));
            }
        }
        self.frame.drain(..done);
        Ok(())
    }

    /// The packets whose last byte is acknowledged now for the first time.
    fn acknowledge(&mut self, acknowledged: u32) -> Vec<usize> {
        let mut packets = Vec::new();
        while let Some((end, index)) = self.unacknowledged.front().copied() {
            if end > unwrap_sequence(acknowledged, end) {
                break;
            }
            packets.push(index);
            self.unacknowledged.pop_front();
        }
        packets
    }

    fn start_over(&mut self) {
        *self = Flow {
            unacknowledged: VecDeque::new(),
            ..Flow::default()
        };
    }
}

/// The position nearest to a known one that has this sequence number.
fn unwrap_sequence(sequence: u32, near: u64) -> u64 {
    let distance = sequence.wrapping_sub(near as u32) as i32;
    near.saturating_add_signed(i64::from(distance))
}

/// Positions begin high enough that a sequence number before the first one is still positive.
const ORIGIN: u64 = 1 << 32;
const SIGNATURE: &[u8] = b"RCmb";
const WAITING_SEGMENTS_MAX: usize = 256;
const WAITING_BYTES_MAX: usize = 4 << 20;

#[cfg(test)]
mod tests;
