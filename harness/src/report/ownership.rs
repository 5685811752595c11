//! Who claimed which slots, by which config epoch, over time: a map of slots × time.
//!
//! A cell belongs to the claim with the highest config epoch; other claims to the same slots at
//! the same time are named beside it. Two claims by one epoch are a conflict and glow.

use serde::Serialize;
use slotquake_checkers::observation::slots::SLOT_COUNT;

use super::evidence::Tick;
use super::lanes::{Lane, Stance};

/// A rectangle of the map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// From.
    pub from: Tick,
    /// To.
    pub to: Tick,
    /// First slot.
    pub first: u16,
    /// Last slot.
    pub last: u16,
    /// Claims as (position of the node, config epoch), highest epoch first.
    pub claims: Vec<(usize, u64)>,
}

/// The map. Its size is bounded by merging instants nearer than 1/2000 of the run.
pub fn cells(lanes: &[Lane], end: u64) -> Vec<Cell> {
    let mut open: Vec<Cell> = Vec::new();
    let mut done: Vec<Cell> = Vec::new();
    let end = Tick::from_ns(end);
    let mut instants = instants(lanes, end);
    instants.push(end);
    for window in instants.windows(2) {
        let row = row(lanes, window[0], window[1]);
        let (kept, ended): (Vec<Cell>, Vec<Cell>) = open
            .drain(..)
            .partition(|cell| row.iter().any(|fresh| is_same(cell, fresh)));
        done.extend(ended);
        open = row
            .into_iter()
            .map(
                |fresh| match kept.iter().find(|cell| is_same(cell, &fresh)) {
                    Some(cell) => Cell {
                        from: cell.from,
                        ..fresh
                    },
                    None => fresh,
                },
            )
            .collect();
    }
    done.append(&mut open);
    done.sort_by_key(|cell| (cell.from, cell.first));
    done
}

fn is_same(a: &Cell, b: &Cell) -> bool {
    a.first == b.first && a.last == b.last && a.claims == b.claims
}

/// Beginnings and ends of claims, in order, thinned.
fn instants(lanes: &[Lane], end: Tick) -> Vec<Tick> {
    let mut all: Vec<Tick> = claims(lanes)
        .flat_map(|(_, stance)| [stance.from, stance.to])
        .filter(|tick| *tick < end)
        .collect();
    all.sort();
    let step = end.0 / INSTANTS_MAX;
    // Of instants too near to tell apart the last one stays: it shows what came of them.
    let mut thinned: Vec<Tick> = Vec::new();
    let mut group = Tick(0);
    for tick in all {
        match thinned.last_mut() {
            Some(last) if tick.0 <= group.0 + step => *last = tick,
            Some(_) | None => {
                group = tick;
                thinned.push(tick);
            }
        }
    }
    thinned
}

fn claims(lanes: &[Lane]) -> impl Iterator<Item = (usize, &Stance)> {
    lanes.iter().enumerate().flat_map(|(node, lane)| {
        let claiming = lane
            .stances
            .iter()
            .filter(|stance| !stance.slots.is_empty());
        claiming.map(move |stance| (node, stance))
    })
}

/// The claims in force over all of one step, slot range by slot range.
fn row(lanes: &[Lane], from: Tick, to: Tick) -> Vec<Cell> {
    let active: Vec<(usize, &Stance)> = claims(lanes)
        .filter(|(_, stance)| stance.from <= from && stance.to > from)
        .collect();
    let mut borders: Vec<u16> = active
        .iter()
        .flat_map(|(_, stance)| stance.slots.ranges())
        .flat_map(|(first, last)| [first, last + 1])
        .collect();
    borders.sort_unstable();
    borders.dedup();
    borders.truncate(BORDERS_MAX);
    let mut cells = Vec::new();
    for pair in borders.windows(2) {
        let mut claims: Vec<(usize, u64)> = active
            .iter()
            .filter(|(_, stance)| stance.slots.contains(pair[0]))
            .map(|(node, stance)| (*node, stance.config_epoch))
            .collect();
        claims.sort_by_key(|(node, epoch)| (std::cmp::Reverse(*epoch), *node));
        if !claims.is_empty() {
            debug_assert!(pair[1] <= SLOT_COUNT, "borders come from slot sets");
            cells.push(Cell {
                from,
                to,
                first: pair[0],
                last: pair[1] - 1,
                claims,
            });
        }
    }
    cells
}

const INSTANTS_MAX: u64 = 2_000;
const BORDERS_MAX: usize = 400;
