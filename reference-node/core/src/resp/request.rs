//! The incremental request parser: bytes in, commands out, multibulk and inline.
//!
//! Limits and error texts are upstream's. Bytes are looked at once, however they are cut into
//! pieces, and no length on the wire makes it allocate before the bytes behind it are there.

use bytes::{Buf, Bytes, BytesMut};

/// What is wrong with a request; the connection is to be closed after `-ERR Protocol error: …`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is named after its text")]
pub enum ProtocolError {
    #[error("too big mbulk count string")]
    MbulkCountTooBig,
    #[error("invalid multibulk length")]
    MultibulkLength,
    #[error("unauthenticated multibulk length")]
    MultibulkUnauthenticated,
    #[error("too big bulk count string")]
    BulkCountTooBig,
    #[error("expected '$', got '{0}'")]
    ExpectedBulk(char),
    #[error("invalid bulk length")]
    BulkLength,
    #[error("unauthenticated bulk length")]
    BulkUnauthenticated,
    #[error("too big inline request")]
    InlineTooBig,
    #[error("unbalanced quotes in request")]
    Quotes,
}

impl ProtocolError {
    /// The bytes to be sent before the connection is closed.
    pub fn reply(&self) -> crate::resp::Reply {
        crate::resp::errors::Refusal::Protocol(self.to_string()).into()
    }
}

/// Whether the client may send long requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// It has authenticated, or need not.
    #[default]
    Authenticated,
    /// It has to authenticate first: short requests only.
    Unauthenticated,
}

/// The parser of one connection.
#[derive(Debug, Clone, Default)]
pub struct RequestParser {
    buffer: BytesMut,
    /// Bytes at the front of the buffer known to hold no line feed.
    scanned: usize,
    /// The multibulk request in the middle of which we are.
    open: Option<Open>,
    trust: Trust,
    bulk_len_max: BulkLenMax,
}

/// `proto-max-bulk-len`, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkLenMax(pub u64);

impl Default for BulkLenMax {
    fn default() -> BulkLenMax {
        BulkLenMax(512 << 20)
    }
}

#[derive(Debug, Clone)]
struct Open {
    args_left: usize,
    /// What the arguments so far take, with their headers.
    size_bytes: usize,
    args: Vec<Bytes>,
    bulk_len: Option<usize>,
}

impl RequestParser {
    /// Takes in bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Says whether the client has authenticated.
    pub fn set_trust(&mut self, trust: Trust) {
        self.trust = trust;
    }

    /// Says how long an argument may be.
    pub fn set_bulk_len_max(&mut self, bulk_len_max: BulkLenMax) {
        self.bulk_len_max = bulk_len_max;
    }

    /// Number of bytes taken in for commands that are not complete.
    pub fn pending_len(&self) -> usize {
        let open = self.open.as_ref().map_or(0, |open| open.size_bytes);
        self.buffer.len() + open
    }

    /// The next command, never empty; none until more bytes come.
    ///
    /// # Errors
    /// When the bytes are no request; nothing more can be read then.
    pub fn next_command(&mut self) -> Result<Option<Vec<Bytes>>, ProtocolError> {
        loop {
            let args = match (&self.open, self.buffer.first()) {
                (None, None) => return Ok(None),
                (None, Some(b'*')) => {
                    if !self.begin_multibulk()? {
                        return Ok(None);
                    }
                    continue;
                }
                (None, Some(_)) => self.inline()?,
                (Some(_), _) => self.continue_multibulk()?,
            };
            match args {
                None => return Ok(None),
                Some(args) if args.is_empty() => {}
                Some(args) => return Ok(Some(args)),
            }
        }
    }

    // Reads `*n`; false if it is not complete. A count below 1 is no command at all.
    fn begin_multibulk(&mut self) -> Result<bool, ProtocolError> {
        let Some(line) = self.line(ProtocolError::MbulkCountTooBig)? else {
            return Ok(false);
        };
        let count = crate::keyspace::parse_integer(&line[1..]);
        let count = count.filter(|count| *count <= i64::from(i32::MAX));
        let count = count.ok_or(ProtocolError::MultibulkLength)?;
        if count > 10 && self.trust == Trust::Unauthenticated {
            return Err(ProtocolError::MultibulkUnauthenticated);
        }
        if let Some(args_left) = usize::try_from(count).ok().filter(|count| *count > 0) {
            let args = Vec::with_capacity(args_left.min(PREALLOCATED_ARGS_MAX));
            self.open = Some(Open {
                args_left,
                size_bytes: 0,
                args,
                bulk_len: None,
            });
        }
        Ok(true)
    }

    fn continue_multibulk(&mut self) -> Result<Option<Vec<Bytes>>, ProtocolError> {
        while let Some(open) = &self.open {
            let length = match open.bulk_len {
                Some(length) => length,
                None => match self.bulk_length()? {
                    Some(length) => length,
                    None => return Ok(None),
                },
            };
            let open = self.open.as_mut().expect("checked by the loop");
            open.bulk_len = Some(length);
            if self.buffer.len() < length + 2 {
                return Ok(None);
            }
            open.args
                .push(Bytes::copy_from_slice(&self.buffer[..length]));
            open.size_bytes += length + size_of::<Bytes>();
            self.buffer.advance(length + 2);
            open.bulk_len = None;
            open.args_left -= 1;
            if open.args_left == 0 {
                return Ok(self.open.take().map(|open| open.args));
            }
        }
        Ok(None)
    }

    fn bulk_length(&mut self) -> Result<Option<usize>, ProtocolError> {
        let Some(line) = self.line(ProtocolError::BulkCountTooBig)? else {
            return Ok(None);
        };
        let digits = match line.first() {
            Some(b'$') => &line[1..],
            Some(other) => return Err(ProtocolError::ExpectedBulk(char::from(*other))),
            // An empty line: upstream shows the carriage return itself.
            None => return Err(ProtocolError::ExpectedBulk('\r')),
        };
        let length = crate::keyspace::parse_integer(digits).map(usize::try_from);
        let Some(Ok(length)) = length else {
            return Err(ProtocolError::BulkLength);
        };
        if length as u64 > self.bulk_len_max.0 {
            return Err(ProtocolError::BulkLength);
        }
        if length > 16_384 && self.trust == Trust::Unauthenticated {
            return Err(ProtocolError::BulkUnauthenticated);
        }
        Ok(Some(length))
    }

    fn inline(&mut self) -> Result<Option<Vec<Bytes>>, ProtocolError> {
        match self.line(ProtocolError::InlineTooBig)? {
            None => Ok(None),
            Some(line) => split_words(&line).ok_or(ProtocolError::Quotes).map(Some),
        }
    }

    // Takes a line without its line break; each byte is looked at once.
    fn line(&mut self, too_long: ProtocolError) -> Result<Option<Bytes>, ProtocolError> {
        let found = self.buffer[self.scanned..]
            .iter()
            .position(|byte| *byte == b'\n');
        let Some(offset) = found else {
            self.scanned = self.buffer.len();
            let is_too_long = self.scanned > LINE_LEN_MAX;
            return if is_too_long { Err(too_long) } else { Ok(None) };
        };
        let end = self.scanned + offset;
        self.scanned = 0;
        let line = self.buffer.split_to(end + 1).freeze();
        let is_crlf = end > 0 && line[end - 1] == b'\r';
        Ok(Some(line.slice(..if is_crlf { end - 1 } else { end })))
    }
}

/// Splits a line into words: quotes and escapes as redis.conf and inline commands have them.
/// None if a quote is not closed, or not followed by a space.
pub fn split_words(line: &[u8]) -> Option<Vec<Bytes>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        let start = rest.iter().position(|byte| !is_space(*byte));
        let Some(start) = start else {
            return Some(words);
        };
        let (word, after) = next_word(&rest[start..])?;
        words.push(word);
        rest = after;
    }
}

fn next_word(text: &[u8]) -> Option<(Bytes, &[u8])> {
    let mut word = Vec::new();
    let mut rest = text;
    loop {
        match rest.first() {
            None => return Some((word.into(), rest)),
            Some(byte) if is_space(*byte) => return Some((word.into(), rest)),
            Some(quote @ (b'"' | b'\'')) => {
                rest = quoted(&rest[1..], *quote, &mut word)?;
                // A closing quote ends the word: a space or nothing must follow.
                let is_ended = rest.first().is_none_or(|byte| is_space(*byte));
                return is_ended.then(|| (word.into(), rest));
            }
            Some(byte) => {
                word.push(*byte);
                rest = &rest[1..];
            }
        }
    }
}

fn quoted<'a>(mut rest: &'a [u8], quote: u8, word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match (quote, rest) {
            (_, []) => return None,
            (_, [byte, after @ ..]) if *byte == quote => return Some(after),
            (b'"', [b'\\', b'x', high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.push(hex(*high) * 16 + hex(*low));
                rest = after;
            }
            (b'"', [b'\\', byte, after @ ..]) => {
                word.push(unescaped(*byte));
                rest = after;
            }
            (b'\'', [b'\\', b'\'', after @ ..]) => {
                word.push(b'\'');
                rest = after;
            }
            (_, [byte, after @ ..]) => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

// C's isspace, and the null byte, as upstream's splitter has it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | 0)
}

const LINE_LEN_MAX: usize = 64 * 1024;
const PREALLOCATED_ARGS_MAX: usize = 64;

#[cfg(test)]
mod tests;
