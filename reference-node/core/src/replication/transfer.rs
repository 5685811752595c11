//! The snapshot between FULLRESYNC and the stream, in both forms (replication-wire.md section 3).
//!
//! Bytes are kept until the whole snapshot is there: memory grows with what came, never by an
//! announced length.

use bytes::{Bytes, BytesMut};

use super::stream::{StreamError, take_line};

/// A snapshot on its way.
#[derive(Debug, Clone, Default)]
pub struct Transfer {
    end: Option<End>,
}

/// How the end is recognised.
#[derive(Debug, Clone)]
enum End {
    /// After so many bytes.
    Length(usize),
    /// At this mark (RW-22).
    Mark([u8; 40]),
}

impl Transfer {
    /// Whether the master said how the snapshot ends.
    pub fn is_announced(&self) -> bool {
        self.end.is_some()
    }

    /// Looks at the bytes that came so far; gives the snapshot when it is whole and leaves the
    /// bytes after it.
    ///
    /// # Errors
    /// The master aborted, or sent something else (RW-21).
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, StreamError> {
        while self.end.is_none() {
            match take_line(buffer)? {
                None => return Ok(None),
                // RW-21: an empty line is a keepalive.
                Some(line) if line.is_empty() => {}
                Some(line) => self.end = Some(announced(&line)?),
            }
        }
        let end = match &self.end {
            Some(End::Length(length)) => (buffer.len() >= *length).then_some((*length, 0)),
            Some(End::Mark(mark)) => {
                let is_whole = buffer.ends_with(mark);
                is_whole.then(|| (buffer.len() - mark.len(), mark.len()))
            }
            None => None,
        };
        if end.is_none() && buffer.len() > SNAPSHOT_BYTES_MAX {
            return Err(StreamError("snapshot too long"));
        }
        Ok(end.map(|(length, mark)| {
            let snapshot = buffer.split_to(length).freeze();
            let _mark = buffer.split_to(mark);
            snapshot
        }))
    }
}

fn announced(line: &[u8]) -> Result<End, StreamError> {
    let Some(text) = line.strip_prefix(b"$") else {
        let is_abort = line.starts_with(b"-");
        let why = if is_abort {
            "the master aborted"
        } else {
            "expected a snapshot"
        };
        return Err(StreamError(why));
    };
    if let Some(mark) = text.strip_prefix(b"EOF:") {
        let mark = mark
            .try_into()
            .map_err(|_| StreamError("expected a mark of 40 bytes"))?;
        return Ok(End::Mark(mark));
    }
    let text = std::str::from_utf8(text).map_err(|_| BAD_LENGTH)?;
    let length = text.parse().map_err(|_| BAD_LENGTH)?;
    if length > SNAPSHOT_BYTES_MAX {
        Err(BAD_LENGTH)
    } else {
        Ok(End::Length(length))
    }
}

const BAD_LENGTH: StreamError = StreamError("bad length of the snapshot");
const SNAPSHOT_BYTES_MAX: usize = 16 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds bytes one by one; gives the snapshot and what is left behind it.
    fn fed(bytes: &[u8]) -> (Option<Bytes>, BytesMut) {
        let (mut transfer, mut buffer) = (Transfer::default(), BytesMut::new());
        for (index, byte) in bytes.iter().enumerate() {
            buffer.extend_from_slice(&[*byte]);
            if let Some(snapshot) = transfer.take(&mut buffer).expect("valid") {
                buffer.extend_from_slice(&bytes[index + 1..]);
                return (Some(snapshot), buffer);
            }
        }
        (None, buffer)
    }

    /// Proves RW-21.
    #[test]
    fn a_snapshot_of_known_length_ends_where_the_stream_starts() {
        let (snapshot, rest) = fed(b"\n\n$5\r\nREDIS*1\r\n");
        assert_eq!(snapshot.as_deref(), Some(&b"REDIS"[..]));
        assert_eq!(rest, &b"*1\r\n"[..]);
    }

    /// Proves RW-22.
    #[test]
    fn a_marked_snapshot_ends_at_its_mark() {
        let mark = "0123456789abcdef0123456789abcdef01234567";
        let (snapshot, rest) = fed(format!("\n$EOF:{mark}\r\nREDIS{mark}").as_bytes());
        assert_eq!(snapshot.as_deref(), Some(&b"REDIS"[..]));
        assert!(rest.is_empty());
    }

    #[test]
    fn refuses_aborts_and_impossible_lengths() {
        for bytes in [
            "-ERR x\r\n",
            "hello\r\n",
            "$-1\r\n",
            "$99999999999999\r\n",
            "$EOF:1\r\n",
        ] {
            let taken = Transfer::default().take(&mut BytesMut::from(bytes));
            assert!(taken.is_err(), "{bytes:?}");
        }
    }
}
