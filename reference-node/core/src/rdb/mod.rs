//! RDB files and DUMP payloads: bytes to values and back.
//!
//! Written is version 9 with plain types only (RW-53), so that 6.2 and everything later reads it.
//! Read is every type of replication-wire.md section 5.4 except modules, which are refused by
//! name. The bytes are hostile: a length is never trusted before the bytes behind it
//! are there, and nothing here panics on them.
//!
//! Inputs and outputs are bytes and [`Value`](crate::keyspace::Value)s with their keys and expiry.

pub mod crc64;
pub mod dump;
pub mod file;
pub mod listpack;
pub mod lzf;
pub mod packed;
pub mod reader;
pub mod stream;
pub mod value;
pub mod writer;

pub use dump::{decode_dump, encode_dump, encode_no_functions};
pub use file::{FileReader, FileWriter, Preamble, encode_file, encode_snapshot};

/// The version written (RW-53).
pub const VERSION_WRITTEN: u16 = 9;
/// The highest version read (RW-51): that of 7.4 and later.
pub const VERSION_READ_MAX: u16 = 12;

/// What is wrong with RDB bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RdbError {
    /// The bytes end in the middle of something.
    #[error("truncated: wanted {wanted} bytes, {left} are left")]
    Truncated {
        /// Wanted.
        wanted: u64,
        /// Left.
        left: u64,
    },
    /// No `REDIS` and four digits at the start.
    #[error("wrong signature")]
    Signature,
    /// RW-28: a newer version than this node reads.
    #[error("Can't handle RDB format version {0}")]
    Version(u16),
    /// The checksum at the end does not fit.
    #[error("wrong checksum: expected {expected:016x}, got {got:016x}")]
    Checksum {
        /// Computed.
        expected: u64,
        /// Written.
        got: u64,
    },
    /// A type that this node does not hold: modules, hashes with field expiry.
    #[error("unsupported value type {0} ({what})", what = unsupported(*.0))]
    Unsupported(u8),
    /// An opcode or encoding that does not exist.
    #[error("unknown {what} {byte:#04x}")]
    Unknown {
        /// Of what kind.
        what: &'static str,
        /// The byte.
        byte: u8,
    },
    /// Well-formed bytes that make no value.
    #[error("bad data: {0}")]
    Bad(&'static str),
}

/// What a type that this node does not hold is.
fn unsupported(type_byte: u8) -> &'static str {
    match type_byte {
        value::HASH_METADATA | value::HASH_LISTPACK_EX => "a hash with expiry of fields, as of 7.4",
        _ => "a value of a module",
    }
}
