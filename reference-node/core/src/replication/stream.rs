//! Commands as the stream carries them: arrays of bulk strings, each byte counted (RW-31).

use bytes::{Buf, Bytes, BytesMut};

use crate::digits;

/// What a master sent that is no stream of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("protocol error in the stream: {0}")]
pub struct StreamError(pub &'static str);

/// A command and the bytes it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Name and arguments; empty for a blank line.
    pub args: Vec<Bytes>,
    /// As it came.
    pub raw: Bytes,
}

/// Takes the first whole command off the buffer; none if more bytes are needed.
///
/// # Errors
/// Bytes that are no array of bulk strings.
pub fn take_command(buffer: &mut BytesMut) -> Result<Option<Received>, StreamError> {
    let Some((count, mut at)) = number_line(buffer, 0, b'*')? else {
        return Ok(None);
    };
    if count > ARGUMENTS_MAX {
        return Err(StreamError("too many arguments"));
    }
    let mut spans = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        let Some((length, start)) = number_line(buffer, at, b'$')? else {
            return Ok(None);
        };
        if length > BULK_BYTES_MAX {
            return Err(StreamError("argument too long"));
        }
        let end = start + length;
        match buffer.get(end..end + 2) {
            None => return Ok(None),
            Some(b"\r\n") => {}
            Some(_) => return Err(StreamError("expected the end of an argument")),
        }
        spans.push(start..end);
        at = end + 2;
    }
    let raw = buffer.split_to(at).freeze();
    // Copies: what the data keeps must not hold on to the whole read buffer.
    let args = spans
        .into_iter()
        .map(|span| Bytes::copy_from_slice(&raw[span]))
        .collect();
    Ok(Some(Received { args, raw }))
}

/// The number of a line `*3` or `$5` at this place, and where the next line starts.
fn number_line(buffer: &[u8], at: usize, kind: u8) -> Result<Option<(usize, usize)>, StreamError> {
    let Some(first) = buffer.get(at) else {
        return Ok(None);
    };
    if *first != kind {
        // A lone line end counts as an empty command between commands.
        let is_blank = kind == b'*' && (*first == b'\n' || buffer[at..].starts_with(b"\r\n"));
        let length = if *first == b'\n' { 1 } else { 2 };
        return if is_blank {
            Ok(Some((0, at + length)))
        } else {
            Err(UNEXPECTED)
        };
    }
    let line = &buffer[at + 1..buffer.len().min(at + NUMBER_LINE_MAX)];
    let Some(end) = line.iter().position(|byte| *byte == b'\r') else {
        return if line.len() + 1 == NUMBER_LINE_MAX {
            Err(UNEXPECTED)
        } else {
            Ok(None)
        };
    };
    let Some(line_end) = buffer.get(at + 1 + end + 1) else {
        return Ok(None);
    };
    if *line_end != b'\n' {
        return Err(UNEXPECTED);
    }
    let digits = std::str::from_utf8(&line[..end]).map_err(|_| UNEXPECTED)?;
    let number = digits.parse().map_err(|_| UNEXPECTED)?;
    Ok(Some((number, at + end + 3)))
}

/// Takes a line off the buffer, without its end; none if it is not whole yet.
pub fn take_line(buffer: &mut BytesMut) -> Result<Option<Bytes>, StreamError> {
    let Some(end) = buffer
        .iter()
        .take(LINE_BYTES_MAX)
        .position(|byte| *byte == b'\n')
    else {
        let is_too_long = buffer.len() >= LINE_BYTES_MAX;
        return if is_too_long {
            Err(StreamError("line too long"))
        } else {
            Ok(None)
        };
    };
    let mut line = buffer.split_to(end).freeze();
    buffer.advance(1);
    if line.last() == Some(&b'\r') {
        line.truncate(line.len() - 1);
    }
    Ok(Some(line))
}

/// Appends a command in the form of the stream.
pub fn put_command<T: AsRef<[u8]>>(out: &mut Vec<u8>, args: &[T]) {
    let size: usize = args.iter().map(|arg| arg.as_ref().len() + 16).sum();
    out.reserve(size + 16);
    put_number(out, b'*', args.len());
    for arg in args {
        let arg = arg.as_ref();
        put_number(out, b'$', arg.len());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

fn put_number(out: &mut Vec<u8>, kind: u8, number: usize) {
    out.push(kind);
    digits::append(out, number as u64);
    out.extend_from_slice(b"\r\n");
}

const UNEXPECTED: StreamError = StreamError("expected an array of bulk strings");
const ARGUMENTS_MAX: usize = 1 << 20;
const BULK_BYTES_MAX: usize = 512 << 20;
const NUMBER_LINE_MAX: usize = 32;
const LINE_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_cut_anywhere_is_put_together_again() {
        let mut bytes = Vec::new();
        put_command(&mut bytes, &["SET", "k", "", "two\r\nlines"]);
        for cut in 0..bytes.len() {
            let mut buffer = BytesMut::from(&bytes[..cut]);
            assert_eq!(take_command(&mut buffer), Ok(None), "cut at {cut}");
            buffer.extend_from_slice(&bytes[cut..]);
            let received = take_command(&mut buffer).expect("valid").expect("whole");
            assert_eq!(
                received.args,
                ["SET", "k", "", "two\r\nlines"].map(Bytes::from)
            );
            assert_eq!(received.raw, bytes);
            assert!(buffer.is_empty());
        }
    }

    /// Proves RW-37.
    #[test]
    fn getack_takes_37_bytes() {
        let mut bytes = Vec::new();
        put_command(&mut bytes, &["REPLCONF", "GETACK", "*"]);
        assert_eq!(bytes.len(), 37);
    }

    #[test]
    fn refuses_what_is_no_stream() {
        for bytes in [
            "+OK\r\n",
            "*x\r\n",
            "*1\r\n+a",
            "*1\r\n$1\r\nabc",
            "*99999999\r\n",
            "*1\rx",
        ] {
            assert!(
                take_command(&mut BytesMut::from(bytes)).is_err(),
                "{bytes:?}"
            );
        }
    }
}
