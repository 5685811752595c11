//! A cursor over RDB bytes: numbers, lengths and strings (replication-wire.md 5.3).

use bytes::Bytes;

use super::{RdbError, lzf};

/// A cursor; every read checks what is left.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What a length byte announces.
enum Announced {
    Length(u64),
    Encoding(u8),
}

impl<'a> Reader<'a> {
    /// A cursor at the start.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: u64) -> Result<&'a [u8], RdbError> {
        let left = self.left();
        if length > left as u64 {
            return Err(RdbError::Truncated {
                wanted: length,
                left: left as u64,
            });
        }
        let start = self.at;
        self.at += length as usize;
        Ok(&self.bytes[start..self.at])
    }

    /// The next N bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], RdbError> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.try_into().expect("take gives N bytes"))
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, RdbError> {
        Ok(self.array::<1>()?[0])
    }

    /// A length; a string encoding in its place is an error.
    pub fn length(&mut self) -> Result<u64, RdbError> {
        match self.announced()? {
            Announced::Length(length) => Ok(length),
            Announced::Encoding(byte) => Err(RdbError::Unknown {
                what: "length",
                byte,
            }),
        }
    }

    /// A string in any of its encodings.
    pub fn string(&mut self) -> Result<Bytes, RdbError> {
        Ok(match self.announced()? {
            Announced::Length(length) => Bytes::copy_from_slice(self.take(length)?),
            Announced::Encoding(0) => decimal(i8::from_le_bytes(self.array()?).into()),
            Announced::Encoding(1) => decimal(i16::from_le_bytes(self.array()?).into()),
            Announced::Encoding(2) => decimal(i32::from_le_bytes(self.array()?).into()),
            Announced::Encoding(3) => {
                let compressed = self.length()?;
                let original = self.length()?;
                lzf::decompress(self.take(compressed)?, original)?.into()
            }
            Announced::Encoding(byte) => {
                return Err(RdbError::Unknown {
                    what: "string encoding",
                    byte,
                });
            }
        })
    }

    /// An 8-byte IEEE-754 double.
    pub fn double(&mut self) -> Result<f64, RdbError> {
        not_nan(f64::from_le_bytes(self.array()?))
    }

    /// A double as text with a length byte (type 3).
    pub fn text_double(&mut self) -> Result<f64, RdbError> {
        match self.byte()? {
            255 => Ok(f64::NEG_INFINITY),
            254 => Ok(f64::INFINITY),
            253 => Err(RdbError::Bad("score is not a number")),
            length => score(self.take(length.into())?),
        }
    }

    fn announced(&mut self) -> Result<Announced, RdbError> {
        let first = self.byte()?;
        Ok(match first >> 6 {
            0 => Announced::Length((first & 0x3f).into()),
            1 => Announced::Length(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            2 => match first {
                0x80 => Announced::Length(u32::from_be_bytes(self.array()?).into()),
                0x81 => Announced::Length(u64::from_be_bytes(self.array()?)),
                byte => {
                    return Err(RdbError::Unknown {
                        what: "length",
                        byte,
                    });
                }
            },
            _ => Announced::Encoding(first & 0x3f),
        })
    }
}

/// An integer as its decimal text.
pub fn decimal(value: i64) -> Bytes {
    Bytes::from(value.to_string())
}

/// A score from its text.
pub fn score(text: &[u8]) -> Result<f64, RdbError> {
    let text = std::str::from_utf8(text).map_err(|_| RdbError::Bad("score is no number"))?;
    not_nan(
        text.parse()
            .map_err(|_| RdbError::Bad("score is no number"))?,
    )
}

fn not_nan(value: f64) -> Result<f64, RdbError> {
    if value.is_nan() {
        Err(RdbError::Bad("score is not a number"))
    } else {
        Ok(value)
    }
}
