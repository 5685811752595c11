//! RESP2/RESP3 replies as the client sees them; their parser, and the encoder of requests.
//!
//! Bytes are hostile: nesting, lengths and the whole reply are bounded, memory is taken only for
//! bytes that have come, and what is no RESP is an error, never a panic. RESP3 types without a
//! [`RespValue`] of their own become the nearest RESP2 type; attributes are read and dropped.

use bytes::Bytes;

/// One reply.
#[derive(Debug, Clone, PartialEq)]
pub enum RespValue {
    /// `+OK`.
    Simple(String),
    /// `-ERR …`, without the dash.
    Error(String),
    /// `:1`.
    Integer(i64),
    /// `$3`, or nil.
    Bulk(Option<Bytes>),
    /// `*2` (and sets, pushes), or nil.
    Array(Option<Vec<RespValue>>),
    /// `%1`.
    Map(Vec<(RespValue, RespValue)>),
}

impl RespValue {
    /// The text of a simple or bulk string, if it is one and is UTF-8.
    pub fn text(&self) -> Option<&str> {
        match self {
            RespValue::Simple(text) => Some(text),
            RespValue::Bulk(Some(bytes)) => std::str::from_utf8(bytes).ok(),
            RespValue::Error(_)
            | RespValue::Integer(_)
            | RespValue::Bulk(None)
            | RespValue::Array(_)
            | RespValue::Map(_) => None,
        }
    }
}

/// Why bytes are no RESP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RespError {
    /// The first byte names no type.
    #[error("byte {0:#04x} begins no RESP type")]
    Type(u8),
    /// A length or integer that is none.
    #[error("{0:?} is no integer")]
    Integer(String),
    /// A length beyond the bound.
    #[error("length {0} is above the bound")]
    Length(i64),
    /// A line beyond the bound.
    #[error("line longer than {LINE_BYTES_MAX} bytes")]
    Line,
    /// A bulk string that does not end in CRLF.
    #[error("bulk string without its end")]
    BulkEnd,
    /// Arrays in arrays in arrays.
    #[error("nested deeper than {DEPTH_MAX}")]
    Depth,
}

/// Deepest nesting that is read.
pub const DEPTH_MAX: usize = 16;
/// Longest line that is read, bytes.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Longest bulk string that is read, bytes.
pub const BULK_BYTES_MAX: i64 = 512 << 20;
/// Most elements of one aggregate.
pub const ELEMENTS_MAX: i64 = 16 << 20;

/// An incremental parser: bytes go in as they come, replies come out whole.
#[derive(Debug, Clone, Default)]
pub struct RespParser {
    buffer: Vec<u8>,
    start: usize,
}

impl RespParser {
    /// Takes in bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole reply; none until more bytes come.
    ///
    /// # Errors
    /// The stream is no RESP; the connection is of no more use.
    pub fn next_reply(&mut self) -> Result<Option<RespValue>, RespError> {
        let mut cursor = Cursor {
            bytes: &self.buffer,
            position: self.start,
        };
        let Some(value) = cursor.value(0)? else {
            return Ok(None);
        };
        self.start = cursor.position;
        if self.start > 1 << 16 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        Ok(Some(value))
    }
}

/// Appends a request, a command's argument list, as the bytes of the wire.
pub fn encode(args: &[Bytes], out: &mut Vec<u8>) {
    put_length(b'*', args.len(), out);
    for arg in args {
        put_length(b'$', arg.len(), out);
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

/// A line with a length; written for each argument of each request, so nothing is allocated.
fn put_length(kind: u8, length: usize, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), length);
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.push(kind);
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

type Parsed<T> = Result<Option<T>, RespError>;

/// Gives back "not yet" from the caller, or the value.
macro_rules! whole {
    ($parsed:expr) => {
        match $parsed? {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}

impl<'a> Cursor<'a> {
    fn value(&mut self, depth: usize) -> Parsed<RespValue> {
        if depth > DEPTH_MAX {
            return Err(RespError::Depth);
        }
        let Some(kind) = self.bytes.get(self.position).copied() else {
            return Ok(None);
        };
        self.position += 1;
        let value = match kind {
            b'+' | b',' | b'(' => RespValue::Simple(whole!(self.line())),
            b'-' => RespValue::Error(whole!(self.line())),
            b':' => RespValue::Integer(whole!(self.integer())),
            b'#' => RespValue::Integer(i64::from(whole!(self.line()) == "t")),
            b'_' => {
                whole!(self.line());
                RespValue::Bulk(None)
            }
            b'$' => RespValue::Bulk(whole!(self.bulk())),
            b'=' => RespValue::Bulk(whole!(self.bulk()).map(without_format)),
            b'!' => {
                let text = whole!(self.bulk()).unwrap_or_default();
                RespValue::Error(String::from_utf8_lossy(&text).into_owned())
            }
            b'*' | b'~' | b'>' => RespValue::Array(whole!(self.array(depth))),
            b'%' => RespValue::Map(whole!(self.map(depth))),
            b'|' => {
                whole!(self.map(depth));
                whole!(self.value(depth + 1))
            }
            other => return Err(RespError::Type(other)),
        };
        Ok(Some(value))
    }

    fn line(&mut self) -> Parsed<String> {
        let line = whole!(self.bytes_of_line());
        Ok(Some(String::from_utf8_lossy(line).into_owned()))
    }

    fn bytes_of_line(&mut self) -> Parsed<&'a [u8]> {
        let rest = &self.bytes[self.position..];
        let window = &rest[..rest.len().min(LINE_BYTES_MAX)];
        match window.windows(2).position(|pair| pair == b"\r\n") {
            Some(length) => {
                self.position += length + 2;
                Ok(Some(&rest[..length]))
            }
            None if rest.len() >= LINE_BYTES_MAX => Err(RespError::Line),
            None => Ok(None),
        }
    }

    fn integer(&mut self) -> Parsed<i64> {
        let line = whole!(self.bytes_of_line());
        let value = std::str::from_utf8(line)
            .ok()
            .and_then(|text| text.parse().ok());
        match value {
            Some(value) => Ok(Some(value)),
            None => Err(RespError::Integer(
                String::from_utf8_lossy(line).into_owned(),
            )),
        }
    }

    /// A length within `0..=bound`, or -1 for nil.
    fn length(&mut self, bound: i64) -> Parsed<Option<usize>> {
        match whole!(self.integer()) {
            -1 => Ok(Some(None)),
            length if (0..=bound).contains(&length) => Ok(Some(Some(length as usize))),
            length => Err(RespError::Length(length)),
        }
    }

    fn bulk(&mut self) -> Parsed<Option<Bytes>> {
        let Some(length) = whole!(self.length(BULK_BYTES_MAX)) else {
            return Ok(Some(None));
        };
        let rest = &self.bytes[self.position..];
        if rest.len() < length + 2 {
            return Ok(None);
        }
        if &rest[length..length + 2] != b"\r\n" {
            return Err(RespError::BulkEnd);
        }
        self.position += length + 2;
        Ok(Some(Some(Bytes::copy_from_slice(&rest[..length]))))
    }

    fn array(&mut self, depth: usize) -> Parsed<Option<Vec<RespValue>>> {
        let Some(length) = whole!(self.length(ELEMENTS_MAX)) else {
            return Ok(Some(None));
        };
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(whole!(self.value(depth + 1)));
        }
        Ok(Some(Some(items)))
    }

    fn map(&mut self, depth: usize) -> Parsed<Vec<(RespValue, RespValue)>> {
        let length = whole!(self.length(ELEMENTS_MAX)).unwrap_or(0);
        let mut pairs = Vec::new();
        for _ in 0..length {
            let key = whole!(self.value(depth + 1));
            pairs.push((key, whole!(self.value(depth + 1))));
        }
        Ok(Some(pairs))
    }
}

/// A verbatim string without its `txt:`.
fn without_format(text: Bytes) -> Bytes {
    text.slice(text.len().min(4)..)
}

#[cfg(test)]
mod tests;
