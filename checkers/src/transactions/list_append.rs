//! What appends and reads of lists say about the order of transactions.
//!
//! Each element is appended once, so a read shows who appended what before whom: `ww` from each
//! element's writer to the next one's, `wr` from the writer of the last element read to the reader,
//! `rw` from the reader to the writer of the element after. An acknowledged append that no read
//! shows comes after all that they do show.

use std::collections::BTreeMap;

use super::graph::{EdgeKind, Edges, Vertex};
use super::ingest::{KeyId, Transactions, TxnId, What};
use super::orders::Orders;
use crate::history::Outcome;

/// Edges to transactions that no order tells apart; more of them would say nothing new.
const FAN_MAX: usize = 8;

/// The edges between these transactions.
pub fn edges(transactions: &Transactions, orders: &Orders) -> Edges {
    let mut edges = Edges::between(transactions.txns.len());
    let unseen = Unseen::of(transactions, orders);
    let joints = write_edges(transactions, orders, &unseen, &mut edges);
    for id in 0..transactions.txns.len() as TxnId {
        let steps = transactions.steps_of(id);
        for (at, step) in steps.iter().enumerate() {
            let version = orders.version(transactions, step.key, step.what);
            let Some(version) = version else {
                continue;
            };
            // A second look at the same version says nothing new.
            if at > 0 && steps[at - 1] == *step {
                continue;
            }
            let length = orders.length_read(transactions, step.key, step.what);
            let list = orders.of(step.key);
            let last = match (length, version.length.checked_sub(1)) {
                (_, None) => None,
                (Some(_), Some(last)) => Some(list[last as usize]),
                (None, Some(_)) => None,
            };
            let writer = last.and_then(|element| orders.committed_writer(transactions, element));
            if let Some(writer) = writer {
                edges.add(writer, id, EdgeKind::Wr);
            }
            let Some(length) = length else {
                continue;
            };
            match list.get(length as usize) {
                Some(next) => {
                    if let Some(writer) = orders.committed_writer(transactions, *next) {
                        edges.add(id, writer, EdgeKind::Rw);
                    }
                }
                None => unseen.follow(step.key, id, &joints, EdgeKind::Rw, &mut edges),
            }
        }
    }
    edges
}

/// `ww` edges; gives the joint of each key that has appends nobody saw.
fn write_edges(
    transactions: &Transactions,
    orders: &Orders,
    unseen: &Unseen,
    edges: &mut Edges,
) -> BTreeMap<KeyId, Vertex> {
    let mut joints = BTreeMap::new();
    for (key, writers) in &unseen.writers {
        let joint = edges.joint();
        for writer in writers {
            edges.add(joint, *writer, EdgeKind::Passage);
        }
        joints.insert(*key, joint);
    }
    for key in 0..transactions.keys.len() as KeyId {
        if orders.duplicated.contains_key(&key) {
            continue;
        }
        let list = orders.of(key);
        let writer = |element| orders.committed_writer(transactions, element);
        for pair in list.windows(2) {
            if let (Some(first), Some(second)) = (writer(pair[0]), writer(pair[1])) {
                edges.add(first, second, EdgeKind::Ww);
            }
        }
        if let Some(last) = list.last().and_then(|last| writer(*last)) {
            unseen.follow(key, last, &joints, EdgeKind::Ww, edges);
        }
    }
    joints
}

/// Acknowledged appends that no read shows, by key.
struct Unseen {
    writers: BTreeMap<KeyId, Vec<TxnId>>,
}

impl Unseen {
    fn of(transactions: &Transactions, orders: &Orders) -> Unseen {
        let mut writers: BTreeMap<KeyId, Vec<TxnId>> = BTreeMap::new();
        for (id, txn) in transactions.txns.iter().enumerate() {
            if txn.outcome != Outcome::Ok {
                continue;
            }
            for step in transactions.steps_of(id as TxnId) {
                let What::Wrote(element) = step.what else {
                    continue;
                };
                if !orders.is_seen(element) && !orders.duplicated.contains_key(&step.key) {
                    let known = writers.entry(step.key).or_default();
                    if known.last() != Some(&(id as TxnId)) {
                        known.push(id as TxnId);
                    }
                }
            }
        }
        Unseen { writers }
    }

    /// Whoever saw or wrote the end of a list comes before those whose appends nobody saw.
    fn follow(
        &self,
        key: KeyId,
        from: TxnId,
        joints: &BTreeMap<KeyId, Vertex>,
        kind: EdgeKind,
        edges: &mut Edges,
    ) {
        let (Some(writers), Some(joint)) = (self.writers.get(&key), joints.get(&key)) else {
            return;
        };
        if writers.binary_search(&from).is_err() {
            edges.add(from, *joint, kind);
            return;
        }
        // It would come back to itself through the joint.
        let others = writers.iter().filter(|writer| **writer != from);
        for writer in others.take(FAN_MAX) {
            edges.add(from, *writer, kind);
        }
    }
}
