//! Places in a history of commands: which history, and how many bytes into it.

use std::fmt;

use crate::rng::Rng;

/// Bytes of the stream, counted from the start of its history (RW-31).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ReplOffset(pub u64);

impl ReplOffset {
    /// The place this many bytes further on.
    pub fn plus(self, bytes: usize) -> ReplOffset {
        ReplOffset(self.0.saturating_add(bytes as u64))
    }
}

impl fmt::Display for ReplOffset {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Names a history: 40 hexadecimal characters, compared without case (RW-12).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ReplId([u8; 40]);

impl ReplId {
    /// A fresh one (RW-15).
    pub fn random(rng: &mut Rng) -> ReplId {
        ReplId(rng.hex())
    }

    /// From its text.
    pub fn parse(text: &[u8]) -> Option<ReplId> {
        let mut bytes: [u8; 40] = text.try_into().ok()?;
        bytes.make_ascii_lowercase();
        bytes
            .iter()
            .all(u8::is_ascii_hexdigit)
            .then_some(ReplId(bytes))
    }

    /// The characters.
    pub fn as_bytes(&self) -> &[u8; 40] {
        &self.0
    }
}

impl fmt::Display for ReplId {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(std::str::from_utf8(&self.0).expect("hexadecimal digits only"))
    }
}

impl fmt::Debug for ReplId {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
