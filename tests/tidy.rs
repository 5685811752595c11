//! The style of the house, where a rule has a number or can be found by reading.
//!
//! Each rule gives every offender at once, with file and line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

#[test]
fn files_functions_and_lines_are_short() {
    let mut offenders = Vec::new();
    for source in sources() {
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
        sources()
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
    for source in sources() {
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
    for source in sources().iter().filter(|source| source.is_product()) {
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
    for source in sources() {
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
    let known = known_clauses();
    let mut offenders = Vec::new();
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            for id in cited_clauses(line) {
                if !known.contains(&id) {
                    offenders.push(format!("{}:{}: {id}", source.name, index + 1));
                }
            }
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

/// Clause families of the specification; other capitals with a number are no citations.
const FAMILIES: &[&str] = &[
    "BUS", "HS", "GO", "FD", "ST", "EP", "UP", "EL", "VO", "MF", "RM", "RP", "SM", "RD", "PS",
    "PU", "RS", "CF", "INV", "KW", "RW", "CE", "VT", "MG", "DU", "HI", "SE",
];

/// `VO-03` and its like in a line.
fn cited_clauses(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        let Some((family, number)) = word.split_once('-') else {
            continue;
        };
        let is_number = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
        if FAMILIES.contains(&family) && is_number {
            found.push(word.to_string());
        }
    }
    found
}

fn known_clauses() -> BTreeSet<String> {
    let catalogue =
        std::fs::read_to_string(root().join("docs/clauses.tsv")).expect("docs/clauses.tsv");
    let ids = catalogue.lines().filter(|line| !line.starts_with('#'));
    ids.filter_map(|line| line.split('\t').nth(1))
        .map(str::to_string)
        .collect()
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

struct Source {
    name: String,
    text: String,
}

impl Source {
    /// Whether users run it: not a test, a bench, or a helper of those.
    fn is_product(&self) -> bool {
        let is_test = self.name.ends_with("tests.rs")
            || self.name.contains("/tests/")
            || self.name.starts_with("tests/")
            || self.name.contains("/benches/")
            || self.name.contains("test_support");
        !is_test
    }

    /// All before the inline test module.
    fn product_part(&self) -> &str {
        self.text.split("#[cfg(test)]").next().unwrap_or_default()
    }
}

fn sources() -> Vec<Source> {
    text_files()
        .into_iter()
        .filter(|source| source.name.ends_with(".rs"))
        .collect()
}

fn text_files() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    assert!(
        found.len() > 20,
        "found only {} files: wrong root?",
        found.len()
    );
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    const TEXT: &[&str] = &[
        "rs", "md", "toml", "tsv", "txt", "yml", "sh", "js", "css", "html",
    ];
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a readable folder")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_string();
        let extension = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .to_string();
        if path.is_dir() {
            if !matches!(name.as_str(), ".git" | "target" | "store") {
                collect(&path, found);
            }
        } else if TEXT.contains(&extension.as_str())
            || folder.file_name().is_some_and(|folder| folder == ".ci")
        {
            let text =
                String::from_utf8_lossy(&std::fs::read(&path).expect("readable")).to_string();
            let name = path
                .strip_prefix(root())
                .expect("below the root")
                .display()
                .to_string();
            found.push(Source { name, text });
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace root")
        .to_path_buf()
}
