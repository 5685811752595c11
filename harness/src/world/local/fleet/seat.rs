//! The place of a process in the fleet, and what it waits for.

use std::time::{Duration, Instant};

use bytes::Bytes;
use slotquake_checkers::history::Process;
use slotquake_workloads::client::{RespValue, Session};

use crate::world::local::switch::LineId;

/// The place of one process at a time.
#[derive(Debug)]
pub(super) struct Seat {
    /// Who sits here.
    pub(super) process: Process,
    /// What decides for it.
    pub(super) session: Session,
    /// What it waits for.
    pub(super) work: Work,
    /// Connections of its own.
    pub(super) own: Vec<LineId>,
}

#[derive(Debug)]
pub(super) enum Work {
    /// It has nothing to do.
    Resting,
    /// It waits.
    Pausing { until: Instant },
    /// It awaits replies.
    Asking {
        line: LineId,
        until: Instant,
        wanted: usize,
        replies: Vec<RespValue>,
    },
    /// It is subscribed.
    Listening {
        line: LineId,
        until: Instant,
        stage: Hearing,
        end: Vec<Bytes>,
        heard: Vec<RespValue>,
    },
}

/// How far a subscription is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hearing {
    /// It is asked for, to listen so long.
    Asked { listening: Duration },
    /// It listens.
    Listens { over: Instant },
    /// It was told to end.
    Ends,
}
