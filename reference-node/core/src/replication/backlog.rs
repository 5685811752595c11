//! The newest bytes of the stream, kept for replicas that come back (replication-wire.md 4.1).

use bytes::Bytes;

use super::ReplOffset;

/// A ring of bytes that ends at the offset of the history.
#[derive(Debug, Clone)]
pub struct Backlog {
    ring: Vec<u8>,
    size: usize,
    /// Where the next byte goes, once the ring is full.
    head: usize,
    end: ReplOffset,
}

impl Backlog {
    /// An empty backlog of at most so many bytes, after this offset.
    pub fn new(size: u64, end: ReplOffset) -> Backlog {
        let size = usize::try_from(size).unwrap_or(usize::MAX).max(SIZE_MIN);
        Backlog {
            ring: Vec::new(),
            size,
            head: 0,
            end,
        }
    }

    /// Appends bytes; the oldest ones make room.
    pub fn append(&mut self, bytes: &[u8]) {
        self.end = self.end.plus(bytes.len());
        let mut bytes = &bytes[bytes.len().saturating_sub(self.size)..];
        let room = (self.size - self.ring.len()).min(bytes.len());
        self.ring.extend_from_slice(&bytes[..room]);
        bytes = &bytes[room..];
        while !bytes.is_empty() {
            let count = (self.size - self.head).min(bytes.len());
            self.ring[self.head..self.head + count].copy_from_slice(&bytes[..count]);
            self.head = (self.head + count) % self.size;
            bytes = &bytes[count..];
        }
        assert!(
            self.ring.len() <= self.size,
            "a backlog does not outgrow its size"
        );
    }

    /// Holds so many bytes from now on; the newest of those held stay.
    pub fn resize(&mut self, size: u64) {
        let size = usize::try_from(size).unwrap_or(usize::MAX).max(SIZE_MIN);
        if size == self.size {
            return;
        }
        let head = if self.ring.len() < self.size {
            0
        } else {
            self.head
        };
        self.ring.rotate_left(head);
        let surplus = self.ring.len().saturating_sub(size);
        self.ring.drain(..surplus);
        self.ring.shrink_to_fit();
        (self.size, self.head) = (size, 0);
    }

    /// Number of bytes held.
    pub fn length(&self) -> usize {
        self.ring.len()
    }

    /// Bytes it may hold.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Offset of the first byte held; the one after the end if there is none.
    pub fn first(&self) -> ReplOffset {
        ReplOffset(self.end.0 - self.ring.len() as u64 + 1)
    }

    /// The bytes from this offset on; none if they are gone, or not there yet (RW-12).
    pub fn since(&self, next: ReplOffset) -> Option<Bytes> {
        if next < self.first() || next > self.end.plus(1) {
            return None;
        }
        let skip = (next.0 - self.first().0) as usize;
        let (old, new) = (&self.ring[self.head..], &self.ring[..self.head]);
        let mut bytes = Vec::with_capacity(self.ring.len() - skip);
        bytes.extend_from_slice(&old[skip.min(old.len())..]);
        bytes.extend_from_slice(&new[skip.saturating_sub(old.len())..]);
        Some(bytes.into())
    }
}

const SIZE_MIN: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_or_larger_size_keeps_the_newest_bytes() {
        let stream: Vec<u8> = (0..90_000u32).map(|n| (n % 251) as u8).collect();
        let mut backlog = Backlog::new(50_000, ReplOffset(0));
        backlog.append(&stream[..60_000]);
        for (size, held) in [(20_000, 20_000), (70_000, 20_000), (1, SIZE_MIN)] {
            backlog.resize(size);
            assert_eq!(backlog.length(), held);
            let first = 60_000 - held;
            let bytes = backlog.since(ReplOffset(first as u64 + 1));
            assert_eq!(bytes.as_deref(), Some(&stream[first..60_000]));
        }
        backlog.append(&stream[60_000..]);
        let newest = backlog.since(ReplOffset((90_000 - SIZE_MIN) as u64 + 1));
        assert_eq!(newest.as_deref(), Some(&stream[90_000 - SIZE_MIN..]));
    }

    #[test]
    fn gives_back_exactly_the_newest_bytes_at_every_fill() {
        let stream: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        let mut backlog = Backlog::new(0, ReplOffset(10));
        let mut written = 0;
        for step in [1, 7, 5000, 9999, 6000, 16_384, 17_000, 300]
            .into_iter()
            .cycle()
            .take(12)
        {
            let end = (written + step).min(stream.len());
            backlog.append(&stream[written..end]);
            written = end;
            let held = written.min(SIZE_MIN);
            assert_eq!(
                backlog.first(),
                ReplOffset((10 + written - held + 1) as u64)
            );
            for back in [0, 1, held / 2, held] {
                let next = ReplOffset((10 + written - back + 1) as u64);
                let bytes = backlog.since(next).expect("held");
                assert_eq!(bytes, stream[written - back..written]);
            }
        }
    }

    /// Proves RW-12.
    #[test]
    fn refuses_what_is_gone_and_what_is_to_come() {
        let mut backlog = Backlog::new(0, ReplOffset(0));
        backlog.append(&[0; SIZE_MIN + 5]);
        assert!(backlog.since(ReplOffset(5)).is_none());
        assert!(backlog.since(ReplOffset(6)).is_some());
        assert!(backlog.since(ReplOffset(SIZE_MIN as u64 + 6)).is_some());
        assert!(backlog.since(ReplOffset(SIZE_MIN as u64 + 7)).is_none());
    }
}
