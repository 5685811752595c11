//! The data: one database, keys indexed by slot.

/// All keys of this node. (in work)
#[derive(Debug, Default)]
pub struct Keyspace {}
