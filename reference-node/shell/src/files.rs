//! The node's files: read at the start, replaced atomically, nodes.conf locked (PS-12).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::append_log::AppendLog;
use crate::in_place;
use bytes::Bytes;
use nix::fcntl::{Flock, FlockArg};
use slotquake_core::cluster::Profile;
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
    profile: Profile,
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
    /// A folder, a pipe, a device, or far longer than any cluster makes it.
    #[error("cluster configuration file {0} is no file of a node: {1}")]
    NotOurs(String, &'static str),
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
            profile: Profile::default(),
        }
    }

    /// The same, for a node of this profile.
    pub fn with_profile(self, profile: Profile) -> Files {
        Files { profile, ..self }
    }

    /// Locks nodes.conf and reads it; none if there is no such file (PS-16). Then nothing is
    /// created yet: the first save does it, so that a kill in between leaves no empty file.
    pub fn lock_nodes_conf(&mut self) -> Result<Option<Bytes>, FileError> {
        let path = &self.nodes_conf;
        let mut lock = loop {
            let Some(file) = open_regular(path)? else {
                return Ok(None);
            };
            let lock = locked(file, path)?;
            // DU-04: a node that saved since has put another file in its place, and locked that.
            if is_still_at(&lock, path) {
                break lock;
            }
        };
        let mut content = Vec::new();
        lock.read_to_end(&mut content)
            .map_err(|error| system("read", path, error))?;
        remove_leftovers(path);
        self.lock = Some(lock);
        Ok(Some(content.into()))
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
        // DEVIATION(PS-11): as from 7.2 on, never in place (DU-01 of part C).
        match (self.profile, file) {
            (Profile::Upstream70, NodeFile::NodesConf) => {
                return self.rewrite_nodes_conf(content, durability);
            }
            (Profile::Reference | Profile::Upstream70, _) => {}
        }
        self.writes += 1;
        let mut temporary = path.clone().into_os_string();
        temporary.push(format!("{TEMPORARY}{}-{}", std::process::id(), self.writes));
        let temporary = PathBuf::from(temporary);
        let written = self.write_and_rename(file, &temporary, &path, content, durability);
        if written.is_err() {
            let _leftover = std::fs::remove_file(&temporary);
        }
        written
    }

    fn rewrite_nodes_conf(
        &mut self,
        content: &[u8],
        durability: Durability,
    ) -> Result<(), FileError> {
        let path = &self.nodes_conf;
        let written = in_place::rewrite(path, content, durability);
        let file = written.map_err(|error| system("write", path, error))?;
        if self.lock.is_none() {
            self.lock = Some(locked(file, path)?);
        }
        Ok(())
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
        match (&lock, &self.lock) {
            (Some(_), None) => {
                create(temporary, path)?;
                remove_leftovers(path);
            }
            (Some(_) | None, _) => {
                std::fs::rename(temporary, path).map_err(|error| system("replace", path, error))?;
            }
        }
        if lock.is_some() {
            self.lock = lock;
        }
        if durability == Durability::Synced {
            // The name, too, must survive.
            let folder = folder_of(path);
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| system("write", folder, error))?;
        }
        Ok(())
    }
}

// None if there is no such file.
fn open_regular(path: &Path) -> Result<Option<File>, FileError> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let file = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| system("open", path, error))?,
    };
    let not_ours = |why| FileError::NotOurs(path.display().to_string(), why);
    let about = file
        .metadata()
        .map_err(|error| system("read", path, error))?;
    if !about.is_file() {
        return Err(not_ours("no regular file"));
    }
    if about.len() > NODES_CONF_BYTES_MAX {
        return Err(not_ours("too long"));
    }
    Ok(Some(file))
}

fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |about: std::fs::Metadata| (about.dev(), about.ino());
    let here = file.metadata().map(identity).ok();
    here.is_some() && std::fs::metadata(path).map(identity).ok() == here
}

// Puts a new file in place unless another node was faster.
fn create(temporary: &Path, path: &Path) -> Result<(), FileError> {
    match std::fs::hard_link(temporary, path) {
        // The new file is in place; its other name does no harm.
        Ok(()) => drop(std::fs::remove_file(temporary)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.exists() => {
            return Err(FileError::Locked(path.display().to_string()));
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(system("create", path, error));
        }
        // A file system without links.
        Err(_) => {
            std::fs::rename(temporary, path).map_err(|error| system("create", path, error))?;
        }
    }
    Ok(())
}

// What nodes that were killed while they wrote have left. Who holds the lock may do this: no other
// node writes here.
fn remove_leftovers(path: &Path) {
    let Some(name) = path.file_name() else {
        return;
    };
    let prefix = [name.as_encoded_bytes(), TEMPORARY.as_bytes()].concat();
    // Leftovers that cannot be removed do no harm.
    let Ok(entries) = std::fs::read_dir(folder_of(path)) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(&prefix) {
            let _stays = std::fs::remove_file(entry.path());
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
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

/// Between the name of a file and what tells its temporary ones apart.
const TEMPORARY: &str = ".tmp-";
/// A thousand nodes with every second slot take a hundredth of it.
const NODES_CONF_BYTES_MAX: u64 = 64 << 20;

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
        assert_eq!(first.lock_nodes_conf().expect("free"), None);
        let mut rival = files();
        assert_eq!(rival.lock_nodes_conf().expect("not there yet"), None);
        let save =
            |files: &mut Files| files.persist(NodeFile::NodesConf, b"vars", Durability::Synced);
        save(&mut first).expect("writable");
        assert!(matches!(save(&mut rival), Err(FileError::Locked(_))));
        assert!(matches!(
            files().lock_nodes_conf(),
            Err(FileError::Locked(_))
        ));
        save(&mut first).expect("writable");
        assert!(matches!(
            files().lock_nodes_conf(),
            Err(FileError::Locked(_))
        ));
        drop(first);
        std::fs::write(format!("{path}.tmp-1-1"), b"va").expect("writable");
        let content = files().lock_nodes_conf().expect("free");
        assert_eq!(content.as_deref(), Some(&b"vars"[..]));
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("there").count(),
            1,
            "no leftovers"
        );
    }

    /// Proves PS-11, as 7.2 does it: who had the old file open still reads it whole, and a save
    /// that stops half-way leaves it in place.
    #[test]
    fn a_save_replaces_the_file_or_leaves_it_as_it_was() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("nodes.conf");
        let name = path.display().to_string();
        let mut files = Files::new(&name, "", "", AppendLog::new("", "", Sync::Never));
        std::fs::write(&path, "").expect("writable");
        files.lock_nodes_conf().expect("free");
        for durability in [Durability::Buffered, Durability::Synced] {
            // In place: the file is still the one that is locked.
            std::fs::write(&path, "the old content, which is longer").expect("writable");
            let mut old = File::open(&path).expect("there");
            files
                .persist(NodeFile::NodesConf, b"new", durability)
                .expect("writable");
            assert_eq!(std::fs::read(&path).expect("there"), b"new");
            let mut content = String::new();
            old.read_to_string(&mut content).expect("readable");
            assert_eq!(content, "the old content, which is longer");
        }
        // The next temporary file cannot be made.
        let temporary = format!("{name}.tmp-{}-3", std::process::id());
        std::fs::create_dir(temporary).expect("writable");
        let saved = files.persist(NodeFile::NodesConf, b"newer", Durability::Synced);
        assert!(saved.is_err());
        assert_eq!(std::fs::read(&path).expect("there"), b"new");
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
