//! Sentences: what a transaction did, and why one comes before another.

use super::graph::EdgeKind;
use super::ingest::{Dialect, ElementId, KeyId, Step, Transactions, TxnId, What};
use super::orders::Orders;
use super::report::ToldTxn;
use crate::history::Outcome;
use crate::history::compact::{Atom, Atoms};
use crate::observation::bounds::seconds;

/// Tells of transactions.
#[derive(Debug)]
pub struct Teller<'a> {
    transactions: &'a Transactions,
    orders: &'a Orders,
}

/// Elements of a list that are told from its begin, and from its end.
const ENDS_MAX: usize = 4;

/// A list for people; a long one is cut in the middle.
pub fn list_told(atoms: &Atoms, list: &[Atom]) -> String {
    let told = |part: &[Atom]| -> Vec<String> { part.iter().map(|at| atoms.told(*at)).collect() };
    if list.len() <= 2 * ENDS_MAX + 1 {
        return format!("[{}]", told(list).join(" "));
    }
    let (begin, end) = (&list[..ENDS_MAX], &list[list.len() - ENDS_MAX..]);
    let between = list.len() - 2 * ENDS_MAX;
    format!(
        "[{} … {between} more … {}]",
        told(begin).join(" "),
        told(end).join(" ")
    )
}

impl<'a> Teller<'a> {
    /// One that knows these transactions.
    pub fn new(transactions: &'a Transactions, orders: &'a Orders) -> Teller<'a> {
        Teller {
            transactions,
            orders,
        }
    }

    /// These transactions, named T1, T2, …
    pub fn told_all(&self, ids: &[TxnId]) -> Vec<ToldTxn> {
        let told = ids.iter().enumerate();
        told.map(|(at, id)| self.told(*id, at + 1)).collect()
    }

    fn told(&self, id: TxnId, number: usize) -> ToldTxn {
        let txn = &self.transactions.txns[id as usize];
        let steps = self.transactions.steps_of(id).iter();
        ToldTxn {
            name: format!("T{number}"),
            index: txn.index,
            process: txn.process,
            invoked: txn.invoked,
            completed: Some(txn.completed).filter(|time| *time != u64::MAX),
            steps: steps.map(|step| self.step_told(*step)).collect(),
            outcome: match txn.outcome {
                Outcome::Ok => "ok",
                Outcome::Fail => "aborted",
                Outcome::Unknown => "unknown",
            },
        }
    }

    fn step_told(&self, step: Step) -> String {
        let key = self.transactions.key_name(step.key);
        match (step.what, self.transactions.dialect) {
            (What::Wrote(element), Dialect::ListAppend) => {
                format!("append {key} {}", self.transactions.element_told(element))
            }
            (What::Wrote(element), Dialect::RwRegister) => {
                format!("w {key} {}", self.transactions.element_told(element))
            }
            (What::ReadValue(element), _) => {
                format!("r {key} {}", self.transactions.element_told(element))
            }
            (What::ReadFirst(_) | What::ReadOdd(_), _) => {
                let list = list_told(&self.transactions.atoms, self.list(step));
                format!("r {key} {list}")
            }
            (What::Unread, _) => format!("r {key} ?"),
        }
    }

    fn list(&self, step: Step) -> &'a [Atom] {
        let Some((branch, length)) = self.transactions.list_read(step.what) else {
            return &[];
        };
        let branches = &self.transactions.keys[step.key as usize].branches;
        let branch = branches.get(branch as usize);
        branch.map_or(&[], |branch| &branch.order[..length as usize])
    }

    /// Why one transaction comes before another; `first` and `second` are what they are called.
    pub fn because(
        &self,
        (from, first): (TxnId, &str),
        (to, second): (TxnId, &str),
        kind: EdgeKind,
    ) -> String {
        let found = match (kind, self.transactions.dialect) {
            (EdgeKind::Process, _) => {
                let process = self.transactions.txns[from as usize].process;
                Some(format!(
                    "process {process} did {first} before it began {second}"
                ))
            }
            (EdgeKind::Realtime, _) => {
                let over = self.transactions.txns[from as usize].completed;
                let began = self.transactions.txns[to as usize].invoked;
                Some(format!(
                    "{first} was over at {} before {second} began at {}",
                    seconds(over),
                    seconds(began)
                ))
            }
            (EdgeKind::Ww, Dialect::ListAppend) => self.appended_next(from, to, first, second),
            (EdgeKind::Wr, Dialect::ListAppend) => self.saw_append(from, to, first, second),
            (EdgeKind::Rw, Dialect::ListAppend) => self.missed_append(from, to, first, second),
            (kind, _) => self.register_because((from, first), (to, second), kind),
        };
        found.unwrap_or_else(|| format!("{first} comes before {second} ({})", kind.name()))
    }

    fn appends(&self, id: TxnId) -> impl Iterator<Item = (KeyId, ElementId)> {
        let steps = self.transactions.steps_of(id).iter();
        steps.filter_map(|step| match step.what {
            What::Wrote(element) => Some((step.key, element)),
            What::ReadFirst(_) | What::ReadOdd(_) | What::ReadValue(_) | What::Unread => None,
        })
    }

    fn appended_next(&self, from: TxnId, to: TxnId, first: &str, second: &str) -> Option<String> {
        let told = |element| self.transactions.element_told(element);
        for (key, element) in self.appends(from) {
            let name = self.transactions.key_name(key);
            let list = self.orders.of(key);
            let position = self.orders.position(element);
            let next = position.map(|at| list.get(at as usize + 1).copied());
            for (_, later) in self.appends(to).filter(|(other, _)| *other == key) {
                if next == Some(Some(later)) {
                    return Some(format!(
                        "{second} appended {} to key {name} right after {first} appended {}",
                        told(later),
                        told(element)
                    ));
                }
                if next == Some(None) && !self.orders.is_seen(later) {
                    return Some(format!(
                        "{first} appended {}, the last of key {name} that any read shows, and \
                         {second}'s append of {} is in none",
                        told(element),
                        told(later)
                    ));
                }
            }
        }
        None
    }

    fn saw_append(&self, from: TxnId, to: TxnId, first: &str, second: &str) -> Option<String> {
        let mut reads = self.transactions.steps_of(to).iter();
        reads.find_map(|step| {
            let length = self
                .orders
                .length_read(self.transactions, step.key, step.what)?;
            let last = *self
                .orders
                .of(step.key)
                .get(length.checked_sub(1)? as usize)?;
            let is_its = self.transactions.elements[last as usize].writer == from;
            is_its.then(|| {
                format!(
                    "{second} read {first}'s append of {} to key {}",
                    self.transactions.element_told(last),
                    self.transactions.key_name(step.key)
                )
            })
        })
    }

    fn missed_append(&self, from: TxnId, to: TxnId, first: &str, second: &str) -> Option<String> {
        let mut reads = self.transactions.steps_of(from).iter();
        reads.find_map(|step| {
            let length = self
                .orders
                .length_read(self.transactions, step.key, step.what)?;
            let next = self.orders.of(step.key).get(length as usize).copied();
            let mut appends = self.appends(to).filter(|(key, _)| *key == step.key);
            let (_, missed) = appends.find(|(_, element)| match next {
                Some(next) => next == *element,
                None => !self.orders.is_seen(*element),
            })?;
            Some(format!(
                "{first} read key {} as {} and did not see {second}'s append of {}",
                self.transactions.key_name(step.key),
                list_told(&self.transactions.atoms, self.list(*step)),
                self.transactions.element_told(missed)
            ))
        })
    }

    fn register_because(
        &self,
        (from, first): (TxnId, &str),
        (to, second): (TxnId, &str),
        kind: EdgeKind,
    ) -> Option<String> {
        let told = |element| self.transactions.element_told(element);
        for step in self.transactions.steps_of(from) {
            let key = self.transactions.key_name(step.key);
            let mut others = self.transactions.steps_of(to).iter();
            let found = others.find_map(|other| match (step.what, other.what, kind) {
                _ if other.key != step.key => None,
                (What::Wrote(one), What::ReadValue(two), EdgeKind::Wr) if one == two => {
                    Some(format!(
                        "{second} read {first}'s write of {} to key {key}",
                        told(one)
                    ))
                }
                (What::ReadValue(one), What::Wrote(two), EdgeKind::Rw | EdgeKind::TimedRw) => {
                    Some(format!(
                        "{first} read {} in key {key}, which {second} replaced by {}{}",
                        told(one),
                        told(two),
                        timed(kind)
                    ))
                }
                (What::Wrote(one), What::Wrote(two), EdgeKind::Ww) => Some(format!(
                    "{second} replaced {first}'s write of {} to key {key} by {}",
                    told(one),
                    told(two)
                )),
                _ => None,
            });
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

fn timed(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::TimedRw => ", as real time shows",
        EdgeKind::Ww
        | EdgeKind::Wr
        | EdgeKind::Rw
        | EdgeKind::Process
        | EdgeKind::Realtime
        | EdgeKind::Passage => "",
    }
}
