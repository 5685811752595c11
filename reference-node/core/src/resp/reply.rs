//! One reply, independent of RESP2 or RESP3 until it is encoded.

use bytes::Bytes;

/// A reply or a push.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// `+OK`.
    Simple(&'static str),
    /// `+` with any text.
    Status(String),
    /// `-` with the whole text, code first: `MOVED 1 127.0.0.1:6379`.
    Error(String),
    /// `:1`.
    Integer(i64),
    /// `$3`.
    Bulk(Bytes),
    /// `$-1`, or `_` in RESP3.
    Nil,
    /// `*-1`, or `_` in RESP3.
    NilArray,
    /// `*2`.
    Array(Vec<Reply>),
    /// `%1`, or a flat array in RESP2.
    Map(Vec<(Reply, Reply)>),
    /// `~2`, or an array in RESP2.
    Set(Vec<Reply>),
    /// `,1.5`, or a bulk in RESP2.
    Double(f64),
    /// `=`, format txt, or a bulk in RESP2.
    Verbatim(String),
    /// `>2`, or an array in RESP2.
    Push(Vec<Reply>),
    /// Several replies in a row for one command (SUBSCRIBE a b).
    Many(Vec<Reply>),
    /// No reply at all.
    None,
}

impl Reply {
    /// `+OK`.
    pub const OK: Reply = Reply::Simple("OK");

    /// A bulk string of this text.
    pub fn text(text: impl AsRef<str>) -> Reply {
        Reply::Bulk(Bytes::copy_from_slice(text.as_ref().as_bytes()))
    }
}
