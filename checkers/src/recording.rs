//! Everything that was seen of one run, and its formats on disk.
//!
//! A [`Recording`] is six streams: the setting (`cluster.json`) and five files of JSON lines; a
//! history of more than [`LINES_MAX`] events is a binary file instead. This room reads and writes
//! them through `Read` and `Write`; who opens the files is the harness. A stream that does not
//! parse is an error that names the stream, the line and the reason. [`Recording::each`] shows all
//! happenings in one order, the same each time.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::checker::Happening;
use crate::history::binary::BinaryWriter;
use crate::history::edn::Keys;
use crate::history::format::{self, Format};
use crate::history::jsonl::{HistoryError, HistoryProblem, HistoryWriter};
use crate::history::{Event, Events};
use crate::lines::{LineProblem, Lines, write_line};
use crate::observation::{Fault, Lifecycle, Packet, Setting, View};

/// File of the client operations.
pub const HISTORY: &str = "history.jsonl";
/// The same of a long run, in the binary form.
pub const HISTORY_BINARY: &str = "history.slqh";
/// Events beyond which a history is written in the binary form: as lines they would take as long
/// to write as to judge, and 90 bytes each.
pub const LINES_MAX: usize = 1_000_000;
/// Events beyond which those that are read, or made at full speed, are packed.
pub const READY_MAX: usize = 32_768;
/// File of the decoded bus packets.
pub const BUS: &str = "bus.jsonl";
/// File of the nodes' views.
pub const VIEWS: &str = "views.jsonl";
/// File of the faults.
pub const FAULTS: &str = "faults.jsonl";
/// File of the processes' beginnings and ends.
pub const LIFECYCLE: &str = "lifecycle.jsonl";
/// File of the setting.
pub const SETTING: &str = "cluster.json";
/// File of the judgement.
pub const VERDICT: &str = "verdict.json";

/// Format of recordings that this build reads, [`Setting::format`].
pub const RECORDING_FORMAT: u32 = 1;

/// One run as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// What the cluster was.
    pub setting: Setting,
    /// Client operations, in order of time.
    pub events: Events,
    /// Bus packets, in order of capture.
    pub packets: Vec<Packet>,
    /// Views, in order of capture.
    pub views: Vec<View>,
    /// Steps of faults.
    pub faults: Vec<Fault>,
    /// Beginnings and ends of processes.
    pub lifecycles: Vec<Lifecycle>,
}

/// A stream of a recording that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{stream}: line {line}: {problem}")]
pub struct RecordingError {
    /// Name of the file.
    pub stream: &'static str,
    /// Line, from 1.
    pub line: u64,
    /// Why.
    pub problem: RecordingProblem,
}

/// What is wrong with a stream.
#[derive(Debug, thiserror::Error)]
pub enum RecordingProblem {
    /// The line is not what the stream should hold.
    #[error(transparent)]
    Line(#[from] LineProblem),
    /// The history breaks a rule of histories.
    #[error(transparent)]
    History(#[from] HistoryProblem),
    /// The recording is of another format.
    #[error("recording format {0}, this build reads {RECORDING_FORMAT}")]
    Format(u32),
}

impl Recording {
    /// A recording of this setting in which nothing has happened yet.
    pub fn empty(setting: Setting) -> Recording {
        Recording {
            setting,
            events: Events::default(),
            packets: Vec::new(),
            views: Vec::new(),
            faults: Vec::new(),
            lifecycles: Vec::new(),
        }
    }

    /// Reads a recording; `open` gives the stream of each file name.
    ///
    /// # Errors
    /// [`RecordingError`] with the stream, the line and the reason; a stream that `open` refuses
    /// is one whose line 1 cannot be read.
    pub fn read<R: Read>(
        mut open: impl FnMut(&'static str) -> io::Result<R>,
    ) -> Result<Recording, RecordingError> {
        let mut opened = |stream| open(stream).map_err(|error| unreadable(stream, error));
        let setting = read_setting(opened(SETTING)?)?;
        let events = match opened(HISTORY_BINARY) {
            Ok(input) => read_history(Format::Binary, input)?,
            Err(_) => read_history(Format::Jsonl, opened(HISTORY)?)?,
        };
        Ok(Recording {
            setting,
            events,
            packets: read_stream(BUS, opened(BUS)?)?,
            views: read_stream(VIEWS, opened(VIEWS)?)?,
            faults: read_stream(FAULTS, opened(FAULTS)?)?,
            lifecycles: read_stream(LIFECYCLE, opened(LIFECYCLE)?)?,
        })
    }

    /// Writes a recording; `create` gives the output of each file name.
    ///
    /// # Errors
    /// Those of the outputs.
    pub fn write<W: Write>(
        &self,
        mut create: impl FnMut(&'static str) -> io::Result<W>,
    ) -> io::Result<()> {
        let mut setting = create(SETTING)?;
        write_line(&mut setting, &self.setting)?;
        setting.flush()?;
        self.write_history(&mut create)?;
        write_stream(create(BUS)?, &self.packets)?;
        write_stream(create(VIEWS)?, &self.views)?;
        write_stream(create(FAULTS)?, &self.faults)?;
        write_stream(create(LIFECYCLE)?, &self.lifecycles)
    }

    fn write_history<W: Write>(
        &self,
        create: &mut impl FnMut(&'static str) -> io::Result<W>,
    ) -> io::Result<()> {
        let is_long = self.events.len() > LINES_MAX;
        match (self.events.tape(), is_long) {
            (Some(tape), true) => return tape.write(create(HISTORY_BINARY)?),
            (None, true) => {
                let mut history = BinaryWriter::new(create(HISTORY_BINARY)?)?;
                self.events.try_each(|event| history.write(event))?;
                return history.finish().map(drop);
            }
            (_, false) => {}
        }
        let mut history = HistoryWriter::new(create(HISTORY)?)?;
        self.events.try_each(|event| history.write(event))?;
        history.finish().map(drop)
    }

    /// Shows all happenings in order of (time, stream, position).
    ///
    /// At the same instant causes come before effects: processes, faults, packets, operations,
    /// views. None is made but the one at hand.
    pub fn each(&self, mut take: impl FnMut(Happening<'_>)) {
        if self.events.ready().is_some() {
            return self.merged().into_iter().for_each(take);
        }
        let mut others = self.merged_but(&[]).into_iter().peekable();
        self.events.each(|event| {
            let comes_first = |other: &Happening<'_>| match other {
                Happening::View(view) => view.time < event.time,
                Happening::Packet(_)
                | Happening::Fault(_)
                | Happening::Lifecycle(_)
                | Happening::Op(_) => other.time() <= event.time,
            };
            while let Some(other) = others.next_if(comes_first) {
                take(other);
            }
            take(Happening::Op(event));
        });
        others.for_each(take);
    }

    /// The happenings of [`Recording::each`], of a recording whose events are ready.
    ///
    /// # Panics
    /// They are packed.
    pub fn merged(&self) -> Vec<Happening<'_>> {
        let ready = self.events.ready();
        self.merged_but(ready.expect("packed events are shown one by one"))
    }

    fn merged_but<'a>(&'a self, events: &'a [Event]) -> Vec<Happening<'a>> {
        let mut all: Vec<Happening<'_>> = Vec::with_capacity(
            self.lifecycles.len()
                + self.faults.len()
                + self.packets.len()
                + events.len()
                + self.views.len(),
        );
        all.extend(self.lifecycles.iter().map(Happening::Lifecycle));
        all.extend(self.faults.iter().map(Happening::Fault));
        all.extend(self.packets.iter().map(Happening::Packet));
        all.extend(events.iter().map(Happening::Op));
        all.extend(self.views.iter().map(Happening::View));
        // A stable sort keeps the order of streams and positions within one instant.
        all.sort_by_key(Happening::time);
        all
    }
}

/// Reads `cluster.json`.
///
/// # Errors
/// [`RecordingError`] if it is not a setting of a known format.
pub fn read_setting(input: impl Read) -> Result<Setting, RecordingError> {
    let fail = |line, problem| RecordingError {
        stream: SETTING,
        line,
        problem,
    };
    let setting: Setting = serde_json::from_reader(io::BufReader::new(input)).map_err(|error| {
        let line = error.line() as u64;
        fail(line, LineProblem::Json(error).into())
    })?;
    match setting.format {
        RECORDING_FORMAT => Ok(setting),
        other => Err(fail(1, RecordingProblem::Format(other))),
    }
}

/// Reads a history; what is long is packed.
///
/// # Errors
/// [`RecordingError`] at the first line that breaks a rule of histories.
pub fn read_history(form: Format, input: impl Read) -> Result<Events, RecordingError> {
    let stream = match form {
        Format::Binary => HISTORY_BINARY,
        Format::Jsonl | Format::Edn | Format::Porcupine => HISTORY,
    };
    let told = |HistoryError { line, problem }| RecordingError {
        stream,
        line,
        problem: problem.into(),
    };
    let mut events = Events::packing_beyond(READY_MAX);
    let read = format::each(form, Keys::Apart, input, |event| events.push(event.clone()));
    read.map_err(told)?;
    Ok(events)
}

/// Reads any other stream of JSON lines.
///
/// # Errors
/// [`RecordingError`] at the first line that is not what the stream should hold.
pub fn read_stream<T: DeserializeOwned>(
    stream: &'static str,
    input: impl Read,
) -> Result<Vec<T>, RecordingError> {
    let mut lines = Lines::new(input);
    let mut items = Vec::new();
    loop {
        match lines.next_value() {
            Ok(Some(item)) => items.push(item),
            Ok(None) => return Ok(items),
            Err(problem) => {
                return Err(RecordingError {
                    stream,
                    line: lines.number(),
                    problem: problem.into(),
                });
            }
        }
    }
}

/// Writes a stream of JSON lines.
///
/// # Errors
/// Those of the output.
pub fn write_stream<T: Serialize>(mut output: impl Write, items: &[T]) -> io::Result<()> {
    for item in items {
        write_line(&mut output, item)?;
    }
    output.flush()
}

fn unreadable(stream: &'static str, error: io::Error) -> RecordingError {
    RecordingError {
        stream,
        line: 1,
        problem: LineProblem::Io(error).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::test_support::RecordingBuilder;

    fn files_of(recording: &Recording) -> BTreeMap<&'static str, Vec<u8>> {
        let mut files = BTreeMap::new();
        let log = std::cell::RefCell::new(&mut files);
        struct Sink<'a, 'b>(
            &'static str,
            &'b std::cell::RefCell<&'a mut BTreeMap<&'static str, Vec<u8>>>,
        );
        impl Write for Sink<'_, '_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1.borrow_mut().entry(self.0).or_default().extend(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                self.1.borrow_mut().entry(self.0).or_default();
                Ok(())
            }
        }
        recording.write(|name| Ok(Sink(name, &log))).unwrap();
        files
    }

    fn read(files: &BTreeMap<&'static str, Vec<u8>>) -> Result<Recording, RecordingError> {
        Recording::read(|name| {
            let missing = io::Error::from(io::ErrorKind::NotFound);
            files.get(name).map(Vec::as_slice).ok_or(missing)
        })
    }

    #[test]
    fn reads_what_it_writes() {
        let recording = RecordingBuilder::good().build();
        assert_eq!(read(&files_of(&recording)).unwrap(), recording);
    }

    #[test]
    fn names_stream_line_and_reason_of_what_is_corrupt() {
        let mut files = files_of(&RecordingBuilder::good().build());
        files.insert(VIEWS, b"\n{\"time\":true}\n".to_vec());
        let told = read(&files).unwrap_err().to_string();
        assert!(
            told.starts_with("views.jsonl: line 2: invalid type"),
            "{told}"
        );
        files.remove(VIEWS);
        let told = read(&files).unwrap_err().to_string();
        assert!(
            told.starts_with("views.jsonl: line 1: cannot be read"),
            "{told}"
        );
    }

    #[test]
    fn a_packed_history_is_shown_in_the_same_order_and_written_alike() {
        let recording = RecordingBuilder::good().build();
        let mut packed = recording.clone();
        packed.events = crate::history::Events::packing_beyond(3);
        recording
            .events
            .each(|event| packed.events.push(event.clone()));
        let mut shown = Vec::new();
        packed.each(|happening| shown.push(format!("{happening:?}")));
        let expected = recording.merged().into_iter();
        let expected: Vec<String> = expected.map(|happening| format!("{happening:?}")).collect();
        assert_eq!(shown, expected);
        assert!(files_of(&packed) == files_of(&recording));
    }

    #[test]
    fn a_long_history_is_written_in_few_bytes() {
        let mut recording = RecordingBuilder::good().build();
        let mut event = recording.events.iter().next().unwrap();
        for number in 0..=LINES_MAX as u64 {
            (event.index, event.process) = (1_000_000 + number, 1000 + number as u32);
            event.time = recording.events.end().max(recording.setting.ended_at);
            recording.events.push(event.clone());
        }
        let files = files_of(&recording);
        assert!(!files.contains_key(HISTORY) && files[HISTORY_BINARY].len() < 12 * LINES_MAX);
        assert!(read(&files).unwrap().events == recording.events);
    }

    #[test]
    fn merges_by_time_with_causes_first() {
        let recording = RecordingBuilder::good().build();
        let merged = recording.merged();
        assert!(merged.is_sorted_by_key(Happening::time));
        assert_eq!(
            merged.len(),
            recording.events.len()
                + recording.packets.len()
                + recording.views.len()
                + recording.faults.len()
                + recording.lifecycles.len()
        );
    }
}
