//! Which node to be: the reference, or one with the known weaknesses of upstream 7.0.
//!
//! The weaknesses are those of part C of the invariant catalogue and of the KW clauses; each place
//! that reproduces one asks [`Profile`] and cites the clause it departs from. Nothing else in the
//! node depends on the profile, and the bytes on the wire and on disk are the same in both.

use crate::config::Config;

/// Directive that selects a profile; ours, unknown to upstream.
pub const PROFILE_DIRECTIVE: &str = "slotquake-profile";

/// Which known weaknesses the node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// None.
    #[default]
    Reference,
    /// Those of redis-server 7.0.
    Upstream70,
}

impl Profile {
    /// The profile that the settings ask for.
    pub fn of(config: &Config) -> Profile {
        match config.other.get(PROFILE_DIRECTIVE).map(String::as_str) {
            Some("upstream-7.0") => Profile::Upstream70,
            Some(_) | None => Profile::Reference,
        }
    }
}
