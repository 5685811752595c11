//! Operations: an invocation joined with its completion.
//!
//! Most checkers of histories judge operations, not events. [`Pairing`] takes events one by one and
//! hands back each operation when it is complete; what is still open at the end is unknown (R7).

use super::by_process::ByProcess;
use super::event::{Event, EventKind, Function, Key, Process};
use super::value::Value;
use crate::observation::NodeName;

/// What is known of an operation's effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It happened, between invocation and completion.
    Ok,
    /// It did not happen.
    Fail,
    /// It may happen at any time after its invocation, or never.
    Unknown,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Index of its invocation.
    pub index: u64,
    /// Who.
    pub process: Process,
    /// What.
    pub f: Function,
    /// On which key; empty in a history without keys.
    pub key: Key,
    /// Argument.
    pub argument: Value,
    /// Result, if `ok`.
    pub result: Value,
    /// Outcome.
    pub outcome: Outcome,
    /// When it was invoked, ns.
    pub invoked: u64,
    /// When it was completed, ns; `u64::MAX` if it never was, or if its outcome is unknown.
    pub completed: u64,
    /// The node that gave the deciding answer.
    pub node: Option<NodeName>,
    /// How many replicas acknowledged the write, if it was followed by WAIT.
    pub replicas: Option<u32>,
    /// Part of the reading at the end.
    pub final_read: bool,
}

impl Operation {
    /// Old and new value of a compare and set.
    pub fn cas(&self) -> Option<(&Value, &Value)> {
        match (&self.argument, self.f) {
            (Value::List(pair), Function::Cas) if pair.len() == 2 => Some((&pair[0], &pair[1])),
            _ => None,
        }
    }

    /// The value a register holds once this operation has happened, if it changes it.
    pub fn written(&self) -> Option<&Value> {
        match self.f {
            Function::Write => Some(&self.argument),
            Function::Cas => self.cas().map(|(_, new)| new),
            Function::WriteExpiring => match &self.argument {
                Value::List(parts) => parts.first(),
                Value::Nil | Value::Int(_) | Value::Text(_) => None,
            },
            Function::Read
            | Function::ReplicaRead
            | Function::Publish
            | Function::Receive
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
            | Function::Txn => None,
        }
    }

    /// Whether it changes something; a transaction of reads does not.
    pub fn is_write(&self) -> bool {
        let is_read = |micro: &Value| match micro {
            Value::List(parts) => parts.first() == Some(&Value::Text("r".into())),
            Value::Nil | Value::Int(_) | Value::Text(_) => false,
        };
        match (&self.argument, self.f) {
            (Value::List(micros), Function::Txn) => !micros.iter().all(is_read),
            (_, f) => f.is_write(),
        }
    }

    /// The micro-operations of a transaction, each as an operation on its own key; nothing for
    /// any other operation.
    pub fn parts(&self) -> Vec<Operation> {
        let told = match self.outcome {
            Outcome::Ok => &self.result,
            Outcome::Fail | Outcome::Unknown => &self.argument,
        };
        let micros: &[Value] = match (told, self.f) {
            (Value::List(micros), Function::Txn) => micros,
            (_, _) => &[],
        };
        micros.iter().filter_map(|micro| self.part(micro)).collect()
    }

    fn part(&self, micro: &Value) -> Option<Operation> {
        let Value::List(parts) = micro else {
            return None;
        };
        let [Value::Text(kind), Value::Text(key), value] = parts.as_slice() else {
            return None;
        };
        let (f, argument) = match &**kind {
            "append" => (Function::Append, value.clone()),
            "w" => (Function::Write, value.clone()),
            "r" => (Function::Read, Value::Nil),
            _ => return None,
        };
        Some(Operation {
            f,
            argument,
            key: key.clone(),
            result: value.clone(),
            node: self.node.clone(),
            ..*self
        })
    }

    /// One line for people.
    pub fn told(&self) -> String {
        let name = self.f.name();
        let tail = match (self.outcome, self.f) {
            (Outcome::Ok, Function::Read | Function::ReplicaRead | Function::Receive) => {
                format!("-> {}", short(&self.result))
            }
            (Outcome::Ok, _) => format!("{} -> ok", short(&self.argument)),
            (Outcome::Fail, _) => format!("{} -> failed", short(&self.argument)),
            (Outcome::Unknown, _) => format!("{} -> unknown", short(&self.argument)),
        };
        let node = match &self.node {
            Some(node) => format!(" at {node}"),
            None => String::new(),
        };
        format!("{name} {} {tail}{node} (op {})", self.key, self.index)
    }
}

/// A value for people; long lists are cut.
pub fn short(value: &Value) -> String {
    match value {
        Value::Nil => "nil".into(),
        Value::Int(value) => value.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::List(items) if items.len() <= 4 => {
            let items: Vec<String> = items.iter().map(short).collect();
            format!("[{}]", items.join(" "))
        }
        Value::List(items) => format!("[{} elements]", items.len()),
    }
}

/// Joins invocations with their completions.
#[derive(Debug, Default)]
pub struct Pairing {
    open: ByProcess<Event>,
}

impl Pairing {
    /// Takes in the next event; gives the operation it completes.
    ///
    /// Events that break the rules of histories are left out: the reader reports them.
    pub fn observe(&mut self, event: &Event) -> Option<Operation> {
        match event.kind {
            EventKind::Invoke => {
                let before = self.open.insert(event.process, event.clone());
                before.map(|invoke| joined(invoke, None))
            }
            EventKind::Ok | EventKind::Fail | EventKind::Info => {
                let invoke = self.open.remove(event.process)?;
                Some(joined(invoke, Some(event)))
            }
        }
    }

    /// What is still open at the end, in order of invocation.
    pub fn finish(&mut self) -> Vec<Operation> {
        let mut open = self.open.drain();
        open.sort_by_key(|event| event.index);
        open.into_iter()
            .map(|invoke| joined(invoke, None))
            .collect()
    }
}

fn joined(invoke: Event, completion: Option<&Event>) -> Operation {
    let outcome = match completion.map(|event| event.kind) {
        Some(EventKind::Ok) => Outcome::Ok,
        Some(EventKind::Fail) => Outcome::Fail,
        Some(EventKind::Info | EventKind::Invoke) | None => Outcome::Unknown,
    };
    let completed = match (outcome, completion) {
        (Outcome::Ok | Outcome::Fail, Some(event)) => event.time,
        _ => u64::MAX,
    };
    Operation {
        index: invoke.index,
        process: invoke.process,
        f: invoke.f,
        key: invoke.key.unwrap_or_else(|| "".into()),
        argument: invoke.value,
        result: completion.map_or(Value::Nil, |event| event.value.clone()),
        outcome,
        invoked: invoke.time,
        completed,
        node: completion.and_then(|event| event.node.clone()),
        replicas: completion.and_then(|event| event.replicas),
        final_read: invoke.final_read || completion.is_some_and(|event| event.final_read),
    }
}
