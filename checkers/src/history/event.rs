//! One line of a history, in Jepsen's shape.
//!
//! An operation is two events of one process: an `invoke` and its completion, `ok`, `fail` (it did
//! not happen) or `info` (nobody knows). A process whose operation ended in `info` never invokes
//! again; its client goes on under a new process number.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::value::Value;
use crate::observation::NodeName;

/// Name of a key as the clients wrote it.
pub type Key = Arc<str>;

/// A logical single-threaded client, numbered from 0.
pub type Process = u32;

/// What an event says about its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// The operation begins.
    Invoke,
    /// It happened; `value` is its result.
    Ok,
    /// It did not happen and never will.
    Fail,
    /// Unknown: it may happen now, later or never.
    Info,
}

/// What an operation does; `f` in a history line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// Reads a register, or a whole set (a list of its elements).
    Read,
    /// Writes a register.
    Write,
    /// Compare and set; `value` is `[old, new]`.
    Cas,
    /// Adds one element to a set.
    Add,
}

/// One event of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Position in the history, from 0.
    pub index: u64,
    /// Nanoseconds since the start of the run.
    pub time: u64,
    /// Who did it.
    pub process: Process,
    /// Invocation or which completion.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// What it does.
    pub f: Function,
    /// On which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Argument on invocation, result on `ok`.
    #[serde(default)]
    pub value: Value,
    /// The node that gave the deciding answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
    /// Nodes that redirected the operation on its way, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<NodeName>,
    /// Why it failed or is unknown: an error reply or a broken connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<str>>,
    /// Part of the reading at the end of the run, after all faults were healed.
    #[serde(default, rename = "final", skip_serializing_if = "std::ops::Not::not")]
    pub final_read: bool,
}
