//! A connection to a node: RESP requests out, replies in, always within a time.
//!
//! How it failed is told in the client's words: not sent, lost, or timed out.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bytes::Bytes;
use slotquake_workloads::client::resp::{RespParser, encode};
use slotquake_workloads::client::{Breakage, RespValue, action};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

/// Clients speak from here, the harness itself from the next address, nodes from 127.0.1.N: so that
/// a cut can tell them apart.
pub(super) const CLIENT_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Source of views and questions.
pub(super) const HARNESS_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Whether a subscription has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Some,
    All,
}

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

    /// Sends the first command, gathers what comes, sends the second one this long after the first
    /// reply, and gives everything once it has come to its end.
    pub(super) async fn listen(
        &mut self,
        [begin, end]: [Vec<Bytes>; 2],
        listening: Duration,
        deadline: Instant,
    ) -> Result<Vec<RespValue>, Breakage> {
        match timeout_at(deadline, self.gather(&begin, &end, listening)).await {
            Ok(Ok(heard)) => Ok(heard),
            Ok(Err(_)) => Err(Breakage::Lost),
            Err(_) => Err(Breakage::TimedOut),
        }
    }

    async fn gather(
        &mut self,
        begin: &[Bytes],
        end: &[Bytes],
        listening: Duration,
    ) -> io::Result<Vec<RespValue>> {
        self.say(begin).await?;
        let mut heard = Vec::new();
        if self.hear(&mut heard).await? == Heard::All {
            return Ok(heard);
        }
        let over = Instant::now() + listening;
        while let Ok(more) = timeout_at(over, self.hear(&mut heard)).await {
            if more? == Heard::All {
                return Ok(heard);
            }
        }
        self.say(end).await?;
        while self.hear(&mut heard).await? == Heard::Some {}
        Ok(heard)
    }

    /// Waits for more of what a subscriber hears.
    async fn hear(&mut self, heard: &mut Vec<RespValue>) -> io::Result<Heard> {
        let mut bytes = [0_u8; 16 * 1024];
        let before = heard.len();
        while heard.len() == before {
            let length = self.stream.read(&mut bytes).await?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.parser.feed(&bytes[..length]);
            while let Some(reply) = self.parser.next_reply().map_err(io::Error::other)? {
                heard.push(reply);
            }
        }
        match heard[before..].iter().any(action::ends) {
            true => Ok(Heard::All),
            false => Ok(Heard::Some),
        }
    }

    async fn say(&mut self, command: &[Bytes]) -> io::Result<()> {
        self.out.clear();
        encode(command, &mut self.out);
        self.stream.write_all(&self.out).await
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
