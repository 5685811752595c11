//! The kernel side of the tap: a packet socket on `lo` with a memory-mapped ring.
//!
//! A ring, because the receive buffer of an unprivileged socket is too small for a busy bus. The
//! filter keeps TCP of the bus port, and of the two copies that loopback shows only the one
//! leaving. Layouts and numbers are those of linux/if_packet.h (TPACKET_V3) and linux/filter.h.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// How long a block that is not full stays with the kernel.
pub(super) const RETIRE: Duration = Duration::from_millis(20);

/// The socket with its ring; dropping it ends the capture.
#[derive(Debug)]
pub(super) struct Ring {
    socket: OwnedFd,
    memory: NonNull<u8>,
    /// The block the kernel fills next.
    block: usize,
}

// SAFETY: the mapping belongs to this value alone and is as valid on any thread.
unsafe impl Send for Ring {}

impl Ring {
    /// Begins to capture.
    pub(super) fn open(bus_port: u16) -> Result<Ring, Errno> {
        // Without a protocol nothing arrives before filter and ring are in place.
        let socket = socket(
            AddressFamily::Packet,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        attach_filter(&socket, bus_port)?;
        set_option(&socket, libc::PACKET_VERSION, &TPACKET_V3)?;
        let request: [u32; 7] = [
            BLOCK_BYTES as u32,
            BLOCKS as u32,
            FRAME_BYTES as u32,
            (BLOCK_BYTES / FRAME_BYTES * BLOCKS) as u32,
            RETIRE.as_millis() as u32,
            0,
            0,
        ];
        set_option(&socket, libc::PACKET_RX_RING, &request)?;
        // SAFETY: a new shared mapping of the ring just made, at an address of the kernel's choice.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                BLOCK_BYTES * BLOCKS,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let memory = NonNull::new(memory.cast()).ok_or(Errno::ENOMEM)?;
        let ring = Ring {
            socket,
            memory,
            block: 0,
        };
        ring.bind()?;
        Ok(ring)
    }

    /// Waits for packets; gives each with its time (ns since 1970) and says how many there were.
    pub(super) fn poll(
        &mut self,
        patience: Duration,
        mut take: impl FnMut(u64, &[u8]),
    ) -> io::Result<usize> {
        let mut seen = 0;
        loop {
            let start = self.block * BLOCK_BYTES;
            // SAFETY: `block` stays below `BLOCKS`, so the block lies within the mapping.
            let block = unsafe { self.memory.add(start) };
            // SAFETY: the status word of a block is 4-aligned and lives as long as the mapping.
            let status = unsafe { AtomicU32::from_ptr(block.as_ptr().add(STATUS).cast()) };
            if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
                match seen {
                    0 if self.wait(patience)? => continue,
                    seen => return Ok(seen),
                }
            }
            // SAFETY: the kernel does not touch a block until its status is given back.
            let bytes = unsafe { std::slice::from_raw_parts(block.as_ptr(), BLOCK_BYTES) };
            seen += read_block(bytes, &mut take);
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
            self.block = (self.block + 1) % BLOCKS;
        }
    }

    /// Packets that found no room since the last call.
    pub(super) fn losses(&self) -> io::Result<u64> {
        let mut counts = [0_u32; 3];
        let mut length = size_of_val(&counts) as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes into `counts`.
        let done = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                counts.as_mut_ptr().cast(),
                &mut length,
            )
        };
        Errno::result(done)?;
        let [_seen, dropped, _freezes] = counts;
        Ok(u64::from(dropped))
    }

    /// Whether something came within this time.
    fn wait(&self, patience: Duration) -> io::Result<bool> {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        let mut ready = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn bind(&self) -> Result<(), Errno> {
        // SAFETY: an all-zero `sockaddr_ll` is a valid value of that C struct.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = if_nametoindex("lo")?.cast_signed();
        // SAFETY: the address lives until the call returns and its size is given.
        let done = unsafe {
            libc::bind(
                self.socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        Errno::result(done).map(drop)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this size and nothing refers to it any more.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), BLOCK_BYTES * BLOCKS) };
    }
}

/// Gives each packet of a block; a header that does not fit ends the block.
fn read_block(block: &[u8], take: &mut impl FnMut(u64, &[u8])) -> usize {
    let word = |at: usize| {
        let bytes = block.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_ne_bytes(bytes))
    };
    let half = |at: usize| {
        let bytes = block.get(at..at + 2)?.try_into().ok()?;
        Some(u16::from_ne_bytes(bytes))
    };
    let packet = |at: usize| {
        let stamp = u64::from(word(at + 4)?) * 1_000_000_000 + u64::from(word(at + 8)?);
        let start = at + usize::from(half(at + 26)?);
        let bytes = block.get(start..start + word(at + 12)? as usize)?;
        Some((stamp, bytes, at + word(at)? as usize))
    };
    let (Some(count), Some(first)) = (word(COUNT), word(FIRST)) else {
        return 0;
    };
    let mut at = first as usize;
    for seen in 0..count as usize {
        let Some((stamp, bytes, next)) = packet(at) else {
            return seen;
        };
        take(stamp, bytes);
        at = next;
    }
    count as usize
}

/// Leaving, IPv4 TCP, from or to the bus port; else nothing.
fn attach_filter(socket: &OwnedFd, bus_port: u16) -> Result<(), Errno> {
    let (packet_type, port) = (0xffff_f000_u32 + 4, u32::from(bus_port));
    let step = |code: u16, jt: u8, jf: u8, k: u32| libc::sock_filter { code, jt, jf, k };
    let mut program = [
        step(LOAD_WORD, 0, 0, packet_type),
        step(JUMP_EQUAL, 0, 8, u32::from(libc::PACKET_OUTGOING)),
        step(LOAD_BYTE, 0, 0, 9),
        step(JUMP_EQUAL, 0, 6, 6),
        step(LOAD_X_HEADER_LENGTH, 0, 0, 0),
        step(LOAD_HALF_X, 0, 0, 0),
        step(JUMP_EQUAL, 2, 0, port),
        step(LOAD_HALF_X, 0, 0, 2),
        step(JUMP_EQUAL, 0, 1, port),
        step(RETURN, 0, 0, u32::MAX),
        step(RETURN, 0, 0, 0),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the program lives until the call returns and the kernel copies it.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const filter).cast(),
            size_of_val(&filter) as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}

fn set_option<T: Copy>(socket: &OwnedFd, name: libc::c_int, value: &T) -> Result<(), Errno> {
    // SAFETY: the value lives until the call returns and its size is given.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}

const TPACKET_V3: libc::c_int = 2;
const BLOCK_BYTES: usize = 1 << 20;
const BLOCKS: usize = 32;
const FRAME_BYTES: usize = 1 << 12;
/// Offsets in a block's header.
const STATUS: usize = 8;
const COUNT: usize = 12;
const FIRST: usize = 16;
const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE: u16 = 0x30;
const LOAD_X_HEADER_LENGTH: u16 = 0xb1;
const LOAD_HALF_X: u16 = 0x48;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
