//! Histories of transactions on a store that is strictly serializable, by seed.
//!
//! A number of processes run transactions of one to four appends and reads of lists; each takes
//! effect at one moment between its invocation and its completion. A hundred keys live at a time;
//! one that has had its share of appends gives way to a fresh one. A share of the completions
//! never comes: such a transaction took effect or did not, and its process goes on under a new
//! number.

use std::collections::VecDeque;

use slotquake_checkers::history::{Event, EventKind, Function, Process, Value};
use slotquake_workloads::rng::Rng;

/// What a history is to be like.
#[derive(Debug, Clone, Copy)]
pub struct TxnShape {
    /// Seed of all of it.
    pub seed: u64,
    /// Transactions.
    pub transactions: u64,
    /// Processes at work at a time.
    pub processes: u32,
    /// Keys that live at a time.
    pub keys: usize,
    /// Appends to a key before a fresh one takes its place.
    pub appends_per_key: usize,
    /// Transactions out of a thousand of which nobody learns what became of them.
    pub unknown_per_mille: u64,
}

/// A history, event by event.
#[derive(Debug)]
pub struct TxnHistory {
    shape: TxnShape,
    rng: Rng,
    keys: Vec<(u64, Vec<i64>)>,
    keys_made: u64,
    workers: Vec<Worker>,
    started: u64,
    events: u64,
    /// Micro-operations of all transactions begun.
    pub micro_operations: u64,
    ready: VecDeque<Event>,
}

#[derive(Debug)]
struct Worker {
    process: Process,
    busy: Option<Busy>,
}

#[derive(Debug)]
struct Busy {
    /// By micro-operation: position of its key, and whether it appends.
    asked: Vec<(usize, Step)>,
    /// What is to be told when it is over, once it took effect.
    result: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Append(i64),
    Read,
}

impl TxnHistory {
    /// The history of this shape.
    pub fn new(shape: TxnShape) -> TxnHistory {
        let workers = (0..shape.processes).map(|process| Worker {
            process,
            busy: None,
        });
        TxnHistory {
            shape,
            rng: Rng::named(shape.seed, "transactions"),
            keys: (0..shape.keys as u64)
                .map(|key| (key, Vec::new()))
                .collect(),
            keys_made: shape.keys as u64,
            workers: workers.collect(),
            started: 0,
            events: 0,
            micro_operations: 0,
            ready: VecDeque::new(),
        }
    }

    fn begin(&mut self, worker: usize) {
        self.started += 1;
        let count = self.rng.within(1, 4);
        let mut asked = Vec::new();
        let mut told = Vec::new();
        for _ in 0..count {
            self.micro_operations += 1;
            let key = self.rng.below(self.keys.len() as u64) as usize;
            let step = match self.rng.chance(50) {
                true => Step::Append(self.micro_operations as i64),
                false => Step::Read,
            };
            told.push(self.micro(key, step, Value::Nil));
            asked.push((key, step));
        }
        self.workers[worker].busy = Some(Busy {
            asked,
            result: None,
        });
        self.emit(worker, EventKind::Invoke, Value::List(told));
    }

    /// The transaction takes effect.
    fn apply(&mut self, worker: usize) {
        let Some(mut busy) = self.workers[worker].busy.take() else {
            return;
        };
        let mut told = Vec::new();
        for (key, step) in &busy.asked {
            let list = match step {
                Step::Append(element) => {
                    self.keys[*key].1.push(*element);
                    Value::Nil
                }
                Step::Read => {
                    Value::List(self.keys[*key].1.iter().copied().map(Value::Int).collect())
                }
            };
            told.push(self.micro(*key, *step, list));
        }
        busy.result = Some(Value::List(told));
        self.workers[worker].busy = Some(busy);
    }

    fn end(&mut self, worker: usize) {
        let Some(busy) = self.workers[worker].busy.take() else {
            return;
        };
        match busy.result {
            Some(result) if self.rng.below(1000) >= self.shape.unknown_per_mille => {
                self.emit(worker, EventKind::Ok, result);
            }
            Some(_) | None => {
                self.emit(worker, EventKind::Info, Value::Nil);
                self.workers[worker].process += self.shape.processes;
            }
        }
    }

    /// Keys that had their share are replaced, where nobody is at work on them.
    fn retire(&mut self) {
        let is_busy = |key: usize| {
            let mut busy = self
                .workers
                .iter()
                .filter_map(|worker| worker.busy.as_ref());
            busy.any(|busy| busy.asked.iter().any(|(other, _)| *other == key))
        };
        let full = |key: &usize| self.keys[*key].1.len() >= self.shape.appends_per_key;
        let over: Vec<usize> = (0..self.keys.len())
            .filter(|key| full(key) && !is_busy(*key))
            .collect();
        for key in over {
            self.keys[key] = (self.keys_made, Vec::new());
            self.keys_made += 1;
        }
    }

    fn micro(&self, key: usize, step: Step, read: Value) -> Value {
        let name = Value::Int(self.keys[key].0 as i64);
        let (kind, value) = match step {
            Step::Append(element) => ("append", Value::Int(element)),
            Step::Read => ("r", read),
        };
        Value::List(vec![Value::Text(kind.into()), name, value])
    }

    fn emit(&mut self, worker: usize, kind: EventKind, value: Value) {
        self.ready.push_back(Event {
            index: self.events,
            time: self.events * 1000,
            process: self.workers[worker].process,
            kind,
            f: Function::Txn,
            key: None,
            value,
            node: None,
            hops: Vec::new(),
            error: None,
            replicas: None,
            final_read: false,
        });
        self.events += 1;
    }
}

impl Iterator for TxnHistory {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while self.ready.is_empty() {
            let worker = self.rng.below(self.workers.len() as u64) as usize;
            let is_over = self.started >= self.shape.transactions;
            match &self.workers[worker].busy {
                None if is_over => {
                    if self.workers.iter().all(|worker| worker.busy.is_none()) {
                        return None;
                    }
                }
                None => self.begin(worker),
                Some(Busy { result: None, .. }) => match self.rng.below(2000) {
                    // Nobody learns of it, and it never takes effect.
                    unlucky if unlucky < self.shape.unknown_per_mille => self.end(worker),
                    _ => self.apply(worker),
                },
                Some(_) => {
                    self.end(worker);
                    self.retire();
                }
            }
        }
        self.ready.pop_front()
    }
}
