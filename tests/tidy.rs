//! The style of the house, where a rule has a number or can be found by reading.
//!
//! Each rule gives every offender at once, with file and line.

use std::collections::BTreeSet;

use slotquake_tests::clauses::{self, catalogue, cited};
use slotquake_tests::sources::{Source, rust_files, text_files};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

#[test]
fn files_functions_and_lines_are_short() {
    let mut offenders = Vec::new();
    for source in rust_files() {
        let lines: Vec<&str> = source.text.lines().collect();
        if lines.len() > FILE_LINES_MAX {
            offenders.push(format!("{}: {} lines", source.name, lines.len()));
        }
        for (index, line) in lines.iter().enumerate() {
            if line.chars().count() > LINE_COLUMNS_MAX {
                offenders.push(format!("{}:{}: line too long", source.name, index + 1));
            }
        }
        offenders.extend(long_functions(&source.name, &lines));
    }
    report(offenders);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = |source: &Source| !source.text.starts_with("//!");
    report(
        rust_files()
            .iter()
            .filter(|source| silent(source))
            .map(|s| s.name.clone())
            .collect(),
    );
}

#[test]
fn nothing_is_left_unfinished_or_hushed() {
    // Spelled in halves, so that this file does not find itself.
    let banned = [
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("#[all", "ow("),
        concat!("#![all", "ow("),
        concat!("#[ign", "ore"),
        concat!("FIX", "ME"),
        concat!("dbg", "!("),
    ];
    let mut offenders = Vec::new();
    for source in rust_files() {
        for (index, line) in source.text.lines().enumerate() {
            for word in banned.iter().filter(|word| line.contains(**word)) {
                offenders.push(format!("{}:{}: {word}", source.name, index + 1));
            }
        }
    }
    report(offenders);
}

#[test]
fn product_code_does_not_unwrap() {
    let mut offenders = Vec::new();
    for source in rust_files().iter().filter(|source| source.is_product()) {
        for (index, line) in source.product_part().lines().enumerate() {
            if line.contains(".unwrap()") && !line.trim_start().starts_with("//") {
                offenders.push(format!("{}:{}", source.name, index + 1));
            }
        }
    }
    report(offenders);
}

#[test]
fn unsafe_stays_in_the_sandbox_and_the_tap_and_says_why() {
    let mut offenders = Vec::new();
    for source in rust_files() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let is_unsafe =
                line.contains("unsafe {") || line.trim_start().starts_with("unsafe impl");
            if !is_unsafe || line.trim_start().starts_with("//") || source.name == "tests/tidy.rs" {
                continue;
            }
            let is_in_room = source.name.starts_with("harness/src/sandbox")
                || source.name.starts_with("harness/src/observe")
                || source.name.starts_with("harness/src/world/local");
            let start = index.saturating_sub(6);
            let is_explained = lines[start..=index]
                .iter()
                .any(|near| near.contains("SAFETY:"));
            if !is_in_room || !is_explained {
                offenders.push(format!("{}:{}", source.name, index + 1));
            }
        }
    }
    report(offenders);
}

#[test]
fn every_cited_clause_exists() {
    let known: BTreeSet<String> = catalogue().into_iter().map(|clause| clause.id).collect();
    let mut offenders = Vec::new();
    for source in rust_files() {
        for (index, line) in source.text.lines().enumerate() {
            for id in cited(line) {
                if !known.contains(&id) {
                    offenders.push(format!("{}:{}: {id}", source.name, index + 1));
                }
            }
        }
    }
    report(offenders);
}

#[test]
fn every_proof_names_a_clause_and_stands_above_a_test() {
    let mut offenders = Vec::new();
    for source in rust_files() {
        for proof in clauses::proofs(&source) {
            if proof.test.is_empty() {
                offenders.push(format!("{}:{}: no test follows", source.name, proof.line));
            }
        }
    }
    report(offenders);
}

#[test]
fn every_clause_of_the_node_is_proven_or_waived_with_a_reason() {
    let coverage = clauses::coverage();
    let is_required = |clause: &&clauses::Clause| clauses::REQUIRED.contains(&&*clause.source);
    let required: Vec<_> = coverage.iter().filter(is_required).collect();
    let open = required.iter().filter(|clause| clause.is_open());
    let mut offenders: Vec<String> = open.map(|c| format!("{}: no test", c.id)).collect();
    for id in clauses::waived_ids() {
        match required.iter().find(|clause| clause.id == id) {
            Some(clause) if clause.proven.is_empty() => {}
            Some(_) => offenders.push(format!("{id}: waived, but a test proves it")),
            None => offenders.push(format!("{id}: waived, but no clause of the node")),
        }
    }
    report(offenders);
}

#[test]
fn no_path_of_a_machine_is_in_the_tree() {
    let folders = [
        concat!("/wo", "rk/"),
        concat!("/fa", "rm/"),
        concat!("/ro", "ot/"),
    ];
    let mut offenders = Vec::new();
    for source in text_files() {
        for (index, line) in source.text.lines().enumerate() {
            if folders.iter().any(|folder| line.contains(folder)) {
                offenders.push(format!("{}:{}", source.name, index + 1));
            }
        }
    }
    report(offenders);
}

/// Functions over the limit. rustfmt closes a function at the indentation it began with.
fn long_functions(name: &str, lines: &[&str]) -> Vec<String> {
    let mut offenders = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let indentation = line.len() - body.len();
        let is_function = [
            "fn ",
            "pub fn ",
            "pub(crate) fn ",
            "pub(super) fn ",
            "async fn ",
            "pub async fn ",
            "const fn ",
            "pub const fn ",
        ]
        .iter()
        .any(|opening| body.starts_with(opening));
        if !is_function {
            continue;
        }
        let closes = |line: &&&str| {
            line.len() - line.trim_start().len() == indentation
                && line.trim_start().starts_with('}')
        };
        let length = lines[start..]
            .iter()
            .take_while(|line| !closes(line))
            .count()
            + 1;
        if length > FUNCTION_LINES_MAX && !line.trim_end().ends_with(';') {
            offenders.push(format!("{name}:{}: function of {length} lines", start + 1));
        }
    }
    offenders
}

fn report(offenders: Vec<String>) {
    assert!(
        offenders.is_empty(),
        "{} offenders:\n{}",
        offenders.len(),
        offenders.join("\n")
    );
}
