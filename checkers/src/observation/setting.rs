//! What the cluster under test was (`cluster.json`): facts, not intentions.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

use super::directives::Directives;
use super::names::NodeName;
use super::slots::SlotSet;

/// One node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSetting {
    /// The harness's name.
    pub name: NodeName,
    /// Client address.
    pub address: SocketAddrV4,
    /// Bus port.
    pub bus_port: u16,
    /// What runs there: `reference`, or `redis` with a version.
    pub server: Server,
}

/// A server program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Server {
    /// Our reference node.
    Reference,
    /// Upstream's server, with the version it gave: `7.0.15`.
    Redis(String),
}

/// What a node's data came to at the end of a run, when no client wrote any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// The node.
    pub node: NodeName,
    /// When it said so, ns since the start.
    pub time: u64,
    /// What DEBUG DIGEST gave: equal for equal data; zeros for none.
    pub digest: String,
    /// Snapshots that its process gave to replicas.
    #[serde(default)]
    pub full_resyncs: u64,
    /// How often a replica went on from where it was.
    #[serde(default)]
    pub partial_resyncs: u64,
    /// The slots of all its keys, if it was asked for them: masters are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<SlotSet>,
}

impl Dataset {
    /// Whether the node held no key.
    pub fn is_empty(&self) -> bool {
        self.digest.bytes().all(|digit| digit == b'0')
    }
}

/// The cluster, and how well it could be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Version of the recording's formats; this one is 1.
    pub format: u32,
    /// `local` or `sim`.
    pub world: String,
    /// The nodes.
    pub nodes: Vec<NodeSetting>,
    /// cluster-node-timeout, ms.
    pub node_timeout_ms: u64,
    /// What else redis.conf of each node was given.
    #[serde(default, skip_serializing_if = "Directives::is_empty")]
    pub config: Directives,
    /// Whether the bus was captured.
    pub bus_captured: bool,
    /// Packets the capture lost; checkers of the bus are undecided when it is not 0.
    pub bus_packets_lost: u64,
    /// Largest delay of an idle ticker of the harness in ms; the slack of timed checks (0.3).
    pub canary_delay_ms: u64,
    /// From nothing to `cluster_state:ok` on every node, ms.
    pub cluster_ok_ms: u64,
    /// When all faults were healed, ns since the start; none if the run did not get there.
    #[serde(default)]
    pub healed_at: Option<u64>,
    /// When the run ended, ns since the start.
    pub ended_at: u64,
    /// What the nodes held at the end, as far as they said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<Dataset>,
}

impl Setting {
    /// Whether upstream's server runs as this node: it may show the weaknesses of part C.
    pub fn runs_upstream(&self, name: &NodeName) -> bool {
        let mut named = self.nodes.iter().filter(|node| node.name == *name);
        named.any(|node| matches!(node.server, Server::Redis(_)))
    }

    /// What runs as this node.
    pub fn server_of(&self, name: &NodeName) -> Option<&Server> {
        let mut named = self.nodes.iter().filter(|node| node.name == *name);
        named.next().map(|node| &node.server)
    }

    /// The setting of a bare history, of which nothing else is known.
    pub fn of_bare_history(ended_at: u64) -> Setting {
        Setting {
            format: 1,
            world: "unknown".into(),
            nodes: Vec::new(),
            node_timeout_ms: 15_000,
            config: Directives::default(),
            bus_captured: false,
            bus_packets_lost: 0,
            canary_delay_ms: 0,
            cluster_ok_ms: 0,
            healed_at: None,
            ended_at,
            datasets: Vec::new(),
        }
    }
}
