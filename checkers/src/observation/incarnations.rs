//! Which life of a process something belongs to.
//!
//! A restart creates a new incarnation (R6): what is in memory may go back, what is on disk may
//! not. Checkers of monotony therefore key what they remember by incarnation.

use std::collections::BTreeMap;

use super::fault::{Lifecycle, LifecycleKind};
use super::names::NodeName;

/// One node's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// How often the node was started.
    pub incarnation: u32,
    /// When this life began, ns.
    pub since: u64,
    /// When it ended, if it has.
    pub ended: Option<u64>,
    /// How it ended.
    pub end: Option<LifecycleKind>,
}

/// The current life of each node.
#[derive(Debug, Clone, Default)]
pub struct Incarnations {
    lives: BTreeMap<NodeName, Life>,
    changes: u64,
}

impl Incarnations {
    /// Takes in a beginning or an end.
    pub fn observe(&mut self, lifecycle: &Lifecycle) {
        self.changes += 1;
        let unseen = Life {
            incarnation: lifecycle.incarnation,
            since: 0,
            ended: None,
            end: None,
        };
        let life = self.lives.entry(lifecycle.node.clone()).or_insert(unseen);
        match lifecycle.what {
            LifecycleKind::Started => {
                *life = Life {
                    since: lifecycle.time,
                    ..unseen
                };
            }
            LifecycleKind::Killed | LifecycleKind::Died => {
                life.ended = Some(lifecycle.time);
                life.end = Some(lifecycle.what);
            }
        }
    }

    /// How many beginnings and ends were taken in.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The node's current or last life; nodes never reported are in their first.
    pub fn life(&self, node: &NodeName) -> Life {
        self.lives.get(node).copied().unwrap_or(Life {
            incarnation: 1,
            since: 0,
            ended: None,
            end: None,
        })
    }

    /// The nodes whose process is not running, and how it ended.
    pub fn dead(&self) -> impl Iterator<Item = (&NodeName, Life)> {
        self.lives
            .iter()
            .filter(|(_, life)| life.ended.is_some())
            .map(|(node, life)| (node, *life))
    }

    /// When the last process was started, ns; 0 if none was.
    pub fn last_start(&self) -> u64 {
        self.lives
            .values()
            .map(|life| life.since)
            .max()
            .unwrap_or(0)
    }
}
