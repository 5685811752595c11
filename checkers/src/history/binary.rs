//! Histories in few bytes: what changed since the event before, and each name once.
//!
//! ```text
//! file   = "SLQH" version(1) event*
//! event  = head(kind 2 bits, function 4 bits, final 1 bit, more 1 bit) more? index-delta
//!          time-delta process key node error hops-count hop* value replicas?
//! more   = the higher bits of the function (3 bits), whether replicas come (1 bit)
//! name   = 0 (none) | number of a known name | next number, length, bytes
//! value  = 0 nil | 1 zigzag integer | 2 name | 3 count value*
//! ```
//!
//! All numbers are LEB128. An error names the event, counted from 1.

mod known;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;

use self::known::Known;
use super::compact::Collector;
use super::event::{Event, EventKind, Function};
use super::jsonl::fast::blank;
use super::jsonl::{HistoryError, HistoryProblem, HistoryRules};
use super::value::Value;
use crate::lines::LineProblem;
use crate::observation::NodeName;
use crate::table::{IndexTable, Mix};

/// What a binary history begins with.
pub const MAGIC: &[u8; 5] = b"SLQH\x01";

const KINDS: [EventKind; 4] = [
    EventKind::Invoke,
    EventKind::Ok,
    EventKind::Fail,
    EventKind::Info,
];

/// Writes events.
#[derive(Debug)]
pub struct BinaryWriter<W> {
    output: W,
    buffer: Vec<u8>,
    names: Vec<Arc<str>>,
    table: IndexTable,
    last: (u64, u64),
}

impl<W: Write> BinaryWriter<W> {
    /// Begins a history.
    ///
    /// # Errors
    /// Those of the output.
    pub fn new(mut output: W) -> io::Result<BinaryWriter<W>> {
        output.write_all(MAGIC)?;
        Ok(BinaryWriter {
            output,
            buffer: Vec::new(),
            names: Vec::new(),
            table: IndexTable::default(),
            last: (0, 0),
        })
    }

    /// Writes one event; indices and times must not go back.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        self.buffer.clear();
        let kind = KINDS
            .iter()
            .position(|kind| *kind == event.kind)
            .unwrap_or_default();
        let f = Function::ALL
            .iter()
            .position(|f| *f == event.f)
            .unwrap_or_default();
        let more = f >> 4 | usize::from(event.replicas.is_some()) << 3;
        let has_more = usize::from(more > 0);
        let head = kind | (f & 15) << 2 | usize::from(event.final_read) << 6 | has_more << 7;
        self.buffer.push(head as u8);
        if more > 0 {
            self.buffer.push(more as u8);
        }
        self.number(event.index.wrapping_sub(self.last.0));
        self.number(event.time.wrapping_sub(self.last.1));
        self.last = (event.index, event.time);
        self.number(u64::from(event.process));
        self.name(event.key.as_ref());
        self.name(event.node.as_ref().map(|node| node.0.text()));
        self.name(event.error.as_ref());
        self.number(event.hops.len() as u64);
        for hop in &event.hops {
            self.name(Some(hop.0.text()));
        }
        self.value(&event.value);
        if let Some(replicas) = event.replicas {
            self.number(u64::from(replicas));
        }
        self.output.write_all(&self.buffer)
    }

    /// Flushes, and gives back the output.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.buffer.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.buffer.push(number as u8);
    }

    fn name(&mut self, name: Option<&Arc<str>>) {
        let Some(name) = name else {
            self.number(0);
            return;
        };
        let hash = Mix::of(&**name);
        let is_it = |at: u32| self.names[at as usize] == *name;
        if let Some(known) = self.table.find(hash, is_it) {
            self.number(u64::from(known) + 1);
            return;
        }
        self.table.insert(hash, self.names.len() as u32);
        self.names.push(name.clone());
        self.number(self.names.len() as u64);
        self.number(name.len() as u64);
        self.buffer.extend_from_slice(name.as_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Nil => self.number(0),
            Value::Int(number) => {
                self.number(1);
                self.number(((number << 1) ^ (number >> 63)) as u64);
            }
            Value::Text(text) => {
                self.number(2);
                self.name(Some(text));
            }
            Value::List(items) => {
                self.number(3);
                self.number(items.len() as u64);
                items.iter().for_each(|item| self.value(item));
            }
        }
    }
}

/// Reads events; stops after the first error.
#[derive(Debug)]
pub struct BinaryReader<R> {
    input: BufReader<R>,
    names: Vec<Arc<str>>,
    last: (u64, u64),
    rules: HistoryRules,
    number: u64,
    is_over: bool,
}

impl<R: Read> BinaryReader<R> {
    /// The history in this input, from its magic on.
    pub fn new(input: R) -> BinaryReader<R> {
        BinaryReader {
            input: BufReader::with_capacity(256 * 1024, input),
            names: Vec::new(),
            last: (0, 0),
            rules: HistoryRules::default(),
            number: 0,
            is_over: false,
        }
    }

    /// Puts the next event in place of another; false at the end, and after an error.
    ///
    /// # Errors
    /// The first event that breaks a rule of histories, or is none.
    pub fn read(&mut self, event: &mut Event) -> Result<bool, HistoryError> {
        if self.is_over {
            return Ok(false);
        }
        let read = self.read_next(event);
        self.is_over = !matches!(read, Ok(true));
        let line = self.number;
        read.map_err(|problem| HistoryError { line, problem })
    }

    fn read_next(&mut self, event: &mut Event) -> Result<bool, HistoryProblem> {
        let is_read = self.read_event(event)?;
        if is_read {
            self.rules.check(event)?;
        }
        Ok(is_read)
    }

    /// Puts all operations into a collector, without the detour over events.
    ///
    /// # Errors
    /// As [`BinaryReader::read`].
    pub fn gather(mut self, collector: &mut Collector) -> Result<(), HistoryError> {
        let collected = self.collect_all(collector);
        let line = self.number;
        collected.map_err(|problem| HistoryError { line, problem })
    }

    fn collect_all(&mut self, collector: &mut Collector) -> Result<(), HistoryProblem> {
        let mut known = Known::default();
        let mut event = blank();
        loop {
            while let Some((entry, length)) = known.entry(self.input.buffer(), self.last) {
                self.input.consume(length);
                self.number += 1;
                self.last = (entry.index, entry.time);
                collector.enter(entry)?;
            }
            // Names that are new, and what is rare; also where the buffer ends.
            if !self.read_event(&mut event)? {
                return Ok(());
            }
            collector.take(&event)?;
            known.learn(&self.names, collector);
        }
    }

    fn begin(&mut self) -> Result<(), HistoryProblem> {
        if self.number > 0 {
            return Ok(());
        }
        let mut magic = [0; MAGIC.len()];
        self.fill(&mut magic)?;
        match magic == *MAGIC {
            true => Ok(()),
            false => Err(foreign("not a binary history that this build reads")),
        }
    }

    fn read_event(&mut self, event: &mut Event) -> Result<bool, HistoryProblem> {
        self.begin()?;
        self.number += 1;
        if self.input.fill_buf().map_err(LineProblem::Io)?.is_empty() {
            return Ok(false);
        }
        let head = self.byte()?;
        event.kind = KINDS[usize::from(head & 3)];
        let more = match head >> 7 {
            0 => 0,
            _ => self.byte()?,
        };
        let f = Function::ALL.get(usize::from(head >> 2 & 15 | (more & 7) << 4));
        event.f = *f.ok_or_else(|| foreign("an unknown function"))?;
        event.final_read = head >> 6 & 1 == 1;
        let (index, time) = self.last;
        event.index = self.later(index)?;
        event.time = self.later(time)?;
        self.last = (event.index, event.time);
        let process = self.leb()?.try_into();
        event.process = process.map_err(|_| foreign("a process number above 2^32"))?;
        self.name_in(&mut event.key)?;
        event.node = self.name()?.map(|name| NodeName(name.into()));
        event.error = self.name()?;
        event.hops.clear();
        for _ in 0..self.leb()? {
            let hop = self
                .name()?
                .ok_or_else(|| foreign("a hop without a name"))?;
            event.hops.push(NodeName(hop.into()));
        }
        event.value = self.value(0)?;
        event.replicas = None;
        if more & 8 > 0 {
            let replicas = self.leb()?.try_into();
            event.replicas = Some(replicas.map_err(|_| foreign("more than 2^32 replicas"))?);
        }
        Ok(true)
    }

    fn later(&mut self, than: u64) -> Result<u64, HistoryProblem> {
        let delta = self.leb()?;
        than.checked_add(delta)
            .ok_or_else(|| foreign("an index or a time above 2^64"))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), HistoryProblem> {
        let filled = self.input.read_exact(bytes);
        Ok(filled.map_err(LineProblem::Io)?)
    }

    fn byte(&mut self) -> Result<u8, HistoryProblem> {
        if let Some(byte) = self.input.buffer().first().copied() {
            self.input.consume(1);
            return Ok(byte);
        }
        let mut byte = [0];
        self.fill(&mut byte)?;
        Ok(byte[0])
    }

    fn leb(&mut self) -> Result<u64, HistoryProblem> {
        let mut number = 0u64;
        // Most numbers lie whole in what is buffered.
        for (at, byte) in self.input.buffer().iter().take(LEB_BYTES_MAX).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.input.consume(at + 1);
                return Ok(number);
            }
        }
        number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(foreign("a number above 2^64"))
    }

    /// As [`BinaryReader::name`], unless it is there already.
    fn name_in(&mut self, place: &mut Option<Arc<str>>) -> Result<(), HistoryProblem> {
        let number = self.leb()?;
        let known = (number as usize).checked_sub(1);
        let known = known.and_then(|at| self.names.get(at));
        let is_there = match (&*place, known) {
            (Some(place), Some(known)) => Arc::ptr_eq(place, known),
            (_, _) => false,
        };
        if !is_there {
            *place = self.name_of(number)?;
        }
        Ok(())
    }

    fn name(&mut self) -> Result<Option<Arc<str>>, HistoryProblem> {
        let number = self.leb()?;
        self.name_of(number)
    }

    fn name_of(&mut self, number: u64) -> Result<Option<Arc<str>>, HistoryProblem> {
        let known = self.names.len() as u64;
        if number == 0 {
            return Ok(None);
        }
        if number <= known {
            return Ok(Some(self.names[number as usize - 1].clone()));
        }
        let length = self.leb()?;
        if number != known + 1 || length > NAME_BYTES_MAX {
            return Err(foreign("a name out of turn, or too long"));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        let text = String::from_utf8(bytes).map_err(|_| foreign("a name that is no text"))?;
        let name: Arc<str> = text.into();
        self.names.push(name.clone());
        Ok(Some(name))
    }

    fn value(&mut self, depth: usize) -> Result<Value, HistoryProblem> {
        if depth > DEPTH_MAX {
            return Err(foreign("a value nested too deep"));
        }
        Ok(match self.leb()? {
            0 => Value::Nil,
            1 => {
                let number = self.leb()?;
                Value::Int((number >> 1) as i64 ^ -((number & 1) as i64))
            }
            2 => Value::Text(
                self.name()?
                    .ok_or_else(|| foreign("a text without a name"))?,
            ),
            3 => {
                let mut items = Vec::new();
                // Grows with what is there, not with what is promised.
                for _ in 0..self.leb()? {
                    items.push(self.value(depth + 1)?);
                }
                Value::List(items)
            }
            _ => return Err(foreign("a value of no known kind")),
        })
    }
}

impl<R: Read> Iterator for BinaryReader<R> {
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

fn foreign(what: &str) -> HistoryProblem {
    HistoryProblem::Foreign(format!("binary: {what}"))
}

/// Bytes of the longest number.
const LEB_BYTES_MAX: usize = 10;
/// Longest name or text.
const NAME_BYTES_MAX: u64 = 1 << 20;
/// Deepest list.
const DEPTH_MAX: usize = 64;
