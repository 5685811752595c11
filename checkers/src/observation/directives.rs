//! Directives of redis.conf that all nodes of a run were given beside those of the harness.
//!
//! `config` in plan.json and cluster.json. Names are as upstream has them today (`replica`, not
//! `slave`), in lower case; whoever reads them from people sees to that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Names with their values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Directives(BTreeMap<String, String>);

impl Directives {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets one; what it was before, if it was set.
    pub fn set(&mut self, name: &str, value: &str) -> Option<String> {
        self.0.insert(name.into(), value.into())
    }

    /// What was given for it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The number given for it, or what it is by default.
    pub fn number(&self, name: &str, default: u64) -> u64 {
        let given = self.get(name).and_then(|value| value.parse().ok());
        given.unwrap_or(default)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
