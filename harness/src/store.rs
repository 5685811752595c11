//! The store: one folder for each run, and `latest`, a link to the newest.
//!
//! Everything is written for its name first and put in place whole, so that a reader never sees
//! half a verdict. Errors name the path and what to do.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use slotquake_checkers::recording::Recording;

use crate::plan::Plan;

/// The folder of all runs.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder cannot be made or written to.
    #[error(
        "the store {} cannot be written to ({cause}); choose another with --store DIR",
        path.display()
    )]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A file of a run cannot be written.
    #[error("{} cannot be written ({cause}); is the disk full?", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// There is no run yet.
    #[error("the store {} holds no run yet; `slotquake test` makes one", path.display())]
    Empty {
        /// Where.
        path: PathBuf,
    },
}

impl Store {
    /// Opens the store, making its folder if need be, and proves that it can be written to.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`].
    pub fn open(root: &Path) -> Result<Store, StoreError> {
        let unwritable = |cause| StoreError::Unwritable {
            path: root.to_path_buf(),
            cause,
        };
        fs::create_dir_all(root).map_err(unwritable)?;
        // Permission bits do not tell (read-only mounts, root): only a write does.
        tempfile::tempfile_in(root).map_err(unwritable)?;
        let root = fs::canonicalize(root).map_err(unwritable)?;
        Ok(Store { root })
    }

    /// Makes the folder of a run: `<UTC time>-<target>-<seed>`, with its plan.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(&self, plan: &Plan) -> Result<RunFolder, StoreError> {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let name = format!(
            "{}-{}-{}",
            utc(since.as_secs()),
            tame(&plan.target),
            plan.seed
        );
        for attempt in 1.. {
            let path = match attempt {
                1 => self.root.join(&name),
                more => self.root.join(format!("{name}-{more}")),
            };
            match fs::create_dir(&path) {
                Ok(()) => {
                    let folder = RunFolder { path };
                    folder.write_json("plan.json", plan)?;
                    return Ok(folder);
                }
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(StoreError::Unwritable { path, cause }),
            }
        }
        unreachable!("the loop only ends by returning")
    }

    /// Lets `latest` point to a run, in one step.
    ///
    /// # Errors
    /// When the link cannot be made.
    pub fn publish(&self, run: &RunFolder) -> Result<(), StoreError> {
        let fresh = self.root.join(format!(".latest-{}", std::process::id()));
        let target = run.path.file_name().map(Path::new).unwrap_or(&run.path);
        let _left_by_a_namesake = fs::remove_file(&fresh);
        std::os::unix::fs::symlink(target, &fresh)
            .and_then(|()| fs::rename(&fresh, self.root.join(LATEST)))
            .map_err(|cause| StoreError::File {
                path: self.root.join(LATEST),
                cause,
            })
    }
}

/// The newest run of a store that may not exist.
///
/// # Errors
/// [`StoreError::Empty`].
pub fn latest(root: &Path) -> Result<PathBuf, StoreError> {
    fs::canonicalize(root.join(LATEST)).map_err(|_| StoreError::Empty {
        path: root.to_path_buf(),
    })
}

impl RunFolder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder inside this one, for the run of another plan.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn within(&self, name: &str, plan: &Plan) -> Result<RunFolder, StoreError> {
        let path = self.path.join(name);
        fs::create_dir(&path).map_err(|cause| StoreError::Unwritable {
            path: path.clone(),
            cause,
        })?;
        let folder = RunFolder { path };
        folder.write_json("plan.json", plan)?;
        Ok(folder)
    }

    /// Writes the streams of a recording.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_recording(&self, recording: &Recording) -> Result<(), StoreError> {
        recording
            .write(|name| File::create(self.path.join(name)).map(BufWriter::new))
            .map_err(|cause| self.file_error("", cause))
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), StoreError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|error| self.file_error(name, error.into()))?;
        text.push('\n');
        self.write_text(name, &text)
    }

    /// Writes a file whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_text(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let fresh = self.path.join(format!(".{name}"));
        File::create(&fresh)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&fresh, self.path.join(name)))
            .map_err(|cause| self.file_error(name, cause))
    }

    /// Removes the run: one of many seeds that held.
    pub fn discard(self) {
        let _what_stays_is_harmless = fs::remove_dir_all(&self.path);
    }

    fn file_error(&self, name: &str, cause: io::Error) -> StoreError {
        StoreError::File {
            path: self.path.join(name),
            cause,
        }
    }
}

/// Seconds since 1970 as `20261122T021530Z`.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days are counted in years that begin in March, so that the leap day is the last one.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// A target as part of a file name: short, and nothing a shell or a file system minds.
fn tame(target: &str) -> String {
    let last = target
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let is_plain = |char: &char| char.is_ascii_alphanumeric() || "@.+-".contains(*char);
    let text: String = last
        .chars()
        .map(|char| if is_plain(&char) { char } else { '-' })
        .take(TARGET_CHARS_MAX)
        .collect();
    text.trim_start_matches(['.', '-']).to_string()
}

const LATEST: &str = "latest";
const TARGET_CHARS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(utc(0), "19700101T000000Z");
        assert_eq!(utc(951_782_400), "20000229T000000Z");
        assert_eq!(utc(1_795_312_930), "20261122T020210Z");
    }

    #[test]
    fn targets_become_plain_names() {
        assert_eq!(tame("/usr/bin/redis-server"), "redis-server");
        assert_eq!(
            tame("reference*3,redis@7.0.15*3"),
            "reference-3-redis@7.0.15-3"
        );
        assert_eq!(tame("../.."), "");
    }

    #[test]
    fn latest_follows_the_newest_run() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert!(latest(folder.path()).is_err());
        for _ in 0..2 {
            let run = store.create(&Plan::default()).unwrap();
            store.publish(&run).unwrap();
            assert_eq!(latest(folder.path()).unwrap(), run.path());
            assert!(run.path().join("plan.json").exists());
        }
    }
}
