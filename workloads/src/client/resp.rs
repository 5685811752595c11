//! RESP2/RESP3 replies as the client sees them; and their parser.

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
