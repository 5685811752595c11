//! The trait of every workload.

use std::net::SocketAddrV4;

use slotquake_checkers::history::{EventKind, Function, Key, Process, Value};

use crate::client::REPLY_TIMEOUT_MS;
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
    /// Whom to ask.
    pub aim: Aim,
    /// How long the client waits for each answer, ms.
    pub patience_ms: u64,
    /// What it writes is made at least so long, by zeros before the number.
    pub value_bytes: u32,
    /// What follows the write, if anything.
    pub wait: Option<Wait>,
}

/// A WAIT behind a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// How many replicas are to acknowledge the write.
    pub replicas: u8,
    /// How long that may take, ms.
    pub wait_ms: u64,
}

/// Whom an operation asks first, and whether it follows redirections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// The owner of the slot, by the client's map; redirections are followed.
    Owner,
    /// Whoever is next, as a client without a map does; redirections are followed.
    Anyone,
    /// Whoever is next, and what it says is the end.
    AnyoneOnly,
    /// This node, and what it says is the end.
    Node(SocketAddrV4),
}

impl Aim {
    /// Whether redirections are followed.
    pub fn follows(self) -> bool {
        match self {
            Aim::Owner | Aim::Anyone => true,
            Aim::AnyoneOnly | Aim::Node(_) => false,
        }
    }
}

/// The Redis type behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A string: GET, SET, WATCH … EXEC.
    Register,
    /// A set: SADD, SMEMBERS.
    Set,
    /// A list: RPUSH, LRANGE, and LPOP where it is a queue.
    List,
    /// A stream with a consumer group, as a queue: XADD, XREADGROUP or XAUTOCLAIM, XACK and XDEL,
    /// XRANGE.
    Stream,
    /// A channel, whose messages go to subscribers anywhere or of its slot: PUBLISH and SUBSCRIBE,
    /// SPUBLISH and SSUBSCRIBE.
    Channel(Reach),
    /// A number: INCRBY, GET.
    Counter,
    /// That many numbers under one hash tag: MGET; a transfer is MULTI, DECRBY, INCRBY, EXEC.
    Bank {
        /// Number of accounts.
        accounts: u8,
    },
    /// Lists under one hash tag: MULTI, RPUSH …, LRANGE …, EXEC.
    Lists,
    /// Two strings under one hash tag, at once: MSET, MGET.
    Pair,
    /// Strings under one hash tag: MULTI, SET …, GET …, EXEC.
    Registers,
}

/// Where the subscribers of a channel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// At any node.
    Cluster,
    /// At the nodes of the channel's slot.
    Shard,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done<'a> {
    /// `Ok`, `Fail` or `Info`.
    pub kind: EventKind,
    /// The result if `Ok`.
    pub value: &'a Value,
    /// Who gave the deciding answer.
    pub node: Option<SocketAddrV4>,
    /// How many nodes sent it on before.
    pub hops: usize,
}

/// A source of operations. Pure: all randomness comes through `rng`.
pub trait Workload {
    /// The next operation of this process.
    fn next(&mut self, process: Process, rng: &mut Rng) -> Op;

    /// Learns how an operation ended.
    fn done(&mut self, _process: Process, _op: &Op, _done: Done<'_>) {}

    /// The reads to do at the end, after everything was healed.
    fn final_reads(&self) -> Vec<Op>;
}

impl Op {
    /// A read of a key.
    pub fn read(key: Key, shape: Shape) -> Op {
        Op {
            f: Function::Read,
            key,
            value: Value::Nil,
            shape,
            final_read: false,
            aim: Aim::Owner,
            patience_ms: REPLY_TIMEOUT_MS,
            value_bytes: 0,
            wait: None,
        }
    }

    /// A write of a register.
    pub fn write(key: Key, value: i64) -> Op {
        Op {
            f: Function::Write,
            value: Value::Int(value),
            ..Op::read(key, Shape::Register)
        }
    }

    /// A compare and set of a register.
    pub fn cas(key: Key, old: i64, new: i64) -> Op {
        Op {
            f: Function::Cas,
            value: Value::List(vec![Value::Int(old), Value::Int(new)]),
            ..Op::read(key, Shape::Register)
        }
    }

    /// An addition to a set.
    pub fn add(key: Key, element: i64) -> Op {
        Op {
            f: Function::Add,
            value: Value::Int(element),
            ..Op::read(key, Shape::Set)
        }
    }

    /// An operation on a key of this shape.
    pub fn on(shape: Shape, key: Key, f: Function, value: Value) -> Op {
        Op {
            f,
            value,
            ..Op::read(key, shape)
        }
    }

    /// The same, as part of the reading at the end.
    pub fn at_the_end(self) -> Op {
        Op {
            final_read: true,
            ..self
        }
    }
}
