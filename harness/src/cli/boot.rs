//! From a plan to a world whose cluster is up.
//!
//! Three steps, in this order: [`Ground::survey`] looks at the target while errors are still cheap,
//! [`enter`] goes into the sandbox (before any thread starts), [`boot`] starts the cluster.

use super::exit::{Exit, Failure};
use crate::plan::{Plan, WorldKind};
use crate::sandbox::{self, Entered, Isolation, Sandbox, Wanted};
use crate::store::RunFolder;
use crate::world::World;

/// What a run needs from the machine, looked up.
#[derive(Debug)]
pub struct Ground {}

impl Ground {
    /// Looks up the target.
    ///
    /// # Errors
    /// Unknown targets, missing binaries, binaries that are no server.
    pub fn survey(_plan: &Plan) -> Result<Ground, Failure> {
        Ok(Ground {})
    }
}

/// Where this process finds itself after [`enter`].
#[derive(Debug)]
pub enum Place {
    /// Here the runs happen.
    Here(Here),
    /// The runs have happened in another process, with this exit status.
    Elsewhere(Exit),
}

/// The place of the runs.
#[derive(Debug)]
pub enum Here {
    /// In virtual time: no place at all.
    Nowhere,
    /// The sandbox.
    Sandbox(Sandbox),
}

impl Here {
    /// What the user should know about the place.
    pub fn notice(&self) -> Option<String> {
        match self {
            Here::Nowhere => None,
            Here::Sandbox(sandbox) => match sandbox.isolation() {
                Isolation::Namespaces => None,
                Isolation::Plain { why } => Some(format!(
                    "plain loopback, without partitions and bus capture: {why}"
                )),
            },
        }
    }
}

/// Enters the sandbox if the plan's world needs one.
///
/// # Errors
/// When not even plain loopback can be had.
pub fn enter(plan: &Plan) -> Result<Place, Failure> {
    match plan.world {
        WorldKind::Sim => Ok(Place::Here(Here::Nowhere)),
        WorldKind::Local => match sandbox::enter(Wanted::Best).map_err(Failure::machine)? {
            Entered::Inside(sandbox) => Ok(Place::Here(Here::Sandbox(sandbox))),
            Entered::Outer(status) => Ok(Place::Elsewhere(Exit::of_status(status))),
        },
    }
}

/// Starts the cluster.
///
/// # Errors
/// When it does not come up.
pub fn boot(
    _plan: &Plan,
    _ground: &Ground,
    _here: &Here,
    _folder: &RunFolder,
) -> Result<Box<dyn World>, Failure> {
    Err(Failure::machine("no world yet"))
}
