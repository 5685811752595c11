//! Events into blocks: to a file, or onto a tape in memory.

use std::io::{self, Write};
use std::sync::Arc;

use super::{BLOCK_BYTES, BLOCK_BYTES_MAX, KINDS, MAGIC, VERSION, head, value};
use crate::history::event::{Event, Function};
use crate::history::value::Value;
use crate::table::{IndexTable, Mix};

/// Puts events behind each other until a block is full.
#[derive(Debug, Clone)]
struct Packer {
    rows: Vec<u8>,
    names: Vec<Arc<str>>,
    table: IndexTable,
    /// How many of the names stand in blocks that are closed.
    told: usize,
    last: (u64, u64),
}

impl Default for Packer {
    fn default() -> Self {
        Packer {
            rows: Vec::new(),
            names: Vec::new(),
            table: IndexTable::default(),
            told: 0,
            // The first index is mostly 0, one more than this.
            last: (u64::MAX, 0),
        }
    }
}

impl Packer {
    fn push(&mut self, event: &Event) {
        let kind = KINDS.iter().position(|kind| *kind == event.kind);
        let f = Function::ALL.iter().position(|f| *f == event.f);
        let step = event.index.wrapping_sub(self.last.0);
        let is_rare = event.error.is_some() || event.replicas.is_some() || !event.hops.is_empty();
        let when = |holds: bool, bit: u16| u16::from(holds) * bit;
        let head = kind.unwrap_or_default() as u16
            | (f.unwrap_or_default() as u16) << head::FUNCTION
            | when(event.final_read, head::FINAL)
            | when(step != 1, head::INDEX)
            | when(event.key.is_some(), head::KEY)
            | when(event.node.is_some(), head::NODE)
            | u16::from(kind_of(&event.value)) << head::VALUE
            | when(is_rare, head::RARE);
        self.rows.extend_from_slice(&head.to_le_bytes());
        if step != 1 {
            put(&mut self.rows, step);
        }
        put(&mut self.rows, event.time.wrapping_sub(self.last.1));
        self.last = (event.index, event.time);
        put(&mut self.rows, u64::from(event.process));
        if let Some(key) = &event.key {
            let number = self.name(key);
            put(&mut self.rows, number);
        }
        if let Some(node) = &event.node {
            let number = self.name(node.0.text());
            put(&mut self.rows, number);
        }
        put_value(&mut self.rows, &event.value);
        if is_rare {
            self.push_rare(event);
        }
    }

    fn push_rare(&mut self, event: &Event) {
        let error = event.error.as_ref().map(|error| self.name(error));
        put(&mut self.rows, error.map_or(0, |number| number + 1));
        put(&mut self.rows, event.hops.len() as u64);
        for hop in &event.hops {
            let number = self.name(hop.0.text());
            put(&mut self.rows, number);
        }
        let replicas = event.replicas.map_or(0, |replicas| u64::from(replicas) + 1);
        put(&mut self.rows, replicas);
    }

    fn name(&mut self, name: &Arc<str>) -> u64 {
        let hash = Mix::of(name.as_bytes());
        let is_it = |at: u32| {
            let known = &self.names[at as usize];
            // Mostly the same copy, and what it says need not be looked at.
            Arc::ptr_eq(known, name) || *known == *name
        };
        let known = self.table.find(hash, is_it);
        let number = known.unwrap_or_else(|| {
            self.table.insert(hash, self.names.len() as u32);
            self.names.push(name.clone());
            self.names.len() as u32 - 1
        });
        u64::from(number)
    }

    /// What is open as a block of its own; nothing if there is nothing.
    fn block(&self) -> Vec<u8> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let mut block = vec![0; LENGTH_BYTES];
        let fresh = &self.names[self.told..];
        put(&mut block, fresh.len() as u64);
        for name in fresh {
            put(&mut block, name.len() as u64);
            block.extend_from_slice(name.as_bytes());
        }
        block.extend_from_slice(&self.rows);
        let length = (block.len() - LENGTH_BYTES) as u32;
        block[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        block
    }

    /// Closes the block, and gives it.
    fn close(&mut self) -> Vec<u8> {
        let block = self.block();
        self.rows.clear();
        self.told = self.names.len();
        block
    }
}

/// Writes events.
#[derive(Debug)]
pub struct BinaryWriter<W> {
    output: W,
    packer: Packer,
}

impl<W: Write> BinaryWriter<W> {
    /// Begins a history.
    ///
    /// # Errors
    /// Those of the output.
    pub fn new(mut output: W) -> io::Result<BinaryWriter<W>> {
        begin(&mut output)?;
        Ok(BinaryWriter {
            output,
            packer: Packer::default(),
        })
    }

    /// Writes one event; indices and times must not go back.
    ///
    /// # Errors
    /// Those of the output; an event that no reader would take.
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        self.packer.push(event);
        match self.packer.rows.len() >= BLOCK_BYTES {
            true => self.close(),
            false => Ok(()),
        }
    }

    /// Flushes, and gives back the output.
    ///
    /// # Errors
    /// As [`BinaryWriter::write`].
    pub fn finish(mut self) -> io::Result<W> {
        self.close()?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn close(&mut self) -> io::Result<()> {
        let block = self.packer.close();
        if block.len() > BLOCK_BYTES_MAX {
            let why = "an event is longer than a binary history can hold";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        self.output.write_all(&block)
    }
}

/// A history in memory, as a file holds it: some ten bytes an event.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    blocks: Vec<Vec<u8>>,
    packer: Packer,
    events: usize,
}

impl Tape {
    /// Puts an event at the end.
    pub fn push(&mut self, event: &Event) {
        self.packer.push(event);
        self.events += 1;
        if self.packer.rows.len() >= BLOCK_BYTES {
            self.blocks.push(self.packer.close());
        }
    }

    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.events
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Time of the last event, ns.
    pub fn end(&self) -> u64 {
        self.packer.last.1
    }

    /// All blocks, and what is open as one.
    pub(super) fn blocks(&self) -> (&[Vec<u8>], Vec<u8>) {
        (&self.blocks, self.packer.block())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&self, mut output: impl Write) -> io::Result<()> {
        begin(&mut output)?;
        let (blocks, open) = self.blocks();
        for block in blocks {
            output.write_all(block)?;
        }
        output.write_all(&open)?;
        output.flush()
    }
}

fn begin(output: &mut impl Write) -> io::Result<()> {
    output.write_all(MAGIC)?;
    output.write_all(&[VERSION])
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn kind_of(held: &Value) -> u8 {
    match held {
        Value::Nil => value::NIL,
        Value::Int(_) => value::INT,
        Value::Text(_) => value::TEXT,
        Value::List(_) => value::LIST,
    }
}

fn put_value(bytes: &mut Vec<u8>, held: &Value) {
    match held {
        Value::Nil => {}
        Value::Int(number) => put(bytes, ((number << 1) ^ (number >> 63)) as u64),
        Value::Text(text) => {
            put(bytes, text.len() as u64);
            bytes.extend_from_slice(text.as_bytes());
        }
        Value::List(items) => {
            put(bytes, items.len() as u64);
            for item in items {
                bytes.push(kind_of(item));
                put_value(bytes, item);
            }
        }
    }
}

/// Bytes that tell how long a block is.
const LENGTH_BYTES: usize = size_of::<u32>();
