//! What is open for each process, found at once however large their numbers are.
//!
//! Processes are numbered from 0 and renewed after each unknown outcome, so numbers grow without
//! end while few are open at a time. Buckets by number, a few entries each.

use super::event::Process;

/// Something for each of some processes.
#[derive(Debug)]
pub struct ByProcess<T> {
    /// A power of two of them.
    buckets: Vec<Vec<(Process, T)>>,
    length: usize,
}

impl<T> Default for ByProcess<T> {
    fn default() -> Self {
        ByProcess {
            buckets: empty(BUCKETS_MIN),
            length: 0,
        }
    }
}

fn empty<T>(count: usize) -> Vec<Vec<(Process, T)>> {
    std::iter::repeat_with(Vec::new).take(count).collect()
}

impl<T> ByProcess<T> {
    fn bucket(&mut self, process: Process) -> &mut Vec<(Process, T)> {
        let at = process as usize & (self.buckets.len() - 1);
        &mut self.buckets[at]
    }

    /// Enters something; gives back what was there.
    pub fn insert(&mut self, process: Process, entry: T) -> Option<T> {
        let bucket = self.bucket(process);
        if let Some(known) = bucket.iter_mut().find(|known| known.0 == process) {
            return Some(std::mem::replace(&mut known.1, entry));
        }
        bucket.push((process, entry));
        self.length += 1;
        if self.length > self.buckets.len() * ENTRIES_MAX {
            self.grow();
        }
        None
    }

    /// Takes something out.
    pub fn remove(&mut self, process: Process) -> Option<T> {
        let bucket = self.bucket(process);
        let at = bucket.iter().position(|known| known.0 == process)?;
        let (_, entry) = bucket.swap_remove(at);
        self.length -= 1;
        Some(entry)
    }

    /// Everything, in no particular order.
    pub fn drain(&mut self) -> Vec<T> {
        self.length = 0;
        let entries = self.buckets.iter_mut().flat_map(std::mem::take);
        entries.map(|(_, entry)| entry).collect()
    }

    fn grow(&mut self) {
        let larger = empty(self.buckets.len() * 2);
        for (process, entry) in std::mem::replace(&mut self.buckets, larger)
            .into_iter()
            .flatten()
        {
            self.bucket(process).push((process, entry));
        }
    }
}

const BUCKETS_MIN: usize = 1024;
/// Entries of a bucket, on average, before there are more buckets.
const ENTRIES_MAX: usize = 2;

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
