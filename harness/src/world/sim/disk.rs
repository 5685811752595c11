//! A node's disk: what is written, and what of it is safe.
//!
//! A process that is killed loses nothing it has written; a machine that crashes loses what was
//! not synced, and finds the version before.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use slotquake_core::output::{Content, Durability, File};

/// How a node's process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process alone: the page cache survives.
    Process,
    /// The machine.
    Machine,
}

/// When a write reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// At once.
    None,
    /// With the next write: a seeded bug.
    UntilNext,
}

/// What a crash leaves of a file that was not written with care: a seeded bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Its first half.
    Half,
    /// Not even its name.
    Nothing,
}

/// The files of one node.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    written: BTreeMap<File, Content>,
    synced: BTreeMap<File, Content>,
    /// How long a sync takes, ns, by each fault that slows it.
    slow: BTreeMap<u32, u64>,
    /// The faults that leave no room.
    full: BTreeSet<u32>,
    /// A write that is put off.
    waiting: Option<(File, Content, Durability)>,
}

impl Disk {
    /// Replaces a file.
    pub fn write(&mut self, file: File, content: Content, durability: Durability, delay: Delay) {
        let write = match delay {
            Delay::None => Some((file, content, durability)),
            Delay::UntilNext => self.waiting.replace((file, content, durability)),
        };
        let Some((file, content, durability)) = write else {
            return;
        };
        match durability {
            Durability::Buffered => {}
            Durability::Synced => {
                self.synced.insert(file, content.clone());
            }
        }
        self.written.insert(file, content);
    }

    /// Becomes slow by this fault: a sync takes so long, ns.
    pub fn slow_down(&mut self, fault: u32, sync_ns: u64) {
        self.slow.insert(fault, sync_ns);
    }

    /// Has no room left, by this fault.
    pub fn fill(&mut self, fault: u32) {
        self.full.insert(fault);
    }

    /// This fault is over.
    pub fn recover(&mut self, fault: u32) {
        self.slow.remove(&fault);
        self.full.remove(&fault);
    }

    /// How long a sync takes, ns.
    pub fn sync_ns(&self) -> u64 {
        self.slow.values().copied().max().unwrap_or(0)
    }

    /// Whether nothing can be written.
    pub fn is_full(&self) -> bool {
        !self.full.is_empty()
    }

    /// What a file holds.
    pub fn read(&self, file: File) -> Option<Bytes> {
        self.written.get(&file).map(Content::bytes)
    }

    /// Leaves this much of a file.
    pub fn spoil(&mut self, file: File, left: Left) {
        let whole = self.written.remove(&file).map(|content| content.bytes());
        if let (Some(whole), Left::Half) = (whole, left) {
            let half = whole.slice(..whole.len() / 2);
            self.written.insert(file, half.into());
        }
    }

    /// Loses what this kind of end loses.
    pub fn crash(&mut self, crash: Crash) {
        self.waiting = None;
        match crash {
            Crash::Process => {}
            Crash::Machine => self.written.clone_from(&self.synced),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_as_slow_as_the_worst_of_its_faults_and_full_until_all_are_over() {
        let mut disk = Disk::default();
        disk.slow_down(1, 10);
        disk.slow_down(2, 30);
        disk.fill(2);
        disk.fill(3);
        assert_eq!(disk.sync_ns(), 30);
        disk.recover(2);
        assert_eq!((disk.sync_ns(), disk.is_full()), (10, true));
        disk.recover(3);
        disk.recover(1);
        assert_eq!((disk.sync_ns(), disk.is_full()), (0, false));
    }

    fn disk() -> Disk {
        let mut disk = Disk::default();
        disk.write(
            File::NodesConf,
            Bytes::from("1").into(),
            Durability::Synced,
            Delay::None,
        );
        disk.write(
            File::NodesConf,
            Bytes::from("2").into(),
            Durability::Buffered,
            Delay::None,
        );
        disk
    }

    #[test]
    fn a_killed_process_loses_nothing_it_wrote() {
        let mut disk = disk();
        disk.crash(Crash::Process);
        assert_eq!(disk.read(File::NodesConf), Some(Bytes::from("2")));
    }

    #[test]
    fn a_spoilt_file_is_half_there_or_gone() {
        let (mut half, mut gone) = (disk(), disk());
        let content = Bytes::from("abcd").into();
        half.write(File::NodesConf, content, Durability::Synced, Delay::None);
        half.spoil(File::NodesConf, Left::Half);
        assert_eq!(half.read(File::NodesConf), Some(Bytes::from("ab")));
        gone.spoil(File::NodesConf, Left::Nothing);
        assert_eq!(gone.read(File::NodesConf), None);
    }

    #[test]
    fn a_crashed_machine_finds_the_last_synced_version() {
        let mut disk = disk();
        disk.crash(Crash::Machine);
        assert_eq!(disk.read(File::NodesConf), Some(Bytes::from("1")));
    }
}
