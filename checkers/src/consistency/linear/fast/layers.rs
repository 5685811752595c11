//! Sets and lists that only grow: their reads tell the order.
//!
//! Reads of a growing set must contain one another, those of a list continue one another. So each
//! operation has its layer: adds of what a read was the first to show, then the reads that show
//! just that, and so on; what was acknowledged and never read comes last. Within a layer the order
//! is free. The history is linearizable unless an operation of a later layer was complete before
//! one of an earlier layer began.

use super::super::ruling::Ruling;
use super::broken;
use crate::history::compact::{Log, Op};
use crate::history::operation::{Outcome, short};
use crate::history::{Function, Value};
use crate::table::{IndexTable, Mix};

/// Decides a set; none if an element was added more than once.
pub fn set_layers(log: &Log, ops: &[Op]) -> Option<Ruling> {
    layers(log, ops, Order::Free)
}

/// Decides a list; none if an element was appended more than once.
pub fn list_layers(log: &Log, ops: &[Op]) -> Option<Ruling> {
    layers(log, ops, Order::Kept)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Free,
    Kept,
}

/// An element, and in which layer it was first shown.
struct Shown<'a> {
    value: &'a Value,
    layer: u64,
    /// The read that showed it first.
    read: usize,
}

#[derive(Default)]
struct Elements<'a> {
    shown: Vec<Shown<'a>>,
    table: IndexTable,
}

impl<'a> Elements<'a> {
    fn find(&self, value: &Value) -> Option<u32> {
        let is_it = |at: u32| self.shown[at as usize].value == value;
        self.table.find(Mix::of(value), is_it)
    }

    fn enter(&mut self, value: &'a Value, layer: u64, read: usize) {
        self.table.insert(Mix::of(value), self.shown.len() as u32);
        self.shown.push(Shown { value, layer, read });
    }
}

fn layers(log: &Log, ops: &[Op], order: Order) -> Option<Ruling> {
    let adds = match order {
        Order::Free => Function::Add,
        Order::Kept => Function::Append,
    };
    if !are_unique(ops, adds) {
        return None;
    }
    let values: Vec<_> = ops.iter().map(|op| log.atoms.value(op.result)).collect();
    let mut reads: Vec<(usize, &[Value])> = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        if op.outcome == Outcome::Ok && op.f == Function::Read {
            match &*values[at] {
                Value::List(read) => reads.push((at, read)),
                Value::Nil => reads.push((at, &[])),
                Value::Int(_) | Value::Text(_) => return None,
            }
        }
    }
    reads.sort_by_key(|(_, read)| read.len());
    let mut elements = Elements::default();
    let mut layered: Vec<(u64, usize)> = Vec::with_capacity(ops.len());
    for (at, read) in &reads {
        if let Some(ruling) = enter_read(log, ops, (*at, read), &mut elements, order) {
            return Some(ruling);
        }
        layered.push((2 * read.len() as u64 + 1, *at));
    }
    let mut is_added = vec![false; elements.shown.len()];
    let last = elements.shown.len() as u64 + 1;
    let made = |op: &Op| op.f == adds && op.outcome != Outcome::Fail;
    for (at, op) in ops.iter().enumerate().filter(|(_, op)| made(op)) {
        match elements.find(&log.atoms.value(op.argument)) {
            Some(element) => {
                is_added[element as usize] = true;
                layered.push((2 * elements.shown[element as usize].layer, at));
            }
            None if op.outcome == Outcome::Ok => layered.push((2 * last, at)),
            None => {}
        }
    }
    if let Some(element) = is_added.iter().position(|is_added| !is_added) {
        let shown = &elements.shown[element];
        let why = format!("It shows {}, which nobody added.", short(shown.value));
        return Some(broken(ops, vec![shown.read], why));
    }
    Some(judge(log, ops, layered))
}

/// Whether there are only reads, and adds of elements that are all different.
fn are_unique(ops: &[Op], adds: Function) -> bool {
    let mut table = IndexTable::default();
    ops.iter().enumerate().all(|(at, op)| {
        if op.outcome == Outcome::Fail || op.f == Function::Read {
            return true;
        }
        let hash = Mix::of(&op.argument);
        let same = |other: u32| ops[other as usize].argument == op.argument;
        let is_new = op.f == adds && table.find(hash, same).is_none();
        table.insert(hash, at as u32);
        is_new
    })
}

/// Enters what a read shows beyond the shorter ones; refutes it if it does not continue them.
fn enter_read<'a>(
    log: &Log,
    ops: &[Op],
    (at, read): (usize, &'a [Value]),
    elements: &mut Elements<'a>,
    order: Order,
) -> Option<Ruling> {
    let before = elements.shown.len();
    let mut met = 0;
    for (place, value) in read.iter().enumerate() {
        let layer = match order {
            Order::Free => read.len() as u64,
            Order::Kept => place as u64 + 1,
        };
        match elements.find(value) {
            // A list must have each at its place; a set somewhere, and once.
            Some(known) if (known as usize) < before => {
                met += 1;
                if order == Order::Kept && known as usize != place {
                    let other = elements.shown[known as usize].read;
                    let why = format!("It disagrees with {} on the order.", log.told(&ops[other]));
                    return Some(broken(ops, vec![at, other], why));
                }
            }
            Some(_) => {
                let why = format!("It shows {} twice.", short(value));
                return Some(broken(ops, vec![at], why));
            }
            None => elements.enter(value, layer, at),
        }
    }
    if met == before {
        return None;
    }
    let missed = elements.shown[..before]
        .iter()
        .find(|shown| !read.contains(shown.value));
    let Some(missed) = missed else {
        return Some(broken(ops, vec![at], "It shows an element twice.".into()));
    };
    let why = format!(
        "It lacks {}, which {} shows, and has another that is missing there.",
        short(missed.value),
        log.told(&ops[missed.read])
    );
    Some(broken(ops, vec![at, missed.read], why))
}

fn judge(log: &Log, ops: &[Op], mut layered: Vec<(u64, usize)>) -> Ruling {
    layered.sort_unstable();
    let mut rest = &layered[..];
    let mut latest: Option<usize> = None;
    while let Some((layer, _)) = rest.first() {
        let (this, later) = rest.split_at(rest.partition_point(|(other, _)| other == layer));
        rest = later;
        if let Some(latest) = latest {
            let begun = ops[latest].invoked;
            if let Some((_, early)) = this.iter().find(|(_, at)| ops[*at].completed < begun) {
                let why = format!(
                    "By what the reads show, {} comes after {}, but it was complete before that \
                     began.",
                    log.told(&ops[*early]),
                    log.told(&ops[latest])
                );
                return broken(ops, vec![*early, latest], why);
            }
        }
        let all = this.iter().map(|(_, at)| *at).chain(latest);
        latest = all.max_by_key(|at| ops[*at].invoked);
    }
    Ruling::Holds
}
