//! Clause coverage: which clauses the code cites, which tests prove them, and which have neither.
//!
//! A test proves a clause by a doc comment `/// Proves VO-03.` above its `#[test]`; every other
//! citation outside tests says where a clause is implemented. A few ids exist twice, as behaviour
//! and as an invariant over it: checkers cite the invariant, everything else the behaviour.
//! `docs/clause-waivers.tsv` says why a clause has no test.

use std::collections::BTreeMap;

use crate::sources::{self, Source};

/// The sources whose every clause wants a test or a waiver.
pub const REQUIRED: &[&str] = &["cluster-bus", "cluster-behaviour"];

/// Clause families of the specification; other capitals with a number are no citations.
const FAMILIES: &[&str] = &[
    "BUS", "HS", "GO", "FD", "ST", "EP", "UP", "EL", "VO", "MF", "RM", "RP", "SM", "RD", "PS",
    "PU", "RS", "CF", "INV", "KW", "RW", "CE", "VT", "MG", "DU", "HI", "SE", "SN",
];

/// One clause and all that cites it.
#[derive(Debug, Clone)]
pub struct Clause {
    /// Where it comes from, such as `cluster-bus`.
    pub source: String,
    /// Such as `VO-03`.
    pub id: String,
    /// How it can be tested: `C` by clients, `B` on the bus, `W` from inside only.
    pub marker: String,
    /// What it demands.
    pub statement: String,
    /// Product code that cites it, as `file:line`.
    pub implemented: Vec<String>,
    /// Tests that prove it, as `file::name`.
    pub proven: Vec<String>,
    /// Why it has no test.
    pub waived: Option<String>,
}

impl Clause {
    /// `VO` of `VO-03`.
    pub fn family(&self) -> &str {
        self.id.split('-').next().unwrap_or_default()
    }

    /// Whether a test is owed: none proves it, and nothing says why.
    pub fn is_open(&self) -> bool {
        self.proven.is_empty() && self.waived.is_none()
    }
}

/// Every clause of the catalogue, with its citations in the tree.
pub fn coverage() -> Vec<Clause> {
    let mut clauses = catalogue();
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, clause) in clauses.iter().enumerate() {
        places.entry(clause.id.clone()).or_default().push(index);
    }
    let mut cite = |file: &str, id: &str, note: &dyn Fn(&mut Clause)| {
        let wants_invariant = file.starts_with("checkers/");
        let candidates = places.get(id).map_or(&[][..], Vec::as_slice);
        let exact = candidates
            .iter()
            .find(|index| (clauses[**index].source == "invariants") == wants_invariant);
        if let Some(index) = exact.or(candidates.first()) {
            note(&mut clauses[*index]);
        }
    };
    for file in sources::rust_files() {
        let is_client = file.name.starts_with("workloads/");
        for proof in proofs(&file).iter().filter(|_| !is_client) {
            for id in &proof.ids {
                let test = format!("{}::{}", file.name, proof.test);
                cite(&file.name, id, &|clause| clause.proven.push(test.clone()));
            }
        }
        if !file.is_product() {
            continue;
        }
        for (index, line) in file.product_part().lines().enumerate() {
            for id in cited(line) {
                let place = format!("{}:{}", file.name, index + 1);
                cite(&file.name, &id, &|clause| {
                    clause.implemented.push(place.clone())
                });
            }
        }
    }
    clauses
}

/// The catalogue and the waivers, before anything cites them.
pub fn catalogue() -> Vec<Clause> {
    let waivers: BTreeMap<String, String> = rows("docs/clause-waivers.tsv")
        .into_iter()
        .map(|row| (field(&row, 0), field(&row, 1)))
        .collect();
    let clause = |row: Vec<String>| {
        let (source, id) = (field(&row, 0), field(&row, 1));
        let is_required = REQUIRED.contains(&source.as_str());
        let waived = waivers.get(&id).filter(|_| is_required).cloned();
        Clause {
            marker: field(&row, 2),
            statement: field(&row, 3),
            implemented: Vec::new(),
            proven: Vec::new(),
            source,
            id,
            waived,
        }
    };
    rows("docs/clauses.tsv").into_iter().map(clause).collect()
}

/// The ids that have a waiver.
pub fn waived_ids() -> Vec<String> {
    rows("docs/clause-waivers.tsv")
        .iter()
        .map(|row| field(row, 0))
        .collect()
}

fn rows(name: &str) -> Vec<Vec<String>> {
    let path = sources::root().join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| line.split('\t').map(str::to_string).collect())
        .collect()
}

fn field(row: &[String], index: usize) -> String {
    row.get(index).cloned().unwrap_or_default()
}

/// A doc comment that says `Proves`, and the test below it.
pub struct Proof {
    /// The clauses it names.
    pub ids: Vec<String>,
    /// The name of the test; empty when no test follows.
    pub test: String,
    /// The line of the comment, from 1.
    pub line: usize,
}

/// The proofs of a file.
pub fn proofs(file: &Source) -> Vec<Proof> {
    let lines: Vec<&str> = file.text.lines().map(str::trim_start).collect();
    let starts = (0..lines.len()).filter(|&at| lines[at].starts_with("/// Proves "));
    let proof = |at: usize| {
        let comment = lines[at..]
            .iter()
            .take_while(|line| line.starts_with("///"));
        let ids: Vec<String> = comment.clone().flat_map(|line| cited(line)).collect();
        let below: Vec<&str> = lines[at + comment.count()..].to_vec();
        let attributes = below
            .iter()
            .take_while(|line| line.starts_with('#') || line.starts_with("//"));
        let is_test = attributes.clone().any(|line| *line == "#[test]");
        let opening = below.get(attributes.count()).copied().unwrap_or_default();
        let name = opening
            .strip_prefix("fn ")
            .and_then(|rest| rest.split(['(', '<']).next());
        Proof {
            ids,
            test: name.filter(|_| is_test).unwrap_or_default().to_string(),
            line: at + 1,
        }
    };
    starts.map(proof).collect()
}

/// `VO-03` and its like in a line.
pub fn cited(line: &str) -> Vec<String> {
    let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words
        .filter(|word| {
            word.split_once('-').is_some_and(|(family, number)| {
                let has_number = number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit());
                FAMILIES.contains(&family) && has_number
            })
        })
        .map(str::to_string)
        .collect()
}
