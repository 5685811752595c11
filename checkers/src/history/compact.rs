//! Operations as judges of a million of them hold them: 56 bytes each, values as one word.
//!
//! A [`Collector`] takes events one by one, joins invocations with completions and files each
//! operation under its key. Small integers live in their [`Atom`]; other values are kept once.

use std::borrow::Cow;

use super::by_process::ByProcess;
use super::event::{Event, EventKind, Function, Key, Process};
use super::operation::{Outcome, short};
use super::value::Value;
use crate::table::{IndexTable, Mix};

/// A value as one word; [`Atoms`] knows what it stands for. Equal atoms are equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atom(u64);

impl Atom {
    /// No value.
    pub const NIL: Atom = Atom(0);

    /// The atom of an integer, if it is small enough.
    pub fn of_int(value: i64) -> Option<Atom> {
        let shifted = value.checked_mul(4)?;
        Some(Atom(shifted as u64 | 1))
    }

    /// Its word.
    pub fn word(self) -> u64 {
        self.0
    }
}

/// The values behind atoms.
#[derive(Debug, Clone, Default)]
pub struct Atoms {
    values: Vec<Value>,
    table: IndexTable,
}

impl Atoms {
    /// The atom of a value, the same each time.
    pub fn atom(&mut self, value: &Value) -> Atom {
        match value {
            Value::Nil => return Atom::NIL,
            Value::Int(number) => {
                if let Some(atom) = Atom::of_int(*number) {
                    return atom;
                }
            }
            Value::Text(_) | Value::List(_) => {}
        }
        let hash = Mix::of(value);
        let known = self
            .table
            .find(hash, |at| self.values[at as usize] == *value);
        let position = known.unwrap_or_else(|| {
            let position = self.values.len() as u32;
            self.values.push(value.clone());
            self.table.insert(hash, position);
            position
        });
        Atom(u64::from(position) << 2 | 2)
    }

    /// The atom of a value, if it has one already.
    pub fn known(&self, value: &Value) -> Option<Atom> {
        match value {
            Value::Nil => return Some(Atom::NIL),
            Value::Int(number) if Atom::of_int(*number).is_some() => return Atom::of_int(*number),
            Value::Int(_) | Value::Text(_) | Value::List(_) => {}
        }
        let is_it = |at: u32| self.values[at as usize] == *value;
        let known = self.table.find(Mix::of(value), is_it);
        known.map(|position| Atom(u64::from(position) << 2 | 2))
    }

    /// What an atom stands for.
    pub fn value(&self, atom: Atom) -> Cow<'_, Value> {
        match atom.0 & 3 {
            0 => Cow::Owned(Value::Nil),
            1 => Cow::Owned(Value::Int(atom.0 as i64 >> 2)),
            _ => Cow::Borrowed(&self.values[(atom.0 >> 2) as usize]),
        }
    }

    /// What it stands for, for people; texts without quotes.
    pub fn told(&self, atom: Atom) -> String {
        match &*self.value(atom) {
            Value::Text(text) => text.to_string(),
            value => short(value),
        }
    }
}

/// Number of a key within its [`Log`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Op {
    /// When it was invoked, ns.
    pub invoked: u64,
    /// When it was completed, ns; `u64::MAX` if its outcome is unknown.
    pub completed: u64,
    /// Argument.
    pub argument: Atom,
    /// Result, if `ok`.
    pub result: Atom,
    /// Index of its invocation.
    pub index: u64,
    /// Who.
    pub process: Process,
    /// On which key.
    pub key: KeyId,
    /// What.
    pub f: Function,
    /// Outcome.
    pub outcome: Outcome,
}

/// All operations of a history, by key.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// The keys, in order of first appearance.
    pub keys: Vec<Key>,
    /// Their operations, in order of completion; what never completed comes last.
    pub ops: Vec<Vec<Op>>,
    /// The values.
    pub atoms: Atoms,
}

impl Log {
    /// A log of one key, without operations.
    pub fn of_key(key: Key) -> Log {
        Log {
            keys: vec![key],
            ops: vec![Vec::new()],
            atoms: Atoms::default(),
        }
    }

    /// One line for people.
    pub fn told(&self, op: &Op) -> String {
        let key = &self.keys[op.key.0 as usize];
        let space = if key.is_empty() { "" } else { " " };
        let argument = short(&self.atoms.value(op.argument));
        let result = short(&self.atoms.value(op.result));
        let shows = matches!(op.f, Function::Read | Function::Dequeue | Function::Pop);
        let tail = match (op.outcome, shows) {
            (Outcome::Ok, true) => format!("-> {result}"),
            (Outcome::Ok, false) if op.f == Function::Txn => result,
            (Outcome::Ok, false) => argument,
            (Outcome::Fail, _) => format!("{argument} -> failed"),
            (Outcome::Unknown, true) => "-> unknown".into(),
            (Outcome::Unknown, false) => format!("{argument} -> unknown"),
        };
        format!("{}{space}{key} {tail} (op {})", op.f.name(), op.index)
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.ops.iter().map(Vec::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ops.iter().all(Vec::is_empty)
    }
}

/// Joins events into a [`Log`].
#[derive(Debug, Default)]
pub struct Collector {
    log: Log,
    table: IndexTable,
    /// The key of the invocation before: the next one is often on the same.
    latest: u32,
    open: ByProcess<Op>,
}

impl Collector {
    /// Takes in the next event. Events that break the rules of histories are left out: the reader
    /// reports them.
    pub fn observe(&mut self, event: &Event) {
        // Replicas may lag behind, so what they answer is held against no order (RP-04).
        if event.f == Function::ReplicaRead {
            return;
        }
        let value = self.log.atoms.atom(&event.value);
        if event.kind == EventKind::Invoke {
            let key = self.key(event.key.as_deref().unwrap_or_default());
            let op = Op {
                invoked: event.time,
                completed: u64::MAX,
                argument: value,
                result: Atom::NIL,
                index: event.index,
                process: event.process,
                key,
                f: event.f,
                outcome: Outcome::Unknown,
            };
            if let Some(before) = self.open.insert(event.process, op) {
                self.file(before);
            }
            return;
        }
        let Some(mut op) = self.open.remove(event.process) else {
            return;
        };
        (op.outcome, op.completed) = match event.kind {
            EventKind::Ok => (Outcome::Ok, event.time),
            EventKind::Fail => (Outcome::Fail, event.time),
            EventKind::Invoke | EventKind::Info => (Outcome::Unknown, u64::MAX),
        };
        if op.outcome == Outcome::Ok {
            op.result = value;
        }
        self.file(op);
    }

    /// The log; what is still open is of unknown outcome.
    pub fn finish(mut self) -> Log {
        let mut open = self.open.drain();
        open.sort_by_key(|op| op.index);
        open.into_iter().for_each(|op| self.file(op));
        self.log
    }

    fn file(&mut self, op: Op) {
        self.log.ops[op.key.0 as usize].push(op);
    }

    fn key(&mut self, name: &str) -> KeyId {
        let keys = &self.log.keys;
        if keys
            .get(self.latest as usize)
            .is_some_and(|key| &**key == name)
        {
            return KeyId(self.latest);
        }
        let hash = Mix::of(name);
        if let Some(known) = self.table.find(hash, |at| &*keys[at as usize] == name) {
            self.latest = known;
            return KeyId(known);
        }
        let position = keys.len() as u32;
        self.log.keys.push(name.into());
        self.log.ops.push(Vec::new());
        self.table.insert(hash, position);
        KeyId(position)
    }
}
