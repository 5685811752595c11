//! What is open for each process, found at once however large their numbers are.
//!
//! Processes are numbered from 0 and renewed after each unknown outcome, so numbers grow without
//! end while few are open at a time. A table with linear probing: neighbours in number are
//! neighbours in memory, and mostly nobody is in anybody's place.

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
        process as usize & (self.slots.len() - 1)
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

#[cfg(test)]
mod tests {
    use super::*;

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
