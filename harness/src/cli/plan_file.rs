//! A plan given as a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::exit::Failure;
use crate::plan::{Plan, file};

/// Reads a plan file.
///
/// # Errors
/// It cannot be read, or is no possible plan: the file, the line, the field and why.
pub fn read(path: &Path) -> Result<Plan, Failure> {
    let refuse = |why: String| Failure::bad_input(format!("{}: {why}", path.display()));
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|error| refuse(format!("cannot be read ({error})")))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(refuse(format!("more than {BYTES_MAX} bytes are no plan")));
    }
    file::read(&text).map_err(|problem| refuse(problem.to_string()))
}

/// Longest plan file.
const BYTES_MAX: u64 = 16 << 20;
