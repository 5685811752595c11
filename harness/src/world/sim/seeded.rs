//! Seeded bugs in the simulated world: of its nodes, its clients and its hosts, by one name.
//!
//! Which one a run has stands in its plan. Without the cargo feature `mutants` there are none, and
//! a plan that asks for one is refused.

#[cfg(feature = "mutants")]
use slotquake_core::mutants::{Area, MUTANT_DIRECTIVE, MUTANTS};
use slotquake_workloads::client::mutants::Chosen;
#[cfg(feature = "mutants")]
use slotquake_workloads::client::mutants::{CLIENT_MUTANTS, ClientMutant};

use super::disk::{Delay, Left};
use crate::plan::Plan;

/// What is wrong in a run.
#[derive(Debug, Clone, Default)]
pub struct Bugs {
    /// What redis.conf of each node says besides.
    pub directive: Option<(String, String)>,
    /// What is wrong with the clients.
    pub client: Chosen,
    #[cfg(feature = "mutants")]
    host: Option<HostMutant>,
}

/// A bug of what carries out the node's outputs.
#[cfg(feature = "mutants")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HostMutant {
    WritesLate,
    WritesInPlace,
    RenameNotSynced,
}

/// The bugs of hosts: variant, name, mistake.
#[cfg(feature = "mutants")]
const HOST_MUTANTS: &[(HostMutant, &str, &str)] = &[
    (
        HostMutant::WritesLate,
        "writes-late",
        "each write to disk is put off until the next one",
    ),
    (
        HostMutant::WritesInPlace,
        "writes-in-place",
        "nodes.conf is written over the old one, so a crash may leave half of it",
    ),
    (
        HostMutant::RenameNotSynced,
        "rename-not-synced",
        "the directory of a new nodes.conf is not synced, so a crash may lose the file",
    ),
];

/// What there is to say about a seeded bug.
#[cfg(feature = "mutants")]
#[derive(Debug, Clone, Copy)]
pub struct SeededBug {
    /// Its name.
    pub name: &'static str,
    /// What it breaks.
    pub area: &'static str,
    /// The mistake, in one line.
    pub help: &'static str,
    home: Home,
}

#[cfg(feature = "mutants")]
#[derive(Debug, Clone, Copy)]
enum Home {
    Node,
    Client(ClientMutant),
    Host(HostMutant),
}

/// Every seeded bug there is.
#[cfg(feature = "mutants")]
pub fn all() -> Vec<SeededBug> {
    let of_nodes = MUTANTS.iter().map(|seeded| SeededBug {
        name: seeded.name,
        area: seeded.area.told(),
        help: seeded.help,
        home: Home::Node,
    });
    let of_hosts = HOST_MUTANTS.iter().map(|(mutant, name, help)| SeededBug {
        name,
        area: Area::Persistence.told(),
        help,
        home: Home::Host(*mutant),
    });
    let clients = CLIENT_MUTANTS.iter();
    let of_clients = clients.map(|(mutant, name, help)| SeededBug {
        name,
        area: Area::ClientProtocol.told(),
        help,
        home: Home::Client(*mutant),
    });
    of_nodes.chain(of_hosts).chain(of_clients).collect()
}

impl Bugs {
    /// Those of a plan.
    ///
    /// # Errors
    /// There is none of this name.
    #[cfg(feature = "mutants")]
    pub fn of(plan: &Plan) -> anyhow::Result<Bugs> {
        let mut bugs = Bugs::default();
        let Some(name) = &plan.mutant else {
            return Ok(bugs);
        };
        let known = all();
        let found = known.iter().find(|bug| bug.name == name);
        match found.map(|bug| bug.home) {
            Some(Home::Node) => bugs.directive = Some((MUTANT_DIRECTIVE.into(), name.clone())),
            Some(Home::Client(mutant)) => bugs.client = Chosen::one(mutant),
            Some(Home::Host(mutant)) => bugs.host = Some(mutant),
            None => anyhow::bail!("there is no mutant {name}; docs/mutants.md lists them"),
        }
        Ok(bugs)
    }

    /// Those of a plan: none.
    ///
    /// # Errors
    /// It asks for one.
    #[cfg(not(feature = "mutants"))]
    pub fn of(plan: &Plan) -> anyhow::Result<Bugs> {
        match &plan.mutant {
            None => Ok(Bugs::default()),
            Some(name) => anyhow::bail!(
                "the plan asks for the mutant {name}: build slotquake with --features mutants"
            ),
        }
    }

    /// When writes reach the disk.
    pub fn write_delay(&self) -> Delay {
        #[cfg(feature = "mutants")]
        if self.host == Some(HostMutant::WritesLate) {
            return Delay::UntilNext;
        }
        Delay::None
    }

    /// What a crash of the machine leaves of nodes.conf, if it is not whole.
    pub fn left_by_a_crash(&self) -> Option<Left> {
        #[cfg(feature = "mutants")]
        match self.host {
            Some(HostMutant::WritesInPlace) => return Some(Left::Half),
            Some(HostMutant::RenameNotSynced) => return Some(Left::Nothing),
            Some(HostMutant::WritesLate) | None => {}
        }
        None
    }
}
