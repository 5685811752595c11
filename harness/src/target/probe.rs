//! What a program is, by running it with `--version`: the only proof that it is a server that works
//! here, libraries included. The run has a time limit, because a program that is no server may do
//! anything, also wait for input.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Why a program cannot be the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// It is not there, or cannot be started.
    #[error("cannot run {program}: {why}")]
    Missing {
        /// As given.
        program: String,
        /// What the system said.
        why: String,
    },
    /// `redis-server` is not installed.
    #[error(
        "no {0} in PATH; install Debian's redis-server, or use --target redis@7.0.15, which is \
         fetched"
    )]
    NotInPath(&'static str),
    /// It runs and is something else.
    #[error("{program} is no redis-server: asked for --version it said {said:?}")]
    NotAServer {
        /// As given.
        program: String,
        /// The first line, or what went wrong.
        said: String,
    },
}

/// The version of a server program.
pub(super) fn version(program: &Path, library_path: Option<&Path>) -> Result<String, ProbeError> {
    let shown = program.display().to_string();
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(path) = library_path {
        command.env("LD_LIBRARY_PATH", path);
    }
    let missing = |error: std::io::Error| ProbeError::Missing {
        program: shown.clone(),
        why: error.to_string(),
    };
    let mut child = command.spawn().map_err(missing)?;
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().map_err(missing)?.is_none() {
        if Instant::now() > deadline {
            // It may have ended between the two calls.
            let _gone = child.kill();
            child.wait().map_err(missing)?;
            let said = format!("nothing within {} s", PATIENCE.as_secs());
            return Err(ProbeError::NotAServer {
                program: shown,
                said,
            });
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut said = Vec::new();
    if let Some(out) = child.stdout.take() {
        out.take(4096).read_to_end(&mut said).map_err(missing)?;
    }
    if said.is_empty()
        && let Some(out) = child.stderr.take()
    {
        out.take(4096).read_to_end(&mut said).map_err(missing)?;
    }
    let said = String::from_utf8_lossy(&said);
    parse_version(&said).ok_or_else(|| ProbeError::NotAServer {
        program: shown,
        said: said
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(80)
            .collect(),
    })
}

/// `Redis server v=7.0.15 sha=…`, or the same with another server's name.
fn parse_version(said: &str) -> Option<String> {
    let line = said.lines().find(|line| line.contains(" server v="))?;
    let version = line.split(" server v=").nth(1)?.split_whitespace().next()?;
    let is_version = version.starts_with(|first: char| first.is_ascii_digit());
    is_version.then(|| version.to_owned())
}

/// Finds a program as the shell would.
pub(super) fn find_in_path(program: &'static str) -> Result<PathBuf, ProbeError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or(ProbeError::NotInPath(program))
}

const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_a_server_prints() {
        let said = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64\n";
        assert_eq!(parse_version(said), Some("7.0.15".to_owned()));
    }

    #[test]
    fn a_program_that_is_no_server_is_named_with_what_it_said() {
        let refusal = version(Path::new("/bin/true"), None).expect_err("true is no server");
        assert!(
            matches!(refusal, ProbeError::NotAServer { .. }),
            "{refusal}"
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let refusal = version(Path::new("/nowhere/redis-server"), None).expect_err("not there");
        assert!(
            refusal.to_string().contains("/nowhere/redis-server"),
            "{refusal}"
        );
    }
}
