//! A small disk for one node: a tmpfs of its own, that can be filled and freed.
//!
//! It goes with the mount namespace, whoever dies first. A full one refuses new blocks with
//! ENOSPC; what a file holds already can still be written over.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::{Isolation, Sandbox};

/// The disk.
#[derive(Debug)]
pub struct SmallDisk {
    ballast: PathBuf,
}

impl SmallDisk {
    /// Mounts it over a folder that it makes. None where there is no mount namespace.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn mount(sandbox: &Sandbox, folder: &Path) -> io::Result<Option<SmallDisk>> {
        match sandbox.isolation() {
            Isolation::Plain { .. } => return Ok(None),
            Isolation::Namespaces => {}
        }
        fs::create_dir_all(folder)?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let size = format!("mode=0700,size={SIZE_BYTES}");
        mount(
            Some("slotquake"),
            folder,
            Some("tmpfs"),
            flags,
            Some(size.as_str()),
        )?;
        Ok(Some(SmallDisk {
            ballast: folder.join(BALLAST),
        }))
    }

    /// Takes all the room that is left, until the kernel says that there is none.
    ///
    /// # Errors
    /// It cannot be written for another reason.
    pub fn fill(&mut self) -> io::Result<()> {
        let mut ballast = File::create(&self.ballast)?;
        let block = [0_u8; BLOCK_BYTES];
        for _ in 0..=SIZE_BYTES / BLOCK_BYTES {
            match ballast.write(&block) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("the small disk does not become full"))
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn free(&mut self) -> io::Result<()> {
        match fs::remove_file(&self.ballast) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

const BALLAST: &str = "ballast";
/// Room for a node's files in a run: nodes.conf, and an RDB file for a replica.
const SIZE_BYTES: usize = 32 << 20;
const BLOCK_BYTES: usize = 4096;
