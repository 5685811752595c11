//! Names of nodes: the harness's short name and the cluster's 40-character id.

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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Arc<str>);

impl fmt::Display for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(&self.0)
    }
}
