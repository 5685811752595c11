//! Bus links: packets in, packets out (cluster-bus.md sections 1 and 9).

use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;

use bytes::{Buf, BytesMut};
use slotquake_core::Input;
use slotquake_core::bus::codec;
use slotquake_core::ids::LinkId;
use slotquake_core::output::LogLevel;

use crate::connection::{Connection, Protocol, serve};
use crate::listen;
use crate::shell::{SharedShell, Shell};

/// What a bus link carries.
pub struct LinkProtocol {
    link: LinkId,
    /// The beginning of a packet whose end has not come; empty most of the time, because packets
    /// mostly come whole, and then an idle link keeps no memory.
    begun: BytesMut,
}

impl LinkProtocol {
    /// Of a link that is open.
    pub fn new(link: LinkId) -> LinkProtocol {
        LinkProtocol {
            link,
            begun: BytesMut::new(),
        }
    }

    /// Takes in all whole packets; says how long they are together.
    fn take_in(&self, bytes: &[u8], shell: &mut Shell) -> ControlFlow<(), usize> {
        let mut rest = bytes;
        loop {
            // BUS-08: a wrong signature or length closes the connection.
            let length = match codec::frame_length(rest) {
                Ok(Some(length)) if length <= FRAME_BYTES_MAX => length,
                Ok(None) => return ControlFlow::Continue(bytes.len() - rest.len()),
                Ok(Some(_)) | Err(_) => {
                    shell.log(
                        LogLevel::Warning,
                        "Bad message length or signature received",
                    );
                    return ControlFlow::Break(());
                }
            };
            let Some((packet, behind)) = rest.split_at_checked(length) else {
                return ControlFlow::Continue(bytes.len() - rest.len());
            };
            // BUS-09: other malformations drop only this packet.
            match codec::decode(packet) {
                Ok(packet) => shell.take_in(Input::LinkPacket {
                    link: self.link,
                    packet: Box::new(packet),
                }),
                Err(reason) => {
                    let text = format!("Received an invalid bus packet, dropped: {reason}");
                    shell.log(LogLevel::Verbose, &text);
                }
            }
            if !shell.has_link(self.link) {
                return ControlFlow::Break(());
            }
            rest = behind;
        }
    }
}

impl Protocol for LinkProtocol {
    fn received(&mut self, bytes: &[u8], shell: &mut Shell) -> ControlFlow<()> {
        if self.begun.is_empty() {
            let taken = self.take_in(bytes, shell)?;
            self.begun.extend_from_slice(&bytes[taken..]);
            return ControlFlow::Continue(());
        }
        self.begun.extend_from_slice(bytes);
        let taken = self.take_in(&self.begun, shell)?;
        self.begun.advance(taken);
        if self.begun.is_empty() {
            self.begun = BytesMut::new();
        }
        ControlFlow::Continue(())
    }

    fn lost(&mut self, shell: &mut Shell) {
        shell.link_lost(self.link);
    }
}

/// Opens a link and serves it.
pub async fn open(link: LinkId, to: SocketAddr, source: Option<IpAddr>, shell: SharedShell) {
    let stream = listen::connect(to, source).await;
    let opened = stream.and_then(|stream| Ok((stream.local_addr()?.ip(), stream)));
    let connection = {
        let mut shell = shell.borrow_mut();
        match opened {
            Ok((local_ip, stream)) => {
                let connection = Connection::new(stream, shell.link_limit());
                shell.link_opened(link, connection.clone(), local_ip);
                shell.end_turn();
                connection
            }
            Err(_) => {
                shell.link_lost(link);
                shell.end_turn();
                return;
            }
        }
    };
    serve(connection, LinkProtocol::new(link), shell).await;
}

/// DEVIATION(BUS-08): longer packets than this are taken for nonsense; upstream has no limit and
/// lets a peer claim 4 GiB.
const FRAME_BYTES_MAX: usize = 64 << 20;
