//! One operation's way through the cluster.

use std::net::SocketAddrV4;

use bytes::Bytes;

use super::outcome::Outcome;
use super::resp::RespValue;

/// What the world is to do for this session next. Exactly one thing at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send these commands in one write on the session's own connection to that node (open it if
    /// need be) and give back their replies, all of them, through [`Session::on_replies`]. Each
    /// command is its argument list. A connection is kept for WATCH to make sense.
    Send {
        /// Where to.
        to: SocketAddrV4,
        /// The commands, pipelined.
        commands: Vec<Vec<Bytes>>,
    },
    /// Wait that many ms, then call [`Session::on_waited`].
    Wait {
        /// How long, ms.
        wait_ms: u64,
    },
    /// The operation is over.
    Finish(Outcome),
}

/// How a connection failed the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// The connection could not be opened: nothing was sent.
    NotSent,
    /// Sent, at least in part; the connection broke before all replies came.
    Lost,
    /// Sent; no reply within the operation's time. The world closes the connection.
    TimedOut,
}

/// A client: its route and the operation it is busy with.
#[derive(Debug)]
pub struct Session {}

impl Session {
    /// Takes in the replies to the last [`Action::Send`], in order.
    pub fn on_replies(&mut self, _replies: Vec<RespValue>) -> Action {
        Action::Wait { wait_ms: 0 }
    }
}
