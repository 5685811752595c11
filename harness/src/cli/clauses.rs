//! The catalogue of numbered clauses that code, logs and messages cite (`docs/clauses.tsv`).
//!
//! One line a clause: source, id, marker or severity, statement. An id may stand in two sources
//! (the behaviour of a node, and the catalogue of invariants); both are meant to be shown.

const CATALOGUE: &str = include_str!("../../../docs/clauses.tsv");

/// One clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clause {
    /// Which document of the specification: `cluster-behaviour`, `invariants`, …
    pub source: &'static str,
    /// `VO-03`.
    pub id: &'static str,
    /// Who can test it (C clients, B the bus, W white box), or how severe breaking it is.
    pub marker: &'static str,
    /// What it says.
    pub statement: &'static str,
}

/// Every clause, in the order of the catalogue.
pub fn clauses() -> impl Iterator<Item = Clause> {
    CATALOGUE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut columns = line.split('\t');
            Some(Clause {
                source: columns.next()?,
                id: columns.next()?,
                marker: columns.next()?,
                statement: columns.next()?,
            })
        })
}

/// The clauses of this id, whatever the case of its letters.
pub fn named(name: &str) -> impl Iterator<Item = Clause> {
    let wanted = name.to_uppercase();
    clauses().filter(move |clause| clause.id == wanted)
}

impl std::fmt::Display for Clause {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Clause {
            source,
            id,
            marker,
            statement,
        } = self;
        match marker.is_empty() {
            true => writeln!(out, "{id} ({source})\n\n{statement}"),
            false => writeln!(out, "{id} ({source}, {marker})\n\n{statement}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_catalogue_is_a_clause() {
        let lines = CATALOGUE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count();
        assert_eq!(clauses().count(), lines);
        assert!(lines > 600, "{lines} clauses");
    }

    #[test]
    fn an_id_of_two_documents_is_found_in_both() {
        let sources: Vec<&str> = named("fd-01").map(|clause| clause.source).collect();
        assert_eq!(sources, ["cluster-behaviour", "invariants"]);
    }
}
