//! What can be tested: our reference node, and real servers.
//!
//! [`resolve`] turns what the user wrote after `--target` into one [`Launch`] for each node, after
//! looking at each program once: what is unknown, missing or no server is found out here, before
//! anything starts. [`servers`] fetches real servers without root.

mod pairing;
mod probe;
pub mod servers;
pub mod spec;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use slotquake_checkers::observation::setting::Server;

pub use pairing::{PairingError, pair};
pub use probe::ProbeError;
pub use spec::SpecError;

use spec::Choice;

/// How to start the server of one node; the path of its redis.conf comes last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Arguments before the configuration file.
    pub arguments: Vec<OsString>,
    /// Folder of shared libraries the program needs.
    pub library_path: Option<PathBuf>,
    /// Arguments after the configuration file at a node's first start; later ones go without.
    pub first_start: Vec<OsString>,
    /// What it is.
    pub server: Server,
}

/// Why a target cannot be tested.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// What was written is no target. Bad input.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The program is not there or is no server. Bad input.
    #[error(transparent)]
    Program(#[from] ProbeError),
    /// A server that could be fetched, but was not and cannot be. The machine's fault.
    #[error(transparent)]
    Fetch(#[from] servers::FetchError),
}

/// Finds a server for each of so many nodes; fetches what can be fetched and is not there yet.
///
/// # Errors
/// [`TargetError::Spec`] and [`TargetError::Program`] are bad input; [`TargetError::Fetch`] is a
/// machine that lacks something.
pub fn resolve(target: &str, nodes: usize) -> Result<Vec<Launch>, TargetError> {
    let choices = spec::parse(target, nodes)?;
    let mut launches: Vec<Launch> = Vec::with_capacity(nodes);
    for (node, choice) in choices.iter().enumerate() {
        let same = choices[..node].iter().position(|earlier| earlier == choice);
        launches.push(match same {
            Some(earlier) => launches[earlier].clone(),
            None => launch(choice)?,
        });
    }
    Ok(launches)
}

fn launch(choice: &Choice) -> Result<Launch, TargetError> {
    match choice {
        Choice::Reference => {
            let program = std::env::current_exe().map_err(|error| ProbeError::Missing {
                program: "slotquake itself".into(),
                why: error.to_string(),
            })?;
            Ok(reference(program))
        }
        Choice::System => {
            let program = probe::find_in_path("redis-server")?;
            Ok(redis(&program, None)?)
        }
        Choice::Path(program) => {
            // Nodes run in folders of their own, where a relative path leads nowhere.
            let program = std::path::absolute(program).unwrap_or_else(|_| program.clone());
            Ok(redis(&program, None)?)
        }
        Choice::Known(known) => {
            let installed = servers::ensure(known)?;
            Ok(redis(&installed.program, installed.library_path)?)
        }
    }
}

/// Our own node, as a subcommand of this program.
pub fn reference(program: PathBuf) -> Launch {
    Launch {
        program,
        arguments: vec!["node".into()],
        library_path: None,
        // DEVIATION(ST-02): a fresh cluster has no old state to be afraid of; a restarted node does.
        first_start: vec!["--slotquake-writable-delay".into(), "0".into()],
        server: Server::Reference,
    }
}

/// A real server, which is asked for its version.
fn redis(program: &Path, library_path: Option<PathBuf>) -> Result<Launch, ProbeError> {
    let version = probe::version(program, library_path.as_deref())?;
    Ok(Launch {
        program: program.to_owned(),
        arguments: Vec::new(),
        library_path,
        first_start: Vec::new(),
        server: Server::Redis(version),
    })
}
