//! The packed blobs inside values: intset, listpack, ziplist, zipmap (replication-wire.md 5.5).
//!
//! Read only. Each gives its elements in order; integers become their decimal text.

use bytes::Bytes;

use super::RdbError;
use super::reader::{Reader, decimal};

/// The elements of an intset.
pub fn intset(blob: &[u8]) -> Result<Vec<Bytes>, RdbError> {
    let mut reader = Reader::new(blob);
    let size = u32::from_le_bytes(reader.array()?);
    let count = u32::from_le_bytes(reader.array()?);
    if u64::from(size) * u64::from(count) != reader.left() as u64 {
        return Err(RdbError::Bad("intset of another length than announced"));
    }
    let mut elements = Vec::new();
    while reader.left() > 0 {
        elements.push(decimal(match size {
            2 => i16::from_le_bytes(reader.array()?).into(),
            4 => i32::from_le_bytes(reader.array()?).into(),
            8 => i64::from_le_bytes(reader.array()?),
            _ => {
                return Err(RdbError::Bad(
                    "intset of another element size than 2, 4 or 8",
                ));
            }
        }));
    }
    Ok(elements)
}

/// The elements of a listpack.
pub fn listpack(blob: &[u8]) -> Result<Vec<Bytes>, RdbError> {
    let mut reader = Reader::new(blob);
    let total = u32::from_le_bytes(reader.array()?);
    let count = u16::from_le_bytes(reader.array()?);
    check_total(total, blob)?;
    let mut elements = Vec::new();
    loop {
        let start = reader.position();
        let first = reader.byte()?;
        if first == 0xff {
            break;
        }
        elements.push(listpack_element(&mut reader, first)?);
        let length = reader.position() - start;
        if reader
            .take(backlen_size(length))?
            .last()
            .map(|byte| usize::from(byte & 0x7f))
            != Some(length & 0x7f)
        {
            return Err(RdbError::Bad("listpack element with a wrong back length"));
        }
    }
    check_end(&reader, count, &elements)?;
    Ok(elements)
}

fn listpack_element(reader: &mut Reader, first: u8) -> Result<Bytes, RdbError> {
    Ok(match first {
        0x00..=0x7f => decimal(first.into()),
        0x80..=0xbf => text(reader, (first & 0x3f).into())?,
        0xc0..=0xdf => {
            let value = i64::from(first & 0x1f) << 8 | i64::from(reader.byte()?);
            decimal(if value >= 1 << 12 {
                value - (1 << 13)
            } else {
                value
            })
        }
        0xe0..=0xef => {
            let length = u64::from(first & 0x0f) << 8 | u64::from(reader.byte()?);
            text(reader, length)?
        }
        0xf0 => {
            let length = u32::from_le_bytes(reader.array()?);
            text(reader, length.into())?
        }
        0xf1 => decimal(i16::from_le_bytes(reader.array()?).into()),
        0xf2 => decimal(int24(reader.array()?)),
        0xf3 => decimal(i32::from_le_bytes(reader.array()?).into()),
        0xf4 => decimal(i64::from_le_bytes(reader.array()?)),
        0xf5..=0xff => {
            return Err(RdbError::Unknown {
                what: "listpack encoding",
                byte: first,
            });
        }
    })
}

fn backlen_size(length: usize) -> u64 {
    match length {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// The elements of a ziplist.
pub fn ziplist(blob: &[u8]) -> Result<Vec<Bytes>, RdbError> {
    let mut reader = Reader::new(blob);
    let total = u32::from_le_bytes(reader.array()?);
    let _tail: [u8; 4] = reader.array()?;
    let count = u16::from_le_bytes(reader.array()?);
    check_total(total, blob)?;
    let mut elements = Vec::new();
    loop {
        match reader.byte()? {
            0xff => break,
            0xfe => {
                reader.take(4)?;
            }
            0x00..=0xfd => {}
        }
        elements.push(ziplist_element(&mut reader)?);
    }
    check_end(&reader, count, &elements)?;
    Ok(elements)
}

fn ziplist_element(reader: &mut Reader) -> Result<Bytes, RdbError> {
    let first = reader.byte()?;
    Ok(match first {
        0x00..=0x3f => text(reader, first.into())?,
        0x40..=0x7f => {
            let length = u64::from(first & 0x3f) << 8 | u64::from(reader.byte()?);
            text(reader, length)?
        }
        0x80 => {
            let length = u32::from_be_bytes(reader.array()?);
            text(reader, length.into())?
        }
        0xc0 => decimal(i16::from_le_bytes(reader.array()?).into()),
        0xd0 => decimal(i32::from_le_bytes(reader.array()?).into()),
        0xe0 => decimal(i64::from_le_bytes(reader.array()?)),
        0xf0 => decimal(int24(reader.array()?)),
        0xfe => decimal(i8::from_le_bytes(reader.array()?).into()),
        0xf1..=0xfd => decimal(i64::from(first & 0x0f) - 1),
        byte => {
            return Err(RdbError::Unknown {
                what: "ziplist encoding",
                byte,
            });
        }
    })
}

/// The fields and values of a zipmap (type 9, obsolete).
pub fn zipmap(blob: &[u8]) -> Result<Vec<Bytes>, RdbError> {
    let mut reader = Reader::new(blob);
    reader.byte()?;
    let mut elements = Vec::new();
    while let Some(length) = zipmap_length(&mut reader)? {
        elements.push(text(&mut reader, length)?);
        let length = zipmap_length(&mut reader)?;
        let length = length.ok_or(RdbError::Bad("zipmap field without a value"))?;
        let free = reader.byte()?;
        elements.push(text(&mut reader, length)?);
        reader.take(free.into())?;
    }
    if reader.left() > 0 {
        return Err(RdbError::Bad("bytes after the end of a packed value"));
    }
    Ok(elements)
}

fn zipmap_length(reader: &mut Reader) -> Result<Option<u64>, RdbError> {
    Ok(match reader.byte()? {
        255 => None,
        254 => Some(u32::from_le_bytes(reader.array()?).into()),
        length => Some(length.into()),
    })
}

fn text(reader: &mut Reader, length: u64) -> Result<Bytes, RdbError> {
    Ok(Bytes::copy_from_slice(reader.take(length)?))
}

fn int24(bytes: [u8; 3]) -> i64 {
    i64::from(i32::from_le_bytes([0, bytes[0], bytes[1], bytes[2]]) >> 8)
}

fn check_total(total: u32, blob: &[u8]) -> Result<(), RdbError> {
    if u64::from(total) == blob.len() as u64 {
        Ok(())
    } else {
        Err(RdbError::Bad(
            "packed value of another length than announced",
        ))
    }
}

fn check_end(reader: &Reader, count: u16, elements: &[Bytes]) -> Result<(), RdbError> {
    if reader.left() > 0 {
        return Err(RdbError::Bad("bytes after the end of a packed value"));
    }
    if count != u16::MAX && usize::from(count) != elements.len() {
        return Err(RdbError::Bad(
            "packed value with another count than announced",
        ));
    }
    Ok(())
}
