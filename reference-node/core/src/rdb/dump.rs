//! DUMP payloads (replication-wire.md section 6).

use bytes::Bytes;

use super::crc64::crc64;
use super::reader::Reader;
use super::value::{decode_value, encode_value, type_byte};
use super::{RdbError, VERSION_READ_MAX, VERSION_WRITTEN};
use crate::keyspace::Value;

/// The payload of a value: RW-53, version 9 and a plain type.
pub fn encode_dump(value: &Value) -> Bytes {
    let mut out = vec![type_byte(value)];
    encode_value(&mut out, value);
    with_footer(out)
}

/// What FUNCTION DUMP gives when there are no functions: the footer alone.
pub fn encode_no_functions() -> Bytes {
    with_footer(Vec::new())
}

fn with_footer(mut out: Vec<u8>) -> Bytes {
    out.extend_from_slice(&VERSION_WRITTEN.to_le_bytes());
    let crc = crc64(0, &out);
    out.extend_from_slice(&crc.to_le_bytes());
    out.into()
}

/// The value of a payload.
///
/// # Errors
/// [`RdbError::Version`] and [`RdbError::Checksum`] (RESTORE answers `DUMP payload version or
/// checksum are wrong`), anything else for `Bad data format`.
pub fn decode_dump(payload: &[u8]) -> Result<Value, RdbError> {
    let Some(body_length) = payload.len().checked_sub(FOOTER_LENGTH) else {
        return Err(RdbError::Checksum {
            expected: 0,
            got: 0,
        });
    };
    let (body, footer) = payload.split_at(body_length);
    let mut footer = Reader::new(footer);
    // RW-51: accepted iff its version is not above our own.
    let version = u16::from_le_bytes(footer.array()?);
    if version > VERSION_READ_MAX {
        return Err(RdbError::Version(version));
    }
    let got = u64::from_le_bytes(footer.array()?);
    let expected = crc64(0, &payload[..payload.len() - 8]);
    if got != expected {
        return Err(RdbError::Checksum { expected, got });
    }
    let mut reader = Reader::new(body);
    let type_byte = reader.byte()?;
    let value = decode_value(type_byte, &mut reader)?;
    if reader.left() > 0 {
        return Err(RdbError::Bad("bytes after the value"));
    }
    value.ok_or(RdbError::Bad("an empty aggregate"))
}

const FOOTER_LENGTH: usize = 10;

#[cfg(test)]
mod tests;
