//! What one node said of the cluster when asked (`views.jsonl`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::names::{NodeId, NodeName};
use super::slots::SlotSet;

/// One poll of one node: CLUSTER INFO and CLUSTER NODES.
///
/// The state is that of one unknown instant between `asked` and `time` (R1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// When the answer was complete, ns since the start.
    pub time: u64,
    /// When the question left, ns since the start.
    pub asked: u64,
    /// The node asked.
    pub node: NodeName,
    /// Its own id.
    pub id: NodeId,
    /// `cluster_state:ok`.
    pub state_ok: bool,
    /// `cluster_current_epoch`.
    pub current_epoch: u64,
    /// `cluster_my_epoch`.
    pub my_epoch: u64,
    /// `cluster_size`: masters with slots.
    pub size: u32,
    /// The node table, in id order; views of an unchanged table share it.
    pub table: Arc<Vec<ViewEntry>>,
}

/// One line of CLUSTER NODES.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewEntry {
    /// The node spoken of.
    pub id: NodeId,
    /// `ip:port@busport[,hostname]` as printed.
    pub address: String,
    /// Flags as printed: `myself,master`, `slave,fail`, …
    pub flags: String,
    /// Its master, if it is a replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<NodeId>,
    /// configEpoch as printed.
    pub config_epoch: u64,
    /// `connected` or not.
    pub connected: bool,
    /// Slots as printed, without open-slot marks.
    pub slots: SlotSet,
    /// Open-slot marks as printed, without brackets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_slots: Vec<String>,
}

impl ViewEntry {
    /// Whether the flags name this one.
    pub fn has_flag(&self, flag: &str) -> bool {
        let mut present = self.flags.as_bytes().split(|byte| *byte == b',');
        present.any(|present| present == flag.as_bytes())
    }
}
