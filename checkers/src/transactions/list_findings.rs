//! What is wrong with reads and appends of lists, without looking at cycles.

use std::collections::BTreeMap;

use super::anomaly::AnomalyKind;
use super::demand::Beginning;
use super::explain::{Teller, list_told};
use super::ingest::{ElementId, KeyId, NONE, Step, Transactions, TxnId, What};
use super::orders::{Orders, Version};
use super::report::{Case, Findings};
use crate::history::Outcome;
use crate::history::compact::Atom;

/// Looks at every read and every list.
pub fn find(
    transactions: &Transactions,
    orders: &Orders,
    beginning: Beginning,
    findings: &mut Findings,
) {
    let mut finder = Finder {
        transactions,
        orders,
        teller: Teller::new(transactions, orders),
        beginning,
        bad: BTreeMap::new(),
    };
    finder.find_bad_elements();
    finder.look_at_lists(findings);
    let mut updates: Vec<(KeyId, Version, TxnId)> = Vec::new();
    for id in 0..transactions.txns.len() as TxnId {
        if transactions.txns[id as usize].outcome == Outcome::Ok {
            finder.look_inside(id, findings);
            finder.note_update(id, &mut updates);
        }
    }
    updates.sort_unstable();
    for group in updates.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
        finder.lost_update(group, findings);
    }
}

struct Finder<'a> {
    transactions: &'a Transactions,
    orders: &'a Orders,
    teller: Teller<'a>,
    beginning: Beginning,
    /// By key and branch: positions of elements that nobody wrote, or whose writer aborted.
    bad: BTreeMap<(KeyId, u32), Vec<(u32, ElementId)>>,
}

impl Finder<'_> {
    fn find_bad_elements(&mut self) {
        for key in 0..self.transactions.keys.len() as KeyId {
            let branches = &self.transactions.keys[key as usize].branches;
            for (at, branch) in branches.iter().enumerate() {
                for (position, atom) in branch.order.iter().enumerate() {
                    let found = self.transactions.find_element(key, *atom);
                    let is_bad = |element: &ElementId| {
                        self.is_aborted(*element) || self.is_garbage(*element)
                    };
                    if let Some(element) = found.filter(is_bad) {
                        let bad = self.bad.entry((key, at as u32)).or_default();
                        bad.push((position as u32, element));
                    }
                }
            }
        }
    }

    fn is_garbage(&self, element: ElementId) -> bool {
        self.beginning == Beginning::Empty
            && self.transactions.elements[element as usize].writer == NONE
    }

    fn look_at_lists(&self, findings: &mut Findings) {
        for (key, element) in &self.orders.duplicated {
            findings.add(AnomalyKind::DuplicateElements, || {
                let message = format!(
                    "key {} was seen with {} in it more than once",
                    self.transactions.key_name(*key),
                    self.transactions.element_told(*element)
                );
                let main = self.orders.main_branch(*key);
                let reader = self.transactions.keys[*key as usize].branches[main as usize].reader;
                Case::told(message, self.teller.told_all(&[reader]))
            });
        }
        for key in 0..self.transactions.keys.len() as KeyId {
            self.incompatible(key, findings);
            self.dirty_update(key, findings);
        }
    }

    fn incompatible(&self, key: KeyId, findings: &mut Findings) {
        let branches = &self.transactions.keys[key as usize].branches;
        let main = self.orders.main_branch(key) as usize;
        for (at, branch) in branches.iter().enumerate() {
            if at == main {
                continue;
            }
            let atoms = &self.transactions.atoms;
            findings.add(AnomalyKind::IncompatibleOrder, || {
                let message = format!(
                    "key {} was seen as {} and as {}; neither grew out of the other",
                    self.transactions.key_name(key),
                    list_told(atoms, &branches[main].order),
                    list_told(atoms, &branch.order)
                );
                let readers = [branches[main].reader, branch.reader];
                Case::told(message, self.teller.told_all(&readers))
            });
        }
    }

    /// Committed appends after one that was aborted.
    fn dirty_update(&self, key: KeyId, findings: &mut Findings) {
        let mut aborted: Option<ElementId> = None;
        for element in self.orders.of(key) {
            if self.is_aborted(*element) {
                aborted = Some(*element);
                continue;
            }
            let writer = self.orders.committed_writer(self.transactions, *element);
            let (Some(dirty), Some(writer)) = (aborted, writer) else {
                continue;
            };
            aborted = None;
            let aborter = self.transactions.elements[dirty as usize].writer;
            findings.add(AnomalyKind::DirtyUpdate, || {
                let message = format!(
                    "key {}: {} was appended after {}, whose transaction was aborted",
                    self.transactions.key_name(key),
                    self.transactions.element_told(*element),
                    self.transactions.element_told(dirty)
                );
                Case::told(message, self.teller.told_all(&[aborter, writer]))
            });
        }
    }

    fn is_aborted(&self, element: ElementId) -> bool {
        let writer = self.transactions.elements[element as usize].writer;
        writer != NONE && self.transactions.txns[writer as usize].outcome == Outcome::Fail
    }

    fn note_update(&self, id: TxnId, updates: &mut Vec<(KeyId, Version, TxnId)>) {
        let steps = self.transactions.steps_of(id);
        for (at, step) in steps.iter().enumerate() {
            let is_first = !steps[..at].iter().any(|before| before.key == step.key);
            let version = self.orders.version(self.transactions, step.key, step.what);
            let (Some(version), true) = (version, is_first) else {
                continue;
            };
            let writes =
                |later: &Step| later.key == step.key && matches!(later.what, What::Wrote(_));
            if steps[at..].iter().any(writes) {
                updates.push((step.key, version, id));
            }
        }
    }

    fn lost_update(&self, group: &[(KeyId, Version, TxnId)], findings: &mut Findings) {
        let [(key, version, _), _, ..] = group else {
            return;
        };
        findings.add(AnomalyKind::LostUpdate, || {
            let message = format!(
                "{} transactions read the same {} elements of key {} and then appended to it",
                group.len(),
                version.length,
                self.transactions.key_name(*key)
            );
            let involved: Vec<TxnId> = group.iter().map(|(_, _, id)| *id).take(3).collect();
            Case::told(message, self.teller.told_all(&involved))
        });
    }

    /// Judges what one transaction read.
    fn look_inside(&self, id: TxnId, findings: &mut Findings) {
        let steps = self.transactions.steps_of(id);
        for (at, step) in steps.iter().enumerate() {
            let Some((branch, length)) = self.transactions.list_read(step.what) else {
                continue;
            };
            let seen = self.seen(step.key, branch, length);
            if !self.agrees(&steps[..at], step.key, seen) {
                findings.add(AnomalyKind::Internal, || {
                    let message = format!(
                        "its read of key {} does not fit what it had read and appended before",
                        self.transactions.key_name(step.key)
                    );
                    Case::told(message, self.teller.told_all(&[id]))
                });
            }
            self.intermediate(id, step.key, seen, findings);
            self.future(id, at, seen, findings);
            let bad = self.bad.get(&(step.key, branch)).into_iter().flatten();
            for (_, element) in bad.filter(|(position, _)| *position < length) {
                self.bad_read(id, step.key, *element, findings);
            }
        }
    }

    /// Whether a read fits what its transaction did with the key before.
    fn agrees(&self, before: &[Step], key: KeyId, seen: &[Atom]) -> bool {
        let mut known: Option<&[Atom]> = None;
        let mut own: Vec<Atom> = Vec::new();
        for step in before.iter().filter(|step| step.key == key) {
            match (step.what, self.transactions.list_read(step.what)) {
                (What::Wrote(element), _) => {
                    own.push(self.transactions.elements[element as usize].atom);
                }
                (_, Some((branch, length))) => {
                    known = Some(self.seen(key, branch, length));
                    own.clear();
                }
                (_, None) => {}
            }
        }
        let rest = match known {
            Some(known) => seen.strip_prefix(known),
            None => seen.get(seen.len().saturating_sub(own.len())..),
        };
        rest == Some(own.as_slice())
    }

    /// Its writer appended more to the key afterwards, which a reader should have seen as well.
    fn intermediate(&self, id: TxnId, key: KeyId, seen: &[Atom], findings: &mut Findings) {
        let last = seen.last();
        let last = last.and_then(|atom| self.transactions.find_element(key, *atom));
        let Some(last) = last else {
            return;
        };
        let writer = self.transactions.elements[last as usize].writer;
        if writer == NONE || writer == id {
            return;
        }
        let steps = self.transactions.steps_of(writer).iter().rev();
        let mut writes = steps.filter(|step| step.key == key);
        let is_last = writes
            .find(|step| matches!(step.what, What::Wrote(_)))
            .is_some_and(|step| step.what == What::Wrote(last));
        if !is_last {
            findings.add(AnomalyKind::G1b, || {
                let message = format!(
                    "a read of key {} ends with {}, which its writer followed with more",
                    self.transactions.key_name(key),
                    self.transactions.element_told(last)
                );
                Case::told(message, self.teller.told_all(&[writer, id]))
            });
        }
    }

    fn future(&self, id: TxnId, at: usize, seen: &[Atom], findings: &mut Findings) {
        let steps = self.transactions.steps_of(id);
        for later in &steps[at + 1..] {
            let What::Wrote(element) = later.what else {
                continue;
            };
            let atom = self.transactions.elements[element as usize].atom;
            if later.key == steps[at].key && seen.contains(&atom) {
                findings.add(AnomalyKind::FutureRead, || {
                    let message = format!(
                        "it read {} in key {} before it appended it",
                        self.transactions.element_told(element),
                        self.transactions.key_name(later.key)
                    );
                    Case::told(message, self.teller.told_all(&[id]))
                });
            }
        }
    }

    fn bad_read(&self, id: TxnId, key: KeyId, element: ElementId, findings: &mut Findings) {
        let writer = self.transactions.elements[element as usize].writer;
        let (kind, why, involved) = match writer {
            NONE => (AnomalyKind::GarbageRead, "which nobody appended", vec![id]),
            writer => (
                AnomalyKind::G1a,
                "whose transaction was aborted",
                vec![writer, id],
            ),
        };
        findings.add(kind, || {
            let value = self.transactions.element_told(element);
            let name = self.transactions.key_name(key);
            let message = format!("a read of key {name} shows {value}, {why}");
            Case::told(message, self.teller.told_all(&involved))
        });
    }

    /// The atoms of a read.
    fn seen(&self, key: KeyId, branch: u32, length: u32) -> &[Atom] {
        match self.transactions.keys[key as usize]
            .branches
            .get(branch as usize)
        {
            Some(branch) => &branch.order[..length as usize],
            None => &[],
        }
    }
}
