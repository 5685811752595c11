//! What is demanded of a history of transactions: a consistency model, and what its keys may have
//! held before it began.
//!
//! The model decides which orders between transactions count: of data alone, of the session, or
//! of real time.

use super::anomaly::Order;
use super::models::ConsistencyModel;

/// Whether keys may hold what the history does not show the writing of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// All keys were empty.
    Empty,
    /// Keys may hold what somebody wrote before.
    Unknown,
}

/// What is demanded of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// The consistency model.
    pub model: ConsistencyModel,
    /// How it began.
    pub beginning: Beginning,
}

impl Demand {
    /// Strict serializability of a store that was empty at first.
    pub const STRICT: Demand = Demand {
        model: ConsistencyModel::StrictSerializable,
        beginning: Beginning::Empty,
    };

    /// The orders that matter to the model.
    pub(super) fn order(self) -> Order {
        use ConsistencyModel as M;
        if self.model.is_at_least(M::StrongReadUncommitted) {
            Order::Realtime
        } else if self.model.is_at_least(M::StrongSessionReadUncommitted) {
            Order::Process
        } else {
            Order::Data
        }
    }
}
