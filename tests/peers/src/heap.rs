//! The floor: the queue that slotquake's simulation has, and nothing else.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::{LATENCY_MAX, LATENCY_MIN, NODES, PERIOD, target};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Send { node: u64, number: u64 },
    Ping { from: u64, to: u64 },
    Pong,
}

struct World {
    heap: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sequence: u64,
    random: u64,
}

/// Plays the mesh.
pub fn mesh(virtual_s: u64) -> u64 {
    let mut world = World {
        heap: BinaryHeap::new(),
        sequence: 0,
        random: 1,
    };
    for node in 0..NODES {
        world.push(0, Event::Send { node, number: 0 });
    }
    let end = virtual_s * 1_000_000_000;
    let mut events = 0;
    while let Some(Reverse((now, _, event))) = world.heap.pop().filter(|next| next.0.0 < end) {
        match event {
            Event::Send { node, number } => {
                events += 1;
                let (from, to) = (node, target(node, number));
                let arrives = now + world.latency();
                world.push(arrives, Event::Ping { from, to });
                let number = number + 1;
                world.push(now + PERIOD.as_nanos() as u64, Event::Send { node, number });
            }
            Event::Ping { .. } => {
                events += 2;
                let arrives = now + world.latency();
                world.push(arrives, Event::Pong);
            }
            Event::Pong => events += 1,
        }
    }
    events
}

impl World {
    fn push(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        self.heap.push(Reverse((time, self.sequence, event)));
    }

    fn latency(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let spread = (LATENCY_MAX - LATENCY_MIN).as_nanos() as u64;
        LATENCY_MIN.as_nanos() as u64 + self.random % spread
    }
}
