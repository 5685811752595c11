//! The list of workloads, one line each.

use crate::load::Load;
use crate::workload::Workload;
use crate::{
    append, bank, blocking, cas, counter, expiry, list_append, pairs, pubsub, queue, register, set,
    stray, stream, txn,
};

/// A workload as the command line and the report know it.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name on the command line.
    pub name: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// Whether a run has it unless told otherwise.
    pub is_default: bool,
    /// A fresh one under this load.
    pub make: fn(&Load) -> Box<dyn Workload>,
}

/// Every workload.
pub const WORKLOADS: &[Entry] = &[
    register::ENTRY,
    register::PLAIN,
    set::ENTRY,
    append::ENTRY,
    counter::ENTRY,
    queue::ENTRY,
    blocking::ENTRY,
    bank::ENTRY,
    pairs::ENTRY,
    list_append::ENTRY,
    txn::ENTRY,
    stream::ENTRY,
    expiry::ENTRY,
    pubsub::PUBSUB,
    pubsub::SHARDED,
    cas::ENTRY,
    stray::ENTRY,
];

/// The workload of this name.
pub fn find(name: &str) -> Option<&'static Entry> {
    WORKLOADS.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for entry in WORKLOADS {
            assert_eq!(find(entry.name).map(|found| found.help), Some(entry.help));
            let namesakes = WORKLOADS.iter().filter(|other| other.name == entry.name);
            assert_eq!(namesakes.count(), 1, "{}", entry.name);
        }
    }
}
