//! Histories in few bytes: what changed since the event before, and each name once.
//!
//! ```text
//! file  = "SLQH" version(2) block*
//! block = length(4 bytes, little-endian) names-count name* event*, to the end of the block
//! name  = length bytes; numbered from 0 on, over all blocks
//! event = head(2 bytes, little-endian) index-delta? time-delta process key? node? value? rare?
//! head  = kind(2 bits) function(5) final(1) index-delta-follows(1) key(1) node(1) value(2) rare(1)
//! value = nothing (0: nil) | zigzag integer (1) | length bytes (2: text) | count item* (3: list)
//! item  = the same behind a byte that tells which
//! rare  = error hops-count hop* replicas, each plus 1, or 0: none
//! ```
//!
//! All numbers but lengths of blocks are LEB128. Names come before the events that use them, so an
//! event is read without a look at what is known. An error names the event, counted from 1.

mod pack;
mod read;
mod rows;

pub use pack::{BinaryWriter, Tape};
pub use read::{BinaryReader, Replay};

use super::event::EventKind;

/// What a binary history begins with, of whatever version.
pub const MAGIC: &[u8; 4] = b"SLQH";
/// The version this build writes and reads.
pub const VERSION: u8 = 2;

const KINDS: [EventKind; 4] = [
    EventKind::Invoke,
    EventKind::Ok,
    EventKind::Fail,
    EventKind::Info,
];

/// Bits of a head, from the lowest.
mod head {
    pub const FUNCTION: u16 = 2;
    pub const FUNCTION_MASK: u16 = 31;
    pub const FINAL: u16 = 1 << 7;
    pub const INDEX: u16 = 1 << 8;
    pub const KEY: u16 = 1 << 9;
    pub const NODE: u16 = 1 << 10;
    pub const VALUE: u16 = 11;
    pub const RARE: u16 = 1 << 13;
    pub const ALL: u16 = (1 << 14) - 1;
}

/// Kinds of values.
mod value {
    pub const NIL: u8 = 0;
    pub const INT: u8 = 1;
    pub const TEXT: u8 = 2;
    pub const LIST: u8 = 3;
}

/// A block is closed when it holds so many bytes.
const BLOCK_BYTES: usize = 256 << 10;
/// Longest block: one event more than that. The longest is a read of a large set.
const BLOCK_BYTES_MAX: usize = 256 << 20;
/// Deepest list.
const DEPTH_MAX: usize = 64;

#[cfg(test)]
mod tests;
