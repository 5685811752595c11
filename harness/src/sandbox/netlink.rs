//! Netlink messages by hand: enough to send one batch and read its acknowledgements.
//!
//! No library and no program: a bare machine must be able to partition a cluster. Layouts are those
//! of linux/netlink.h; headers are in native byte order, attribute values as their owner says.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

/// A message or a nested attribute under construction.
#[derive(Debug, Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    /// One attribute with these bytes.
    pub(super) fn bytes(mut self, kind: u16, value: &[u8]) -> Attributes {
        self.push(kind, value);
        self
    }

    /// A zero-terminated string.
    pub(super) fn text(self, kind: u16, value: &str) -> Attributes {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    /// A 32-bit number in network order, as nf_tables has them.
    pub(super) fn number(self, kind: u16, value: u32) -> Attributes {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Attributes inside an attribute.
    pub(super) fn nest(mut self, kind: u16, inner: Attributes) -> Attributes {
        self.push(kind | NLA_F_NESTED, &inner.0);
        self
    }

    fn push(&mut self, kind: u16, value: &[u8]) {
        let length = value.len() + 4;
        assert!(
            length <= usize::from(u16::MAX),
            "an attribute of {length} bytes does not fit"
        );
        self.0.extend((length as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}

/// Messages sent in one go.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    acks_due: usize,
    sequence: u32,
}

impl Batch {
    /// Adds a message: its type, its flags, the fixed part of its kind, its attributes.
    pub(super) fn push(&mut self, kind: u16, flags: u16, fixed: &[u8], attributes: &Attributes) {
        let length = 16 + fixed.len() + attributes.0.len();
        self.sequence += 1;
        self.bytes.extend((length as u32).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        self.bytes.extend(self.sequence.to_ne_bytes());
        self.bytes.extend(0_u32.to_ne_bytes());
        self.bytes.extend(fixed);
        self.bytes.extend(&attributes.0);
        self.acks_due += usize::from(flags & NLM_F_ACK != 0);
        assert!(
            self.bytes.len().is_multiple_of(4),
            "messages are padded to 4 bytes"
        );
    }
}

/// A netlink socket to the packet filter of this network namespace.
#[derive(Debug)]
pub(super) struct Link {
    socket: OwnedFd,
}

impl Link {
    /// Opens the socket; the kernel loads the packet filter if need be.
    pub(super) fn open() -> Result<Link, Errno> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkNetFilter,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(2))?;
        Ok(Link { socket })
    }

    /// Sends the batch and waits until the kernel has acknowledged all of it.
    pub(super) fn transact(&self, batch: &Batch) -> Result<(), Errno> {
        let kernel = NetlinkAddr::new(0, 0);
        let fd = self.socket.as_raw_fd();
        let sent = sendto(fd, &batch.bytes, &kernel, MsgFlags::empty())?;
        assert!(
            sent == batch.bytes.len(),
            "netlink takes a datagram whole or not at all"
        );
        let mut answer = vec![0_u8; 32 * 1024];
        let mut acks = 0;
        while acks < batch.acks_due {
            let length = recv(fd, &mut answer, MsgFlags::empty())?;
            acks += read_acks(&answer[..length])?;
        }
        Ok(())
    }
}

/// Counts the acknowledgements in a datagram; the first refusal is the error.
fn read_acks(mut datagram: &[u8]) -> Result<usize, Errno> {
    let mut acks = 0;
    while datagram.len() >= 20 {
        let word = |at: usize| {
            datagram[at..at + 4]
                .try_into()
                .expect("4 bytes of at least 20")
        };
        let length = u32::from_ne_bytes(word(0)) as usize;
        let kind = u16::from_ne_bytes([datagram[4], datagram[5]]);
        if kind == NLMSG_ERROR {
            match i32::from_ne_bytes(word(16)) {
                0 => acks += 1,
                error => return Err(Errno::from_raw(error.saturating_neg())),
            }
        }
        let next = length.max(16).next_multiple_of(4).min(datagram.len());
        datagram = &datagram[next..];
    }
    Ok(acks)
}

/// Asks the kernel to answer each message.
pub(super) const NLM_F_ACK: u16 = libc::NLM_F_ACK as u16;
/// Creates what does not exist.
pub(super) const NLM_F_CREATE: u16 = libc::NLM_F_CREATE as u16;
const NLM_F_REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const NLA_F_NESTED: u16 = 0x8000;
const NLMSG_ERROR: u16 = libc::NLMSG_ERROR as u16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_attributes_to_four_bytes_but_counts_them_unpadded() {
        let attributes = Attributes::default().text(1, "ab");
        let mut expected = 7_u16.to_ne_bytes().to_vec();
        expected.extend(1_u16.to_ne_bytes());
        expected.extend(b"ab\0\0");
        assert_eq!(attributes.0, expected);
    }

    #[test]
    fn a_refusal_among_acknowledgements_is_the_error() {
        let message = |error: i32| {
            let mut bytes = 36_u32.to_ne_bytes().to_vec();
            bytes.extend(NLMSG_ERROR.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(error.to_ne_bytes());
            bytes.extend([0; 16]);
            bytes
        };
        let good = [message(0), message(0)].concat();
        let bad = [message(0), message(-(Errno::EPERM as i32))].concat();
        assert_eq!(
            (read_acks(&good), read_acks(&bad)),
            (Ok(2), Err(Errno::EPERM))
        );
    }
}
