//! From a plan to a world whose cluster is up.
//!
//! Three steps, in this order: [`Ground::survey`] looks at the target while errors are still cheap,
//! [`enter`] goes into the sandbox (before any thread starts), [`boot`] starts the cluster.

use super::exit::{Exit, Failure};
use crate::plan::{Plan, Profile, WorldKind};
use crate::sandbox::{self, Entered, Isolation, Sandbox, Wanted};
use crate::store::RunFolder;
use crate::target::spec::{self, Choice};
use crate::target::{self, Launch, TargetError};
use crate::world::World;
use crate::world::local::{BootError, LocalOptions, LocalWorld};
use crate::world::sim::{SimWorld, try_directives};

/// What a run needs from the machine, looked up.
#[derive(Debug)]
pub struct Ground {
    /// How to start the server of each node; none for virtual time.
    launches: Vec<Launch>,
}

impl Ground {
    /// Looks up the target.
    ///
    /// # Errors
    /// Unknown targets, missing binaries, binaries that are no server; servers that cannot be
    /// fetched.
    pub fn survey(plan: &Plan) -> Result<Ground, Failure> {
        refuse_idle_profile(plan)?;
        match plan.world {
            WorldKind::Sim if plan.target != "reference" => Err(Failure::bad_input(format!(
                "the simulated world runs the reference node only, not {:?}: leave out --target, \
                 or --world sim",
                plan.target
            ))),
            WorldKind::Sim => {
                try_directives(&plan.config).map_err(Failure::bad_input)?;
                Ok(Ground {
                    launches: Vec::new(),
                })
            }
            WorldKind::Local => {
                let launches = target::resolve(&plan.target, plan.node_count() as usize);
                let launches = launches.map_err(|error| match error {
                    TargetError::Spec(_) | TargetError::Program(_) => Failure::bad_input(error),
                    TargetError::Fetch(_) => Failure::machine(error),
                })?;
                target::pair(launches, usize::from(plan.masters))
                    .map(|launches| Ground { launches })
                    .map_err(Failure::bad_input)
            }
        }
    }
}

/// A profile is one of the reference node: where there is none, it would do nothing in silence.
fn refuse_idle_profile(plan: &Plan) -> Result<(), Failure> {
    if plan.profile == Profile::Default {
        return Ok(());
    }
    let dealt = spec::parse(&plan.target, plan.node_count() as usize);
    match dealt
        .map_err(Failure::bad_input)?
        .contains(&Choice::Reference)
    {
        true => Ok(()),
        false => Err(Failure::bad_input(format!(
            "--profile {} is for reference nodes, and target {} has none: leave it out, or give \
             --target reference",
            plan.profile.name(),
            plan.target
        ))),
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
    plan: &Plan,
    ground: &Ground,
    here: &Here,
    folder: &RunFolder,
) -> Result<Box<dyn World>, Failure> {
    match here {
        Here::Nowhere => {
            let world = SimWorld::boot(plan).map_err(|error| Failure::machine(chain(&error)))?;
            Ok(Box::new(world))
        }
        Here::Sandbox(sandbox) => {
            let world = LocalWorld::boot(LocalOptions {
                plan,
                launches: ground.launches.clone(),
                artefacts: folder.path().to_path_buf(),
                sandbox,
            });
            Ok(Box::new(world.map_err(boot_failure)?))
        }
    }
}

/// Ports in use and bad directives are the caller's to change; all else is the machine's.
fn boot_failure(error: BootError) -> Failure {
    match error {
        BootError::PortInUse { .. } | BootError::NoPorts(_) => Failure::bad_input(error),
        BootError::Died { .. } if error.to_string().contains(BAD_CONFIG) => {
            Failure::bad_input(format!(
                "the server refuses its redis.conf; a directive of --config may not exist in \
                     this version: {error}"
            ))
        }
        BootError::Launches { .. }
        | BootError::Write { .. }
        | BootError::Start { .. }
        | BootError::Died { .. }
        | BootError::Interrupted
        | BootError::NeverOk { .. } => Failure::machine(error),
    }
}

/// What servers log of a redis.conf that they refuse.
const BAD_CONFIG: &str = "FATAL CONFIG FILE ERROR";

/// An error with its causes, on one line.
fn chain(error: &anyhow::Error) -> String {
    format!("{error:#}")
}
