//! A replica's side: the connection to its master, from the first PING to the stream.
//!
//! It knows its link and the bytes that came; what they mean for the history and the data is
//! told as [`Progress`], one thing at a time.

use std::net::IpAddr;

use bytes::{Bytes, BytesMut};

use super::handover::Demand;
use super::handshake::{Handshake, HandshakeError, Step};
use super::stream::{Received, StreamError, put_command, take_command};
use super::transfer::Transfer;
use super::{ReplId, ReplOffset};
use crate::config::Config;
use crate::ids::UpstreamId;
use crate::output::{Output, Outputs};
use crate::time::Millis;

/// Where the master is: its client port (RP-03).
pub type MasterAddress = (IpAddr, u16);

/// The side of a replica.
#[derive(Debug, Clone)]
pub struct Follower {
    /// Its master, if that has an address.
    pub master: Option<MasterAddress>,
    link: Link,
    demand: Demand,
    buffer: BytesMut,
    last_heard: Millis,
}

#[derive(Debug, Clone)]
enum Link {
    /// No connection; the next attempt is due then.
    Waiting { retry_at: Millis },
    /// A connection that is not open yet.
    Connecting { upstream: UpstreamId },
    /// Before the answer to PSYNC.
    Handshake {
        upstream: UpstreamId,
        handshake: Handshake,
    },
    /// Receiving a snapshot of this history.
    Transfer {
        upstream: UpstreamId,
        transfer: Transfer,
        id: ReplId,
        offset: ReplOffset,
    },
    /// Receiving the stream.
    Stream {
        upstream: UpstreamId,
        ack_at: Millis,
    },
}

/// What came of the bytes.
#[derive(Debug)]
pub enum Progress {
    /// The master goes on where we are (RW-13).
    Continued(Option<ReplId>),
    /// A snapshot is on its way.
    Announced,
    /// A snapshot is here.
    Snapshot {
        /// The RDB file.
        bytes: Bytes,
        /// Of this history.
        id: ReplId,
        /// At this place.
        offset: ReplOffset,
    },
    /// A command is here.
    Command(Received),
}

/// Why a link was given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// In the handshake.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// After it.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl LinkError {
    /// As upstream's log has it, where somebody may look for it.
    pub fn for_log(&self) -> String {
        match self {
            LinkError::Handshake(HandshakeError::Refused {
                step: "AUTH",
                answer,
            }) => {
                format!("Unable to AUTH to MASTER: {answer}")
            }
            LinkError::Handshake(_) | LinkError::Stream(_) => {
                format!("MASTER aborted replication: {self}")
            }
        }
    }
}

/// The state of a link in the words of ROLE and INFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// `connect`: no connection.
    Connect,
    /// `connecting`: not open yet, or in the handshake.
    Connecting,
    /// `sync`: receiving a snapshot.
    Sync,
    /// `connected`: receiving the stream.
    Connected,
}

impl Follower {
    /// Follows a master; the first attempt is due at once.
    pub fn new(master: Option<MasterAddress>, demand: Demand, now: Millis) -> Follower {
        let link = Link::Waiting { retry_at: now };
        Follower {
            master,
            link,
            demand,
            buffer: BytesMut::new(),
            last_heard: now,
        }
    }

    /// Ends a demand to take over; whether there was one.
    pub fn settle_demand(&mut self) -> bool {
        std::mem::replace(&mut self.demand, Demand::GoOn) == Demand::TakeOver
    }

    /// Its link.
    pub fn state(&self) -> LinkState {
        match self.link {
            Link::Waiting { .. } => LinkState::Connect,
            Link::Connecting { .. } | Link::Handshake { .. } => LinkState::Connecting,
            Link::Transfer { .. } => LinkState::Sync,
            Link::Stream { .. } => LinkState::Connected,
        }
    }

    /// Whether a snapshot is announced and not here yet.
    pub fn is_receiving(&self) -> bool {
        match &self.link {
            Link::Transfer { transfer, .. } => transfer.is_announced(),
            Link::Waiting { .. }
            | Link::Connecting { .. }
            | Link::Handshake { .. }
            | Link::Stream { .. } => false,
        }
    }

    /// When the master was last heard of on this link.
    pub fn last_heard(&self) -> Millis {
        self.last_heard
    }

    /// Bytes received but not applied yet.
    pub fn unapplied(&self) -> usize {
        match self.link {
            Link::Stream { .. } => self.buffer.len(),
            _ => 0,
        }
    }

    /// The connection, if there is one.
    pub fn upstream(&self) -> Option<UpstreamId> {
        match &self.link {
            Link::Waiting { .. } => None,
            Link::Connecting { upstream }
            | Link::Handshake { upstream, .. }
            | Link::Transfer { upstream, .. }
            | Link::Stream { upstream, .. } => Some(*upstream),
        }
    }

    /// When something is due.
    pub fn next_due(&self, config: &Config) -> Millis {
        match &self.link {
            Link::Waiting { .. } if self.master.is_none() => Millis(u64::MAX),
            Link::Waiting { retry_at } => *retry_at,
            Link::Stream { ack_at, .. } => (*ack_at).min(self.silent_until(config)),
            Link::Connecting { .. } | Link::Handshake { .. } | Link::Transfer { .. } => {
                self.silent_until(config)
            }
        }
    }

    /// RW-03, RW-39: until when the master may be silent.
    fn silent_until(&self, config: &Config) -> Millis {
        self.last_heard + Millis(config.repl_timeout_s.saturating_mul(1000).max(1000))
    }

    /// Whether the master was silent for too long.
    pub fn is_timed_out(&self, config: &Config, now: Millis) -> bool {
        self.upstream().is_some() && now >= self.silent_until(config)
    }

    /// Whether [`Follower::next_progress`] has nothing to read.
    pub fn is_quiet(&self) -> bool {
        match &self.link {
            Link::Waiting { .. } | Link::Connecting { .. } => true,
            Link::Stream { .. } => self.buffer.is_empty(),
            Link::Handshake { .. } | Link::Transfer { .. } => false,
        }
    }

    /// Connects if that is due.
    pub fn connect_if_due(&mut self, upstream: UpstreamId, now: Millis, out: &mut Outputs) -> bool {
        let (Link::Waiting { retry_at }, Some((ip, port))) = (&self.link, self.master) else {
            return false;
        };
        if *retry_at > now {
            return false;
        }
        self.link = Link::Connecting { upstream };
        self.last_heard = now;
        out.push(Output::OpenUpstream { upstream, ip, port });
        true
    }

    /// The connection is open: RW-01.
    pub fn opened(&mut self, upstream: UpstreamId, now: Millis, out: &mut Outputs) {
        if !matches!(self.link, Link::Connecting { upstream: awaited } if awaited == upstream) {
            return;
        }
        let (handshake, bytes) = Handshake::start();
        self.link = Link::Handshake {
            upstream,
            handshake,
        };
        self.last_heard = now;
        out.push(Output::SendUpstream { upstream, bytes });
    }

    /// Gives the connection up; RW-03: the next attempt is due in a second.
    pub fn drop_link(&mut self, now: Millis) -> Option<UpstreamId> {
        let upstream = self.upstream();
        // RW-41: a command received in part is discarded.
        self.buffer = BytesMut::new();
        self.link = Link::Waiting {
            retry_at: now + RETRY_PERIOD,
        };
        upstream
    }

    /// Bytes came.
    pub fn receive(&mut self, upstream: UpstreamId, bytes: &[u8], now: Millis) {
        if self.upstream() == Some(upstream) {
            self.last_heard = now;
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Works on what came; none if more bytes are needed.
    ///
    /// # Errors
    /// The link is of no use any more.
    pub fn next_progress(
        &mut self,
        (id, offset): (ReplId, ReplOffset),
        config: &Config,
        now: Millis,
        out: &mut Outputs,
    ) -> Result<Option<Progress>, LinkError> {
        match &mut self.link {
            Link::Waiting { .. } | Link::Connecting { .. } => Ok(None),
            Link::Handshake { .. } => self.shake_hands((id, offset), config, now, out),
            Link::Transfer {
                upstream,
                transfer,
                id,
                offset,
            } => {
                let Some(bytes) = transfer.take(&mut self.buffer)? else {
                    return Ok(None);
                };
                let snapshot = Progress::Snapshot {
                    bytes,
                    id: *id,
                    offset: *offset,
                };
                // RW-23: the master waits for a first ACK.
                self.link = Link::Stream {
                    upstream: *upstream,
                    ack_at: now,
                };
                Ok(Some(snapshot))
            }
            Link::Stream { .. } => Ok(take_command(&mut self.buffer)?.map(Progress::Command)),
        }
    }

    /// Answers the master step by step, until it says how it will go on.
    fn shake_hands(
        &mut self,
        (id, offset): (ReplId, ReplOffset),
        config: &Config,
        now: Millis,
        out: &mut Outputs,
    ) -> Result<Option<Progress>, LinkError> {
        while let Link::Handshake {
            upstream,
            handshake,
        } = &mut self.link
        {
            let upstream = *upstream;
            match handshake.take(&mut self.buffer, config)? {
                None => return Ok(None),
                Some(Step::Send(bytes)) => {
                    out.push(Output::SendUpstream { upstream, bytes });
                }
                // RW-17, RW-41: our own place, also as a master before.
                Some(Step::SendPsync) => {
                    let bytes = Handshake::psync(id, offset.plus(1), self.demand);
                    out.push(Output::SendUpstream { upstream, bytes });
                }
                Some(Step::Full(id, offset)) => {
                    self.link = Link::Transfer {
                        upstream,
                        transfer: Transfer::default(),
                        id,
                        offset,
                    };
                    return Ok(Some(Progress::Announced));
                }
                Some(Step::Partial(id)) => {
                    self.link = Link::Stream {
                        upstream,
                        ack_at: now,
                    };
                    return Ok(Some(Progress::Continued(id)));
                }
            }
        }
        Ok(None)
    }

    /// RW-36: once per second.
    pub fn ack_if_due(&mut self, applied: ReplOffset, now: Millis, out: &mut Outputs) {
        if let Link::Stream { ack_at, .. } = &self.link
            && *ack_at <= now
        {
            self.ack(applied, now, out);
        }
    }

    /// Tells the master how far we are.
    pub fn ack(&mut self, applied: ReplOffset, now: Millis, out: &mut Outputs) {
        if let Link::Stream { upstream, ack_at } = &mut self.link {
            *ack_at = now + ACK_PERIOD;
            let mut bytes = Vec::new();
            put_command(&mut bytes, &["REPLCONF", "ACK", &applied.to_string()]);
            out.push(Output::SendUpstream {
                upstream: *upstream,
                bytes: bytes.into(),
            });
        }
    }
}

const RETRY_PERIOD: Millis = Millis(1000);
const ACK_PERIOD: Millis = Millis(1000);
