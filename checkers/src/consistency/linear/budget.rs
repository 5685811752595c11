//! What a search may use before it must say that it does not know.

use std::fmt;

/// Bounds of one search. Steps and bytes are the same on every machine; `is_over` is for a caller
/// who has a clock.
#[derive(Clone, Copy)]
pub struct Budget<'a> {
    /// Operations tried, each time they are tried.
    pub steps_max: u64,
    /// Bytes for configurations and the path.
    pub bytes_max: usize,
    /// Asked now and then whether to stop.
    pub is_over: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl Budget<'_> {
    /// A bound on steps, and memory in proportion.
    pub fn steps(steps_max: u64) -> Budget<'static> {
        Budget {
            steps_max,
            bytes_max: usize::MAX,
            is_over: None,
        }
    }
}

impl fmt::Debug for Budget<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} steps, {} bytes", self.steps_max, self.bytes_max)
    }
}

/// What ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// The steps.
    Steps,
    /// The memory.
    Memory,
    /// The time.
    Time,
}

impl fmt::Display for Spent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Spent::Steps => "the steps allowed",
            Spent::Memory => "the memory allowed",
            Spent::Time => "the time allowed",
        })
    }
}
