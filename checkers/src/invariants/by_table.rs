//! What a node's table says, worked out once for as long as the node shows the same one.
//!
//! Views of an unchanged table share it (the simulation) or not (a recording that was read): then
//! it is worked out again. Nothing here judges.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::observation::{NodeName, ViewEntry};

/// Something that follows from the table of each node alone.
#[derive(Debug)]
pub struct ByTable<T>(BTreeMap<NodeName, (Arc<Vec<ViewEntry>>, T)>);

impl<T> Default for ByTable<T> {
    fn default() -> Self {
        ByTable(BTreeMap::new())
    }
}

impl<T> ByTable<T> {
    /// What follows from the table that a node shows now.
    pub fn of(
        &mut self,
        node: &NodeName,
        table: &Arc<Vec<ViewEntry>>,
        work_out: impl FnOnce(&[ViewEntry]) -> T,
    ) -> &T {
        match self.0.get_mut(node) {
            Some((known, _)) if Arc::ptr_eq(known, table) => {}
            Some(known) => *known = (Arc::clone(table), work_out(table)),
            None => {
                let known = (Arc::clone(table), work_out(table));
                self.0.insert(node.clone(), known);
            }
        }
        &self.0[node].1
    }
}
