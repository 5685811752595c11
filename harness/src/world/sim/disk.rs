//! A node's disk: what is written, and what of it is safe.
//!
//! A process that is killed loses nothing it has written; a machine that crashes loses what was
//! not synced, and finds the version before.

use std::collections::BTreeMap;

use bytes::Bytes;
use slotquake_core::output::{Durability, File};

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

/// The files of one node.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    written: BTreeMap<File, Bytes>,
    synced: BTreeMap<File, Bytes>,
    /// A write that is put off.
    waiting: Option<(File, Bytes, Durability)>,
}

impl Disk {
    /// Replaces a file.
    pub fn write(&mut self, file: File, bytes: Bytes, durability: Durability, delay: Delay) {
        let write = match delay {
            Delay::None => Some((file, bytes, durability)),
            Delay::UntilNext => self.waiting.replace((file, bytes, durability)),
        };
        let Some((file, bytes, durability)) = write else {
            return;
        };
        match durability {
            Durability::Buffered => {}
            Durability::Synced => {
                self.synced.insert(file, bytes.clone());
            }
        }
        self.written.insert(file, bytes);
    }

    /// What a file holds.
    pub fn read(&self, file: File) -> Option<Bytes> {
        self.written.get(&file).cloned()
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

    fn disk() -> Disk {
        let mut disk = Disk::default();
        disk.write(
            File::NodesConf,
            Bytes::from("1"),
            Durability::Synced,
            Delay::None,
        );
        disk.write(
            File::NodesConf,
            Bytes::from("2"),
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
    fn a_crashed_machine_finds_the_last_synced_version() {
        let mut disk = disk();
        disk.crash(Crash::Machine);
        assert_eq!(disk.read(File::NodesConf), Some(Bytes::from("1")));
    }
}
