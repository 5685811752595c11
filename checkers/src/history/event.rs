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
    /// The same, of a replica that may lag behind.
    ReplicaRead,
    /// Writes a register.
    Write,
    /// Writes a register for a time; `value` is `[value, time to live in ms]`.
    WriteExpiring,
    /// Compare and set; `value` is `[old, new]`.
    Cas,
    /// Adds one element to a set.
    Add,
    /// Appends one element to a list; `value` is the element.
    Append,
    /// Adds to a counter; `value` is the summand, and the sum afterwards on `ok` if it is known.
    Increment,
    /// Puts one element into a queue.
    Enqueue,
    /// Takes the element that waited longest out of a queue; `value` is it on `ok`, nil if none,
    /// and `["wait", ms]` on invocation if it waits for one.
    Dequeue,
    /// Puts one element onto a stack.
    Push,
    /// Takes the newest element off a stack; `value` is it on `ok`, nil if none.
    Pop,
    /// Publishes one message on a channel.
    Publish,
    /// Subscribes to a channel, listens, and unsubscribes; `value` is for how many ms, and the
    /// messages in order on `ok`.
    Receive,
    /// Takes a lock.
    Acquire,
    /// Gives a lock back.
    Release,
    /// Moves an amount between accounts; `value` is `[from, to, amount]`.
    Transfer,
    /// A transaction; `value` is a list of micro-operations `["append",key,element]`,
    /// `["w",key,value]` and `["r",key,result]`.
    Txn,
}

impl Function {
    /// All of them; binary histories know each by its place, so new ones come last.
    pub const ALL: &[Function] = &[
        Function::Read,
        Function::Write,
        Function::Cas,
        Function::Add,
        Function::Append,
        Function::Increment,
        Function::Enqueue,
        Function::Dequeue,
        Function::Push,
        Function::Pop,
        Function::Acquire,
        Function::Release,
        Function::Transfer,
        Function::Txn,
        Function::ReplicaRead,
        Function::WriteExpiring,
        Function::Publish,
        Function::Receive,
    ];

    /// As it is written in a history.
    pub fn name(self) -> &'static str {
        match self {
            Function::Read => "read",
            Function::Write => "write",
            Function::Cas => "cas",
            Function::Add => "add",
            Function::Append => "append",
            Function::Increment => "increment",
            Function::Enqueue => "enqueue",
            Function::Dequeue => "dequeue",
            Function::Push => "push",
            Function::Pop => "pop",
            Function::Acquire => "acquire",
            Function::Release => "release",
            Function::Transfer => "transfer",
            Function::Txn => "txn",
            Function::ReplicaRead => "replica-read",
            Function::WriteExpiring => "write-expiring",
            Function::Publish => "publish",
            Function::Receive => "receive",
        }
    }

    /// The function of this name.
    pub fn of_name(name: &[u8]) -> Option<Function> {
        let mut all = Function::ALL.iter();
        all.find(|f| f.name().as_bytes() == name).copied()
    }

    /// Whether an operation of this function changes something, as far as the function tells.
    pub fn is_write(self) -> bool {
        match self {
            Function::Read | Function::ReplicaRead | Function::Receive => false,
            Function::Write
            | Function::WriteExpiring
            | Function::Publish
            | Function::Cas
            | Function::Add
            | Function::Append
            | Function::Increment
            | Function::Enqueue
            | Function::Dequeue
            | Function::Push
            | Function::Pop
            | Function::Acquire
            | Function::Release
            | Function::Transfer
            | Function::Txn => true,
        }
    }

    /// Whether it changes something whenever it succeeds: the values of our workloads are unique.
    pub fn surely_writes(self) -> bool {
        matches!(
            self,
            Function::Write
                | Function::WriteExpiring
                | Function::Add
                | Function::Append
                | Function::Increment
                | Function::Enqueue
        )
    }

    /// Whether only the owner of the key's slot may answer it: not so reads of replicas, and
    /// messages, which go through any node.
    pub fn is_for_the_owner(self) -> bool {
        !matches!(
            self,
            Function::ReplicaRead | Function::Publish | Function::Receive
        )
    }

    /// The object it works on; a read tells none.
    pub fn object(self) -> Option<Object> {
        Some(match self {
            Function::Read | Function::ReplicaRead => return None,
            Function::Write | Function::Cas => Object::Register,
            Function::WriteExpiring => Object::Lease,
            Function::Publish | Function::Receive => Object::Channel,
            Function::Add => Object::Set,
            Function::Append => Object::List,
            Function::Increment => Object::Counter,
            Function::Enqueue | Function::Dequeue => Object::Queue,
            Function::Push | Function::Pop => Object::Stack,
            Function::Acquire | Function::Release => Object::Lock,
            Function::Transfer => Object::Bank,
            Function::Txn => Object::Store,
        })
    }
}

/// What a key stands for, as the functions used on it tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// One value.
    Register,
    /// One value for a time.
    Lease,
    /// Messages to whoever listens.
    Channel,
    /// Unique elements without order.
    Set,
    /// Elements in order of their appending.
    List,
    /// A sum.
    Counter,
    /// First in, first out.
    Queue,
    /// Last in, first out.
    Stack,
    /// Held by one at a time.
    Lock,
    /// Accounts with a constant total.
    Bank,
    /// Many keys, changed by transactions.
    Store,
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
    /// How many replicas acknowledged the write, if it was followed by WAIT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Part of the reading at the end of the run, after all faults were healed.
    #[serde(default, rename = "final", skip_serializing_if = "std::ops::Not::not")]
    pub final_read: bool,
}
