//! Running the programs that fetch and unpack.
//!
//! A missing program and a failed one become one line each, with the remedy.

use std::io;
use std::process::{Command, Stdio};

use super::FetchError;

/// A program, and what to do when it is missing or fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tool {
    pub(super) server: &'static str,
    pub(super) program: &'static str,
    pub(super) remedy: &'static str,
}

impl Tool {
    /// Runs it; gives its standard output.
    pub(super) fn run(
        self,
        prepare: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<String, FetchError> {
        let mut command = Command::new(self.program);
        prepare(&mut command)
            .stdin(Stdio::null())
            .env("LC_ALL", "C");
        let output = command.output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FetchError::ToolMissing {
                server: self.server,
                tool: self.program,
                remedy: self.remedy,
            },
            _ => self.failed(&error.to_string()),
        })?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(self.failed(&String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// The failure, told by the last line of what the program said.
    pub(super) fn failed(self, said: &str) -> FetchError {
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        FetchError::ToolFailed {
            server: self.server,
            tool: self.program,
            said: last.unwrap_or_default().trim().to_owned(),
            remedy: self.remedy,
        }
    }
}
