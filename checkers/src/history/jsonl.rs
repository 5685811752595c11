//! Reads and writes histories, one event a line.
//!
//! A first line `{"slotquake-history":1}` names the format; a bare Jepsen-like history without it
//! is read as well. The reader holds each event against the rules every history obeys (time does
//! not go back, a completion answers an invocation of its process, indices grow) and stops at the
//! first line that does not, with its number and the reason. It streams: one line in memory.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use self::fast::{FastLines, blank};
use super::by_process::ByProcess;
use super::compact::Collector;
use super::event::{Event, EventKind, Function, Key, Process};
use crate::lines::{LineProblem, Lines, write_line};

/// Version of the history format this build writes and reads.
pub const HISTORY_FORMAT: u32 = 1;

/// A line of a history that cannot be taken, and why.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct HistoryError {
    /// Number of the line, from 1.
    pub line: u64,
    /// Why.
    pub problem: HistoryProblem,
}

/// What is wrong with a line of a history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryProblem {
    /// It is no event at all.
    #[error(transparent)]
    Line(#[from] LineProblem),
    /// The format is newer than this build.
    #[error("history format {0}, this build reads {HISTORY_FORMAT}")]
    Format(u32),
    /// The header is not the first line.
    #[error("the format header must be the first line")]
    HeaderNotFirst,
    /// An index appears twice, or the lines are out of order.
    #[error("index {got} follows index {previous}; indices must grow")]
    IndexNotGrowing {
        /// Index of the line before.
        previous: u64,
        /// Index of this line.
        got: u64,
    },
    /// Time runs backwards.
    #[error("time {got} is before {previous}, the time of the line before")]
    TimeGoesBack {
        /// Time of the line before, ns.
        previous: u64,
        /// Time of this line, ns.
        got: u64,
    },
    /// A process began an operation before its last one was complete.
    #[error("process {process} invokes while its operation of index {open} is still open")]
    AlreadyOpen {
        /// The process.
        process: Process,
        /// Index of the invocation that is open.
        open: u64,
    },
    /// A completion without an invocation.
    #[error("process {process} completes an operation it has not invoked")]
    NotInvoked {
        /// The process.
        process: Process,
    },
    /// A completion that answers another operation than the one invoked.
    #[error("process {process} completes {got}, but invoked {invoked} (index {open})")]
    OtherOperation {
        /// The process.
        process: Process,
        /// Index of the invocation.
        open: u64,
        /// What was invoked.
        invoked: String,
        /// What is completed.
        got: String,
    },
    /// A form other than JSON lines, and what is wrong with it.
    #[error("{0}")]
    Foreign(String),
    /// The value does not fit the function.
    #[error("{0}")]
    Value(&'static str),
}

/// The rules every history obeys, checked event by event.
#[derive(Debug, Default)]
pub struct HistoryRules {
    last: Option<(u64, u64)>,
    open: ByProcess<(u64, Function, Option<Key>)>,
}

impl HistoryRules {
    /// Takes in the next event.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&mut self, event: &Event) -> Result<(), HistoryProblem> {
        self.last = Some(follows(self.last, event.index, event.time)?);
        check_value(event)?;
        let process = event.process;
        match event.kind {
            EventKind::Invoke => {
                let entry = (event.index, event.f, event.key.clone());
                if let Some((open, _, _)) = self.open.insert(process, entry) {
                    return Err(HistoryProblem::AlreadyOpen { process, open });
                }
            }
            EventKind::Ok | EventKind::Fail | EventKind::Info => {
                let Some((open, f, key)) = self.open.remove(process) else {
                    return Err(HistoryProblem::NotInvoked { process });
                };
                // A completion may leave out the key: the invocation has it.
                if f != event.f || (event.key.is_some() && event.key != key) {
                    return Err(HistoryProblem::OtherOperation {
                        process,
                        open,
                        invoked: name_of(f, key.as_ref()),
                        got: name_of(event.f, event.key.as_ref()),
                    });
                }
            }
        }
        Ok(())
    }
}

/// Index and time of an event, if they go on from those of the one before.
///
/// # Errors
/// The rule that they break.
pub fn follows(
    last: Option<(u64, u64)>,
    index: u64,
    time: u64,
) -> Result<(u64, u64), HistoryProblem> {
    match last {
        Some((previous, _)) if index <= previous => Err(HistoryProblem::IndexNotGrowing {
            previous,
            got: index,
        }),
        Some((_, previous)) if time < previous => Err(HistoryProblem::TimeGoesBack {
            previous,
            got: time,
        }),
        Some(_) | None => Ok((index, time)),
    }
}

/// An operation as problems name it.
pub fn name_of(f: Function, key: Option<&Key>) -> String {
    match key {
        Some(key) => format!("{f:?} of {key}"),
        None => format!("{f:?}"),
    }
}

pub(super) fn check_value(event: &Event) -> Result<(), HistoryProblem> {
    use super::Value;
    let is_pair = matches!(&event.value, Value::List(items) if items.len() == 2);
    match (event.f, event.kind) {
        (Function::Cas, EventKind::Invoke) if !is_pair => {
            Err(HistoryProblem::Value("a cas needs a value [old, new]"))
        }
        (Function::Add, EventKind::Invoke) if event.value == Value::Nil => {
            Err(HistoryProblem::Value("an add needs a value"))
        }
        (Function::Txn, EventKind::Invoke) if !matches!(event.value, Value::List(_)) => Err(
            HistoryProblem::Value("a txn needs a list of micro-operations"),
        ),
        (_, _) => Ok(()),
    }
}

/// Reads a history line by line; stops after the first error.
#[derive(Debug)]
pub struct HistoryReader<R> {
    lines: Lines<R>,
    fast: FastLines,
    rules: HistoryRules,
    stopped: bool,
}

impl<R: Read> HistoryReader<R> {
    /// The history in this input.
    pub fn new(input: R) -> HistoryReader<R> {
        HistoryReader {
            lines: Lines::new(input),
            fast: FastLines::default(),
            rules: HistoryRules::default(),
            stopped: false,
        }
    }

    /// Puts the next event in place of another; false at the end, and after an error.
    ///
    /// # Errors
    /// The first line that breaks a rule of histories, or is none.
    pub fn read(&mut self, event: &mut Event) -> Result<bool, HistoryError> {
        if self.stopped {
            return Ok(false);
        }
        let read = self.read_next(event);
        self.stopped = !matches!(read, Ok(true));
        let line = self.lines.number();
        read.map_err(|problem| HistoryError { line, problem })
    }

    /// Puts all operations into a collector, without the detour over events.
    ///
    /// # Errors
    /// As [`HistoryReader::read`].
    pub fn gather(mut self, collector: &mut Collector) -> Result<(), HistoryError> {
        let collected = self.collect_all(collector);
        let line = self.lines.number();
        collected.map_err(|problem| HistoryError { line, problem })
    }

    fn collect_all(&mut self, collector: &mut Collector) -> Result<(), HistoryProblem> {
        while let Some(line) = self.lines.next_line()? {
            if let Some(entry) = fast::entry(line, collector) {
                collector.enter(entry)?;
            } else if let Some(event) = general(line, collector.has_begun())? {
                collector.take(&event)?;
            }
        }
        Ok(())
    }

    fn read_next(&mut self, event: &mut Event) -> Result<bool, HistoryProblem> {
        loop {
            let Some(line) = self.lines.next_line()? else {
                return Ok(false);
            };
            if self.fast.read(line, event).is_none() {
                match general(line, self.rules.last.is_some())? {
                    Some(read) => *event = read,
                    None => continue,
                }
            }
            self.rules.check(event)?;
            return Ok(true);
        }
    }
}

/// The event of a line of any form; none if it is the header.
fn general(line: &[u8], has_begun: bool) -> Result<Option<Event>, HistoryProblem> {
    let Ok(header) = serde_json::from_slice::<Header>(line) else {
        let event = serde_json::from_slice(line).map_err(LineProblem::from)?;
        return Ok(Some(event));
    };
    match header.format {
        HISTORY_FORMAT if has_begun => Err(HistoryProblem::HeaderNotFirst),
        HISTORY_FORMAT => Ok(None),
        other => Err(HistoryProblem::Format(other)),
    }
}

impl<R: Read> Iterator for HistoryReader<R> {
    type Item = Result<Event, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut event = blank();
        match self.read(&mut event) {
            Ok(true) => Some(Ok(event)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

/// Writes a history line by line.
#[derive(Debug)]
pub struct HistoryWriter<W> {
    output: W,
}

impl<W: Write> HistoryWriter<W> {
    /// Begins a history: writes the format header.
    ///
    /// # Errors
    /// Those of the output.
    pub fn new(mut output: W) -> io::Result<HistoryWriter<W>> {
        let format = HISTORY_FORMAT;
        write_line(&mut output, &Header { format })?;
        Ok(HistoryWriter { output })
    }

    /// Writes one event.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        write_line(&mut self.output, event)
    }

    /// Flushes, and gives back the output.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(rename = "slotquake-history")]
    format: u32,
}

pub mod fast;

#[cfg(test)]
mod tests;
