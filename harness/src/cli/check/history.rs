//! Histories as files: in which form they are, and from one form into another.

use std::fs::File;
use std::io::{BufWriter, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use slotquake_checkers::history::binary::BinaryWriter;
use slotquake_checkers::history::compact::Log;
use slotquake_checkers::history::edn::{self, Keys};
use slotquake_checkers::history::format::{self, Format};
use slotquake_checkers::history::jsonl::HistoryWriter;
use slotquake_checkers::history::{self, Event};
use slotquake_checkers::recording::{HISTORY, HISTORY_BINARY, READY_MAX};

use super::super::console;
use super::super::exit::{Exit, Failure};

/// How to read a history, and where to write it.
#[derive(Debug, Args)]
pub struct HistoryOptions {
    /// The form of a bare history
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    format: Form,
    /// The values of an EDN history are `[key value]`, as in Jepsen's independent tests
    #[arg(long)]
    keyed: bool,
    /// Write the history to this file (.jsonl, .slqh or .edn) instead of judging it
    #[arg(long, value_name = "FILE")]
    pub convert: Option<PathBuf>,
}

/// The forms, and leaving it to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// As the file begins
    Auto,
    /// JSON, one event a line
    Jsonl,
    /// Few bytes (.slqh)
    Binary,
    /// Jepsen's maps
    Edn,
    /// Jepsen's text logs, as Porcupine reads them
    Porcupine,
}

/// Events, or why one could not be read.
pub type Events = Box<dyn Iterator<Item = Result<Event, Failure>>>;

/// A history that is open.
struct Opened {
    format: Format,
    keys: Keys,
    name: String,
    input: Box<dyn Read>,
}

/// The events of a bare history, packed if they are many; `-` is stdin.
///
/// # Errors
/// Which file and why, and the line.
pub fn gather(path: &Path, options: &HistoryOptions) -> Result<history::Events, Failure> {
    let opened = Opened::new(path, options)?;
    let mut events = history::Events::packing_beyond(READY_MAX);
    let read = format::each(opened.format, opened.keys, opened.input, |event| {
        events.push(event.clone());
    });
    read.map_err(|error| Failure::bad_input(format!("{}: {error}", opened.name)))?;
    Ok(events)
}

/// Opens a history, or that of a recording; `-` is stdin.
///
/// # Errors
/// Which file and why; the events tell the line.
pub fn open(path: &Path, options: &HistoryOptions) -> Result<Events, Failure> {
    let opened = Opened::new(path, options)?;
    let name = opened.name;
    let events = format::read(opened.format, opened.keys, opened.input);
    Ok(Box::new(events.map(move |event| {
        event.map_err(|error| Failure::bad_input(format!("{name}: {error}")))
    })))
}

/// The operations of a history, by key; `-` is stdin.
///
/// # Errors
/// Which file and why, and the line.
pub fn collect(path: &Path, options: &HistoryOptions) -> Result<Log, Failure> {
    let opened = Opened::new(path, options)?;
    let log = format::collect(opened.format, opened.keys, opened.input);
    log.map_err(|error| Failure::bad_input(format!("{}: {error}", opened.name)))
}

impl Opened {
    fn new(path: &Path, options: &HistoryOptions) -> Result<Opened, Failure> {
        let within = path.is_dir().then(|| history_within(path));
        let path = within.as_deref().unwrap_or(path);
        let unreadable =
            |error| Failure::bad_input(format!("{} cannot be read: {error}", path.display()));
        let mut input: Box<dyn Read> = match path.as_os_str() == "-" {
            true => Box::new(std::io::stdin()),
            false => Box::new(File::open(path).map_err(unreadable)?),
        };
        let mut beginning = Vec::new();
        let looked = (&mut input).take(BEGINNING_BYTES);
        { looked }.read_to_end(&mut beginning).map_err(unreadable)?;
        let format = match options.format {
            Form::Auto => Format::of_beginning(&beginning),
            Form::Jsonl => Format::Jsonl,
            Form::Binary => Format::Binary,
            Form::Edn => Format::Edn,
            Form::Porcupine => Format::Porcupine,
        };
        let keys = match options.keyed {
            true => Keys::InValues,
            false => Keys::Apart,
        };
        Ok(Opened {
            format,
            keys,
            name: path.display().to_string(),
            input: Box::new(Cursor::new(beginning).chain(input)),
        })
    }
}

/// The history of a recording, in the form it has.
fn history_within(folder: &Path) -> PathBuf {
    let binary = folder.join(HISTORY_BINARY);
    match binary.exists() {
        true => binary,
        false => folder.join(HISTORY),
    }
}

/// Writes a history in the form that the name of the output asks for.
///
/// # Errors
/// What cannot be read, or written.
pub fn convert(path: &Path, options: &HistoryOptions, output: &Path) -> Result<Exit, Failure> {
    let format = Format::of_name(&output.to_string_lossy()).ok_or_else(|| {
        Failure::bad_input(format!(
            "{} names no format: end it in .jsonl, .slqh or .edn",
            output.display()
        ))
    })?;
    let unwritable =
        |error| Failure::bad_input(format!("{} cannot be written: {error}", output.display()));
    let events = open(path, options)?;
    let file = BufWriter::new(File::create(output).map_err(unwritable)?);
    let mut writer = Writer::new(format, file).map_err(unwritable)?;
    let mut written = 0u64;
    for event in events {
        writer.write(&event?).map_err(unwritable)?;
        written += 1;
    }
    writer.finish().map_err(unwritable)?;
    console::result(&format!("{}: {written} events\n", output.display()));
    Ok(Exit::Held)
}

enum Writer<W: Write> {
    Jsonl(HistoryWriter<W>),
    Binary(BinaryWriter<W>),
    Edn(W),
}

impl<W: Write> Writer<W> {
    fn new(format: Format, output: W) -> std::io::Result<Writer<W>> {
        Ok(match format {
            Format::Jsonl => Writer::Jsonl(HistoryWriter::new(output)?),
            Format::Binary => Writer::Binary(BinaryWriter::new(output)?),
            Format::Edn | Format::Porcupine => Writer::Edn(output),
        })
    }

    fn write(&mut self, event: &Event) -> std::io::Result<()> {
        match self {
            Writer::Jsonl(writer) => writer.write(event),
            Writer::Binary(writer) => writer.write(event),
            Writer::Edn(output) => edn::write(output, event),
        }
    }

    fn finish(self) -> std::io::Result<()> {
        match self {
            Writer::Jsonl(writer) => writer.finish().map(drop),
            Writer::Binary(writer) => writer.finish().map(drop),
            Writer::Edn(mut output) => output.flush(),
        }
    }
}

/// Enough of a file to tell its form.
const BEGINNING_BYTES: u64 = 4096;
