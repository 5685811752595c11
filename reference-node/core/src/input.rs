//! What can happen to a node.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::bus::Packet;
use crate::ids::{ClientId, LinkId, PeerId, UpstreamId};

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// The time that [`crate::Node::next_wakeup`] gave has come.
    Wake,
    /// A bus link the node asked for is open.
    LinkOpened {
        /// Which.
        link: LinkId,
        /// Our own address on it (HS-14).
        local_ip: IpAddr,
    },
    /// A peer opened a bus link to us.
    LinkAccepted {
        /// Which.
        link: LinkId,
        /// The peer's address.
        peer_ip: IpAddr,
        /// Our own address on it (HS-14).
        local_ip: IpAddr,
    },
    /// A well-formed packet came in (cluster-bus.md section 9, steps 1 to 6 are done).
    LinkPacket {
        /// On which link.
        link: LinkId,
        /// The packet.
        packet: Box<Packet>,
    },
    /// A link broke, or could not be opened.
    LinkClosed {
        /// Which.
        link: LinkId,
    },
    /// More bytes than before wait to be sent on a link, or none any more.
    LinkQueue {
        /// Which.
        link: LinkId,
        /// How many.
        waiting_bytes: u64,
    },
    /// A client connected.
    ClientOpened {
        /// Which.
        client: ClientId,
        /// Its address.
        peer: SocketAddr,
        /// Our address on that connection.
        local: SocketAddr,
    },
    /// A client sent a command.
    ClientCommand {
        /// Which.
        client: ClientId,
        /// Command name and arguments; never empty.
        args: Vec<Bytes>,
    },
    /// A client is gone.
    ClientClosed {
        /// Which.
        client: ClientId,
    },
    /// The connection to our master is open.
    UpstreamOpened {
        /// Which.
        upstream: UpstreamId,
        /// Our own address on it.
        local_ip: IpAddr,
    },
    /// Our master sent bytes.
    UpstreamBytes {
        /// Which.
        upstream: UpstreamId,
        /// What.
        bytes: Bytes,
    },
    /// The connection to our master broke, or could not be opened.
    UpstreamClosed {
        /// Which.
        upstream: UpstreamId,
    },
    /// Something happened to the connection to another node's client port (MIGRATE).
    Peer {
        /// To which.
        peer: PeerId,
        /// What.
        event: PeerEvent,
    },
    /// SIGTERM or SIGINT.
    Terminate,
}

/// What can happen to the connection to another node's client port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// It is open.
    Opened,
    /// That node sent bytes.
    Bytes(Bytes),
    /// It broke, or could not be opened.
    Closed,
}
