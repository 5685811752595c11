//! What is open for each process, found at once however large their numbers are.
//!
//! Processes are numbered from 0 and renewed after each unknown outcome, so numbers grow without
//! end while few are open at a time. A table with linear probing: a few neighbours in number are
//! neighbours in memory, and each such row stands apart from the next, so that mostly nobody is in
//! anybody's place and who leaves has few behind him that could move up.

use super::event::Process;

/// Something for each of some processes.
#[derive(Debug)]
pub struct ByProcess<T> {
    /// A power of two of them.
    slots: Vec<Option<(Process, T)>>,
    length: usize,
}

impl<T> Default for ByProcess<T> {
    fn default() -> Self {
        ByProcess {
            slots: empty(SLOTS_MIN),
            length: 0,
        }
    }
}

fn empty<T>(count: usize) -> Vec<Option<(Process, T)>> {
    std::iter::repeat_with(|| None).take(count).collect()
}

impl<T> ByProcess<T> {
    fn home(&self, process: Process) -> usize {
        let rows_log2 = (self.slots.len() / ROW).trailing_zeros();
        let row = (process / ROW as u32).wrapping_mul(SPREAD) >> (u32::BITS - rows_log2);
        row as usize * ROW + process as usize % ROW
    }

    /// Where the process is, or the free slot where it would be.
    fn find(&self, process: Process) -> usize {
        let mut at = self.home(process);
        while self.slots[at]
            .as_ref()
            .is_some_and(|slot| slot.0 != process)
        {
            at = (at + 1) & (self.slots.len() - 1);
        }
        at
    }

    /// Enters something; gives back what was there.
    pub fn insert(&mut self, process: Process, entry: T) -> Option<T> {
        let at = self.find(process);
        let before = self.slots[at].replace((process, entry));
        if before.is_none() {
            self.length += 1;
            if self.length * 2 > self.slots.len() {
                self.grow();
            }
        }
        before.map(|(_, entry)| entry)
    }

    /// Takes something out.
    pub fn remove(&mut self, process: Process) -> Option<T> {
        let mut hole = self.find(process);
        let (_, entry) = self.slots[hole].take()?;
        self.length -= 1;
        // Whoever was pushed past the hole moves up, so that nobody is cut off.
        let mask = self.slots.len() - 1;
        let mut at = (hole + 1) & mask;
        while let Some((other, _)) = &self.slots[at] {
            let home = self.home(*other);
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.slots.swap(at, hole);
                hole = at;
            }
            at = (at + 1) & mask;
        }
        Some(entry)
    }

    /// Everything, in no particular order.
    pub fn drain(&mut self) -> Vec<T> {
        self.length = 0;
        let entries = self.slots.iter_mut().filter_map(Option::take);
        entries.map(|(_, entry)| entry).collect()
    }

    fn grow(&mut self) {
        let larger = empty(self.slots.len() * 2);
        for slot in std::mem::replace(&mut self.slots, larger)
            .into_iter()
            .flatten()
        {
            let at = self.find(slot.0);
            self.slots[at] = Some(slot);
        }
    }
}

const SLOTS_MIN: usize = 1024;
/// Processes that stand side by side.
const ROW: usize = 8;
/// 2^32 divided by the golden ratio: rows that follow each other fall as far apart as they can.
const SPREAD: u32 = 0x9e37_79b9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_long_row_forms_however_processes_are_numbered() {
        for (first, step) in [(0, 1), (0, 7), (816, 1), (5, 1000), (3, 8)] {
            let mut open = ByProcess::default();
            for number in 0..2000 {
                open.insert(first + step * number, ());
            }
            let taken: Vec<bool> = open.slots.iter().map(Option::is_some).collect();
            let rows = taken.split(|is_taken| !is_taken).map(<[bool]>::len);
            let longest = rows.max().unwrap_or_default();
            assert!(longest <= 10 * ROW, "{longest} from {first} by {step}");
        }
    }

    #[test]
    fn finds_each_of_many_and_nothing_else() {
        let mut open = ByProcess::default();
        for process in (0..20_000).rev() {
            assert_eq!(open.insert(process * 7, process), None);
        }
        assert_eq!(open.insert(21, 99), Some(3));
        assert_eq!((open.remove(21), open.remove(21)), (Some(99), None));
        assert_eq!((open.remove(20), open.remove(14)), (None, Some(2)));
        let mut left = open.drain();
        left.sort_unstable();
        assert_eq!(left.len(), 19_998);
        assert_eq!(left[..4], [0, 1, 4, 5]);
        assert_eq!(open.remove(0), None);
    }
}
