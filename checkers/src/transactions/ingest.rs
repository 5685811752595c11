//! Transactions as they are read from a history, compactly: 48 bytes each, 12 a micro-operation.
//!
//! A read of a list is held against the longest list its key has shown so far and kept as a length;
//! a read that fits no such *branch* begins a new one, which is an anomaly in itself. So memory
//! grows with the number of appends, not with the length of what was read. Order in real time is
//! kept as phases: an operation precedes another if its `after` is not above the other's `phase`.

use std::collections::BTreeMap;

use crate::history::compact::{Atom, Atoms};
use crate::history::{Event, EventKind, Function, Outcome, Process, Value};
use crate::table::{IndexTable, Mix};

/// Number of a transaction, in order of invocation.
pub type TxnId = u32;
/// Number of a key, in order of appearance.
pub type KeyId = u32;
/// Number of an element of a key: a value that was written or seen there.
pub type ElementId = u32;

/// No transaction, element or phase.
pub const NONE: u32 = u32::MAX;

/// What the micro-operations mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// `["append",key,element]` and `["r",key,list]`.
    ListAppend,
    /// `["w",key,value]` and `["r",key,value]`; each value is written once to a key.
    RwRegister,
}

/// What a history must not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TxnProblem {
    /// A micro-operation that is none.
    #[error("op {index}: {problem}")]
    Malformed {
        /// Index of the event.
        index: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two writes of one value to one key: nobody could tell which of them a read saw.
    #[error(
        "op {index} writes {value} to key {key}, as op {before} did; writes to a key must be unique"
    )]
    WrittenTwice {
        /// Index of the second.
        index: u64,
        /// Index of the first.
        before: u64,
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// More than fits.
    #[error("a history may hold at most {TXNS_MAX} transactions")]
    TooMany,
}

/// Most transactions of one history.
pub const TXNS_MAX: usize = 1 << 27;

/// One transaction.
#[derive(Debug, Clone, Copy)]
pub struct Txn {
    /// Index of its invocation in the history.
    pub index: u64,
    /// When it was invoked, ns.
    pub invoked: u64,
    /// When it was completed, ns; `u64::MAX` if it never was, or nobody knows whether.
    pub completed: u64,
    /// Who.
    pub process: Process,
    /// Phase in which it was invoked.
    pub phase: u32,
    /// First phase after its completion; [`NONE`] if it is open for ever.
    pub after: u32,
    first_step: u32,
    steps: u32,
    /// What is known of its effect.
    pub outcome: Outcome,
}

/// One micro-operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// On which key.
    pub key: KeyId,
    /// What.
    pub what: What,
}

/// What a micro-operation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Wrote or appended this.
    Wrote(ElementId),
    /// Read a list: the first so many elements of the key's first branch.
    ReadFirst(u32),
    /// Read a list that is on another branch; a position in `odd_reads`.
    ReadOdd(u32),
    /// Read a register with this in it.
    ReadValue(ElementId),
    /// Read what nobody knows.
    Unread,
}

/// A list that a key has shown, as long as it was ever seen.
#[derive(Debug, Clone)]
pub struct Branch {
    /// Its elements.
    pub order: Vec<Atom>,
    /// Who saw it at this length.
    pub reader: TxnId,
}

/// What is known of a key.
#[derive(Debug, Clone)]
pub struct KeyHistory {
    /// Its name.
    pub name: Atom,
    /// The lists it has shown, none a prefix of another.
    pub branches: Vec<Branch>,
}

/// A value of a key.
#[derive(Debug, Clone, Copy)]
pub struct Element {
    /// Of which key.
    pub key: KeyId,
    /// The value.
    pub atom: Atom,
    /// Who wrote it, or [`NONE`].
    pub writer: TxnId,
}

/// All transactions of a history.
#[derive(Debug)]
pub struct Transactions {
    /// What the micro-operations mean.
    pub dialect: Dialect,
    /// In order of invocation.
    pub txns: Vec<Txn>,
    steps: Vec<Step>,
    /// Keys.
    pub keys: Vec<KeyHistory>,
    /// Elements.
    pub elements: Vec<Element>,
    /// Branch and length of reads that are not on the first branch.
    odd_reads: Vec<(u32, u32)>,
    /// First transaction of each phase.
    pub phase_begins: Vec<TxnId>,
    /// Values.
    pub atoms: Atoms,
    key_table: IndexTable,
    element_table: IndexTable,
    is_phase_over: bool,
    open: BTreeMap<Process, (TxnId, Value)>,
    seen: Vec<Atom>,
}

/// Branches of a key that a read is held against.
const BRANCHES_TRIED_MAX: usize = 16;

impl Transactions {
    /// No transactions yet.
    pub fn new(dialect: Dialect) -> Transactions {
        Transactions {
            dialect,
            txns: Vec::new(),
            steps: Vec::new(),
            keys: Vec::new(),
            elements: Vec::new(),
            odd_reads: Vec::new(),
            phase_begins: vec![0],
            atoms: Atoms::default(),
            key_table: IndexTable::default(),
            element_table: IndexTable::default(),
            is_phase_over: false,
            open: BTreeMap::new(),
            seen: Vec::new(),
        }
    }

    /// Takes in the next event; those of other functions than `txn` are left out.
    ///
    /// # Errors
    /// What cannot be judged about it.
    pub fn observe(&mut self, event: &Event) -> Result<(), TxnProblem> {
        if event.f != Function::Txn {
            return Ok(());
        }
        if event.kind == EventKind::Invoke {
            return self.invoke(event);
        }
        let Some((id, asked)) = self.open.remove(&event.process) else {
            return Ok(());
        };
        match event.kind {
            EventKind::Ok => {
                self.txns[id as usize].completed = event.time;
                self.txns[id as usize].after = self.phase_begins.len() as u32;
                self.is_phase_over = true;
                self.take_steps(id, &event.value, Outcome::Ok)
            }
            EventKind::Fail => {
                self.txns[id as usize].completed = event.time;
                self.take_steps(id, &asked, Outcome::Fail)
            }
            EventKind::Info | EventKind::Invoke => self.take_steps(id, &asked, Outcome::Unknown),
        }
    }

    /// Nothing more comes: what is open is unknown.
    ///
    /// # Errors
    /// What cannot be judged about an open transaction.
    pub fn finish(&mut self) -> Result<(), TxnProblem> {
        for (_, (id, asked)) in std::mem::take(&mut self.open) {
            self.take_steps(id, &asked, Outcome::Unknown)?;
        }
        Ok(())
    }

    fn invoke(&mut self, event: &Event) -> Result<(), TxnProblem> {
        if self.txns.len() >= TXNS_MAX || self.steps.len() >= 8 * TXNS_MAX {
            return Err(TxnProblem::TooMany);
        }
        let id = self.txns.len() as TxnId;
        if self.is_phase_over {
            self.is_phase_over = false;
            self.phase_begins.push(id);
        }
        self.txns.push(Txn {
            index: event.index,
            invoked: event.time,
            completed: u64::MAX,
            process: event.process,
            phase: self.phase_begins.len() as u32 - 1,
            after: NONE,
            first_step: 0,
            steps: 0,
            outcome: Outcome::Unknown,
        });
        let asked = (id, event.value.clone());
        match self.open.insert(event.process, asked) {
            Some((before, asked)) => self.take_steps(before, &asked, Outcome::Unknown),
            None => Ok(()),
        }
    }

    fn take_steps(&mut self, id: TxnId, value: &Value, outcome: Outcome) -> Result<(), TxnProblem> {
        let index = self.txns[id as usize].index;
        let malformed = |problem| TxnProblem::Malformed { index, problem };
        let Value::List(micros) = value else {
            return Err(malformed("its value is no list of micro-operations"));
        };
        let first_step = self.steps.len() as u32;
        for micro in micros {
            let step = self.step(id, micro, outcome)?;
            self.steps.push(step);
        }
        let txn = &mut self.txns[id as usize];
        txn.first_step = first_step;
        txn.steps = self.steps.len() as u32 - first_step;
        txn.outcome = outcome;
        Ok(())
    }

    fn step(&mut self, id: TxnId, micro: &Value, outcome: Outcome) -> Result<Step, TxnProblem> {
        let index = self.txns[id as usize].index;
        let malformed = |problem| TxnProblem::Malformed { index, problem };
        let parts: &[Value] = match micro {
            Value::List(parts) => parts,
            Value::Nil | Value::Int(_) | Value::Text(_) => &[],
        };
        let (kind, key, value) = match parts {
            [Value::Text(kind), key, value] => (&**kind, key, value),
            _ => return Err(malformed("a micro-operation is [kind, key, value]")),
        };
        let key = self.key(key);
        let what = match (kind, self.dialect, outcome) {
            ("append", Dialect::ListAppend, _) | ("w", Dialect::RwRegister, _) => {
                if matches!(value, Value::Nil | Value::List(_)) {
                    return Err(malformed("a write needs an integer or a text"));
                }
                What::Wrote(self.written(id, key, value)?)
            }
            ("r", _, Outcome::Fail | Outcome::Unknown) => What::Unread,
            ("r", Dialect::ListAppend, Outcome::Ok) => match value {
                Value::Nil => self.read_list(id, key, &[]),
                Value::List(list) => self.read_list(id, key, list),
                Value::Int(_) | Value::Text(_) => {
                    return Err(malformed("a read gives a list or nil"));
                }
            },
            ("r", Dialect::RwRegister, Outcome::Ok) => match value {
                Value::List(_) => return Err(malformed("a read gives one value or nil")),
                Value::Nil | Value::Int(_) | Value::Text(_) => {
                    let atom = self.atoms.atom(value);
                    What::ReadValue(self.element(key, atom))
                }
            },
            ("append", Dialect::RwRegister, _) | ("w", Dialect::ListAppend, _) => {
                return Err(malformed("lists are appended to, registers written"));
            }
            _ => return Err(malformed("the kinds are append, w and r")),
        };
        Ok(Step { key, what })
    }

    fn key(&mut self, name: &Value) -> KeyId {
        let name = self.atoms.atom(name);
        let hash = Mix::of(&name.word());
        let keys = &self.keys;
        let known = self
            .key_table
            .find(hash, |at| keys[at as usize].name == name);
        known.unwrap_or_else(|| {
            let id = self.keys.len() as KeyId;
            let branches = Vec::new();
            self.keys.push(KeyHistory { name, branches });
            self.key_table.insert(hash, id);
            id
        })
    }

    /// The element of this value, entered if it is new.
    pub fn element(&mut self, key: KeyId, atom: Atom) -> ElementId {
        self.find_element(key, atom).unwrap_or_else(|| {
            let id = self.elements.len() as ElementId;
            let writer = NONE;
            self.elements.push(Element { key, atom, writer });
            let hash = Mix::of(&(u64::from(key), atom.word()));
            self.element_table.insert(hash, id);
            id
        })
    }

    /// The element of this value, if it was written or seen.
    pub fn find_element(&self, key: KeyId, atom: Atom) -> Option<ElementId> {
        let hash = Mix::of(&(u64::from(key), atom.word()));
        let elements = &self.elements;
        let is_it =
            |at: u32| elements[at as usize].key == key && elements[at as usize].atom == atom;
        self.element_table.find(hash, is_it)
    }

    fn written(&mut self, id: TxnId, key: KeyId, value: &Value) -> Result<ElementId, TxnProblem> {
        let atom = self.atoms.atom(value);
        let element = self.element(key, atom);
        let entry = &mut self.elements[element as usize];
        if entry.writer == NONE {
            entry.writer = id;
            return Ok(element);
        }
        Err(TxnProblem::WrittenTwice {
            index: self.txns[id as usize].index,
            before: self.txns[entry.writer as usize].index,
            key: self.atoms.told(self.keys[key as usize].name),
            value: self.atoms.told(atom),
        })
    }

    fn read_list(&mut self, id: TxnId, key: KeyId, list: &[Value]) -> What {
        let mut seen = std::mem::take(&mut self.seen);
        seen.clear();
        seen.extend(list.iter().map(|value| self.atoms.atom(value)));
        let branches = &mut self.keys[key as usize].branches;
        let mut tried = branches.iter_mut().take(BRANCHES_TRIED_MAX);
        let fits = |branch: &mut Branch| {
            let both = branch.order.len().min(seen.len());
            branch.order[..both] == seen[..both]
        };
        let branch = tried.position(fits).unwrap_or_else(|| {
            let order = Vec::new();
            branches.push(Branch { order, reader: id });
            branches.len() - 1
        });
        let known = &mut branches[branch];
        if seen.len() > known.order.len() {
            known.order.extend_from_slice(&seen[known.order.len()..]);
            known.reader = id;
        }
        let length = seen.len() as u32;
        self.seen = seen;
        if branch == 0 {
            return What::ReadFirst(length);
        }
        self.odd_reads.push((branch as u32, length));
        What::ReadOdd(self.odd_reads.len() as u32 - 1)
    }

    /// The micro-operations of a transaction.
    pub fn steps_of(&self, id: TxnId) -> &[Step] {
        let txn = &self.txns[id as usize];
        let first = txn.first_step as usize;
        &self.steps[first..first + txn.steps as usize]
    }

    /// Number of micro-operations.
    pub fn micro_operations(&self) -> u64 {
        self.steps.len() as u64
    }

    /// Branch and length of a read of a list.
    pub fn list_read(&self, what: What) -> Option<(u32, u32)> {
        match what {
            What::ReadFirst(length) => Some((0, length)),
            What::ReadOdd(read) => Some(self.odd_reads[read as usize]),
            What::Wrote(_) | What::ReadValue(_) | What::Unread => None,
        }
    }

    /// Name of a key.
    pub fn key_name(&self, key: KeyId) -> String {
        self.atoms.told(self.keys[key as usize].name)
    }

    /// An element for people.
    pub fn element_told(&self, element: ElementId) -> String {
        self.atoms.told(self.elements[element as usize].atom)
    }
}
