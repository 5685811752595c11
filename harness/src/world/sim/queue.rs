//! What will happen, in one total order: by time, then by arrival.
//!
//! Events are small and of one size; what they carry waits in the lanes of [`super::net`].
//! Timeouts of requests, nearly all of which find an answer there, stand in a line of their own:
//! each is later than those before it, and the heap stays small without them.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use slotquake_checkers::history::Process;

use super::net::{ConnId, Way};

/// Something that will happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A node asked to be woken.
    NodeWake {
        /// Its host.
        host: usize,
    },
    /// A connection request reaches its target, or is sent again.
    Syn {
        /// Which.
        conn: ConnId,
    },
    /// The opener learns that its connection is open.
    Established {
        /// Which.
        conn: ConnId,
    },
    /// The opener learns that nobody listens.
    Refused {
        /// Which.
        conn: ConnId,
    },
    /// The first thing in a lane reaches its end.
    Deliver {
        /// The connection.
        conn: ConnId,
        /// Which lane of it.
        way: Way,
    },
    /// The replies to a request have been waited for long enough.
    ReplyDue {
        /// The connection.
        conn: ConnId,
        /// The request.
        request: u64,
    },
    /// A subscriber has listened long enough.
    Listened {
        /// Its connection.
        conn: ConnId,
        /// Its request.
        request: u64,
    },
    /// The observer's question reaches a node.
    Look {
        /// Its host.
        host: usize,
        /// When it was asked, ns.
        asked: u64,
    },
    /// What a node waits for is on its disk.
    Synced {
        /// Its host.
        host: usize,
    },
    /// A client's pause is over.
    SessionWaited {
        /// Whose.
        process: Process,
    },
    /// The director asked to be woken.
    Wake,
}

/// An event to come; the earliest is the greatest.
#[derive(Debug)]
struct Coming {
    time: u64,
    sequence: u64,
    event: Event,
}

impl Coming {
    fn place(&self) -> u128 {
        u128::from(self.time) << 64 | u128::from(self.sequence)
    }
}

impl Ord for Coming {
    fn cmp(&self, other: &Coming) -> Ordering {
        other.place().cmp(&self.place())
    }
}

impl PartialOrd for Coming {
    fn partial_cmp(&self, other: &Coming) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Coming {
    fn eq(&self, other: &Coming) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Coming {}

/// The events to come.
#[derive(Debug, Default)]
pub struct Queue {
    heap: BinaryHeap<Coming>,
    /// Timeouts, the earliest first.
    timeouts: VecDeque<Coming>,
    sequence: u64,
    taken: u64,
}

impl Queue {
    /// Adds an event at this time, ns.
    pub fn push(&mut self, time: u64, event: Event) {
        let coming = Coming {
            time,
            sequence: self.sequence,
            event,
        };
        self.sequence += 1;
        let last = self.timeouts.back().map_or(0, |last| last.time);
        match event {
            Event::ReplyDue { .. } if last <= time => self.timeouts.push_back(coming),
            Event::ReplyDue { .. }
            | Event::NodeWake { .. }
            | Event::Syn { .. }
            | Event::Established { .. }
            | Event::Refused { .. }
            | Event::Deliver { .. }
            | Event::Listened { .. }
            | Event::Look { .. }
            | Event::Synced { .. }
            | Event::SessionWaited { .. }
            | Event::Wake => self.heap.push(coming),
        }
    }

    /// Takes out the earliest event.
    pub fn pop(&mut self) -> Option<(u64, Event)> {
        let timeout = self.timeouts.front();
        let is_timeout = timeout.is_some_and(|timeout| self.heap.peek() < Some(timeout));
        let next = match is_timeout {
            true => self.timeouts.pop_front(),
            false => self.heap.pop(),
        };
        let Coming { time, event, .. } = next?;
        self.taken += 1;
        Some((time, event))
    }

    /// How many events were taken out so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn events_come_by_time_then_arrival_whatever_they_are(
            pushes in prop::collection::vec((0u64..20, any::<bool>(), 0usize..3), 0..60),
        ) {
            let mut queue = Queue::default();
            let mut waiting = Vec::new();
            let take = |queue: &mut Queue, waiting: &mut Vec<(u64, u64)>| {
                waiting.sort_unstable();
                let expected = (!waiting.is_empty()).then(|| waiting.remove(0));
                let taken = queue.pop().map(|(time, event)| match event {
                    Event::ReplyDue { request, .. } | Event::Listened { request, .. } => {
                        (time, request)
                    }
                    other => panic!("{other:?} was never pushed"),
                });
                assert_eq!(taken, expected);
            };
            for (request, (time, is_timeout, takes)) in pushes.into_iter().enumerate() {
                let (conn, request) = (0, request as u64);
                queue.push(time, match is_timeout {
                    true => Event::ReplyDue { conn, request },
                    false => Event::Listened { conn, request },
                });
                waiting.push((time, request));
                for _ in 0..takes {
                    take(&mut queue, &mut waiting);
                }
            }
            while !waiting.is_empty() {
                take(&mut queue, &mut waiting);
            }
            take(&mut queue, &mut waiting);
        }
    }

    #[test]
    fn events_of_one_time_come_in_the_order_of_their_arrival() {
        let mut queue = Queue::default();
        queue.push(5, Event::Wake);
        queue.push(5, Event::NodeWake { host: 1 });
        queue.push(4, Event::NodeWake { host: 2 });
        let order: Vec<Event> =
            std::iter::from_fn(|| queue.pop().map(|(_, event)| event)).collect();
        let expected = [
            Event::NodeWake { host: 2 },
            Event::Wake,
            Event::NodeWake { host: 1 },
        ];
        assert_eq!(order, expected);
    }
}
