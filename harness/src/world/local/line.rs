//! A client's connection to a node: requests out, replies in, never waiting for either.
//!
//! Several processes may have requests on their way at once; replies come in the order of requests.
//! Who is asked what, and what a breakage means, is for the fleet and its sessions to say.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use bytes::Bytes;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
use slotquake_workloads::client::RespValue;
use slotquake_workloads::client::resp::{RespError, RespParser, encode};

use super::wire::CLIENT_SOURCE;

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// All processes of this client.
    Client(usize),
    /// The process of this seat alone: it watches keys.
    Seat(usize),
    /// It serves one subscription and is closed then.
    Subscription,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
}

/// What the line waits for, besides what the node says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    /// Nothing.
    Read,
    /// To be connected, or for room to write.
    Write,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    phase: Phase,
    parser: RespParser,
    out: Vec<u8>,
    written: usize,
    /// Seats whose requests are on their way, in order.
    pub(super) askers: VecDeque<usize>,
    /// Where it leads.
    pub(super) to: SocketAddrV4,
    /// Whose it is.
    pub(super) owner: Owner,
    /// What it was last said to wait for.
    pub(super) interest: Interest,
    /// Whether it stands in the list of those that have something to write.
    pub(super) is_listed: bool,
}

impl Line {
    /// Begins to connect.
    pub(super) fn open(to: SocketAddrV4, owner: Owner) -> io::Result<Line> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        let source = SocketAddrV4::new(CLIENT_SOURCE, 0);
        bind(fd.as_raw_fd(), &SockaddrIn::from(source))?;
        let phase = match connect(fd.as_raw_fd(), &SockaddrIn::from(to)) {
            Ok(()) => Phase::Open,
            Err(Errno::EINPROGRESS) => Phase::Connecting,
            Err(error) => return Err(error.into()),
        };
        let stream = TcpStream::from(fd);
        stream.set_nodelay(true)?;
        Ok(Line {
            stream,
            phase,
            parser: RespParser::default(),
            out: Vec::new(),
            written: 0,
            askers: VecDeque::new(),
            to,
            owner,
            interest: Interest::Write,
            is_listed: false,
        })
    }

    /// Whether nothing can have been sent yet.
    pub(super) fn is_connecting(&self) -> bool {
        self.phase == Phase::Connecting
    }

    /// Takes note that connecting has ended, well or not.
    pub(super) fn on_connected(&mut self) -> io::Result<()> {
        match self.stream.take_error()? {
            Some(error) => Err(error),
            None => {
                self.phase = Phase::Open;
                Ok(())
            }
        }
    }

    /// Puts a request behind those that wait to be written.
    pub(super) fn put(&mut self, command: &[Bytes]) {
        encode(command, &mut self.out);
    }

    /// Writes what can be written now, and says what to wait for.
    pub(super) fn write(&mut self) -> io::Result<Interest> {
        if self.is_connecting() {
            return Ok(Interest::Write);
        }
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Interest::Write);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(Interest::Read)
    }

    /// Reads what is there, a buffer full at most.
    ///
    /// # Errors
    /// The node closed the connection, or it broke.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match self.stream.read(buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                self.parser.feed(&buffer[..length]);
                Ok(())
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// The next whole reply.
    pub(super) fn next_reply(&mut self) -> Result<Option<RespValue>, RespError> {
        self.parser.next_reply()
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
