//! The forms a history may have on disk, and which one a file is in.

use std::io::Read;

use super::binary::{BinaryReader, MAGIC};
use super::compact::{Collector, Log};
use super::edn::{EdnReader, Keys};
use super::event::Event;
use super::jsonl::fast::blank;
use super::jsonl::{HistoryError, HistoryReader};
use super::textlog::LogReader;

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, one event a line.
    Jsonl,
    /// Few bytes.
    Binary,
    /// Jepsen's maps.
    Edn,
    /// Jepsen's text logs.
    Porcupine,
}

impl Format {
    /// The form of a file that begins like this.
    pub fn of_beginning(bytes: &[u8]) -> Format {
        if bytes.starts_with(MAGIC) {
            return Format::Binary;
        }
        let mut visible = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
        match (visible.next(), visible.next()) {
            (Some(b'{'), Some(b'"' | b'}')) | (None, _) => Format::Jsonl,
            (Some(b'{' | b'[' | b'(' | b'#' | b';'), _) => Format::Edn,
            (Some(byte), _) if byte.is_ascii_alphabetic() => Format::Porcupine,
            (Some(_), _) => Format::Jsonl,
        }
    }

    /// The form that the name of a file asks for.
    pub fn of_name(name: &str) -> Option<Format> {
        match name.rsplit_once('.')?.1 {
            "jsonl" | "json" => Some(Format::Jsonl),
            "slqh" => Some(Format::Binary),
            "edn" => Some(Format::Edn),
            _ => None,
        }
    }
}

/// Events as they are read.
pub type Events<'a> = Box<dyn Iterator<Item = Result<Event, HistoryError>> + 'a>;

/// The events of a history in this form.
pub fn read<'a>(format: Format, keys: Keys, input: impl Read + 'a) -> Events<'a> {
    match format {
        Format::Jsonl => Box::new(HistoryReader::new(input)),
        Format::Binary => Box::new(BinaryReader::new(input)),
        Format::Edn => Box::new(EdnReader::new(input, keys)),
        Format::Porcupine => Box::new(LogReader::new(input)),
    }
}

/// The operations of a history in this form, by key: the fastest way to what judges of objects
/// need.
///
/// # Errors
/// As the events of [`read`].
pub fn collect(format: Format, keys: Keys, input: impl Read) -> Result<Log, HistoryError> {
    let mut collector = Collector::default();
    match format {
        Format::Jsonl => HistoryReader::new(input).gather(&mut collector)?,
        Format::Binary => BinaryReader::new(input).gather(&mut collector)?,
        Format::Edn | Format::Porcupine => {
            for event in read(format, keys, input) {
                collector.observe(&event?);
            }
        }
    }
    Ok(collector.finish())
}

/// Hands on the events of a history in this form, one after the other in one place: the fastest
/// way to read them.
///
/// # Errors
/// As the events of [`read`].
pub fn each(
    format: Format,
    keys: Keys,
    input: impl Read,
    mut take: impl FnMut(&Event),
) -> Result<(), HistoryError> {
    let mut event = blank();
    match format {
        Format::Jsonl => {
            let mut reader = HistoryReader::new(input);
            while reader.read(&mut event)? {
                take(&event);
            }
        }
        Format::Binary => {
            let mut reader = BinaryReader::new(input);
            while reader.read(&mut event)? {
                take(&event);
            }
        }
        Format::Edn | Format::Porcupine => {
            for event in read(format, keys, input) {
                take(&event?);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
