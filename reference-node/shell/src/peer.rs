//! Connections to other nodes' client ports, for MIGRATE: bytes both ways, understood by the core
//! alone. Names are looked up here.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::rc::Rc;

use bytes::Bytes;
use slotquake_core::Input;
use slotquake_core::ids::PeerId;
use slotquake_core::input::PeerEvent;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::{AbortHandle, spawn_local};

use crate::connection::{Connection, Protocol, serve};
use crate::listen;
use crate::shell::{SharedShell, Shell};

/// The connections, by name.
#[derive(Debug, Default)]
pub struct Peers(HashMap<PeerId, Way>);

#[derive(Debug)]
enum Way {
    Opening(AbortHandle),
    Open(Rc<Connection>),
}

/// Where to, and from which address if that was asked for.
#[derive(Debug)]
pub struct Journey {
    /// An address or a name.
    pub host: String,
    /// The port there.
    pub port: u16,
    /// `bind-source-addr`.
    pub source: Option<IpAddr>,
}

impl Peers {
    /// Begins to connect.
    pub fn open(&mut self, peer: PeerId, journey: Journey, shell: SharedShell) {
        let task = spawn_local(open(peer, journey, shell));
        self.0.insert(peer, Way::Opening(task.abort_handle()));
    }

    /// It is connected.
    pub fn opened(&mut self, peer: PeerId, connection: Rc<Connection>) {
        self.0.insert(peer, Way::Open(connection));
    }

    /// Puts bytes on a connection; gives it if it is to be flushed.
    pub fn send(&self, peer: PeerId, bytes: Bytes) -> Option<Rc<Connection>> {
        match self.0.get(&peer)? {
            Way::Opening(_) => None,
            Way::Open(connection) => {
                let is_new = connection.write(|outbox| outbox.push(bytes));
                is_new.then(|| connection.clone())
            }
        }
    }

    /// Closes a connection from our side.
    pub fn close(&mut self, peer: PeerId) {
        match self.0.remove(&peer) {
            None => {}
            Some(Way::Opening(task)) => task.abort(),
            Some(Way::Open(connection)) => connection.close(),
        }
    }

    /// It is gone by itself; whether the core still thought it was there.
    pub fn lost(&mut self, peer: PeerId) -> bool {
        self.0.remove(&peer).is_some()
    }
}

/// What the connection carries.
struct PeerProtocol {
    peer: PeerId,
}

impl Protocol for PeerProtocol {
    fn received(&mut self, bytes: &[u8], shell: &mut Shell) -> ControlFlow<()> {
        let event = PeerEvent::Bytes(Bytes::copy_from_slice(bytes));
        let peer = self.peer;
        shell.take_in(Input::Peer { peer, event });
        ControlFlow::Continue(())
    }

    fn lost(&mut self, shell: &mut Shell) {
        shell.peer_lost(self.peer);
    }
}

async fn open(peer: PeerId, journey: Journey, shell: SharedShell) {
    let stream = connect(&journey).await;
    let connection = {
        let mut shell = shell.borrow_mut();
        let opened = stream.map(|stream| Connection::new(stream, WAITING_BYTES_MAX));
        match &opened {
            Ok(connection) => shell.peer_opened(peer, connection.clone()),
            Err(_) => shell.peer_lost(peer),
        }
        shell.end_turn();
        opened
    };
    if let Ok(connection) = connection {
        serve(connection, PeerProtocol { peer }, shell).await;
    }
}

async fn connect(journey: &Journey) -> io::Result<TcpStream> {
    let found = lookup_host((journey.host.as_str(), journey.port)).await?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in found {
        match listen::connect(address, journey.source).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A MIGRATE is sent as a whole, however large its keys are: they are in memory anyway.
const WAITING_BYTES_MAX: usize = usize::MAX;
