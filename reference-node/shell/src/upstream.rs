//! The connection to our master: bytes both ways, understood by the core alone.

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;

use bytes::Bytes;
use slotquake_core::Input;
use slotquake_core::ids::UpstreamId;

use crate::connection::{Connection, Protocol, serve};
use crate::listen;
use crate::shell::{SharedShell, Shell};

/// What the connection carries.
pub struct UpstreamProtocol {
    upstream: UpstreamId,
}

impl Protocol for UpstreamProtocol {
    fn received(&mut self, bytes: &[u8], shell: &mut Shell) -> ControlFlow<()> {
        let bytes = Bytes::copy_from_slice(bytes);
        shell.take_in(Input::UpstreamBytes {
            upstream: self.upstream,
            bytes,
        });
        ControlFlow::Continue(())
    }

    fn lost(&mut self, shell: &mut Shell) {
        shell.upstream_lost(self.upstream);
    }
}

/// Connects and serves the connection.
pub async fn open(
    upstream: UpstreamId,
    to: SocketAddr,
    source: Option<IpAddr>,
    shell: SharedShell,
) {
    let stream = listen::connect(to, source).await;
    let opened = stream.and_then(|stream| Ok((stream.local_addr()?.ip(), stream)));
    let connection = {
        let mut shell = shell.borrow_mut();
        match opened {
            Ok((local_ip, stream)) => {
                let connection = Connection::new(stream, WAITING_BYTES_MAX);
                shell.upstream_opened(upstream, connection.clone(), local_ip);
                shell.end_turn();
                connection
            }
            Err(_) => {
                shell.upstream_lost(upstream);
                shell.end_turn();
                return;
            }
        }
    };
    serve(connection, UpstreamProtocol { upstream }, shell).await;
}

/// Acknowledgements are small; a master that takes none is gone.
const WAITING_BYTES_MAX: usize = 1 << 20;
