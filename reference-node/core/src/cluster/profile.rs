//! Which node to be: the default, or one with the known weaknesses of upstream 7.0.
//!
//! The weaknesses are those of part C of the invariant catalogue and of the KW clauses; each place
//! that reproduces one asks [`Profile`] and cites the clause it departs from. Nothing else in the
//! node depends on the profile. On the wire only a spare bit of the header differs, and what nodes
//! that set it tell each other (SM-20); on disk nothing. `docs/weaknesses.md` lists them.

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

/// Every profile with its name in the directive.
const NAMES: [(Profile, &str); 2] = [
    (Profile::Reference, "default"),
    (Profile::Upstream70, "upstream-7.0"),
];

impl Profile {
    /// The profile that the settings ask for.
    pub fn of(config: &Config) -> Profile {
        let text = config.other.get(PROFILE_DIRECTIVE);
        text.and_then(|text| Profile::parse(text).ok())
            .unwrap_or_default()
    }

    /// Reads a value of the directive.
    ///
    /// # Errors
    /// The values there are.
    pub fn parse(text: &str) -> Result<Profile, String> {
        let mut named = NAMES.iter().filter(|(_, name)| *name == text);
        let profile = named.next().map(|(profile, _)| *profile);
        profile.ok_or_else(|| {
            let names = NAMES.map(|(_, name)| name).join(", ");
            format!("argument(s) must be one of the following: {names}")
        })
    }

    /// Its name in the directive.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Reference => "default",
            Profile::Upstream70 => "upstream-7.0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{set_at_start, value};

    #[test]
    fn the_directive_takes_the_names_of_profiles_and_nothing_else() {
        let mut config = Config::default();
        assert_eq!(Profile::of(&config), Profile::Reference);
        assert_eq!(value(&config, PROFILE_DIRECTIVE), Some("default".into()));
        for (profile, name) in NAMES {
            assert_eq!(profile.name(), name);
            assert_eq!(set_at_start(&mut config, PROFILE_DIRECTIVE, name), Ok(()));
            assert_eq!(Profile::of(&config), profile);
            assert_eq!(value(&config, PROFILE_DIRECTIVE), Some(name.into()));
        }
        assert!(set_at_start(&mut config, PROFILE_DIRECTIVE, "upstream-6.2").is_err());
    }
}
