//! The only door: [`Node::step`]. It hands each input to one room and decides nothing itself.

use bytes::Bytes;

use crate::config::Config;
use crate::input::Input;
use crate::output::Outputs;
use crate::time::Millis;

/// What a node starts from.
#[derive(Debug, Clone)]
pub struct Boot {
    /// Settings.
    pub config: Config,
    /// Content of nodes.conf; none or empty for a new node (PS-16).
    pub nodes_conf: Option<Bytes>,
    /// Content of the RDB file, if there is one.
    pub rdb: Option<Bytes>,
    /// Seed of everything random: ids, election delays, gossip partners.
    pub seed: u64,
    /// The process id, for INFO and the log.
    pub pid: u32,
}

/// Why a node cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// nodes.conf is not one (PS-08).
    #[error("corrupted cluster config file: {0}")]
    NodesConf(String),
    /// The RDB file is not one.
    #[error("corrupted RDB file: {0}")]
    Rdb(String),
}

/// A Redis Cluster member.
#[derive(Debug)]
pub struct Node {}

impl Node {
    /// Starts a node at this time; the first outputs write nodes.conf if it is new.
    pub fn boot(_boot: Boot, _now: Millis, _out: &mut Outputs) -> Result<Node, BootError> {
        Ok(Node {})
    }

    /// Takes in one input and appends what is to be done.
    pub fn step(&mut self, _now: Millis, _input: Input, _out: &mut Outputs) {}

    /// When it next needs an [`Input::Wake`], if nothing else comes first.
    pub fn next_wakeup(&self) -> Millis {
        Millis(u64::MAX)
    }
}
