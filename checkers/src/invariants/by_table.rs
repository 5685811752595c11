//! What a node's table says, worked out once for as long as the node shows the same one.
//!
//! Views of an unchanged table share it (the simulation) or not (a recording that was read): then
//! it is worked out again. Nothing here judges.

use std::sync::Arc;

use crate::observation::{NodeName, ViewEntry};

/// Something that follows from the table of each node alone, in order of their names.
#[derive(Debug)]
pub struct ByTable<T>(Vec<Known<T>>);

#[derive(Debug)]
struct Known<T> {
    node: NodeName,
    table: Arc<Vec<ViewEntry>>,
    follows: T,
}

impl<T> Default for ByTable<T> {
    fn default() -> Self {
        ByTable(Vec::new())
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
        let found = self.0.binary_search_by(|known| known.node.cmp(node));
        let (place, is_known) = match found {
            Ok(place) => (place, Arc::ptr_eq(&self.0[place].table, table)),
            Err(place) => (place, false),
        };
        if !is_known {
            let known = Known {
                node: node.clone(),
                table: Arc::clone(table),
                follows: work_out(table),
            };
            match found {
                Ok(place) => self.0[place] = known,
                Err(place) => self.0.insert(place, known),
            }
        }
        &self.0[place].follows
    }
}
