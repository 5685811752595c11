//! What a report is made from: the streams of one recording, borrowed.
//!
//! Also the small lookups every page needs: pairs of invocation and completion, and node ids
//! turned into the harness's names. Decides nothing and judges nothing.

use std::collections::BTreeMap;

use serde::Serialize;
use slotquake_checkers::history::{Event, EventKind, Process};
use slotquake_checkers::observation::{Fault, Lifecycle, NodeId, NodeName, Packet, Setting, View};
use slotquake_checkers::recording::Recording;

use super::drawn::{Drawn, Share};

/// The streams of a recording, each in order of time.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What the cluster was.
    pub setting: &'a Setting,
    /// What clients did, as far as it is drawn.
    pub events: &'a [Event],
    /// How far that is.
    pub share: Share,
    /// How many operations there are.
    pub operations: u64,
    /// Time of the last event, ns.
    pub last_event: u64,
    /// What was seen on the bus.
    pub packets: &'a [Packet],
    /// What nodes said when asked.
    pub views: &'a [View],
    /// What the nemesis did.
    pub faults: &'a [Fault],
    /// What became of the processes.
    pub lifecycle: &'a [Lifecycle],
}

/// An instant in units of 100 µs since the start: fine enough to draw, short to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Tick(pub u64);

impl Tick {
    /// From nanoseconds since the start.
    pub fn from_ns(time: u64) -> Tick {
        Tick(time / NS_PER_TICK)
    }

    /// Its first nanosecond.
    pub fn nanoseconds(self) -> u64 {
        self.0 * NS_PER_TICK
    }
}

/// One operation: its invocation and how it ended.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// The invocation.
    pub invoke: &'a Event,
    /// The completion; none if the run ended first.
    pub completion: Option<&'a Event>,
}

impl Operation<'_> {
    /// How it ended; an operation without an end is unknown.
    pub fn kind(&self) -> EventKind {
        self.completion.map_or(EventKind::Info, |event| event.kind)
    }
}

impl<'a> Evidence<'a> {
    /// The streams of a recording.
    pub fn of(recording: &'a Recording, drawn: &'a Drawn<'_>) -> Evidence<'a> {
        Evidence {
            setting: &recording.setting,
            events: &drawn.events,
            share: drawn.share,
            operations: drawn.of,
            last_event: recording.events.end(),
            packets: &recording.packets,
            views: &recording.views,
            faults: &recording.faults,
            lifecycle: &recording.lifecycles,
        }
    }

    /// The operations, in order of invocation.
    pub fn operations(&self) -> Vec<Operation<'a>> {
        let mut open: BTreeMap<Process, usize> = BTreeMap::new();
        let mut operations: Vec<Operation<'a>> = Vec::with_capacity(self.events.len() / 2);
        for event in self.events {
            match event.kind {
                EventKind::Invoke => {
                    open.insert(event.process, operations.len());
                    operations.push(Operation {
                        invoke: event,
                        completion: None,
                    });
                }
                EventKind::Ok | EventKind::Fail | EventKind::Info => {
                    if let Some(position) = open.remove(&event.process) {
                        operations[position].completion = Some(event);
                    }
                }
            }
        }
        operations
    }

    /// Position of each node name among the nodes of the setting.
    pub fn node_index(&self) -> BTreeMap<NodeName, usize> {
        let names = self.setting.nodes.iter().map(|node| node.name.clone());
        names.zip(0..).collect()
    }

    /// Which node (by position) uses which cluster id, from its packets and views.
    pub fn id_index(&self) -> BTreeMap<NodeId, usize> {
        let index = self.node_index();
        let mut ids = BTreeMap::new();
        for packet in self.packets {
            if let Some(node) = index.get(&packet.from) {
                ids.entry(packet.header.sender.clone()).or_insert(*node);
            }
        }
        for view in self.views {
            if let Some(node) = index.get(&view.node) {
                ids.entry(view.id.clone()).or_insert(*node);
            }
        }
        ids
    }

    /// The last instant of anything recorded, ns since the start.
    pub fn end(&self) -> u64 {
        let last = [
            Some(self.last_event),
            self.packets.last().map(|packet| packet.time),
            self.views.last().map(|view| view.time),
            self.faults.last().map(|fault| fault.time),
            self.lifecycle.last().map(|step| step.time),
            Some(self.setting.ended_at),
        ];
        last.into_iter().flatten().max().unwrap_or(0)
    }
}

/// Nanoseconds in one [`Tick`].
pub const NS_PER_TICK: u64 = 100_000;
