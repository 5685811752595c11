//! What can be wrong with transactions, by the names that Adya and Elle gave it.
//!
//! Cycles are named by their edges: G0 has only writes upon writes, G1c also reads of writes,
//! G-single one anti-dependency, G-nonadjacent several but no two in a row, G2 any. Keys are read
//! one by one, never by predicate, hence "-item". A cycle that needs the order of one process is a
//! `-process` form, one that needs real time a `-realtime` form.

use serde::{Serialize, Serializer};

use super::models::ConsistencyModel;

/// A kind of cycle, from worst to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CycleKind {
    /// Write cycle.
    G0,
    /// Circular information flow.
    G1c,
    /// Read skew.
    GSingle,
    /// Several anti-dependencies, no two in a row; long fork is one.
    GNonadjacent,
    /// Write skew, and whatever has anti-dependencies in a row.
    G2,
}

/// Which orders besides those of the data a cycle needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// None.
    Data,
    /// That of each process.
    Process,
    /// That of real time.
    Realtime,
}

/// An anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnomalyKind {
    /// A transaction contradicts its own reads and writes.
    Internal,
    /// A transaction reads what it has yet to write.
    FutureRead,
    /// A value was read that nobody wrote.
    GarbageRead,
    /// A list holds an element twice.
    DuplicateElements,
    /// Two reads of a list, neither a prefix of the other.
    IncompatibleOrder,
    /// The versions of a register follow each other in a circle.
    CyclicVersions,
    /// Aborted read.
    G1a,
    /// Intermediate read.
    G1b,
    /// A committed write builds on one that was aborted.
    DirtyUpdate,
    /// Two transactions read the same version of a key, and both wrote it.
    LostUpdate,
    /// A cycle.
    Cycle(CycleKind, Order),
}

impl CycleKind {
    /// All, from worst to least.
    pub const ALL: [CycleKind; 5] = [
        CycleKind::G0,
        CycleKind::G1c,
        CycleKind::GSingle,
        CycleKind::GNonadjacent,
        CycleKind::G2,
    ];

    /// Whether a cycle of this kind is one of the other kind too, or rules out as much.
    pub fn implies(self, other: CycleKind) -> bool {
        match self {
            CycleKind::G0 => matches!(other, CycleKind::G0 | CycleKind::G1c),
            CycleKind::G1c => other == CycleKind::G1c,
            CycleKind::GSingle | CycleKind::GNonadjacent | CycleKind::G2 => other >= self,
        }
    }
}

impl AnomalyKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        use AnomalyKind as A;
        use CycleKind as C;
        match self {
            A::Internal => "internal",
            A::FutureRead => "future-read",
            A::GarbageRead => "garbage-read",
            A::DuplicateElements => "duplicate-elements",
            A::IncompatibleOrder => "incompatible-order",
            A::CyclicVersions => "cyclic-versions",
            A::G1a => "G1a",
            A::G1b => "G1b",
            A::DirtyUpdate => "dirty-update",
            A::LostUpdate => "lost-update",
            A::Cycle(C::G0, Order::Data) => "G0",
            A::Cycle(C::G0, Order::Process) => "G0-process",
            A::Cycle(C::G0, Order::Realtime) => "G0-realtime",
            A::Cycle(C::G1c, Order::Data) => "G1c",
            A::Cycle(C::G1c, Order::Process) => "G1c-process",
            A::Cycle(C::G1c, Order::Realtime) => "G1c-realtime",
            A::Cycle(C::GSingle, Order::Data) => "G-single-item",
            A::Cycle(C::GSingle, Order::Process) => "G-single-item-process",
            A::Cycle(C::GSingle, Order::Realtime) => "G-single-item-realtime",
            A::Cycle(C::GNonadjacent, Order::Data) => "G-nonadjacent-item",
            A::Cycle(C::GNonadjacent, Order::Process) => "G-nonadjacent-item-process",
            A::Cycle(C::GNonadjacent, Order::Realtime) => "G-nonadjacent-item-realtime",
            A::Cycle(C::G2, Order::Data) => "G2-item",
            A::Cycle(C::G2, Order::Process) => "G2-item-process",
            A::Cycle(C::G2, Order::Realtime) => "G2-item-realtime",
        }
    }

    /// What it means, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            AnomalyKind::Internal => "a transaction contradicts its own reads and writes",
            AnomalyKind::FutureRead => "a transaction reads what it has yet to write",
            AnomalyKind::GarbageRead => "a value was read that nobody wrote",
            AnomalyKind::DuplicateElements => "a list holds an element twice",
            AnomalyKind::IncompatibleOrder => "two reads of a list, neither a prefix of the other",
            AnomalyKind::CyclicVersions => "the versions of a register form a circle",
            AnomalyKind::G1a => "aborted read",
            AnomalyKind::G1b => "intermediate read",
            AnomalyKind::DirtyUpdate => "a committed write builds on an aborted one",
            AnomalyKind::LostUpdate => "two transactions read one version and both wrote the key",
            AnomalyKind::Cycle(CycleKind::G0, _) => "write cycle",
            AnomalyKind::Cycle(CycleKind::G1c, _) => "circular information flow",
            AnomalyKind::Cycle(CycleKind::GSingle, Order::Realtime) => "stale read",
            AnomalyKind::Cycle(CycleKind::GSingle, Order::Data | Order::Process) => "read skew",
            AnomalyKind::Cycle(CycleKind::GNonadjacent, _) => "long fork, or the like",
            AnomalyKind::Cycle(CycleKind::G2, _) => "write skew, or the like",
        }
    }

    /// The weakest models that it rules out.
    pub fn rules_out(self) -> &'static [ConsistencyModel] {
        use ConsistencyModel as M;
        use CycleKind as C;
        match self {
            AnomalyKind::Internal => &[M::ReadAtomic],
            AnomalyKind::GarbageRead
            | AnomalyKind::DuplicateElements
            | AnomalyKind::CyclicVersions => &[M::ReadUncommitted],
            AnomalyKind::FutureRead
            | AnomalyKind::IncompatibleOrder
            | AnomalyKind::G1a
            | AnomalyKind::G1b
            | AnomalyKind::DirtyUpdate => &[M::ReadCommitted],
            AnomalyKind::LostUpdate => &[M::CursorStability, M::UpdateAtomic],
            AnomalyKind::Cycle(C::G0, Order::Data) => &[M::ReadUncommitted],
            AnomalyKind::Cycle(C::G0, Order::Process) => &[M::StrongSessionReadUncommitted],
            AnomalyKind::Cycle(C::G0, Order::Realtime) => &[M::StrongReadUncommitted],
            AnomalyKind::Cycle(C::G1c, Order::Data) => &[M::ReadCommitted],
            AnomalyKind::Cycle(C::G1c, Order::Process) => &[M::StrongSessionReadCommitted],
            AnomalyKind::Cycle(C::G1c, Order::Realtime) => &[M::StrongReadCommitted],
            AnomalyKind::Cycle(C::GSingle, Order::Data) => &[M::ConsistentView, M::RepeatableRead],
            AnomalyKind::Cycle(C::GNonadjacent, Order::Data) => {
                &[M::SnapshotIsolation, M::RepeatableRead]
            }
            AnomalyKind::Cycle(C::G2, Order::Data) => &[M::RepeatableRead],
            AnomalyKind::Cycle(C::GSingle | C::GNonadjacent, Order::Process) => &[
                M::StrongSessionSnapshotIsolation,
                M::StrongSessionSerializable,
            ],
            AnomalyKind::Cycle(C::GSingle | C::GNonadjacent, Order::Realtime) => {
                &[M::StrongSnapshotIsolation, M::StrictSerializable]
            }
            AnomalyKind::Cycle(C::G2, Order::Process) => &[M::StrongSessionSerializable],
            AnomalyKind::Cycle(C::G2, Order::Realtime) => &[M::StrictSerializable],
        }
    }
}

impl Serialize for AnomalyKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
