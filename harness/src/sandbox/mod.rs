//! A place where a cluster can be broken without root and without leaving anything behind.
//!
//! ```text
//! slotquake (outer)   waits, forwards signals, passes the exit status on
//!   └─ keeper         in its own user, network and mount namespaces
//!        └─ inside    init of its own pid namespace: the harness and, below it, the nodes
//! ```
//! Whoever kills the outer process, even with SIGKILL, ends the whole tree: each level dies with
//! the one above, and with init the kernel removes processes, network, packet filter and tmpfs.
//! Where the kernel forbids namespaces, [`Isolation::Plain`] says why and what would help; the run
//! then uses plain loopback, has no partitions, and a guard process removes the temporary folder.
//! Rooms: [`cuts`] (who may not talk to whom), [`disk`] (one without room), [`probe`] (is
//! it so), [`stop`] (asked to end).

pub mod cuts;
pub mod disk;
mod error;
mod iptables;
mod loopback;
mod namespaces;
mod netlink;
mod nft;
mod path;
pub mod probe;
mod scratch;
pub mod stop;
mod supervisor;

use std::path::Path;

pub use error::{SandboxError, Step};
use scratch::Scratch;

/// How much separation a run asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Namespaces if this machine has them, else plain loopback.
    Best,
    /// Plain loopback.
    Plain,
}

/// What [`enter`] came back as: it returns in two processes.
#[derive(Debug)]
pub enum Entered {
    /// This is the harness; go on with the run.
    Inside(Sandbox),
    /// The run is over and this is the process that waited for it; exit with this status.
    Outer(u8),
}

/// How well a run is separated from its machine.
#[derive(Debug)]
pub enum Isolation {
    /// Own user, network, mount and pid namespaces.
    Namespaces,
    /// Plain loopback of the machine: no partitions, no bus tap.
    Plain {
        /// Why there are no namespaces; its text includes the remedy.
        why: SandboxError,
    },
}

/// The place; it lasts as long as the process.
#[derive(Debug)]
pub struct Sandbox {
    isolation: Isolation,
    scratch: Scratch,
}

impl Sandbox {
    /// How well the run is separated.
    pub fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    /// A folder for the nodes: a tmpfs that only this run sees, or a temporary folder.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }
}

/// Enters the sandbox: forks, and returns [`Entered::Inside`] in the new init and
/// [`Entered::Outer`], once all is over, in the caller. Call it before any thread starts.
///
/// # Errors
/// When threads run already, or when not even plain loopback can be had (no temporary folder).
pub fn enter(wanted: Wanted) -> Result<Entered, SandboxError> {
    namespaces::refuse_threads()?;
    let attempt = match wanted {
        Wanted::Best => namespaces::enter()?,
        Wanted::Plain => namespaces::Attempt::Refused(SandboxError::NotWanted),
    };
    match attempt {
        namespaces::Attempt::Inside => Ok(Entered::Inside(Sandbox {
            isolation: Isolation::Namespaces,
            scratch: Scratch::mounted(),
        })),
        namespaces::Attempt::Outer(status) => Ok(Entered::Outer(status)),
        namespaces::Attempt::Refused(why) => {
            let scratch = Scratch::guarded()?;
            stop::watch();
            Ok(Entered::Inside(Sandbox {
                isolation: Isolation::Plain { why },
                scratch,
            }))
        }
    }
}
