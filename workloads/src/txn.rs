//! Transactions over registers: writes and reads of strings that share a slot, by MULTI … EXEC.
//!
//! As [`crate::list_append`], with SET and GET. Written values are unique, so each read names the
//! transaction it saw; the order of writes shows less often than with lists.

use crate::list_append::Transactions;
use crate::registry::Entry;
use crate::workload::Shape;

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "txn",
    help: "transactions that write registers of one slot and read them",
    is_default: false,
    make: |load| Box::new(Transactions::new(Shape::Registers, load)),
};
