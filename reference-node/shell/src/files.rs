//! The node's files: read at the start, replaced atomically, nodes.conf locked (PS-12).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::append_log::AppendLog;
use bytes::Bytes;
use nix::fcntl::{Flock, FlockArg};
use slotquake_core::output::{Durability, File as NodeFile};

/// Paths, and the lock.
#[derive(Debug)]
pub struct Files {
    /// The append-only file.
    pub append_log: AppendLog,
    nodes_conf: PathBuf,
    rdb: PathBuf,
    config: PathBuf,
    lock: Option<Flock<File>>,
    writes: u64,
}

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// PS-12.
    #[error(
        "Sorry, the cluster configuration file {0} is already used by a different Redis Cluster \
         node. Please make sure that different nodes use different cluster configuration files."
    )]
    Locked(String),
    /// The system says no.
    #[error("cannot {what} {path}: {error}")]
    System {
        /// Open, read or write.
        what: &'static str,
        /// Which file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

impl Files {
    /// Files at these paths.
    pub fn new(nodes_conf: &str, rdb: &str, config: &str, append_log: AppendLog) -> Files {
        Files {
            append_log,
            nodes_conf: nodes_conf.into(),
            rdb: rdb.into(),
            config: config.into(),
            lock: None,
            writes: 0,
        }
    }

    /// Locks nodes.conf and reads it; empty if it is new (PS-16).
    pub fn lock_nodes_conf(&mut self) -> Result<Bytes, FileError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let path = &self.nodes_conf;
        let file = options
            .open(path)
            .map_err(|error| system("open", path, error))?;
        let mut lock = locked(file, path)?;
        let mut content = Vec::new();
        lock.read_to_end(&mut content)
            .map_err(|error| system("read", path, error))?;
        self.lock = Some(lock);
        Ok(content.into())
    }

    /// Reads the RDB file, if there is one.
    pub fn read_rdb(&self) -> Result<Option<Bytes>, FileError> {
        match std::fs::read(&self.rdb) {
            Ok(content) => Ok(Some(content.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(system("read", &self.rdb, error)),
        }
    }

    /// Replaces a file: a temporary one is written, locked if it is nodes.conf, and renamed over
    /// it, so that a crash leaves the old or the new content, and the lock stays on what is there.
    pub fn persist(
        &mut self,
        file: NodeFile,
        content: &[u8],
        durability: Durability,
    ) -> Result<(), FileError> {
        let path = match file {
            NodeFile::NodesConf => self.nodes_conf.clone(),
            NodeFile::Rdb => self.rdb.clone(),
            NodeFile::Config => self.config.clone(),
        };
        self.writes += 1;
        let mut temporary = path.clone().into_os_string();
        temporary.push(format!(".tmp-{}-{}", std::process::id(), self.writes));
        let temporary = PathBuf::from(temporary);
        let written = self.write_and_rename(file, &temporary, &path, content, durability);
        if written.is_err() {
            let _leftover = std::fs::remove_file(&temporary);
        }
        written
    }

    fn write_and_rename(
        &mut self,
        file: NodeFile,
        temporary: &Path,
        path: &Path,
        content: &[u8],
        durability: Durability,
    ) -> Result<(), FileError> {
        let failed = |error| system("write", temporary, error);
        let mut fresh = File::create(temporary).map_err(failed)?;
        fresh.write_all(content).map_err(failed)?;
        if durability == Durability::Synced {
            fresh.sync_all().map_err(failed)?;
        }
        let lock = match file {
            NodeFile::NodesConf => Some(locked(fresh, path)?),
            NodeFile::Rdb | NodeFile::Config => None,
        };
        std::fs::rename(temporary, path).map_err(|error| system("replace", path, error))?;
        if lock.is_some() {
            self.lock = lock;
        }
        if durability == Durability::Synced {
            // The name, too, must survive.
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| system("write", folder, error))?;
        }
        Ok(())
    }
}

fn locked(file: File, path: &Path) -> Result<Flock<File>, FileError> {
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        nix::errno::Errno::EWOULDBLOCK => FileError::Locked(path.display().to_string()),
        errno => system("lock", path, errno.into()),
    })
}

fn system(what: &'static str, path: &Path, error: std::io::Error) -> FileError {
    FileError::System {
        what,
        path: path.display().to_string(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::append_log::Sync;

    /// Proves PS-12: also after a save, which renames another file over it.
    #[test]
    fn a_second_node_on_the_same_nodes_conf_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("nodes.conf").display().to_string();
        let files = || Files::new(&path, "", "", AppendLog::new("", "", Sync::Never));
        let mut first = files();
        assert!(first.lock_nodes_conf().expect("free").is_empty());
        assert!(matches!(
            files().lock_nodes_conf(),
            Err(FileError::Locked(_))
        ));
        first
            .persist(NodeFile::NodesConf, b"vars", Durability::Synced)
            .expect("writable");
        assert!(matches!(
            files().lock_nodes_conf(),
            Err(FileError::Locked(_))
        ));
        drop(first);
        assert_eq!(files().lock_nodes_conf().expect("free"), "vars");
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("there").count(),
            1,
            "no leftovers"
        );
    }

    /// Proves PS-13.
    #[test]
    fn a_file_that_cannot_be_written_is_an_error() {
        let mut files = Files::new(
            "/nonexistent/nodes.conf",
            "",
            "",
            AppendLog::new("", "", Sync::Never),
        );
        assert!(
            files
                .persist(NodeFile::NodesConf, b"", Durability::Buffered)
                .is_err()
        );
    }
}
