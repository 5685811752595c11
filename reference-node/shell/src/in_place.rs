//! How upstream up to 7.0 writes nodes.conf: over the old content, in the same file.
//!
//! Only for the profile that has upstream's weaknesses (DU-01 of part C): whatever ends the process
//! or the write in the middle leaves a file that is neither the old nor the new one. Clause: PS-11.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::Path;

use slotquake_core::output::Durability;

/// Writes the content over the old one; gives the file, which is new if there was none.
///
/// # Errors
/// The system refuses, or takes only a part: then the file is torn.
pub fn rewrite(path: &Path, content: &[u8], durability: Durability) -> Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let old_length = file.metadata()?.len();
    // PS-11: one write, padded with line feeds to the old length; what is too long is cut off last.
    let mut padded = content.to_vec();
    let length = padded
        .len()
        .max(usize::try_from(old_length).unwrap_or(padded.len()));
    padded.resize(length, b'\n');
    let written = file.write(&padded)?;
    if written < padded.len() {
        let why = format!("only {written} of {} bytes were taken", padded.len());
        return Err(Error::new(ErrorKind::WriteZero, why));
    }
    match durability {
        Durability::Buffered => {}
        Durability::Synced => file.sync_data()?,
    }
    file.set_len(content.len() as u64)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves PS-11 for the profile upstream-7.0.
    #[test]
    fn the_same_file_holds_the_new_content() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("nodes.conf");
        rewrite(&path, b"the first content", Durability::Synced).expect("writable");
        let before = std::fs::metadata(&path).expect("there").ino();
        rewrite(&path, b"shorter", Durability::Buffered).expect("writable");
        assert_eq!(std::fs::read(&path).expect("there"), b"shorter");
        assert_eq!(std::fs::metadata(&path).expect("there").ino(), before);
    }
}
