//! Seeded bugs: mistakes that a good engineer makes, put in on purpose to prove the checkers.
//!
//! A node has at most one, chosen by the directive `slotquake-mutant NAME`, so that it is an input
//! like any other and several can run side by side. One named like a clause switches the rule of
//! that name off in its rule table; any other alters one decision, at a point that asks
//! [`Chosen::is`]. Without the cargo feature `mutants` there is no directive, [`Chosen`] has no
//! size, and every question is answered "no" at compile time.

mod registry;

pub use registry::{MUTANTS, Mutant};

/// Directive that chooses one; known only with the feature `mutants`.
pub const MUTANT_DIRECTIVE: &str = "slotquake-mutant";

/// The part of the protocol that a mutant breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Area {
    Votes,
    FailureDetection,
    Claims,
    State,
    ManualFailover,
    ReplicaMigration,
    SlotMigration,
    Replication,
    Persistence,
    Redirections,
    Keyspace,
    ClientProtocol,
}

impl Area {
    /// As tables name it.
    pub fn told(self) -> &'static str {
        match self {
            Area::Votes => "votes and epochs",
            Area::FailureDetection => "failure detection",
            Area::Claims => "claims",
            Area::State => "cluster state",
            Area::ManualFailover => "manual failover",
            Area::ReplicaMigration => "replica migration",
            Area::SlotMigration => "slot migration",
            Area::Replication => "replication and offsets",
            Area::Persistence => "persistence",
            Area::Redirections => "redirections",
            Area::Keyspace => "keys and messages",
            Area::ClientProtocol => "client protocol",
        }
    }
}

/// What there is to say about a mutant.
#[derive(Debug, Clone, Copy)]
pub struct Seeded {
    /// Which.
    pub mutant: Mutant,
    /// Its name: that of a clause, or a few words.
    pub name: &'static str,
    /// What it breaks.
    pub area: Area,
    /// The mistake, in one line.
    pub help: &'static str,
}

/// The mutant of a node, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chosen {
    #[cfg(feature = "mutants")]
    mutant: Option<Mutant>,
}

#[cfg(feature = "mutants")]
impl Chosen {
    /// The mutant of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn parse(name: &str) -> Result<Chosen, String> {
        if name.is_empty() {
            return Ok(Chosen::default());
        }
        let found = MUTANTS.iter().find(|seeded| seeded.name == name);
        let mutant = found.map(|seeded| seeded.mutant);
        match mutant {
            Some(_) => Ok(Chosen { mutant }),
            None => Err(format!("there is no mutant {name}")),
        }
    }

    /// Its name; empty if there is none.
    pub fn name(self) -> &'static str {
        self.mutant.map_or("", |mutant| mutant.seeded().name)
    }

    /// Whether the node has this bug.
    #[inline]
    pub fn is(self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Whether the rules of this clause are off.
    #[inline]
    pub fn skips(self, clause: &str) -> bool {
        self.mutant
            .is_some_and(|mutant| mutant.seeded().name == clause)
    }
}

#[cfg(not(feature = "mutants"))]
impl Chosen {
    /// No.
    #[inline(always)]
    pub fn is(self, _: Mutant) -> bool {
        false
    }

    /// No.
    #[inline(always)]
    pub fn skips(self, _: &str) -> bool {
        false
    }
}

impl Mutant {
    /// What there is to say about it.
    pub fn seeded(self) -> &'static Seeded {
        // The registry makes both lists from one, in one order.
        &MUTANTS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_mutant_finds_itself() {
        let names: BTreeSet<&str> = MUTANTS.iter().map(|seeded| seeded.name).collect();
        assert_eq!(names.len(), MUTANTS.len());
        for seeded in MUTANTS {
            assert_eq!(seeded.mutant.seeded().name, seeded.name);
            assert!(seeded.help.len() > 20, "{} says too little", seeded.name);
        }
    }

    #[cfg(not(feature = "mutants"))]
    #[test]
    fn without_the_feature_a_mutant_takes_no_room_and_has_no_directive() {
        assert_eq!(size_of::<Chosen>(), 0);
        let mut config = crate::config::Config::default();
        let set = crate::config::set_at_start(&mut config, MUTANT_DIRECTIVE, "VO-01");
        assert!(set.is_err(), "{set:?}");
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn the_directive_takes_the_name_of_a_mutant_and_nothing_else() {
        let mut config = crate::config::Config::default();
        let mut set = |name| crate::config::set_at_start(&mut config, MUTANT_DIRECTIVE, name);
        assert!(set("no-such-mutant").is_err());
        assert_eq!(set("VO-01"), Ok(()));
        assert!(config.mutant.skips("VO-01") && config.mutant.is(Mutant::AnybodyVotes));
        assert!(!config.mutant.skips("VO-02"));
    }
}
