//! What a node can do.

use std::net::IpAddr;

use bytes::Bytes;

use crate::bus::Packet;
use crate::cluster::Saved;
use crate::ids::{ClientId, LinkId, PeerId, UpstreamId};
use crate::resp::Reply;
use crate::time::Millis;

/// The outputs of one step, in the order in which they are to be carried out.
pub type Outputs = Vec<Output>;

/// Whether a write must survive the machine, or only the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Written; a crash of the machine may lose it.
    Buffered,
    /// On disk before the next output is carried out.
    Synced,
}

/// A file of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum File {
    /// nodes.conf (PS-01).
    NodesConf,
    /// The RDB file (SAVE, and at a shutdown with save points).
    Rdb,
    /// redis.conf (CONFIG REWRITE).
    Config,
}

/// The content of a file.
#[derive(Debug, Clone)]
pub enum Content {
    /// As it is.
    Bytes(Bytes),
    /// nodes.conf, whose text is made when it is wanted.
    Nodes(Saved),
}

impl Content {
    /// The bytes of the file.
    pub fn bytes(&self) -> Bytes {
        match self {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Nodes(saved) => saved.text().into(),
        }
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Content {
        Content::Bytes(bytes)
    }
}

impl From<String> for Content {
    fn from(text: String) -> Content {
        Content::Bytes(text.into())
    }
}

impl From<Saved> for Content {
    fn from(saved: Saved) -> Content {
        Content::Nodes(saved)
    }
}

/// How a connection's replies are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// RESP2.
    #[default]
    Resp2,
    /// RESP3, after HELLO 3.
    Resp3,
}

/// How serious a log line is, as redis-server prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// `.`
    Debug,
    /// `-`
    Verbose,
    /// `*`
    Notice,
    /// `#`
    Warning,
}

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Output {
    /// Replace a file, atomically (temporary file, rename). Must succeed: if it cannot be done
    /// the process ends (PS-13).
    Persist {
        /// Which.
        file: File,
        /// Its whole new content.
        content: Content,
        /// How surely.
        durability: Durability,
    },
    /// Begin the append-only file anew with this snapshot; what was there before may go once it
    /// is in place. Must succeed, as `Persist`.
    RestartLog {
        /// An RDB file.
        base: Bytes,
    },
    /// Append to the append-only file, before any later output that leaves the process.
    Append {
        /// Commands, as in the stream of replication.
        bytes: Bytes,
    },
    /// Open a bus link; answered by `LinkOpened` or `LinkClosed`.
    OpenLink {
        /// Its name.
        link: LinkId,
        /// Where to.
        ip: IpAddr,
        /// The bus port there.
        port: u16,
    },
    /// Close a bus link; no `LinkClosed` follows.
    CloseLink {
        /// Which.
        link: LinkId,
    },
    /// Send a packet.
    SendPacket {
        /// On which link.
        link: LinkId,
        /// The packet.
        packet: Box<Packet>,
    },
    /// Answer a client, or push to it.
    Reply {
        /// Which.
        client: ClientId,
        /// What.
        reply: Reply,
        /// How to encode it.
        protocol: Protocol,
    },
    /// Send bytes to a client as they are: the replication stream.
    SendBytes {
        /// Which.
        client: ClientId,
        /// What.
        bytes: Bytes,
    },
    /// Close a client connection once all before is sent; no `ClientClosed` follows.
    CloseClient {
        /// Which.
        client: ClientId,
    },
    /// Connect to our master's client port; answered by `UpstreamOpened` or `UpstreamClosed`.
    OpenUpstream {
        /// Its name.
        upstream: UpstreamId,
        /// Where to.
        ip: IpAddr,
        /// The client port there.
        port: u16,
    },
    /// Send bytes to our master.
    SendUpstream {
        /// On which connection.
        upstream: UpstreamId,
        /// What.
        bytes: Bytes,
    },
    /// Close the connection to our master; no `UpstreamClosed` follows.
    CloseUpstream {
        /// Which.
        upstream: UpstreamId,
    },
    /// Do nothing at all for so long, before what follows (DEBUG SLEEP).
    Stall {
        /// How long.
        span: Millis,
    },
    /// Use the connection to another node's client port (MIGRATE).
    Peer {
        /// Its name.
        peer: PeerId,
        /// How.
        act: PeerAct,
    },
    /// A line for the log.
    Log {
        /// How serious.
        level: LogLevel,
        /// What.
        text: String,
    },
    /// End the process with this status, after all before is done.
    Exit {
        /// The status.
        status: u8,
    },
}

/// What can be done with the connection to another node's client port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerAct {
    /// Connect; answered by `Opened` or `Closed`.
    Open {
        /// An address or a name, as a client wrote it.
        host: String,
        /// The client port there.
        port: u16,
    },
    /// Send bytes.
    Send(Bytes),
    /// Close it; no `Closed` follows.
    Close,
}
