//! A connection to a node: RESP requests out, replies in, always within a time.
//!
//! How it failed is told in the client's words: not sent, lost, or timed out.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::Bytes;
use slotquake_workloads::client::resp::{RespParser, encode};
use slotquake_workloads::client::{Breakage, RespValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

/// Clients speak from here, the harness itself from the next address, nodes from 127.0.1.N: so that
/// a cut can tell them apart.
pub(super) const CLIENT_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Source of views and questions.
pub(super) const HARNESS_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// An open connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    parser: RespParser,
    out: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub(super) async fn open(
        source: Ipv4Addr,
        target: SocketAddrV4,
        deadline: Instant,
    ) -> Result<Wire, Breakage> {
        let connect = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddrV4::new(source, 0).into())?;
            let stream = socket.connect(target.into()).await?;
            stream.set_nodelay(true)?;
            Ok::<TcpStream, io::Error>(stream)
        };
        match timeout_at(deadline, connect).await {
            Ok(Ok(stream)) => Ok(Wire {
                stream,
                parser: RespParser::default(),
                out: Vec::new(),
            }),
            Ok(Err(_)) | Err(_) => Err(Breakage::NotSent),
        }
    }

    /// Whether the other side has closed it meanwhile, as far as the kernel knows.
    pub(super) fn is_closed(&self) -> bool {
        match self.stream.try_read(&mut [0_u8; 1]) {
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
            // Bytes nobody asked for make it as useless as a closed one.
            Ok(_) => true,
        }
    }

    /// Sends the commands in one write and waits for all replies.
    pub(super) async fn ask(
        &mut self,
        commands: &[Vec<Bytes>],
        deadline: Instant,
    ) -> Result<Vec<RespValue>, Breakage> {
        self.out.clear();
        for command in commands {
            encode(command, &mut self.out);
        }
        match timeout_at(deadline, self.exchange(commands.len())).await {
            Ok(Ok(replies)) => Ok(replies),
            Ok(Err(_)) => Err(Breakage::Lost),
            Err(_) => Err(Breakage::TimedOut),
        }
    }

    async fn exchange(&mut self, count: usize) -> io::Result<Vec<RespValue>> {
        self.stream.write_all(&self.out).await?;
        let mut replies = Vec::with_capacity(count);
        let mut bytes = [0_u8; 16 * 1024];
        while replies.len() < count {
            let length = self.stream.read(&mut bytes).await?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.parser.feed(&bytes[..length]);
            while let Some(reply) = self.parser.next_reply().map_err(io::Error::other)? {
                replies.push(reply);
            }
        }
        Ok(replies)
    }
}

/// A command from words.
pub(super) fn command(words: &[&'static str]) -> Vec<Bytes> {
    words
        .iter()
        .map(|word| Bytes::from_static(word.as_bytes()))
        .collect()
}
