//! Calls the harness as a user would.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Plays upstream's weakness VT-08, which breaks with any seed.
pub const WEAK: [&str; 6] = [
    "--profile",
    "upstream-7.0",
    "--scenario",
    "double-manual-failover",
    "--seed",
    "3",
];

/// The harness's binary; `path` is `env!("CARGO_BIN_EXE_slotquake-under-test")` of the test.
#[derive(Debug, Clone, Copy)]
pub struct Harness<'a> {
    /// Where the binary is.
    pub path: &'a str,
}

/// What a call left.
#[derive(Debug)]
pub struct Called {
    /// Exit status.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Harness<'_> {
    /// Calls it with these arguments in this folder, and waits for its end.
    pub fn call(&self, folder: &Path, arguments: &[&str]) -> Called {
        let output = self
            .command(folder, arguments)
            .output()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", self.path));
        Called::from(output)
    }

    /// Calls the command that was printed, as a shell would, with more arguments behind it.
    pub fn call_printed(&self, folder: &Path, command: &str, more: &[&str]) -> Called {
        let mut words = command.split(' ');
        assert_eq!(words.next(), Some("slotquake"), "{command}");
        let arguments: Vec<&str> = words.chain(more.iter().copied()).collect();
        self.call(folder, &arguments)
    }

    /// The command that calls it, to be started by the test.
    pub fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path);
        command
            .args(arguments)
            .current_dir(folder)
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        command
    }
}

impl From<Output> for Called {
    fn from(output: Output) -> Called {
        Called {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Called {
    /// What it printed, as the one JSON object that it must be.
    pub fn object(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Panics unless the call ended as bad input should: status 2, nothing on stdout, and one
    /// line on stderr that has all of these words.
    pub fn assert_bad_input(&self, words: &[&str]) {
        assert_eq!(self.status, 2, "bad input ends in 2: {self:?}");
        assert_eq!(self.stdout, "", "bad input prints nothing on stdout");
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "one clear line on stderr: {}", self.stderr);
        for word in words {
            assert!(
                lines[0].contains(word),
                "{word:?} is not named in: {}",
                lines[0]
            );
        }
    }
}
