//! Bytes on their way to a socket: gathered, written when there is room, bounded.

use std::collections::VecDeque;
use std::io::ErrorKind;

use bytes::Bytes;
use tokio::net::TcpStream;

/// What is still to be written to one connection.
#[derive(Debug)]
pub struct Outbox {
    /// Whole pieces before the tail, the first written up to `sent`.
    pieces: VecDeque<Bytes>,
    tail: Vec<u8>,
    sent: usize,
    length: usize,
    limit: usize,
    /// What the longest piece so far allows, whatever the limit.
    floor: usize,
}

/// How a flush ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing is left.
    All,
    /// The socket takes no more now.
    Some,
    /// The connection is broken.
    Broken,
}

impl Outbox {
    /// An empty one, of use up to so many bytes.
    pub fn new(limit: usize) -> Outbox {
        let (pieces, tail) = (VecDeque::new(), Vec::new());
        Outbox {
            pieces,
            tail,
            sent: 0,
            length: 0,
            limit,
            floor: 0,
        }
    }

    /// Allows so many bytes from now on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Bytes in it.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Whether the other side is too slow for what it asked for.
    pub fn is_over_limit(&self) -> bool {
        self.length > self.limit.max(self.floor)
    }

    /// Appends what this writes.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.tail.len();
        write(&mut self.tail);
        self.length += self.tail.len() - before;
    }

    /// Appends bytes; long ones are not copied, and do not count against the limit: what is bound
    /// is what gathers behind them.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.len() < COPIED_BYTES_MAX {
            return self.write(|tail| tail.extend_from_slice(&bytes));
        }
        if !self.tail.is_empty() {
            self.pieces.push_back(std::mem::take(&mut self.tail).into());
        }
        self.floor = self.floor.max(bytes.len().saturating_mul(2));
        self.length += bytes.len();
        self.pieces.push_back(bytes);
    }

    /// Writes as much as the socket takes.
    pub fn flush(&mut self, stream: &TcpStream) -> Flushed {
        while self.length > 0 {
            let piece = self
                .pieces
                .front()
                .map_or(self.tail.as_slice(), |piece| piece);
            let piece_length = piece.len();
            match stream.try_write(&piece[self.sent..]) {
                Ok(0) => return Flushed::Broken,
                Ok(count) => {
                    self.sent += count;
                    self.length -= count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Flushed::Some,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Flushed::Broken,
            }
            if self.sent == piece_length {
                self.sent = 0;
                if self.pieces.pop_front().is_none() {
                    self.tail.clear();
                    self.tail.shrink_to(KEPT_BYTES_MAX);
                }
            }
        }
        self.floor = 0;
        Flushed::All
    }
}

const COPIED_BYTES_MAX: usize = 16 << 10;
/// Enough for replies; the hundreds of links of a large cluster keep no packet each.
const KEPT_BYTES_MAX: usize = 2 << 10;
