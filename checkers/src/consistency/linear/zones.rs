//! Registers whose written values are unique, decided in O(n log n): Gibbons and Korach's zones.
//!
//! The operations of one value form a cluster: its write and the reads that saw it. If one of them
//! was complete (at `finish`) before another began (at `start`), the register held the value all
//! the time between: a *forward* zone. Else all of them fit at one point anywhere in the time they
//! share: a *backward* zone.
//!
//! ```text
//!   write 1 |----|                            forward zone of 1:  finish ======= start
//!   read 1                |------|                                    of 1       of 1
//!   write 2        |---|                      backward zone of 2:        |---|
//! ```
//!
//! A history is linearizable if each value read was written, no read ended before its write began,
//! no two forward zones overlap, and no backward zone lies inside a forward one. A write of unknown
//! outcome counts if its value was read (it never ends), and has not happened otherwise. Operations
//! that touch in one instant are concurrent.

use crate::history::Function;
use crate::history::compact::{Atom, Op};
use crate::history::operation::Outcome;
use crate::table::{IndexTable, Mix};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zoned {
    /// It is linearizable.
    Holds,
    /// It is not, for this reason.
    Broken(Conflict),
    /// A value that was read was written twice, or the operations are not those of a register
    /// with reads and writes: the method does not apply.
    NotUnique,
}

/// Why there is no order; positions are those of the operations given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// A read of what nobody wrote.
    NeverWritten {
        /// The read.
        read: usize,
    },
    /// A read that ended before its write began.
    ReadBeforeWrite {
        /// The read.
        read: usize,
        /// The write.
        write: usize,
    },
    /// Two values must have been held at one time.
    BothHeld(Zone, Zone),
    /// A value was there while, all the time, another one was held.
    Overwritten {
        /// The value that was held throughout.
        held: Zone,
        /// The value that came between.
        between: Zone,
    },
}

/// The cluster of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    /// The value.
    pub value: Atom,
    /// Its write; none if it is the initial value.
    pub write: Option<u32>,
    /// The operation that ended first; none if that is the beginning.
    pub first_ended: Option<u32>,
    /// The operation that began last.
    pub last_begun: Option<u32>,
    finish: u64,
    start: u64,
}

impl Conflict {
    /// The operations that show it, in no particular order.
    pub fn witness(&self) -> Vec<usize> {
        let of = |zone: &Zone| [zone.write, zone.first_ended, zone.last_begun];
        let mut all: Vec<usize> = match self {
            Conflict::NeverWritten { read } => vec![*read],
            Conflict::ReadBeforeWrite { read, write } => vec![*read, *write],
            Conflict::BothHeld(one, two)
            | Conflict::Overwritten {
                held: one,
                between: two,
            } => [of(one), of(two)]
                .concat()
                .into_iter()
                .flatten()
                .map(|at| at as usize)
                .collect(),
        };
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Decides whether these operations on one register, which begins as nil, are linearizable.
pub fn decide(ops: &[Op]) -> Zoned {
    match clusters(ops) {
        Some(clusters) => clusters.judge(ops),
        None => Zoned::NotUnique,
    }
}

/// Values that were read, and acknowledged writes that nobody read.
#[derive(Default)]
struct Clusters {
    /// Each with when the first of its reads ended, and which.
    read: Vec<(Zone, u64, u32)>,
    unread: Vec<Zone>,
}

fn clusters(ops: &[Op]) -> Option<Clusters> {
    let mut clusters = Clusters::default();
    let mut table = IndexTable::default();
    let taken = |op: &&Op| op.outcome != Outcome::Fail;
    for (at, op) in ops.iter().enumerate().filter(|(_, op)| taken(op)) {
        if op.f == Function::Write && op.argument != Atom::NIL {
            continue;
        }
        if op.f != Function::Read {
            return None;
        }
        if op.outcome == Outcome::Ok {
            clusters.enter_read(&mut table, op, at as u32);
        }
    }
    for (at, op) in ops.iter().enumerate().filter(|(_, op)| taken(op)) {
        if op.f != Function::Write {
            continue;
        }
        let at = at as u32;
        match find(&table, &clusters.read, op.argument) {
            Some(cluster) => {
                let zone = &mut clusters.read[cluster as usize].0;
                if zone.write.replace(at).is_some() {
                    return None;
                }
                zone.enter(op, at);
            }
            None if op.outcome == Outcome::Ok => clusters.unread.push(Zone::of_write(op, at)),
            None => {}
        }
    }
    Some(clusters)
}

fn find(table: &IndexTable, read: &[(Zone, u64, u32)], value: Atom) -> Option<u32> {
    table.find(Mix::of(&value), |at| read[at as usize].0.value == value)
}

impl Clusters {
    fn enter_read(&mut self, table: &mut IndexTable, op: &Op, at: u32) {
        let known = find(table, &self.read, op.result);
        let cluster = known.unwrap_or_else(|| {
            let position = self.read.len() as u32;
            self.read.push((Zone::of_value(op.result), u64::MAX, at));
            table.insert(Mix::of(&op.result), position);
            position
        });
        let (zone, first_read, reader) = &mut self.read[cluster as usize];
        zone.enter(op, at);
        if op.completed < *first_read {
            (*first_read, *reader) = (op.completed, at);
        }
    }

    fn judge(self, ops: &[Op]) -> Zoned {
        let mut forward: Vec<Zone> = Vec::new();
        let mut backward = self.unread;
        for (zone, first_read, reader) in self.read {
            match zone.write {
                None if zone.value != Atom::NIL => {
                    let read = reader as usize;
                    return Zoned::Broken(Conflict::NeverWritten { read });
                }
                Some(write) if first_read < ops[write as usize].invoked => {
                    return Zoned::Broken(Conflict::ReadBeforeWrite {
                        read: reader as usize,
                        write: write as usize,
                    });
                }
                Some(_) | None => {}
            }
            match zone.finish < zone.start {
                true => forward.push(zone),
                false => backward.push(zone),
            }
        }
        forward.sort_unstable_by_key(|zone| zone.finish);
        let both = forward
            .windows(2)
            .find(|pair| pair[0].start > pair[1].finish);
        if let Some(pair) = both {
            return Zoned::Broken(Conflict::BothHeld(pair[0], pair[1]));
        }
        let inside = backward.into_iter().find_map(|between| {
            let before = forward.partition_point(|zone| zone.finish < between.start);
            let held = *forward[..before].last()?;
            (held.start > between.finish).then_some(Conflict::Overwritten { held, between })
        });
        inside.map_or(Zoned::Holds, Zoned::Broken)
    }
}

impl Zone {
    /// The cluster of a value before any of its operations; that of nil holds the beginning.
    fn of_value(value: Atom) -> Zone {
        let finish = if value == Atom::NIL { 0 } else { u64::MAX };
        Zone {
            value,
            write: None,
            first_ended: None,
            last_begun: None,
            finish,
            start: 0,
        }
    }

    fn of_write(op: &Op, at: u32) -> Zone {
        let mut zone = Zone::of_value(op.argument);
        zone.write = Some(at);
        zone.enter(op, at);
        zone
    }

    fn enter(&mut self, op: &Op, at: u32) {
        // Later by one: the beginning, at 0, is before everything.
        let begin = op.invoked.saturating_add(1);
        let end = op.completed.saturating_add(1);
        if end < self.finish || (self.first_ended.is_none() && self.value != Atom::NIL) {
            (self.finish, self.first_ended) = (end, Some(at));
        }
        if begin > self.start || self.last_begun.is_none() {
            (self.start, self.last_begun) = (begin, Some(at));
        }
    }
}
