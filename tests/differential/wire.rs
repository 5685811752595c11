//! Replies exactly as they are on the wire, types and all, for tests that compare servers.
//!
//! Nothing is turned into anything nicer: a null array is not a null bulk, a set is no array.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use slotquake_workloads::client::resp::encode;

/// One reply: the byte of its type, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wire {
    /// A line.
    Line(char, String),
    /// A string with a length; none if it is null.
    Bulk(char, Option<String>),
    /// Several; none if it is null. Pairs of a map are flat.
    Many(char, Option<Vec<Wire>>),
    /// The connection is at its end.
    Closed,
}

impl Wire {
    /// What it holds, if several.
    pub fn items(&self) -> &[Wire] {
        match self {
            Wire::Many(_, Some(items)) => items,
            Wire::Many(_, None) | Wire::Line(..) | Wire::Bulk(..) | Wire::Closed => &[],
        }
    }

    /// The same with everything in order, for what has none.
    pub fn sorted(self) -> Wire {
        match self {
            Wire::Many(kind, Some(items)) => {
                let mut items: Vec<Wire> = items.into_iter().map(Wire::sorted).collect();
                items.sort_unstable();
                Wire::Many(kind, Some(items))
            }
            other => other,
        }
    }

    /// Only its types and numbers of items.
    pub fn shape(self) -> Wire {
        match self {
            Wire::Many(kind, Some(items)) => {
                Wire::Many(kind, Some(items.into_iter().map(Wire::shape).collect()))
            }
            Wire::Line(kind, _) => Wire::Line(kind, String::new()),
            Wire::Bulk(kind, text) => Wire::Bulk(kind, text.map(|_| String::new())),
            Wire::Many(kind, None) => Wire::Many(kind, None),
            Wire::Closed => Wire::Closed,
        }
    }
}

/// A connection that gives every reply to a command, pushes too.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// To a port of this machine.
    pub fn open(port: u16) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).unwrap();
        stream.set_nodelay(true).unwrap();
        let buffer = Vec::new();
        Connection { stream, buffer }
    }

    /// All that comes in answer to a command: its reply, and what came along with it.
    pub fn call(&mut self, words: &[Bytes]) -> Vec<Wire> {
        let mut bytes = Vec::new();
        encode(words, &mut bytes);
        if self.stream.write_all(&bytes).is_err() {
            return vec![Wire::Closed];
        }
        let mut replies = vec![self.next().unwrap_or(Wire::Closed)];
        // What belongs to one command leaves a server in one piece.
        while !self.buffer.is_empty() && replies.last() != Some(&Wire::Closed) {
            replies.push(self.next().unwrap_or(Wire::Closed));
        }
        replies
    }

    fn next(&mut self) -> Option<Wire> {
        let line = self.line()?;
        let (kind, rest) = (char::from(line[0]), text(&line[1..]));
        let length: Option<usize> = rest.parse().ok();
        Some(match kind {
            '$' | '=' | '!' => Wire::Bulk(
                kind,
                match length {
                    Some(length) => Some(text(&self.take(length + 2)?[..length])),
                    None => None,
                },
            ),
            '*' | '~' | '>' | '%' | '|' => Wire::Many(
                kind,
                match length {
                    Some(length) => {
                        let factor = if "%|".contains(kind) { 2 } else { 1 };
                        let mut items = Vec::new();
                        for _ in 0..length * factor {
                            items.push(self.next()?);
                        }
                        Some(items)
                    }
                    None => None,
                },
            ),
            _ => Wire::Line(kind, rest),
        })
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            let end = self.buffer.windows(2).position(|pair| pair == b"\r\n");
            if let Some(end) = end {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(line[..end].to_vec());
            }
            self.read()?;
        }
    }

    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            self.read()?;
        }
        Some(self.buffer.drain(..count).collect())
    }

    fn read(&mut self) -> Option<()> {
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece) {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.buffer.extend_from_slice(&piece[..count]);
                Some(())
            }
        }
    }
}

// One character a byte: nothing is lost, and most is readable.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
