//! The two kinds of epochs; they do not mix by accident.

/// Logical clock of the cluster (EP-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CurrentEpoch(pub u64);

/// Version of one master's claim on its slots (EP-02).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ConfigEpoch(pub u64);

impl CurrentEpoch {
    /// The epoch after this one.
    pub fn next(self) -> CurrentEpoch {
        CurrentEpoch(self.0.saturating_add(1))
    }

    /// This epoch as the version of a claim: a won election, a bump (EP-05, EP-08, EP-20).
    pub fn as_config(self) -> ConfigEpoch {
        ConfigEpoch(self.0)
    }
}
