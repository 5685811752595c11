//! Ids of stream entries: `ms-seq`.

use bytes::Bytes;

/// The id of an entry: a time in ms since 1970, and a number within it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId {
    /// Milliseconds.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

impl StreamId {
    /// `0-0`: no entry has it.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The greatest.
    pub const MAX: StreamId = StreamId {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// The id right after, if there is one.
    pub fn next(self) -> Option<StreamId> {
        let StreamId { ms, seq } = self;
        match seq.checked_add(1) {
            Some(seq) => Some(StreamId { ms, seq }),
            None => ms.checked_add(1).map(|ms| StreamId { ms, seq: 0 }),
        }
    }

    /// The id right before, if there is one.
    pub fn previous(self) -> Option<StreamId> {
        let StreamId { ms, seq } = self;
        match seq.checked_sub(1) {
            Some(seq) => Some(StreamId { ms, seq }),
            None => ms.checked_sub(1).map(|ms| StreamId { ms, seq: u64::MAX }),
        }
    }

    /// Reads `ms` or `ms-seq`; a number left out is the given one.
    pub fn parse(text: &[u8], missing_seq: u64) -> Option<StreamId> {
        match text.iter().position(|byte| *byte == b'-') {
            None => number(text).map(|ms| StreamId {
                ms,
                seq: missing_seq,
            }),
            Some(dash) => Some(StreamId {
                ms: number(&text[..dash])?,
                seq: number(&text[dash + 1..])?,
            }),
        }
    }

    /// As text.
    pub fn text(self) -> Bytes {
        format!("{}-{}", self.ms, self.seq).into()
    }

    /// As 16 bytes that sort like ids.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// Out of 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> StreamId {
        let number = u128::from_be_bytes(bytes);
        StreamId {
            ms: (number >> 64) as u64,
            seq: number as u64,
        }
    }
}

/// A decimal number without sign, as upstream reads it in ids.
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
