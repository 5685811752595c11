//! Jepsen's text logs, as Porcupine reads them: `INFO  jepsen.util - 3 :invoke :write 4`.
//!
//! There are no times: the place in the log stands for them. Lines of anything else are left out.
//! A completion without a value of its own (`:timed-out`) is taken as it is.

use std::io::Read;

use super::edn::function;
use super::event::{Event, EventKind};
use super::jsonl::fast::blank;
use super::jsonl::{HistoryError, HistoryProblem, HistoryRules};
use super::value::Value;
use crate::lines::{LineProblem, Lines};

/// Reads events; stops after the first error.
#[derive(Debug)]
pub struct LogReader<R> {
    lines: Lines<R>,
    rules: HistoryRules,
    taken: u64,
    is_over: bool,
}

impl<R: Read> LogReader<R> {
    /// The history in this log.
    pub fn new(input: R) -> LogReader<R> {
        LogReader {
            lines: Lines::new(input),
            rules: HistoryRules::default(),
            taken: 0,
            is_over: false,
        }
    }

    fn next_event(&mut self) -> Result<Option<Event>, HistoryProblem> {
        loop {
            let Some(line) = self.lines.next_line()? else {
                return Ok(None);
            };
            let line = std::str::from_utf8(line)
                .map_err(|_| HistoryProblem::Foreign("a line that is no text".into()))?;
            let Some(mut event) = event(line)? else {
                continue;
            };
            (event.index, event.time) = (self.taken, self.taken);
            self.taken += 1;
            self.rules.check(&event)?;
            return Ok(Some(event));
        }
    }
}

impl<R: Read> Iterator for LogReader<R> {
    type Item = Result<Event, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = self.next_event();
        self.is_over = !matches!(next, Ok(Some(_)));
        let line = self.lines.number();
        next.map_err(|problem| HistoryError { line, problem })
            .transpose()
    }
}

fn event(line: &str) -> Result<Option<Event>, HistoryProblem> {
    let Some((_, rest)) = line.split_once(" - ") else {
        return Ok(None);
    };
    let mut words = rest.split_whitespace();
    let Some(process) = words.next().and_then(|word| word.parse().ok()) else {
        return Ok(None);
    };
    let mut event = blank();
    event.process = process;
    event.kind = match words.next() {
        Some(":invoke") => EventKind::Invoke,
        Some(":ok") => EventKind::Ok,
        Some(":fail") => EventKind::Fail,
        Some(":info") => EventKind::Info,
        _ => return Ok(None),
    };
    let name = words.next().unwrap_or_default();
    event.f = function(name.trim_start_matches(':'))
        .ok_or_else(|| HistoryProblem::Foreign(format!("{name:?} is no function")))?;
    event.value = value(&words.collect::<Vec<_>>())?;
    Ok(Some(event))
}

fn value(words: &[&str]) -> Result<Value, HistoryProblem> {
    let single = |word: &str| match word {
        "nil" => Value::Nil,
        word => match word.parse() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Text(word.into()),
        },
    };
    match words {
        [] => Ok(Value::Nil),
        [word] if !word.starts_with('[') => Ok(single(word)),
        words => {
            let joined = words.join(" ");
            let inner = joined
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'));
            let inner = inner.ok_or_else(|| {
                LineProblem::Io(std::io::Error::other("a value that is not closed"))
            })?;
            Ok(Value::List(inner.split_whitespace().map(single).collect()))
        }
    }
}
