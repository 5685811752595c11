//! Directives against the CF clauses: names, defaults, and when they may change.

use super::*;

/// Every directive of a CF clause: its default, another value, and when it may be set.
const DIRECTIVES: &str = include_str!("directives.txt");

/// Proves CF-02, CF-03, CF-04, CF-05, CF-06, CF-07, CF-08, CF-09, CF-10, CF-11, CF-12, CF-13,
/// CF-14, CF-16, CF-17 and CF-20: the defaults, and what CONFIG SET may change.
#[test]
fn directives_have_upstreams_defaults_and_moments() {
    let lines = DIRECTIVES.lines().filter(|line| !line.starts_with('#'));
    let mut examined = 0;
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, moment, default, other] = words[..] else {
            panic!("four words expected: {line}");
        };
        let default = default.trim_matches('"');
        let mut config = Config::default();
        assert_eq!(value(&config, name).as_deref(), Some(default), "{line}");
        let set = set_at_runtime(&mut config, name, other);
        let expected = match moment {
            "runtime" => (Ok(()), other),
            _ => (Err(SetError::Fixed), default),
        };
        assert_eq!(
            (set, value(&config, name).as_deref()),
            (expected.0, Some(expected.1)),
            "{line}"
        );
        assert_eq!(set_at_start(&mut config, name, other), Ok(()), "{line}");
        assert_eq!(value(&config, name).as_deref(), Some(other), "{line}");
        examined += 1;
    }
    assert_eq!(examined, 28);
}

/// Proves CF-14, CF-16: what is no value for them.
#[test]
fn names_and_kinds_of_endpoints_are_checked() {
    let mut config = Config::default();
    let long = "a".repeat(256);
    let cases = [
        (
            "cluster-announce-hostname",
            "a_b",
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ),
        (
            "cluster-announce-hostname",
            &long,
            "Hostnames must be less than 256 characters",
        ),
        (
            "cluster-preferred-endpoint-type",
            "port",
            "argument(s) must be one of the following: ip, hostname, unknown-endpoint",
        ),
    ];
    for (name, text, reason) in cases {
        let refused = Err(SetError::Invalid(reason.into()));
        assert_eq!(set_at_runtime(&mut config, name, text), refused);
    }
    assert_eq!(
        set_at_runtime(&mut config, "cluster-announce-hostname", &long[1..]),
        Ok(())
    );
}

/// Proves CF-15 and CF-18: known by name, as in 7.2 and later.
#[test]
fn directives_of_later_versions_can_be_given() {
    let mut config = Config::default();
    for (name, text) in [
        ("cluster-announce-human-nodename", "me"),
        ("cluster-ping-interval", "9"),
    ] {
        assert_eq!(set_at_runtime(&mut config, name, text), Ok(()));
        assert_eq!(value(&config, name).as_deref(), Some(text));
    }
}

/// Proves BUS-01: ten thousand above the client port, unless another one is set.
#[test]
fn the_bus_port_follows_the_client_port_unless_it_is_set() {
    for (port, cluster_port, expected) in [(7000, 0, 17_000), (55_535, 0, 65_535), (7000, 1, 1)] {
        let config = Config {
            port,
            cluster_port,
            ..Config::default()
        };
        assert_eq!(config.bus_port(), expected);
    }
}
