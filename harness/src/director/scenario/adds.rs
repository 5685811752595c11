//! The load of scenarios: each writer adds to a set of its own, at a node of its own if need be.

use std::net::SocketAddrV4;

use slotquake_checkers::history::{Key, Process};
use slotquake_checkers::observation::slots::slot_of_key;
use slotquake_checkers::observation::{NodeName, NodeSetting, SlotSet};
use slotquake_workloads::rng::Rng;
use slotquake_workloads::workload::{Aim, Done, Op, Shape, Workload};

use crate::nemesis::{NodePicture, Role};

/// One who writes.
#[derive(Debug, Clone)]
pub struct Writer {
    /// Whom it asks; none for the usual routing.
    pub pin: Option<SocketAddrV4>,
    /// Its set.
    pub key: Key,
}

impl Writer {
    /// A writer that stays with this node, whose set is in the slots of this master.
    ///
    /// # Errors
    /// The node has no address, or the master too few slots.
    pub fn pinned(
        node: &NodeName,
        master: &NodePicture,
        nodes: &[NodeSetting],
    ) -> Result<Writer, String> {
        let setting = nodes.iter().find(|setting| setting.name == *node);
        let setting = setting.ok_or(format!("{node} has no address"))?;
        Ok(Writer {
            pin: Some(setting.address),
            key: key_within(node, master)?,
        })
    }

    /// A writer to this master's slots, wherever they go.
    ///
    /// # Errors
    /// The master has too few slots.
    pub fn routed(master: &NodePicture) -> Result<Writer, String> {
        Ok(Writer {
            pin: None,
            key: key_within(&master.name, master)?,
        })
    }
}

/// The slots of a master.
///
/// # Errors
/// It is none.
pub fn slots_of(master: &NodePicture) -> Result<SlotSet, String> {
    match &master.role {
        Role::Master { slots } => slots.parse(),
        Role::Replica { .. } | Role::Slotless | Role::Other => {
            Err(format!("{} is no master", master.name))
        }
    }
}

/// A key of this node's writer that hashes into the master's slots.
fn key_within(node: &NodeName, master: &NodePicture) -> Result<Key, String> {
    let slots = slots_of(master)?;
    let candidates = (0..100_000).map(|salt| format!("w-{node}-{salt}"));
    let mut fitting = candidates.filter(|key| slots.contains(slot_of_key(key.as_bytes())));
    let key = fitting
        .next()
        .ok_or(format!("{node} serves too few slots"))?;
    Ok(key.into())
}

/// Writers, taken in turn by the clients.
#[derive(Debug)]
pub struct Adds {
    writers: Vec<Writer>,
    element_last: i64,
    patience_ms: Option<u64>,
}

impl Adds {
    /// The load of these writers, at least one.
    pub fn new(writers: Vec<Writer>) -> Adds {
        assert!(!writers.is_empty(), "somebody writes");
        Adds {
            writers,
            element_last: 0,
            patience_ms: None,
        }
    }

    /// The same, by clients that wait that long for each answer.
    pub fn patient(self, patience_ms: u64) -> Adds {
        Adds {
            patience_ms: Some(patience_ms),
            ..self
        }
    }
}

impl Workload for Adds {
    fn next(&mut self, process: Process, _rng: &mut Rng) -> Op {
        let writer = &self.writers[process as usize % self.writers.len()];
        self.element_last += 1;
        let mut op = Op::add(writer.key.clone(), self.element_last);
        op.aim = writer.pin.map_or(Aim::Owner, Aim::Node);
        op.patience_ms = self.patience_ms.unwrap_or(op.patience_ms);
        op
    }

    fn done(&mut self, _process: Process, _op: &Op, _done: Done<'_>) {}

    fn final_reads(&self) -> Vec<Op> {
        let mut keys: Vec<&Key> = self.writers.iter().map(|writer| &writer.key).collect();
        keys.sort();
        keys.dedup();
        let reads = keys
            .into_iter()
            .map(|key| Op::read(key.clone(), Shape::Set));
        reads.map(Op::at_the_end).collect()
    }
}
