//! The order in which each list grew, as far as reads show it.
//!
//! The longest branch of a key is its main one: each element's position there is the order of the
//! appends. What other branches share with it counts as read on it.

use std::collections::BTreeMap;

use super::ingest::{ElementId, KeyId, NONE, Transactions, TxnId, What};
use crate::history::Outcome;

/// What a read of a list saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// On which branch; the main one where the read fits it.
    pub branch: u32,
    /// How many elements.
    pub length: u32,
}

/// The order of every list.
#[derive(Debug)]
pub struct Orders {
    main_branches: Vec<u32>,
    starts: Vec<usize>,
    main: Vec<ElementId>,
    /// By key and branch: the length of the prefix it shares with the main one. Keys with one
    /// branch are not in it.
    shared: BTreeMap<(KeyId, u32), u32>,
    /// By element: its position on the main branch, or [`NONE`].
    positions: Vec<u32>,
    seen: Vec<bool>,
    /// Keys whose main branch holds an element twice, with the element: they have no order.
    pub duplicated: BTreeMap<KeyId, ElementId>,
}

impl Orders {
    /// The orders that the reads of these transactions show.
    pub fn new(transactions: &mut Transactions) -> Orders {
        let keys = transactions.keys.len();
        let mut orders = Orders {
            main_branches: Vec::with_capacity(keys),
            starts: vec![0],
            main: Vec::new(),
            shared: BTreeMap::new(),
            positions: vec![NONE; transactions.elements.len()],
            seen: vec![false; transactions.elements.len()],
            duplicated: BTreeMap::new(),
        };
        for key in 0..keys as KeyId {
            orders.add_key(transactions, key);
        }
        orders
    }

    fn add_key(&mut self, transactions: &mut Transactions, key: KeyId) {
        let branches = std::mem::take(&mut transactions.keys[key as usize].branches);
        let longest = branches.iter().map(|branch| branch.order.len()).max();
        let is_longest = |at: &usize| Some(branches[*at].order.len()) == longest;
        let main = (0..branches.len()).find(is_longest).unwrap_or(0);
        for (at, branch) in branches.iter().enumerate() {
            let both = branch.order.iter().zip(&branches[main].order);
            let shared = both.take_while(|(one, other)| one == other).count();
            if branches.len() > 1 {
                self.shared.insert((key, at as u32), shared as u32);
            }
            for (position, atom) in branch.order.iter().enumerate() {
                let element = transactions.element(key, *atom);
                self.positions.resize(transactions.elements.len(), NONE);
                self.seen.resize(transactions.elements.len(), false);
                self.seen[element as usize] = true;
                if at == main {
                    if self.positions[element as usize] != NONE {
                        self.duplicated.insert(key, element);
                    }
                    self.positions[element as usize] = position as u32;
                    self.main.push(element);
                }
            }
        }
        self.main_branches.push(main as u32);
        self.starts.push(self.main.len());
        transactions.keys[key as usize].branches = branches;
    }

    /// The elements of a list in their order.
    pub fn of(&self, key: KeyId) -> &[ElementId] {
        &self.main[self.starts[key as usize]..self.starts[key as usize + 1]]
    }

    /// The main branch of a key.
    pub fn main_branch(&self, key: KeyId) -> u32 {
        self.main_branches[key as usize]
    }

    /// Whether anybody read the element.
    pub fn is_seen(&self, element: ElementId) -> bool {
        self.seen[element as usize]
    }

    /// Position of an element in the order of its list.
    pub fn position(&self, element: ElementId) -> Option<u32> {
        Some(self.positions[element as usize]).filter(|position| *position != NONE)
    }

    /// What a read of this key saw, if it is one.
    pub fn version(&self, transactions: &Transactions, key: KeyId, what: What) -> Option<Version> {
        let (branch, length) = transactions.list_read(what)?;
        let main = self.main_branch(key);
        let fits = branch == main
            || self
                .shared
                .get(&(key, branch))
                .is_some_and(|shared| length <= *shared);
        let branch = if fits { main } else { branch };
        Some(Version { branch, length })
    }

    /// The length of a read that fits the main branch of a key with an order.
    pub fn length_read(&self, transactions: &Transactions, key: KeyId, what: What) -> Option<u32> {
        let version = self.version(transactions, key, what)?;
        let is_ordered = version.branch == self.main_branch(key);
        let is_ordered = is_ordered && !self.duplicated.contains_key(&key);
        is_ordered.then_some(version.length)
    }

    /// The transaction that appended an element and is part of the history: it committed, or may
    /// have, and somebody saw it.
    pub fn committed_writer(
        &self,
        transactions: &Transactions,
        element: ElementId,
    ) -> Option<TxnId> {
        let writer = transactions.elements[element as usize].writer;
        if writer == NONE {
            return None;
        }
        match transactions.txns[writer as usize].outcome {
            Outcome::Ok => Some(writer),
            Outcome::Unknown => Some(writer).filter(|_| self.is_seen(element)),
            Outcome::Fail => None,
        }
    }
}
