//! Whole RDB files (replication-wire.md 5.2), as snapshots for replicas and on disk.

use bytes::Bytes;

use super::crc64::crc64;
use super::reader::Reader;
use super::value::{decode_value, encode_value, type_byte};
use super::writer::{put_length, put_string};
use super::{RdbError, VERSION_READ_MAX, VERSION_WRITTEN};
use crate::keyspace::{Entry, Keyspace};
use crate::time::Millis;

/// What stands before the keys.
#[derive(Debug, Clone, Default)]
pub struct Preamble {
    /// Seconds since the Unix epoch.
    pub ctime_s: u64,
    /// Replication id and offset at the snapshot.
    pub replication: Option<([u8; 40], u64)>,
}

/// Writes a file, key by key.
#[derive(Debug)]
pub struct FileWriter {
    out: Vec<u8>,
    has_keys: bool,
}

impl FileWriter {
    /// Starts a file.
    pub fn new(preamble: &Preamble) -> FileWriter {
        // RW-53: version 9.
        let mut out = format!("REDIS{VERSION_WRITTEN:04}").into_bytes();
        put_aux(&mut out, "redis-ver", "7.0.15");
        put_aux(&mut out, "redis-bits", "64");
        put_aux(&mut out, "ctime", &preamble.ctime_s.to_string());
        put_aux(&mut out, "used-mem", "0");
        if let Some((id, offset)) = &preamble.replication {
            put_aux(&mut out, "repl-stream-db", "0");
            put_aux(&mut out, "repl-id", &String::from_utf8_lossy(id));
            put_aux(&mut out, "repl-offset", &offset.to_string());
        }
        FileWriter {
            out,
            has_keys: false,
        }
    }

    /// Appends a key.
    pub fn put(&mut self, key: &[u8], entry: &Entry) {
        if !self.has_keys {
            self.out.push(SELECT_DB);
            put_length(&mut self.out, 0);
            self.has_keys = true;
        }
        if let Some(Millis(expires)) = entry.expires {
            self.out.push(EXPIRES_MS);
            self.out.extend_from_slice(&expires.to_le_bytes());
        }
        self.out.push(type_byte(&entry.value));
        put_string(&mut self.out, key);
        encode_value(&mut self.out, &entry.value);
    }

    /// The whole file.
    pub fn finish(mut self) -> Bytes {
        self.out.push(EOF);
        let crc = crc64(0, &self.out);
        self.out.extend_from_slice(&crc.to_le_bytes());
        self.out.into()
    }
}

/// All keys as a file, for the disk.
pub fn encode_file(keyspace: &Keyspace, now: Millis) -> Bytes {
    encode_snapshot(
        keyspace,
        &Preamble {
            ctime_s: now.0 / 1000,
            replication: None,
        },
    )
}

/// All keys as a file that begins like this.
pub fn encode_snapshot(keyspace: &Keyspace, preamble: &Preamble) -> Bytes {
    let mut writer = FileWriter::new(preamble);
    for (key, entry) in keyspace.iter() {
        writer.put(key, entry);
    }
    writer.finish()
}

fn put_aux(out: &mut Vec<u8>, key: &str, value: &str) {
    out.push(AUX);
    put_string(out, key.as_bytes());
    put_string(out, value.as_bytes());
}

/// Reads a file, key by key; the checksum is judged at the end.
#[derive(Debug)]
pub struct FileReader<'a> {
    bytes: &'a [u8],
    reader: Reader<'a>,
    version: u16,
    replication_id: Option<Bytes>,
    replication_offset: Option<u64>,
}

impl<'a> FileReader<'a> {
    /// Reads the magic.
    ///
    /// # Errors
    /// No RDB file, or one too new (RW-28).
    pub fn new(bytes: &'a [u8]) -> Result<FileReader<'a>, RdbError> {
        let mut reader = Reader::new(bytes);
        let magic = reader.take(9).map_err(|_| RdbError::Signature)?;
        let digits = magic.strip_prefix(b"REDIS").ok_or(RdbError::Signature)?;
        let digits = std::str::from_utf8(digits).map_err(|_| RdbError::Signature)?;
        let version = digits.parse().map_err(|_| RdbError::Signature)?;
        // RW-28: a newer version is refused.
        if !(1..=VERSION_READ_MAX).contains(&version) {
            return Err(RdbError::Version(version));
        }
        let (replication_id, replication_offset) = (None, None);
        Ok(FileReader {
            bytes,
            reader,
            version,
            replication_id,
            replication_offset,
        })
    }

    /// The next key; none after the last, when the checksum was right.
    ///
    /// # Errors
    /// Whatever the bytes do wrong; other databases than 0 with keys in them.
    pub fn next_entry(&mut self) -> Result<Option<(Bytes, Entry)>, RdbError> {
        let mut expires = None;
        loop {
            match self.reader.byte()? {
                EOF => return self.check_end().map(|()| None),
                SELECT_DB => {
                    // RP-14: only database 0 exists.
                    if self.reader.length()? != 0 {
                        return Err(RdbError::Bad("keys in another database than 0"));
                    }
                }
                EXPIRES_S => {
                    let seconds = u32::from_le_bytes(self.reader.array()?);
                    expires = Some(Millis(u64::from(seconds) * 1000));
                }
                EXPIRES_MS => expires = Some(Millis(u64::from_le_bytes(self.reader.array()?))),
                RESIZE_DB => self.skip_lengths(2)?,
                SLOT_INFO => self.skip_lengths(3)?,
                IDLE => self.skip_lengths(1)?,
                FREQ => self.reader.byte().map(drop)?,
                AUX => self.read_aux()?,
                FUNCTION_2 => self.reader.string().map(drop)?,
                MODULE_AUX => self.skip_module_aux()?,
                type_byte if type_byte < OPCODE_MIN => {
                    let key = self.reader.string()?;
                    match decode_value(type_byte, &mut self.reader)? {
                        Some(value) => return Ok(Some((key, Entry { value, expires }))),
                        // Empty aggregates in files are skipped.
                        None => expires = None,
                    }
                }
                byte => {
                    return Err(RdbError::Unknown {
                        what: "opcode",
                        byte,
                    });
                }
            }
        }
    }

    /// Replication id and offset of the file, if it has them; known once the keys are read.
    pub fn replication(&self) -> Option<([u8; 40], u64)> {
        let id = self.replication_id.as_deref()?.try_into().ok()?;
        Some((id, self.replication_offset?))
    }

    fn read_aux(&mut self) -> Result<(), RdbError> {
        let key = self.reader.string()?;
        let value = self.reader.string()?;
        match key.as_ref() {
            b"repl-id" => self.replication_id = Some(value),
            b"repl-offset" => {
                let text = std::str::from_utf8(&value).ok();
                self.replication_offset = text.and_then(|text| text.parse().ok());
            }
            _ => {}
        }
        Ok(())
    }

    fn skip_lengths(&mut self, count: usize) -> Result<(), RdbError> {
        (0..count).try_for_each(|_| self.reader.length().map(drop))
    }

    fn skip_module_aux(&mut self) -> Result<(), RdbError> {
        self.skip_lengths(1)?;
        loop {
            match self.reader.length()? {
                0 => return Ok(()),
                1 | 2 => self.skip_lengths(1)?,
                3 => self.reader.take(4).map(drop)?,
                4 => self.reader.take(8).map(drop)?,
                5 => self.reader.string().map(drop)?,
                _ => return Err(RdbError::Bad("unknown opcode of a module")),
            }
        }
    }

    fn check_end(&mut self) -> Result<(), RdbError> {
        if self.version < 5 {
            return Ok(());
        }
        let end = self.reader.position();
        let got = u64::from_le_bytes(self.reader.array()?);
        let expected = crc64(0, &self.bytes[..end]);
        // Zero: not checked.
        if got != 0 && got != expected {
            return Err(RdbError::Checksum { expected, got });
        }
        Ok(())
    }
}

const EOF: u8 = 0xff;
const SELECT_DB: u8 = 0xfe;
const EXPIRES_S: u8 = 0xfd;
const EXPIRES_MS: u8 = 0xfc;
const RESIZE_DB: u8 = 0xfb;
const AUX: u8 = 0xfa;
const FREQ: u8 = 0xf9;
const IDLE: u8 = 0xf8;
const MODULE_AUX: u8 = 0xf7;
const FUNCTION_2: u8 = 0xf5;
const SLOT_INFO: u8 = 0xf4;
const OPCODE_MIN: u8 = 0xf4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Value;

    fn entries(bytes: &[u8]) -> Result<Vec<(Bytes, Entry)>, RdbError> {
        let mut reader = FileReader::new(bytes)?;
        std::iter::from_fn(|| reader.next_entry().transpose()).collect()
    }

    fn sample() -> (Vec<(Bytes, Entry)>, Bytes) {
        let list = ["a", "a"].map(|item| Bytes::from_static(item.as_bytes()));
        let text = Entry {
            value: Value::String("12".into()),
            expires: Some(Millis(1_700_000_000_123)),
        };
        let list = Entry {
            value: Value::List(list.into()),
            expires: None,
        };
        let keys: Vec<(Bytes, Entry)> = vec![("k".into(), text), ("12".into(), list)];
        let replication = Some(([b'a'; 40], 99));
        let mut writer = FileWriter::new(&Preamble {
            ctime_s: 7,
            replication,
        });
        for (key, entry) in &keys {
            writer.put(key, entry);
        }
        (keys, writer.finish())
    }

    /// Proves RW-53.
    #[test]
    fn what_is_written_is_read_back() {
        let (keys, bytes) = sample();
        assert!(bytes.starts_with(b"REDIS0009"));
        assert_eq!(entries(&bytes), Ok(keys));
    }

    #[test]
    fn the_replication_id_of_a_file_is_found() {
        let (_, bytes) = sample();
        let mut reader = FileReader::new(&bytes).expect("magic");
        while reader.next_entry().expect("valid").is_some() {}
        assert_eq!(reader.replication(), Some(([b'a'; 40], 99)));
    }

    /// Proves RW-28.
    #[test]
    fn refuses_a_newer_version() {
        assert_eq!(entries(b"REDIS0013\xff"), Err(RdbError::Version(13)));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_survived_and_no_cut_is_accepted() {
        let (_, bytes) = sample();
        for at in 0..bytes.len() {
            assert!(entries(&bytes[..at]).is_err(), "cut at {at}");
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 0x81;
            assert!(entries(&flipped).is_err(), "flipped at {at}");
        }
    }
}
