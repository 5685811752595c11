//! What a session asks of its world, and how that may come to nothing.

use std::net::SocketAddrV4;

use bytes::Bytes;

use super::outcome::Outcome;
use super::resp::RespValue;
use crate::workload::Op;

/// What the world is to do for this session next. Exactly one thing at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send these commands in one write on a connection to that node and give back
    /// their replies, all of them, through [`super::Session::on_replies`]. Each command is its
    /// argument list.
    Send {
        /// Where to.
        to: SocketAddrV4,
        /// The commands, pipelined.
        commands: Vec<Vec<Bytes>>,
        /// Which connection will do.
        on: Connection,
    },
    /// Subscribe on a fresh connection of the session, which is closed afterwards: send `begin`,
    /// gather what comes, `listen_ms` after the first reply send `end`, and give back everything
    /// through [`super::Session::on_replies`] as soon as it [`ends`]. Broken as a send is.
    Listen {
        /// Where to.
        to: SocketAddrV4,
        /// The command that subscribes.
        begin: Vec<Bytes>,
        /// How long to listen, ms.
        listen_ms: u64,
        /// The command that ends the subscription.
        end: Vec<Bytes>,
    },
    /// Wait that many ms, then call [`super::Session::on_waited`].
    Wait {
        /// How long, ms.
        wait_ms: u64,
    },
    /// The operation is over.
    Finish(Outcome),
}

/// Whether this reply is the last of an [`Action::Listen`]: an error, or the end of the
/// subscription.
pub fn ends(reply: &RespValue) -> bool {
    let of_kind = |items: &Vec<RespValue>| {
        let kind = items.first().and_then(RespValue::text);
        matches!(kind, Some("unsubscribe" | "sunsubscribe"))
    };
    match reply {
        RespValue::Error(_) => true,
        RespValue::Array(Some(items)) => of_kind(items),
        RespValue::Simple(_)
        | RespValue::Integer(_)
        | RespValue::Bulk(_)
        | RespValue::Array(None)
        | RespValue::Map(_) => false,
    }
}

/// Which connection may carry an [`Action::Send`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// The client's to that node; opened if there is none.
    Any,
    /// One that nobody else uses, for a WATCH or a wait; opened if there is none. It is
    /// the same as [`Connection::Any`] where each session has connections of its own.
    Own,
    /// The same again, with the WATCH on it; if it is gone nothing is sent and the answer is
    /// [`Breakage::NotSent`].
    Same,
}

impl Connection {
    /// What carries the first commands of an operation: who waits for an element lets nobody pass
    /// on the same connection.
    pub(super) fn of(op: &Op) -> Connection {
        match op.value.wait_ms() {
            Some(_) => Connection::Own,
            None => Connection::Any,
        }
    }
}

/// How a connection failed the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// The connection could not be opened: nothing was sent.
    NotSent,
    /// Sent, at least in part; the connection broke before all replies came.
    Lost,
    /// Sent; no reply within [`super::Session::patience_ms`]. The world closes the connection.
    TimedOut,
}
