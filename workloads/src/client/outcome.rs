//! What became of an operation.

use std::net::SocketAddrV4;

use slotquake_checkers::history::{EventKind, Value};

/// The end of one operation, as the history records it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// `Ok`, `Fail` or `Info`.
    pub kind: EventKind,
    /// The result if `Ok`.
    pub value: Value,
    /// The node that gave the deciding answer.
    pub node: Option<SocketAddrV4>,
    /// The nodes that redirected it, in order.
    pub hops: Vec<SocketAddrV4>,
    /// Why it failed or is unknown.
    pub error: Option<String>,
}
