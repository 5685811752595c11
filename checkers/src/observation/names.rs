//! Names of nodes: the harness's short name and the cluster's 40-character id.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The harness's name of a node: `n1`, `n2`, … It stays over restarts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeName(pub Arc<str>);

impl NodeName {
    /// The name of the node with this number, counted from 1.
    pub fn numbered(number: usize) -> NodeName {
        NodeName(format!("n{number}").into())
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A cluster node id, 40 characters (HS-19).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Arc<str>);

impl NodeId {
    /// The first eight bytes, as a number that sorts as they do; 0 for shorter names.
    fn head(&self) -> u64 {
        let head = self.0.as_bytes().first_chunk();
        head.map_or(0, |head| u64::from_be_bytes(*head))
    }
}

impl Ord for NodeId {
    // Ids are random: nearly all differ in the first eight bytes.
    fn cmp(&self, other: &NodeId) -> Ordering {
        match (self.head(), other.head()) {
            (0, _) | (_, 0) => self.0.cmp(&other.0),
            (ours, theirs) => ours.cmp(&theirs).then_with(|| self.0.cmp(&other.0)),
        }
    }
}

impl PartialOrd for NodeId {
    fn partial_cmp(&self, other: &NodeId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(&self.0)
    }
}
