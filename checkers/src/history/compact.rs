//! Operations as judges of a million of them hold them: 56 bytes each, values as one word.
//!
//! A [`Collector`] takes events one by one, joins invocations with completions and files each
//! operation under its key. Small integers live in their [`Atom`]; other values are kept once.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::by_process::ByProcess;
use super::event::{Event, EventKind, Function, Key, Process};
use super::jsonl::{HistoryProblem, check_value, follows, name_of};
use super::operation::{Outcome, short};
use super::value::Value;
use crate::table::{IndexTable, Mix};

/// A value as one word; [`Atoms`] knows what it stands for. Equal atoms are equal values.
///
/// The lowest two bits tell the kind: nil, a small integer, one that is kept, and two natural
/// numbers in a list, as a compare and set has them.
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

    /// The atom of a value that needs no place of its own.
    fn of_small(value: &Value) -> Option<Atom> {
        match value {
            Value::Nil => Some(Atom::NIL),
            Value::Int(number) => Atom::of_int(*number),
            Value::List(items) => match items.as_slice() {
                [Value::Int(one), Value::Int(other)] => {
                    let part = |number: i64| u64::try_from(number).ok().filter(|it| it >> 31 == 0);
                    let (one, other) = (part(*one)?, part(*other)?);
                    Some(Atom((one << 31 | other) << 2 | 3))
                }
                _ => None,
            },
            Value::Text(_) => None,
        }
    }

    /// The two numbers of such a list.
    fn pair(self) -> [i64; 2] {
        let both = self.0 >> 2;
        [both >> 31, both & ((1 << 31) - 1)].map(|part| part as i64)
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
        if let Some(atom) = Atom::of_small(value) {
            return atom;
        }
        let is_it = |known: &Value| known == value;
        self.entered(hash_of(value), is_it, || value.clone())
    }

    /// The atom of a text; nothing is allocated if it has one already.
    pub fn text(&mut self, text: &str) -> Atom {
        let is_it = |known: &Value| matches!(known, Value::Text(known) if **known == *text);
        self.entered(Mix::of(text.as_bytes()), is_it, || Value::Text(text.into()))
    }

    fn entered(
        &mut self,
        hash: u64,
        is_it: impl Fn(&Value) -> bool,
        value: impl FnOnce() -> Value,
    ) -> Atom {
        let known = self.table.find(hash, |at| is_it(&self.values[at as usize]));
        let position = known.unwrap_or_else(|| {
            let position = self.values.len() as u32;
            self.values.push(value());
            self.table.insert(hash, position);
            position
        });
        Atom(u64::from(position) << 2 | 2)
    }

    /// The atom of a value, if it has one already.
    pub fn known(&self, value: &Value) -> Option<Atom> {
        if let Some(atom) = Atom::of_small(value) {
            return Some(atom);
        }
        let is_it = |at: u32| self.values[at as usize] == *value;
        let known = self.table.find(hash_of(value), is_it);
        known.map(|position| Atom(u64::from(position) << 2 | 2))
    }

    /// What an atom stands for.
    pub fn value(&self, atom: Atom) -> Cow<'_, Value> {
        match atom.0 & 3 {
            0 => Cow::Owned(Value::Nil),
            1 => Cow::Owned(Value::Int(atom.0 as i64 >> 2)),
            3 => Cow::Owned(Value::List(atom.pair().map(Value::Int).into())),
            _ => Cow::Borrowed(&self.values[(atom.0 >> 2) as usize]),
        }
    }

    /// Whether it is a list.
    pub fn is_list(&self, atom: Atom) -> bool {
        atom.0 & 3 == 3 || matches!(&*self.value(atom), Value::List(_))
    }

    /// What a register holds once this operation has happened, if it changes it; none as well if
    /// there is no atom of that, so that nobody read it.
    pub fn written(&self, op: &Op) -> Option<Atom> {
        if op.f == Function::Write {
            return Some(op.argument);
        }
        let part = match op.f == Function::Cas {
            true => 1,
            false if op.f == Function::WriteExpiring => 0,
            false => return None,
        };
        if op.argument.0 & 3 == 3 {
            return Atom::of_int(op.argument.pair()[part]);
        }
        match &*self.value(op.argument) {
            Value::List(parts) => parts.get(part).and_then(|value| self.known(value)),
            Value::Nil | Value::Int(_) | Value::Text(_) => None,
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

fn hash_of(value: &Value) -> u64 {
    match value {
        Value::Text(text) => Mix::of(text.as_bytes()),
        Value::Nil | Value::Int(_) | Value::List(_) => Mix::of(value),
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

    /// Lets every register begin with this value: as if somebody had written it before all else.
    /// Registers within transactions are meant as well.
    pub fn begin_with(&mut self, value: &Value) {
        let argument = self.atoms.atom(value);
        let known: BTreeSet<Key> = self.keys.iter().cloned().collect();
        for name in self.registers().difference(&known) {
            self.keys.push(name.clone());
            self.ops.push(Vec::new());
        }
        for (number, ops) in self.ops.iter_mut().enumerate() {
            // What is over at 0 is before all that begins at 1.
            for op in ops.iter_mut() {
                op.invoked = op.invoked.saturating_add(1);
                op.completed = op.completed.saturating_add(1);
            }
            let first = Op {
                invoked: 0,
                completed: 0,
                argument,
                result: argument,
                index: BEFORE_ALL,
                process: 0,
                key: KeyId(number as u32),
                f: Function::Write,
                outcome: Outcome::Ok,
            };
            ops.insert(0, first);
        }
    }

    /// The keys that transactions name.
    fn registers(&self) -> BTreeSet<Key> {
        let mut names = BTreeSet::new();
        for op in self.ops.iter().flatten().filter(|op| op.f == Function::Txn) {
            let Value::List(micros) = &*self.atoms.value(op.argument) else {
                continue;
            };
            for micro in micros {
                if let Value::List(parts) = micro
                    && let Some(Value::Text(name)) = parts.get(1)
                {
                    names.insert(name.clone());
                }
            }
        }
        names
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
        let place = match op.index {
            BEFORE_ALL => "before the first".into(),
            index => format!("op {index}"),
        };
        format!("{}{space}{key} {tail} ({place})", op.f.name())
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

/// An event whose names and values are known by number.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its position.
    pub index: u64,
    /// When, ns.
    pub time: u64,
    /// Who.
    pub process: Process,
    /// Invocation or which completion.
    pub kind: EventKind,
    /// What.
    pub f: Function,
    /// On which key; none if it does not say.
    pub key: Option<KeyId>,
    /// Argument or result.
    pub value: Atom,
}

/// Joins events into a [`Log`].
#[derive(Debug, Default)]
pub struct Collector {
    log: Log,
    table: IndexTable,
    /// The key of the invocation before: the next one is often on the same.
    latest: u32,
    open: ByProcess<Op>,
    /// All operations, in order of completion.
    flat: Vec<Op>,
    last: Option<(u64, u64)>,
}

impl Collector {
    /// Takes in the next event. Events that break the rules of histories are left out: the reader
    /// reports them.
    pub fn observe(&mut self, event: &Event) {
        let _ = self.take(event);
    }

    /// The same, and holds it against the rules of histories.
    ///
    /// # Errors
    /// As [`Collector::enter`].
    pub fn take(&mut self, event: &Event) -> Result<(), HistoryProblem> {
        follows(self.last, event.index, event.time)?;
        check_value(event)?;
        let value = self.log.atoms.atom(&event.value);
        let key = event.key.as_deref().map(|key| self.key(key));
        self.enter(Entry {
            index: event.index,
            time: event.time,
            process: event.process,
            kind: event.kind,
            f: event.f,
            key,
            value,
        })
    }

    /// What it has by now: all keys and values, operations only once it is finished.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Whether there was an event.
    pub fn has_begun(&self) -> bool {
        self.last.is_some()
    }

    /// Takes in the next event, and holds it against the rules that every history obeys.
    ///
    /// # Errors
    /// The first rule that it breaks; then it is not taken.
    pub fn enter(&mut self, entry: Entry) -> Result<(), HistoryProblem> {
        self.last = Some(follows(self.last, entry.index, entry.time)?);
        let Entry { process, kind, .. } = entry;
        if kind == EventKind::Invoke {
            let key = match entry.key {
                Some(key) => key,
                None => self.key(""),
            };
            let op = Op {
                invoked: entry.time,
                completed: u64::MAX,
                argument: entry.value,
                result: Atom::NIL,
                index: entry.index,
                process,
                key,
                f: entry.f,
                outcome: Outcome::Unknown,
            };
            if let Some(before) = self.open.insert(process, op) {
                let open = before.index;
                self.file(before);
                return Err(HistoryProblem::AlreadyOpen { process, open });
            }
            return Ok(());
        }
        let Some(mut op) = self.open.remove(process) else {
            return Err(HistoryProblem::NotInvoked { process });
        };
        // A completion may leave out the key: the invocation has it.
        if op.f != entry.f || entry.key.is_some_and(|key| key != op.key) {
            let name = |f, key: Option<KeyId>| {
                let key = key.map(|key| &self.log.keys[key.0 as usize]);
                name_of(f, key.filter(|key| !key.is_empty()))
            };
            return Err(HistoryProblem::OtherOperation {
                process,
                open: op.index,
                invoked: name(op.f, Some(op.key)),
                got: name(entry.f, entry.key),
            });
        }
        (op.outcome, op.completed) = match kind {
            EventKind::Ok => (Outcome::Ok, entry.time),
            EventKind::Fail => (Outcome::Fail, entry.time),
            EventKind::Invoke | EventKind::Info => (Outcome::Unknown, u64::MAX),
        };
        if op.outcome == Outcome::Ok {
            op.result = entry.value;
        }
        self.file(op);
        Ok(())
    }

    /// The atom of a value.
    pub fn atom(&mut self, value: &Value) -> Atom {
        self.log.atoms.atom(value)
    }

    /// The atom of a text.
    pub fn atom_of_text(&mut self, text: &str) -> Atom {
        self.log.atoms.text(text)
    }

    /// The log; what is still open is of unknown outcome.
    pub fn finish(mut self) -> Log {
        let mut open = self.open.drain();
        open.sort_by_key(|op| op.index);
        open.into_iter().for_each(|op| self.file(op));
        let mut counts = vec![0; self.log.keys.len()];
        for op in &self.flat {
            counts[op.key.0 as usize] += 1;
        }
        if counts.len() == 1 {
            self.log.ops = vec![self.flat];
            return self.log;
        }
        // Each key gets just as much as it needs: many that grow side by side would be copied
        // over and over.
        self.log.ops = counts.into_iter().map(Vec::with_capacity).collect();
        for op in self.flat {
            self.log.ops[op.key.0 as usize].push(op);
        }
        self.log
    }

    fn file(&mut self, op: Op) {
        // Replicas may lag behind, so what they answer is held against no order (RP-04).
        if op.f != Function::ReplicaRead {
            self.flat.push(op);
        }
    }

    /// The key of this name.
    pub fn key(&mut self, name: &str) -> KeyId {
        let keys = &self.log.keys;
        let is_it = |at: u32| keys.get(at as usize).is_some_and(|key| &**key == name);
        if !is_it(self.latest) {
            let hash = Mix::of(name);
            self.latest = self.table.find(hash, is_it).unwrap_or_else(|| {
                let position = self.log.keys.len() as u32;
                self.log.keys.push(name.into());
                self.table.insert(hash, position);
                position
            });
        }
        KeyId(self.latest)
    }
}

/// Index of what was there before the first operation.
const BEFORE_ALL: u64 = u64::MAX;
