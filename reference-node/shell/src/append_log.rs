//! The append-only file on disk: upstream's folder of a manifest, a base and increments.
//!
//! ```text
//! appendonlydir/appendonly.aof.manifest      names the other two; replaced atomically
//! appendonlydir/appendonly.aof.3.base.rdb    the data when generation 3 began
//! appendonlydir/appendonly.aof.3.incr.aof    the commands since then
//! ```

use std::fs::File;
use std::io::{ErrorKind, Result, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use slotquake_core::append_only::Appended;

/// The folder, and the increment that is written.
#[derive(Debug)]
pub struct AppendLog {
    folder: PathBuf,
    name: String,
    sync: Sync,
    increment: Option<File>,
    waiting: Vec<u8>,
    synced: Instant,
}

/// When it is synced to the disk (`appendfsync`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Before any reply.
    Always,
    /// About once a second.
    EverySecond,
    /// When the system likes.
    Never,
}

impl AppendLog {
    /// In this folder, with files of this name.
    pub fn new(folder: &str, name: &str, sync: Sync) -> AppendLog {
        AppendLog {
            folder: folder.into(),
            name: name.into(),
            sync,
            increment: None,
            waiting: Vec::new(),
            synced: Instant::now(),
        }
    }

    /// Reads all parts; none if there is no manifest.
    pub fn read(&self) -> Result<Option<Appended>> {
        let manifest = match std::fs::read_to_string(self.manifest()) {
            Ok(manifest) => manifest,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut parts: Vec<Bytes> = Vec::new();
        for (name, _) in entries(&manifest) {
            parts.push(std::fs::read(self.folder.join(name))?.into());
        }
        Ok(Some(Appended { parts }))
    }

    /// Begins a new generation; the old one goes once the manifest names the new one.
    pub fn restart(&mut self, base: &[u8]) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let old = std::fs::read_to_string(self.manifest()).unwrap_or_default();
        let old: Vec<(String, u64)> = entries(&old).collect();
        let generation = old.iter().map(|(_, seq)| *seq).max().unwrap_or(0) + 1;
        let base_name = format!("{}.{generation}.base.rdb", self.name);
        let increment_name = format!("{}.{generation}.incr.aof", self.name);
        write_synced(&self.folder.join(&base_name), base)?;
        let increment = File::create(self.folder.join(&increment_name))?;
        let manifest = format!(
            "file {base_name} seq {generation} type b\n\
             file {increment_name} seq {generation} type i\n"
        );
        let temporary = self.folder.join(format!("temp-{}.manifest", self.name));
        write_synced(&temporary, manifest.as_bytes())?;
        std::fs::rename(&temporary, self.manifest())?;
        File::open(&self.folder)?.sync_all()?;
        self.increment = Some(increment);
        self.waiting.clear();
        for (name, _) in old {
            let _gone = std::fs::remove_file(self.folder.join(name));
        }
        Ok(())
    }

    /// Appends, at the next flush.
    pub fn append(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// Writes what was appended; before anything leaves the process that depends on it.
    pub fn flush(&mut self) -> Result<()> {
        let Some(increment) = &mut self.increment else {
            return Ok(());
        };
        if self.waiting.is_empty() {
            return Ok(());
        }
        increment.write_all(&self.waiting)?;
        self.waiting.clear();
        self.waiting.shrink_to(KEPT_BYTES_MAX);
        match self.sync {
            Sync::Always => increment.sync_data()?,
            Sync::EverySecond if self.synced.elapsed() >= SYNC_PERIOD => {
                self.synced = Instant::now();
                let increment = increment.try_clone()?;
                // A slow disk must not hold up the node.
                std::thread::spawn(move || increment.sync_data());
            }
            Sync::EverySecond | Sync::Never => {}
        }
        Ok(())
    }

    fn manifest(&self) -> PathBuf {
        self.folder.join(format!("{}.manifest", self.name))
    }
}

/// The files that a manifest names, in order, with their numbers; what is history is left out.
fn entries(manifest: &str) -> impl Iterator<Item = (String, u64)> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["file", name, "seq", number, "type", "b" | "i", ..] if !name.contains('/') => {
                Some((name.to_string(), number.parse().ok()?))
            }
            _ => None,
        }
    };
    manifest
        .lines()
        .filter_map(line)
        .collect::<Vec<_>>()
        .into_iter()
}

fn write_synced(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

const SYNC_PERIOD: Duration = Duration::from_secs(1);
const KEPT_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_generation_replaces_the_old_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("aof").display().to_string();
        let mut log = AppendLog::new(&path, "a", Sync::Always);
        assert!(log.read().expect("readable").is_none());
        for base in ["REDIS1", "REDIS2"] {
            log.restart(base.as_bytes()).expect("writable");
        }
        log.append(b"one");
        log.append(b"two");
        log.flush().expect("writable");
        let parts = log.read().expect("readable").expect("there").parts;
        assert_eq!(parts, ["REDIS2", "onetwo"]);
        assert_eq!(std::fs::read_dir(&path).expect("there").count(), 3);
    }
}
