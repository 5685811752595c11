//! The trait of every workload.

use slotquake_checkers::history::{EventKind, Function, Key, Process, Value};

use crate::rng::Rng;

/// One operation a client is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Op {
    /// What.
    pub f: Function,
    /// On which key.
    pub key: Key,
    /// Argument: the value to write or add, `[old, new]` for cas, nil for reads.
    pub value: Value,
    /// Which data type the key has, hence which commands carry the operation.
    pub shape: Shape,
    /// Part of the reading at the end.
    pub final_read: bool,
}

/// The Redis type behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A string: GET, SET, WATCH … EXEC.
    Register,
    /// A set: SADD, SMEMBERS.
    Set,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done<'a> {
    /// `Ok`, `Fail` or `Info`.
    pub kind: EventKind,
    /// The result if `Ok`.
    pub value: &'a Value,
}

/// A source of operations. Pure: all randomness comes through `rng`.
pub trait Workload {
    /// The next operation of this process.
    fn next(&mut self, process: Process, rng: &mut Rng) -> Op;

    /// Learns how an operation ended.
    fn done(&mut self, process: Process, op: &Op, done: Done<'_>);

    /// The reads to do at the end, after everything was healed.
    fn final_reads(&self) -> Vec<Op>;
}
