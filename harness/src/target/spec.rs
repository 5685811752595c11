//! What may stand after `--target`. Pure.
//!
//! `reference`, `redis@7.0.15`, `redis@system`, a path, or a mix of these: `a*3,b*3` gives three
//! nodes to each, `a,b` shares the nodes out evenly. Both kinds are dealt in turn, so that each of
//! them has masters and replicas.

use std::path::PathBuf;

use super::servers::{KNOWN, Known};

/// A server that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Our own node.
    Reference,
    /// The `redis-server` of the machine.
    System,
    /// A program.
    Path(PathBuf),
    /// One that can be fetched.
    Known(&'static Known),
}

/// Why a text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not a name we know, and no path.
    #[error("unknown target {0:?}; known: {known}, /path/to/redis-server", known = known_names())]
    Unknown(String),
    /// A count that is no positive number.
    #[error("{0:?} is no count of nodes in target {1:?}")]
    Count(String, String),
    /// The counts do not match the cluster.
    #[error("target {target:?} is for {counted} nodes, but the cluster has {nodes}")]
    Sum {
        /// As written.
        target: String,
        /// Sum of the counts.
        counted: usize,
        /// Nodes of the cluster.
        nodes: usize,
    },
    /// Counts for some, none for others.
    #[error("in a mix either all parts have a count or none: {0:?}")]
    HalfCounted(String),
}

fn known_names() -> String {
    let fetched = KNOWN.iter().map(|known| known.name);
    ["reference", "redis@system"]
        .into_iter()
        .chain(fetched)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The server of each node.
///
/// # Errors
/// Unknown names, and counts that do not match.
pub fn parse(target: &str, nodes: usize) -> Result<Vec<Choice>, SpecError> {
    let mut parts: Vec<(Choice, Option<usize>)> = Vec::new();
    for part in target.split(',').map(str::trim) {
        let (name, count) = match part.rsplit_once('*') {
            None => (part, None),
            Some((name, count)) => match count.parse() {
                Ok(count) if count > 0 => (name, Some(count)),
                Ok(_) | Err(_) => return Err(SpecError::Count(count.into(), target.into())),
            },
        };
        parts.push((choice(name)?, count));
    }
    let counts: Vec<usize> = parts.iter().filter_map(|(_, count)| *count).collect();
    if counts.is_empty() {
        let names = parts.iter().map(|(choice, _)| choice.clone());
        return Ok(names.cycle().take(nodes).collect());
    }
    if counts.len() < parts.len() {
        return Err(SpecError::HalfCounted(target.into()));
    }
    let counted = counts.iter().sum();
    if counted != nodes {
        return Err(SpecError::Sum {
            target: target.into(),
            counted,
            nodes,
        });
    }
    let mut left = counts;
    let mut dealt = Vec::with_capacity(nodes);
    while dealt.len() < nodes {
        for ((choice, _), left) in parts.iter().zip(&mut left) {
            if *left > 0 {
                *left -= 1;
                dealt.push(choice.clone());
            }
        }
    }
    Ok(dealt)
}

fn choice(name: &str) -> Result<Choice, SpecError> {
    match name {
        "reference" => Ok(Choice::Reference),
        "redis@system" => Ok(Choice::System),
        path if path.contains('/') => Ok(Choice::Path(PathBuf::from(path))),
        name => match KNOWN.iter().find(|known| known.name == name) {
            Some(known) => Ok(Choice::Known(known)),
            None => Err(SpecError::Unknown(name.into())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_target_is_every_node() {
        assert_eq!(parse("reference", 3), Ok(vec![Choice::Reference; 3]));
    }

    #[test]
    fn a_mix_is_dealt_in_turn() {
        let path = || Choice::Path("/a/redis-server".into());
        let reference = || Choice::Reference;
        let dealt = parse("reference*1, /a/redis-server*3", 4);
        assert_eq!(dealt, Ok(vec![reference(), path(), path(), path()]));
        let even = parse("reference,/a/redis-server", 3);
        assert_eq!(even, Ok(vec![reference(), path(), reference()]));
    }

    #[test]
    fn an_unknown_target_is_told_what_is_known() {
        let error = parse("redis@9", 6).expect_err("9 is not known").to_string();
        assert!(
            error.contains("redis@9") && error.contains("redis@7.0.15"),
            "{error}"
        );
    }

    #[test]
    fn counts_must_match_the_cluster() {
        let cases = [
            "reference*2",
            "reference*3,redis@system",
            "reference*x",
            "reference*0",
            "",
        ];
        for case in cases {
            assert!(parse(case, 6).is_err(), "{case:?} was accepted");
        }
    }
}
