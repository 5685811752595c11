//! Blocks into events, or at once into operations.

use std::io::Read;
use std::sync::Arc;

use super::pack::Tape;
use super::rows::{Held, Row, Rows, foreign};
use super::{BLOCK_BYTES_MAX, MAGIC, VERSION};
use crate::history::compact::{Atom, Collector, Entry, KeyId};
use crate::history::event::{Event, EventKind, Function};
use crate::history::jsonl::fast::blank;
use crate::history::jsonl::{HistoryError, HistoryProblem, HistoryRules};
use crate::history::value::Value;
use crate::lines::LineProblem;
use crate::observation::NodeName;

/// Reads events; stops after the first error.
#[derive(Debug)]
pub struct BinaryReader<R> {
    input: R,
    has_begun: bool,
    block: Vec<u8>,
    /// Where in the block the next event begins.
    at: usize,
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
            input,
            has_begun: false,
            block: Vec::new(),
            at: 0,
            names: Vec::new(),
            last: FIRST,
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
        loop {
            let mut rows = Rows::of(&self.block[self.at..]);
            self.number += 1;
            if let Some(row) = rows.next(self.last)? {
                self.last = (row.index, row.time);
                self.at = self.block.len() - rows.len();
                put(row, &self.names, event)?;
                self.rules.check(event)?;
                return Ok(true);
            }
            self.number -= 1;
            if !self.next_block()? {
                return Ok(false);
            }
        }
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
        let mut keys = Vec::new();
        let mut event = blank();
        while self.next_block()? {
            let mut rows = Rows::of(&self.block[self.at..]);
            keys.resize(self.names.len(), None);
            loop {
                self.number += 1;
                let Some(row) = rows.next(self.last)? else {
                    self.number -= 1;
                    break;
                };
                self.last = (row.index, row.time);
                let is_usual = row.rare.is_none() && !is_particular(row.f, row.kind);
                if is_usual && row.node.is_none_or(|node| node < self.names.len()) {
                    let entry = entry(&row, &self.names, &mut keys, collector)?;
                    collector.enter(entry)?;
                } else {
                    put(row, &self.names, &mut event)?;
                    collector.take(&event)?;
                }
            }
            self.at = self.block.len();
        }
        Ok(())
    }

    /// Reads a block and its names; false at the end of the input.
    fn next_block(&mut self) -> Result<bool, HistoryProblem> {
        if !self.has_begun {
            self.begin()?;
        }
        let bound = size_of::<u32>();
        self.fill(bound)?;
        let length = match self.block.as_slice() {
            [] => return Ok(false),
            bytes => bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)),
        };
        let length = length.map(|length| length as usize);
        let length = length.filter(|length| *length <= BLOCK_BYTES_MAX);
        // An error there is one of the event that would come next.
        self.number += 1;
        let length = length.ok_or_else(|| foreign("a block of no known length"))?;
        self.fill(length)?;
        if self.block.len() < length {
            return Err(foreign("the history ends within a block"));
        }
        let mut rows = Rows::of(&self.block);
        rows.names(&mut self.names)?;
        self.at = self.block.len() - rows.len();
        self.number -= 1;
        Ok(true)
    }

    fn begin(&mut self) -> Result<(), HistoryProblem> {
        self.has_begun = true;
        self.fill(MAGIC.len() + 1)?;
        match self.block.strip_prefix(MAGIC) {
            Some([VERSION]) => Ok(()),
            Some([other]) => Err(foreign(&format!(
                "version {other} of the form, this build reads {VERSION}"
            ))),
            Some(_) | None => Err(foreign("not a binary history")),
        }
    }

    /// Reads so many bytes, or what there is: as it comes, not as it is promised.
    fn fill(&mut self, length: usize) -> Result<(), HistoryProblem> {
        self.block.clear();
        self.at = 0;
        let mut bounded = (&mut self.input).take(length as u64);
        let filled = bounded.read_to_end(&mut self.block);
        filled.map_err(LineProblem::Io)?;
        Ok(())
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

/// The events of a tape, one after the other.
#[derive(Debug)]
pub struct Replay<'a> {
    closed: &'a [Vec<u8>],
    /// The block that is not closed, which comes last.
    open: Vec<u8>,
    /// Number of the block at hand, from 1, and where in it the next event begins.
    block: usize,
    at: usize,
    names: Vec<Arc<str>>,
    last: (u64, u64),
}

impl Tape {
    /// Its events from the first on.
    pub fn replay(&self) -> Replay<'_> {
        let (closed, open) = self.blocks();
        Replay {
            closed,
            open,
            block: 0,
            at: 0,
            names: Vec::new(),
            last: FIRST,
        }
    }
}

impl Replay<'_> {
    /// Puts the next event in place of another; false at the end.
    pub fn read(&mut self, event: &mut Event) -> bool {
        loop {
            let bytes: &[u8] = match self.block.checked_sub(1) {
                None => &[],
                Some(number) => self.closed.get(number).unwrap_or(&self.open).as_slice(),
            };
            let mut rows = Rows::of(&bytes[self.at..]);
            if let Some(row) = rows.next(self.last).expect(OURS) {
                self.last = (row.index, row.time);
                self.at = bytes.len() - rows.len();
                put(row, &self.names, event).expect(OURS);
                return true;
            }
            self.block += 1;
            let bytes = match self.closed.get(self.block - 1) {
                Some(block) => block,
                None if self.block == self.closed.len() + 1 && !self.open.is_empty() => &self.open,
                None => return false,
            };
            let mut rows = Rows::of(&bytes[size_of::<u32>()..]);
            rows.names(&mut self.names).expect(OURS);
            self.at = bytes.len() - rows.len();
        }
    }
}

/// Puts the event of a row in place of another.
fn put(row: Row<'_>, names: &[Arc<str>], event: &mut Event) -> Result<(), HistoryProblem> {
    let name = |number: usize| names.get(number).ok_or_else(|| foreign("a name not told"));
    let node = |number: usize| name(number).map(|name| NodeName(name.clone().into()));
    (event.index, event.time, event.process) = (row.index, row.time, row.process);
    (event.kind, event.f, event.final_read) = (row.kind, row.f, row.final_read);
    match row.key {
        None => event.key = None,
        Some(number) => {
            let name = name(number)?;
            let is_there = event.key.as_ref().is_some_and(|key| Arc::ptr_eq(key, name));
            if !is_there {
                event.key = Some(name.clone());
            }
        }
    }
    match row.node {
        None => event.node = None,
        Some(number) => {
            let known = event.node.as_ref().map(|node| node.0.text());
            let name = name(number)?;
            if !known.is_some_and(|known| Arc::ptr_eq(known, name)) {
                event.node = Some(node(number)?);
            }
        }
    }
    event.value = match row.value {
        Held::Nil => Value::Nil,
        Held::Int(number) => Value::Int(number),
        Held::Text(text) => Value::Text(text.into()),
        Held::List(items) => Value::List(items),
    };
    event.hops.clear();
    (event.error, event.replicas) = (None, None);
    if let Some(rare) = row.rare {
        event.error = rare.error.map(name).transpose()?.cloned();
        for hop in rare.hops {
            event.hops.push(node(hop)?);
        }
        event.replicas = rare.replicas;
    }
    Ok(())
}

/// Whether an invocation must have a value of a certain form.
fn is_particular(f: Function, kind: EventKind) -> bool {
    kind == EventKind::Invoke && matches!(f, Function::Cas | Function::Txn | Function::Add)
}

/// What judges of objects take of a row.
fn entry(
    row: &Row<'_>,
    names: &[Arc<str>],
    keys: &mut [Option<KeyId>],
    collector: &mut Collector,
) -> Result<Entry, HistoryProblem> {
    let key = match row.key {
        None => None,
        Some(number) => {
            let known = keys.get_mut(number);
            let known = known.ok_or_else(|| foreign("a name not told"))?;
            Some(*known.get_or_insert_with(|| collector.key(&names[number])))
        }
    };
    let value = match &row.value {
        Held::Nil => Atom::NIL,
        Held::Int(number) => match Atom::of_int(*number) {
            Some(atom) => atom,
            None => collector.atom(&Value::Int(*number)),
        },
        Held::Text(text) => collector.atom_of_text(text),
        Held::List(items) => collector.atom(&Value::List(items.clone())),
    };
    Ok(Entry {
        index: row.index,
        time: row.time,
        process: row.process,
        kind: row.kind,
        f: row.f,
        key,
        value,
    })
}

/// Index and time before the first event.
const FIRST: (u64, u64) = (u64::MAX, 0);
const OURS: &str = "what was packed here can be read here";
