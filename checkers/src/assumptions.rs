//! What checks take for granted of the nodes' configuration.
//!
//! The catalogue's bounds and duties are those of the defaults. Where a run was given something
//! else (`config` in cluster.json), a check that depends on it does not judge, and says why.

use crate::observation::Directives;

/// Directives, what they are by default, and the checks that need them to be so.
const ASSUMED: &[(&str, &str, &[&str])] = &[
    ("cluster-allow-reads-when-down", "no", &["ST-03", "RD-07"]),
    (
        "cluster-allow-replica-migration",
        "yes",
        &["CF-07", "RP-02", "RP-03"],
    ),
    ("cluster-migration-barrier", "1", &["RP-02", "RP-03"]),
    ("cluster-replica-no-failover", "no", &["ST-05"]),
    ("cluster-replica-validity-factor", "10", &["ST-05", "VT-12"]),
    (
        "cluster-require-full-coverage",
        "yes",
        &["ST-01", "ST-03", "RD-07"],
    ),
    ("repl-ping-replica-period", "10", &["VT-12"]),
    ("slotquake-writable-delay", "", &["ST-04"]),
];

/// Why a check does not judge nodes with these directives, if it does not.
pub fn broken(check: &str, given: &Directives) -> Option<String> {
    let of_check = ASSUMED.iter().filter(|(_, _, ids)| ids.contains(&check));
    let mut differing = of_check.filter_map(|(name, assumed, _)| {
        let value = given.get(name).filter(|value| value != assumed)?;
        Some(format!("judged with {name} as by default, not {value}"))
    });
    differing.next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::CHECKERS;

    #[test]
    fn only_what_differs_from_the_default_keeps_a_check_from_judging() {
        let mut given = Directives::default();
        given.set("cluster-migration-barrier", "1");
        assert_eq!(broken("RP-02", &given), None);
        given.set("cluster-migration-barrier", "2");
        let why = "judged with cluster-migration-barrier as by default, not 2";
        assert_eq!(broken("RP-02", &given).as_deref(), Some(why));
        assert_eq!(broken("RP-01", &given), None);
    }

    #[test]
    fn every_assumption_is_one_of_a_check_that_exists() {
        let named = ASSUMED.iter().flat_map(|(_, _, ids)| *ids);
        for id in named {
            assert!(CHECKERS.iter().any(|entry| entry.id == *id), "{id}");
        }
    }
}
