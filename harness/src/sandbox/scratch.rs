//! The folder the nodes live in, and its end.
//!
//! In the namespaces it is a tmpfs, mounted over a folder that hides nothing anyone needs; it goes
//! with the mount namespace. On plain loopback it is a temporary folder, removed when the run ends
//! and, should the harness be killed, by a guard process that waits for just that.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe2, read, setsid};

use super::error::{SandboxError, Step};
use super::supervisor;

/// The folder; dropping it removes it.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    /// The guard waits for this end to close; none in the namespaces.
    guard: Option<std::os::fd::OwnedFd>,
}

impl Scratch {
    /// The tmpfs that [`mount_tmpfs`] has made.
    pub(super) fn mounted() -> Scratch {
        Scratch {
            path: PathBuf::from(MOUNT_POINT),
            guard: None,
        }
    }

    /// A temporary folder with its guard process. Forks, so no thread may run yet.
    pub(super) fn guarded() -> Result<Scratch, SandboxError> {
        let path = tempfile::Builder::new()
            .prefix("slotquake-")
            .tempdir()
            .map_err(|error| SandboxError::NoScratch(error.to_string()))?
            .keep();
        let forked = |errno| SandboxError::Refused {
            step: Step::Fork,
            errno,
        };
        let (life_in, life_out) = pipe2(OFlag::O_CLOEXEC).map_err(forked)?;
        // SAFETY: the caller has checked that this process has no other thread.
        match unsafe { fork() }.map_err(forked)? {
            ForkResult::Child => {
                drop(life_out);
                guard(&life_in, &path)
            }
            ForkResult::Parent { .. } => Ok(Scratch {
                path,
                guard: Some(life_out),
            }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.guard.is_some() {
            remove(&self.path);
        }
    }
}

/// Mounts the tmpfs of [`Scratch::mounted`] in the own mount namespace.
pub(super) fn mount_tmpfs() -> Result<(), Errno> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(
        Some("slotquake"),
        MOUNT_POINT,
        Some("tmpfs"),
        flags,
        Some("mode=0700"),
    )
}

/// Waits until the harness is gone, however it went, and removes its folder.
fn guard(life: &std::os::fd::OwnedFd, path: &Path) -> ! {
    // None of these can make the guard useless when they fail.
    let _own_session = setsid();
    for ignored in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: ignoring a signal runs no code of ours.
        let _before = unsafe { signal(ignored, SigHandler::SigIgn) };
    }
    if let Ok(null) = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
    {
        let _stdio = (dup2_stdin(&null), dup2_stdout(&null), dup2_stderr(&null));
    }
    while read(life, &mut [0_u8; 8]).is_err_and(|errno| errno == Errno::EINTR) {}
    remove(path);
    supervisor::exit_now(0)
}

/// Removes the folder; nodes that are just dying may still write into it, hence the attempts.
fn remove(path: &Path) {
    for _attempt in 0..50 {
        if fs::remove_dir_all(path).is_ok() || !path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every Linux has `/sys`, no store or server lies below it, and servers only read hints there.
const MOUNT_POINT: &str = "/sys";
