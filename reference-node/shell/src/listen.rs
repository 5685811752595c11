//! Listening and connecting sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};

use nix::sys::socket::{setsockopt, sockopt};
use slotquake_core::output::LogLevel;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::address::{BindAddress, Need};
use crate::bus_link::LinkProtocol;
use crate::client::ClientProtocol;
use crate::connection::{Connection, serve};
use crate::shell::SharedShell;

/// Listens on a port at each address; addresses that may be missing are left out.
///
/// # Errors
/// The first address that cannot be had, and why.
pub fn listen(
    addresses: &[BindAddress],
    port: u16,
) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    let mut listeners = Vec::new();
    for address in addresses {
        let at = SocketAddr::new(address.ip, port);
        match listen_at(at) {
            Ok(listener) => listeners.push(listener),
            Err(error) if address.need == Need::Optional && is_absent(&error) => {}
            Err(error) => return Err((at, error)),
        }
    }
    Ok(listeners)
}

fn is_absent(error: &io::Error) -> bool {
    use nix::libc::{EADDRNOTAVAIL, EAFNOSUPPORT};
    matches!(error.raw_os_error(), Some(EADDRNOTAVAIL | EAFNOSUPPORT))
}

fn listen_at(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket_for(at.ip())?;
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(BACKLOG)
}

/// Connects, from a given address if there is one (`bind-source-addr`).
pub async fn connect(to: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = socket_for(to.ip())?;
    if let Some(source) = source.filter(|source| source.is_ipv4() == to.is_ipv4()) {
        // A source that this machine does not have is left to the system, as upstream does.
        let _absent = socket.bind(SocketAddr::new(source, 0));
    }
    socket.connect(to).await
}

fn socket_for(ip: IpAddr) -> io::Result<TcpSocket> {
    if ip.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
}

/// Accepts clients for ever.
pub async fn accept_clients(listener: TcpListener, shell: SharedShell) {
    loop {
        let Some((stream, peer, local)) = accept(&listener, &shell).await else {
            continue;
        };
        keep_alive(&stream, CLIENT_KEEPALIVE_S);
        let connection = Connection::new(stream, CLIENT_BYTES_MAX);
        let accepted = {
            let mut shell = shell.borrow_mut();
            let client = shell.client_accepted(connection.clone(), peer, local);
            shell.end_turn();
            client
        };
        let protocol = ClientProtocol::new(accepted, connection.clone());
        tokio::task::spawn_local(serve(connection, protocol, shell.clone()));
    }
}

/// Accepts bus links for ever.
pub async fn accept_links(listener: TcpListener, shell: SharedShell) {
    loop {
        let Some((stream, peer, local)) = accept(&listener, &shell).await else {
            continue;
        };
        let (connection, link) = {
            let mut shell = shell.borrow_mut();
            keep_alive(&stream, shell.link_keepalive_s());
            let connection = Connection::new(stream, shell.link_limit());
            let link = shell.link_accepted(connection.clone(), peer.ip(), local.ip());
            shell.end_turn();
            (connection, link)
        };
        let protocol = LinkProtocol::new(link);
        tokio::task::spawn_local(serve(connection, protocol, shell.clone()));
    }
}

async fn accept(
    listener: &TcpListener,
    shell: &SharedShell,
) -> Option<(TcpStream, SocketAddr, SocketAddr)> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            let local = stream.local_addr().ok()?;
            Some((stream, peer, local))
        }
        Err(error) => {
            let text = format!("Error accepting a connection: {error}");
            shell.borrow_mut().log(LogLevel::Warning, &text);
            // Out of descriptors, most likely: others must be closed first.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Lets the system find out that the other side is gone without a word.
fn keep_alive(stream: &TcpStream, after_s: u32) {
    let after_s = after_s.max(1);
    // A socket that is gone already says so at the first read.
    let _gone = setsockopt(stream, sockopt::KeepAlive, &true);
    let _gone = setsockopt(stream, sockopt::TcpKeepIdle, &after_s);
    let _gone = setsockopt(stream, sockopt::TcpKeepInterval, &(after_s / 3).max(1));
    let _gone = setsockopt(stream, sockopt::TcpKeepCount, &3);
}

const BACKLOG: u32 = 511;
/// Upstream's default of `tcp-keepalive`.
const CLIENT_KEEPALIVE_S: u32 = 300;
/// Upstream's hard limit for replicas, the largest of its limits.
const CLIENT_BYTES_MAX: usize = 256 << 20;
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
