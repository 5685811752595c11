//! What is wrong with reads and writes of registers, without looking at cycles.

use super::anomaly::AnomalyKind;
use super::demand::Beginning;
use super::explain::Teller;
use super::ingest::{ElementId, KeyId, NONE, Transactions, TxnId, What};
use super::orders::Orders;
use super::report::{Case, Findings};
use super::rw_register::{Access, Versions};
use crate::history::Outcome;
use crate::history::compact::Atom;

/// Looks at every read and every update.
pub fn find(
    transactions: &Transactions,
    orders: &Orders,
    versions: &Versions,
    findings: &mut Findings,
) {
    let finder = Finder {
        transactions,
        teller: Teller::new(transactions, orders),
        beginning: versions.beginning,
    };
    for key in &versions.cyclic {
        findings.add(AnomalyKind::CyclicVersions, || {
            let name = transactions.key_name(*key);
            let message = format!("the versions of key {name} replaced each other in a circle");
            let updates = versions
                .accesses
                .iter()
                .filter(|access| access.key == *key && access.is_update());
            let involved: Vec<TxnId> = updates.map(|access| access.id).take(4).collect();
            Case::told(message, finder.teller.told_all(&involved))
        });
    }
    for (id, txn) in transactions.txns.iter().enumerate() {
        if txn.outcome == Outcome::Ok {
            finder.look_inside(id as TxnId, findings);
        }
    }
    let mut updates: Vec<&Access> = versions.accesses.iter().collect();
    updates.retain(|access| access.is_update());
    updates.sort_by_key(|access| (access.read, access.id));
    for access in &updates {
        finder.dirty_update(access, findings);
    }
    for group in updates.chunk_by(|one, other| one.read == other.read) {
        finder.lost_update(group, findings);
    }
}

struct Finder<'a> {
    transactions: &'a Transactions,
    teller: Teller<'a>,
    beginning: Beginning,
}

impl Finder<'_> {
    fn writer(&self, element: ElementId) -> Option<TxnId> {
        let writer = self.transactions.elements[element as usize].writer;
        (writer != NONE).then_some(writer)
    }

    fn outcome(&self, id: TxnId) -> Outcome {
        self.transactions.txns[id as usize].outcome
    }

    fn look_inside(&self, id: TxnId, findings: &mut Findings) {
        let steps = self.transactions.steps_of(id);
        for (at, step) in steps.iter().enumerate() {
            let What::ReadValue(element) = step.what else {
                continue;
            };
            let mut before = steps[..at].iter().rev();
            let known = before.find_map(|earlier| match earlier.what {
                What::Wrote(known) | What::ReadValue(known) if earlier.key == step.key => {
                    Some(known)
                }
                _ => None,
            });
            if known.is_some_and(|known| known != element) {
                findings.add(AnomalyKind::Internal, || {
                    let message = format!(
                        "its read of key {} gives {}, not what it had read or written before",
                        self.transactions.key_name(step.key),
                        self.transactions.element_told(element)
                    );
                    Case::told(message, self.teller.told_all(&[id]))
                });
            }
            self.look_at_read((id, at), step.key, element, findings);
        }
    }

    fn look_at_read(
        &self,
        (id, at): (TxnId, usize),
        key: KeyId,
        element: ElementId,
        findings: &mut Findings,
    ) {
        let is_nil = self.transactions.elements[element as usize].atom == Atom::NIL;
        let (kind, why, involved) = match self.writer(element) {
            None if is_nil || self.beginning == Beginning::Unknown => return,
            None => (AnomalyKind::GarbageRead, "which nobody wrote", vec![id]),
            Some(writer) if writer == id => {
                let later = &self.transactions.steps_of(id)[at..];
                if !later.iter().any(|step| step.what == What::Wrote(element)) {
                    return;
                }
                (AnomalyKind::FutureRead, "which it wrote later", vec![id])
            }
            Some(writer) if self.outcome(writer) == Outcome::Fail => (
                AnomalyKind::G1a,
                "whose transaction was aborted",
                vec![writer, id],
            ),
            Some(writer) if self.last_write(writer, key) != Some(element) => (
                AnomalyKind::G1b,
                "which its own writer replaced",
                vec![writer, id],
            ),
            Some(_) => return,
        };
        findings.add(kind, || {
            let message = format!(
                "a read of key {} shows {}, {why}",
                self.transactions.key_name(key),
                self.transactions.element_told(element)
            );
            Case::told(message, self.teller.told_all(&involved))
        });
    }

    fn last_write(&self, id: TxnId, key: KeyId) -> Option<ElementId> {
        let mut steps = self.transactions.steps_of(id).iter().rev();
        steps.find_map(|step| match step.what {
            What::Wrote(element) if step.key == key => Some(element),
            _ => None,
        })
    }

    fn dirty_update(&self, access: &Access, findings: &mut Findings) {
        let writer = self.writer(access.read);
        let Some(writer) = writer.filter(|writer| self.outcome(*writer) == Outcome::Fail) else {
            return;
        };
        findings.add(AnomalyKind::DirtyUpdate, || {
            let message = format!(
                "key {}: {} replaced {}, whose transaction was aborted",
                self.transactions.key_name(access.key),
                self.transactions.element_told(access.written),
                self.transactions.element_told(access.read)
            );
            Case::told(message, self.teller.told_all(&[writer, access.id]))
        });
    }

    fn lost_update(&self, group: &[&Access], findings: &mut Findings) {
        let committed: Vec<TxnId> = group
            .iter()
            .map(|access| access.id)
            .filter(|id| self.outcome(*id) == Outcome::Ok)
            .collect();
        if committed.len() < 2 {
            return;
        }
        findings.add(AnomalyKind::LostUpdate, || {
            let message = format!(
                "{} transactions read {} in key {} and then wrote it",
                committed.len(),
                self.transactions.element_told(group[0].read),
                self.transactions.key_name(group[0].key)
            );
            let involved = &committed[..committed.len().min(3)];
            Case::told(message, self.teller.told_all(involved))
        });
    }
}
