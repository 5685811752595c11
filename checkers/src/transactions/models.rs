//! Consistency models and which follows from which.
//!
//! A model is ruled out if it, or any weaker model that it includes, forbids an anomaly that was
//! found. Strong forms respect real time, strong session forms the order of each process.

use serde::{Serialize, Serializer};

/// A consistency model, from weakest to strongest as far as they compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsistencyModel {
    /// PL-1.
    ReadUncommitted,
    /// PL-2.
    ReadCommitted,
    /// PL-CS: no lost updates.
    CursorStability,
    /// PL-2L: what was seen of a transaction stays seen.
    MonotonicView,
    /// PL-MSR: each read is from a snapshot, none older than the one before.
    MonotonicSnapshotRead,
    /// Once part of a transaction was seen, all of it is.
    MonotonicAtomicView,
    /// PL-2+: no read skew.
    ConsistentView,
    /// PL-FCV: reads of a snapshot no older than the beginning.
    ForwardConsistentView,
    /// Transactions are seen whole or not at all.
    ReadAtomic,
    /// The same, and no lost updates.
    UpdateAtomic,
    /// The same, and whatever a transaction saw is seen before it.
    Causal,
    /// The same, and all see what was written in one order.
    Prefix,
    /// Snapshots that need not be the latest everywhere: long forks, no lost updates.
    ParallelSnapshotIsolation,
    /// PL-2.99.
    RepeatableRead,
    /// Reads from a snapshot, first committer wins.
    SnapshotIsolation,
    /// PL-3U: what writes is serializable, and each reader agrees with it.
    UpdateSerializable,
    /// PL-3.
    Serializable,
    /// PL-1 in the order of each process.
    StrongSessionReadUncommitted,
    /// PL-2 in the order of each process.
    StrongSessionReadCommitted,
    /// Snapshot isolation in the order of each process.
    StrongSessionSnapshotIsolation,
    /// PL-3 in the order of each process.
    StrongSessionSerializable,
    /// PL-1 in real time.
    StrongReadUncommitted,
    /// PL-2 in real time.
    StrongReadCommitted,
    /// Snapshot isolation in real time.
    StrongSnapshotIsolation,
    /// PL-3 in real time, PL-SS.
    StrictSerializable,
}

use ConsistencyModel as M;

impl ConsistencyModel {
    /// All of them.
    pub const ALL: [ConsistencyModel; 25] = [
        M::ReadUncommitted,
        M::ReadCommitted,
        M::CursorStability,
        M::MonotonicView,
        M::MonotonicSnapshotRead,
        M::MonotonicAtomicView,
        M::ConsistentView,
        M::ForwardConsistentView,
        M::ReadAtomic,
        M::UpdateAtomic,
        M::Causal,
        M::Prefix,
        M::ParallelSnapshotIsolation,
        M::RepeatableRead,
        M::SnapshotIsolation,
        M::UpdateSerializable,
        M::Serializable,
        M::StrongSessionReadUncommitted,
        M::StrongSessionReadCommitted,
        M::StrongSessionSnapshotIsolation,
        M::StrongSessionSerializable,
        M::StrongReadUncommitted,
        M::StrongReadCommitted,
        M::StrongSnapshotIsolation,
        M::StrictSerializable,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            M::ReadUncommitted => "read-uncommitted",
            M::ReadCommitted => "read-committed",
            M::CursorStability => "cursor-stability",
            M::MonotonicView => "monotonic-view",
            M::MonotonicSnapshotRead => "monotonic-snapshot-read",
            M::MonotonicAtomicView => "monotonic-atomic-view",
            M::ConsistentView => "consistent-view",
            M::ForwardConsistentView => "forward-consistent-view",
            M::ReadAtomic => "read-atomic",
            M::UpdateAtomic => "update-atomic",
            M::Causal => "causal-cerone",
            M::Prefix => "prefix",
            M::ParallelSnapshotIsolation => "parallel-snapshot-isolation",
            M::RepeatableRead => "repeatable-read",
            M::SnapshotIsolation => "snapshot-isolation",
            M::UpdateSerializable => "update-serializable",
            M::Serializable => "serializable",
            M::StrongSessionReadUncommitted => "strong-session-read-uncommitted",
            M::StrongSessionReadCommitted => "strong-session-read-committed",
            M::StrongSessionSnapshotIsolation => "strong-session-snapshot-isolation",
            M::StrongSessionSerializable => "strong-session-serializable",
            M::StrongReadUncommitted => "strong-read-uncommitted",
            M::StrongReadCommitted => "strong-read-committed",
            M::StrongSnapshotIsolation => "strong-snapshot-isolation",
            M::StrictSerializable => "strict-serializable",
        }
    }

    /// The model of this name, or of another name that it goes by.
    pub fn of_name(name: &str) -> Option<ConsistencyModel> {
        let name = match name {
            "strong-serializable" => "strict-serializable",
            "conflict-serializable" => "serializable",
            name => name,
        };
        M::ALL.into_iter().find(|model| model.name() == name)
    }

    /// The next weaker models.
    pub fn includes(self) -> &'static [ConsistencyModel] {
        match self {
            M::ReadUncommitted => &[],
            M::ReadCommitted => &[M::ReadUncommitted],
            M::CursorStability
            | M::MonotonicView
            | M::MonotonicSnapshotRead
            | M::MonotonicAtomicView => &[M::ReadCommitted],
            M::ConsistentView => &[M::CursorStability, M::MonotonicView],
            M::ForwardConsistentView => &[M::ConsistentView],
            M::ReadAtomic => &[M::MonotonicAtomicView],
            M::UpdateAtomic | M::Causal => &[M::ReadAtomic],
            M::Prefix => &[M::Causal],
            M::RepeatableRead => &[M::CursorStability, M::MonotonicAtomicView],
            // Its cycles have two anti-dependencies or more.
            M::ParallelSnapshotIsolation => &[M::Causal, M::UpdateAtomic, M::ConsistentView],
            M::SnapshotIsolation => &[
                M::ParallelSnapshotIsolation,
                M::Prefix,
                M::ForwardConsistentView,
                M::MonotonicSnapshotRead,
            ],
            M::UpdateSerializable => &[M::ForwardConsistentView],
            M::Serializable => &[
                M::RepeatableRead,
                M::SnapshotIsolation,
                M::UpdateSerializable,
            ],
            M::StrongSessionReadUncommitted => &[M::ReadUncommitted],
            M::StrongSessionReadCommitted => &[M::StrongSessionReadUncommitted, M::ReadCommitted],
            M::StrongSessionSnapshotIsolation => {
                &[M::StrongSessionReadCommitted, M::SnapshotIsolation]
            }
            M::StrongSessionSerializable => &[M::StrongSessionSnapshotIsolation, M::Serializable],
            M::StrongReadUncommitted => &[M::StrongSessionReadUncommitted],
            M::StrongReadCommitted => &[M::StrongReadUncommitted, M::StrongSessionReadCommitted],
            M::StrongSnapshotIsolation => {
                &[M::StrongReadCommitted, M::StrongSessionSnapshotIsolation]
            }
            M::StrictSerializable => &[M::StrongSnapshotIsolation, M::StrongSessionSerializable],
        }
    }

    /// Whether whatever satisfies this model satisfies the other.
    pub fn is_at_least(self, other: ConsistencyModel) -> bool {
        let mut weaker = self.includes().iter();
        self == other || weaker.any(|model| model.is_at_least(other))
    }
}

/// The models that anomalies rule out: the weakest of them, and all that follow from these.
pub fn ruled_out(
    direct: impl IntoIterator<Item = ConsistencyModel>,
) -> (Vec<ConsistencyModel>, Vec<ConsistencyModel>) {
    let direct: Vec<ConsistencyModel> = direct.into_iter().collect();
    let is_out = |model: &ConsistencyModel| direct.iter().any(|out| model.is_at_least(*out));
    let out: Vec<ConsistencyModel> = M::ALL.into_iter().filter(is_out).collect();
    let is_weakest = |model: &&ConsistencyModel| {
        let mut others = out.iter().filter(|other| other != model);
        !others.any(|other| model.is_at_least(*other))
    };
    let not: Vec<ConsistencyModel> = out.iter().filter(is_weakest).copied().collect();
    let also = out.iter().filter(|model| !not.contains(model)).copied();
    (not.clone(), also.collect())
}

impl Serialize for ConsistencyModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_serializability_includes_every_model() {
        for model in M::ALL {
            assert!(M::StrictSerializable.is_at_least(model), "{}", model.name());
            assert!(model.is_at_least(M::ReadUncommitted), "{}", model.name());
            assert_eq!(M::of_name(model.name()), Some(model));
        }
        assert!(!M::Serializable.is_at_least(M::StrongReadUncommitted));
        assert!(!M::ParallelSnapshotIsolation.is_at_least(M::SnapshotIsolation));
    }

    #[test]
    fn the_weakest_models_out_stand_first() {
        let (not, also) = ruled_out([M::SnapshotIsolation, M::RepeatableRead]);
        assert_eq!(not, [M::RepeatableRead, M::SnapshotIsolation]);
        assert!(also.contains(&M::Serializable) && also.contains(&M::StrictSerializable));
        assert!(!also.contains(&M::ParallelSnapshotIsolation));
        assert_eq!(ruled_out([]), (vec![], vec![]));
    }
}
