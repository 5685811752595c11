//! The talk with the target of one MIGRATE: what is sent, and what its answers mean.
//!
//! Pure bytes to facts (cluster-commands.md section 4). Requests are AUTH and SELECT where needed,
//! then one RESTORE-ASKING per key, all pipelined; answers are read in order, line by line. It
//! deletes nothing and knows no connection: `migrate` does, with what it tells.

use bytes::{Bytes, BytesMut};

use crate::keyspace::{Keyspace, is_due};
use crate::rdb;
use crate::time::Millis;

/// AUTH or AUTH2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// The user; none for AUTH with a password alone.
    pub user: Option<Bytes>,
    /// The password.
    pub password: Bytes,
}

/// What one MIGRATE asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Host and port as they were written: a connection is kept for each.
    pub target: (Bytes, Bytes),
    /// SELECT there.
    pub db: i64,
    /// How long one step may take: connecting, then each answer.
    pub timeout: Millis,
    /// COPY: the keys stay here as well.
    pub copies: bool,
    /// REPLACE: keys there are overwritten.
    pub replaces: bool,
    /// AUTH or AUTH2.
    pub auth: Option<Auth>,
    /// Which keys.
    pub keys: Vec<Bytes>,
}

/// The requests of an order, and what was answered so far.
#[derive(Debug, Clone)]
pub struct Talk {
    /// Answers to AUTH and SELECT still to come.
    preludes_left: usize,
    /// The first error among them.
    prelude_error: Option<String>,
    /// Keys sent, in order.
    sent: Vec<Bytes>,
    /// How many of them were answered.
    answered: usize,
    /// Keys that the target has now.
    pub acknowledged: Vec<Bytes>,
    /// The first error of the target, without its `-`.
    pub error: Option<String>,
    buffer: BytesMut,
}

/// How a talk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Answers are to come.
    Open,
    /// All were read.
    Done,
    /// The target does not speak the protocol.
    Garbage,
}

/// Whether a connection has the database of the order selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selected {
    /// It has.
    Already,
    /// Another one, or nobody knows.
    NotYet,
}

impl Talk {
    /// Begins: gives the bytes to be sent. Keys that are due by now, or gone, are left out.
    pub fn begin(
        order: &Order,
        selected: Selected,
        keyspace: &Keyspace,
        restore: &'static str,
        now: Millis,
    ) -> (Talk, Bytes) {
        let mut out = Vec::new();
        let mut preludes_left = 0;
        if let Some(Auth { user, password }) = &order.auth {
            let mut words: Vec<&[u8]> = vec![b"AUTH"];
            words.extend(user.as_deref());
            words.push(password);
            put(&mut out, &words);
            preludes_left += 1;
        }
        if selected == Selected::NotYet {
            put(&mut out, &[b"SELECT", order.db.to_string().as_bytes()]);
            preludes_left += 1;
        }
        let mut sent = Vec::new();
        for key in &order.keys {
            let Some(entry) = keyspace.entry(key).filter(|one| !is_due(one.expires, now)) else {
                continue;
            };
            let left = |at: Millis| at.0.saturating_sub(now.0).max(1);
            let ttl = entry.expires.map_or(0, left).to_string();
            let payload = rdb::encode_dump(&entry.value);
            let mut words: Vec<&[u8]> =
                vec![restore.as_bytes(), key, ttl.as_bytes(), payload.as_ref()];
            if order.replaces {
                words.push(b"REPLACE");
            }
            put(&mut out, &words);
            sent.push(key.clone());
        }
        let talk = Talk {
            preludes_left,
            prelude_error: None,
            sent,
            answered: 0,
            acknowledged: Vec::new(),
            error: None,
            buffer: BytesMut::new(),
        };
        (talk, out.into())
    }

    /// Whether an answer about a key was read: then nothing is sent again.
    pub fn has_answer(&self) -> bool {
        self.answered > 0
    }

    /// Takes in what came.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Reads the answers that are complete.
    pub fn read(&mut self) -> Standing {
        while self.preludes_left > 0 || self.answered < self.sent.len() {
            let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
                let is_endless = self.buffer.len() > ANSWER_BYTES_MAX;
                return if is_endless {
                    Standing::Garbage
                } else {
                    Standing::Open
                };
            };
            let line = self.buffer.split_to(end + 1);
            self.take_line(line.trim_ascii_end());
        }
        Standing::Done
    }

    fn take_line(&mut self, line: &[u8]) {
        let error = line.strip_prefix(b"-").map(|text| {
            let text = String::from_utf8_lossy(text);
            text.chars().take(ANSWER_CHARS_MAX).collect::<String>()
        });
        if self.preludes_left > 0 {
            self.preludes_left -= 1;
            self.prelude_error = self.prelude_error.take().or(error);
            return;
        }
        let key = self.sent[self.answered].clone();
        self.answered += 1;
        // Without AUTH or SELECT no key has arrived where it should have.
        match self.prelude_error.clone().or(error) {
            None => self.acknowledged.push(key),
            Some(error) => self.error = self.error.take().or(Some(error)),
        }
    }
}

fn put(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// Answers are one line; a target that sends a longer one is none.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// So much of an error is handed on.
const ANSWER_CHARS_MAX: usize = 1022;
