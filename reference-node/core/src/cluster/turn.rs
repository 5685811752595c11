//! One turn of the cluster room: what it may read, what it asks for, and what waits for its end.
//!
//! Packets wait in [`Pending`] until the end of the turn, so that nodes.conf is on disk before any
//! of them leaves (BUS-10, PS-14). At most one save per turn (PS-15).

use super::{Effect, KeysBySlot, ReplicationFigures, Saved, Surroundings};
use crate::bus::Packet;
use crate::config::Config;
use crate::ids::LinkId;
use crate::output::{Durability, File, LogLevel, Output};
use crate::time::Millis;

/// What one call of the room may read, and where its effects go.
pub struct Turn<'a> {
    /// Now.
    pub now: Millis,
    /// Settings.
    pub config: &'a Config,
    /// Keys by slot.
    pub keys: &'a dyn KeysBySlot,
    /// Replication, in figures.
    pub replication: ReplicationFigures,
    /// Effects, in order.
    pub fx: &'a mut Vec<Effect>,
}

impl<'a> Turn<'a> {
    /// A turn in these surroundings.
    pub fn new(around: &Surroundings<'a>, fx: &'a mut Vec<Effect>) -> Turn<'a> {
        Turn {
            now: around.now,
            config: around.config,
            keys: around.keyspace,
            replication: around.replication,
            fx,
        }
    }

    /// NT: the node timeout.
    pub fn node_timeout(&self) -> Millis {
        self.config.cluster_node_timeout
    }

    /// Asks the shell for something.
    pub fn ask(&mut self, output: Output) {
        self.fx.push(Effect::Do(output));
    }

    /// A line for the log.
    pub fn log(&mut self, level: LogLevel, text: String) {
        self.ask(Output::Log { level, text });
    }

    /// Replaces nodes.conf.
    pub fn persist(&mut self, content: Saved, durability: Durability) {
        self.ask(Output::Persist {
            file: File::NodesConf,
            content: content.into(),
            durability,
        });
    }
}

/// What is done at the end of the turn, once.
#[derive(Debug, Clone, Default)]
pub struct Pending {
    /// Write nodes.conf, and how surely.
    pub save: Option<Durability>,
    /// Evaluate the cluster state (ST-06).
    pub evaluate_state: bool,
    /// Look at the election (EL-01).
    pub run_election: bool,
    /// Tell the replicas about open slots (SM-20).
    pub tell_open_slots: bool,
    /// Packets, in the order in which they were sent.
    pub packets: Vec<(LinkId, Box<Packet>)>,
}

impl Pending {
    /// Asks for a save at the end of the turn; the surer wish wins.
    pub fn save(&mut self, durability: Durability) {
        if self.save != Some(Durability::Synced) {
            self.save = Some(durability);
        }
    }

    /// Whether anything but packets waits for the end of the turn.
    pub fn is_any(&self) -> bool {
        self.save.is_some() || self.evaluate_state || self.run_election || self.tell_open_slots
    }

    /// Forgets the packets for a link that is closed.
    pub fn drop_link(&mut self, link: LinkId) {
        self.packets.retain(|(other, _)| *other != link);
    }
}
