//! Which addresses cannot reach which, on which ports, as data; and putting it in force.
//!
//! A caller says which paths are to be cut from now on; the difference to what is cut already goes
//! to the kernel as one transaction. nf_tables over netlink does it with no program installed; the
//! `iptables` program stands in where the kernel has no nf_tables.

use std::collections::BTreeSet;

use super::iptables::Iptables;
use super::nft::Nft;
pub use super::path::Path;
use super::{Isolation, Sandbox};

/// Why addresses cannot be cut off from each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    /// There is no network of our own to cut in.
    #[error("no partitions on plain loopback: {0}")]
    NoNamespaces(String),
    /// No packet filter.
    #[error(
        "no nf_tables ({nft}) and iptables does not work ({iptables}); load the \
         module nf_tables, or: apt-get install iptables"
    )]
    NoFilter {
        /// What the kernel said.
        nft: String,
        /// What the programs said.
        iptables: String,
    },
    /// A change was refused.
    #[error("the packet filter refused the change: {0}")]
    Refused(String),
}

#[derive(Debug)]
enum Filter {
    Nft(Nft),
    Iptables(Iptables),
}

/// The cuts in force.
#[derive(Debug)]
pub struct Cuts {
    filter: Filter,
    in_force: BTreeSet<Path>,
}

impl Cuts {
    /// Prepares the packet filter of the sandbox. It goes with the sandbox.
    ///
    /// # Errors
    /// [`CutError::NoNamespaces`] and [`CutError::NoFilter`]: what is missing and the remedy.
    pub fn open(sandbox: &Sandbox) -> Result<Cuts, CutError> {
        within(sandbox)?;
        match Nft::open() {
            Ok(nft) => Ok(Cuts::new(Filter::Nft(nft))),
            Err(refusal) => Cuts::through_program(refusal.to_string()),
        }
    }

    /// The same by the `iptables` program, whatever the kernel has.
    ///
    /// # Errors
    /// [`CutError::NoNamespaces`] and [`CutError::NoFilter`]: what is missing and the remedy.
    pub fn by_program(sandbox: &Sandbox) -> Result<Cuts, CutError> {
        within(sandbox)?;
        Cuts::through_program("was not asked".to_owned())
    }

    fn through_program(nft: String) -> Result<Cuts, CutError> {
        let iptables = Iptables::open().map_err(|iptables| CutError::NoFilter { nft, iptables })?;
        Ok(Cuts::new(Filter::Iptables(iptables)))
    }

    fn new(filter: Filter) -> Cuts {
        Cuts {
            filter,
            in_force: BTreeSet::new(),
        }
    }

    /// Cuts exactly these paths from now on.
    ///
    /// # Errors
    /// [`CutError::Refused`]: the cuts are as they were.
    pub fn set(&mut self, wanted: &BTreeSet<Path>) -> Result<(), CutError> {
        let added: Vec<Path> = wanted.difference(&self.in_force).copied().collect();
        let removed: Vec<Path> = self.in_force.difference(wanted).copied().collect();
        match &self.filter {
            Filter::Nft(nft) => nft
                .change(&added, &removed)
                .map_err(|errno| errno.to_string()),
            Filter::Iptables(iptables) => iptables.change(&added, &removed),
        }
        .map_err(CutError::Refused)?;
        self.in_force.clone_from(wanted);
        Ok(())
    }
}

/// Only a network of our own is cut.
fn within(sandbox: &Sandbox) -> Result<(), CutError> {
    match sandbox.isolation() {
        Isolation::Namespaces => Ok(()),
        Isolation::Plain { why } => Err(CutError::NoNamespaces(why.to_string())),
    }
}
