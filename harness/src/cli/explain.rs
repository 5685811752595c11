//! `slotquake explain`: what a checker or a clause says, where it comes from, how it is checked.

use clap::Args;
use slotquake_checkers::checker::Entry;
use slotquake_checkers::registry::{CHECKERS, checkers_of};

use super::clauses;
use super::console;
use super::exit::{Exit, Failure};

/// Explain a clause or an invariant; without a name, list them all
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A clause or an invariant: VT-01, HI-04, VO-03, BUS-10, …
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Prints what is known about a name.
pub fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let Some(name) = &args.name else {
        let lines: Vec<String> = CHECKERS
            .iter()
            .map(|entry| format!("{:<8} {}\n", entry.id, entry.title))
            .collect();
        console::result(&lines.concat());
        return Ok(Exit::Held);
    };
    let judges = checkers_of(name).map(explanation);
    let texts: Vec<String> = judges
        .chain(clauses::named(name).map(|clause| clause.to_string()))
        .collect();
    if texts.is_empty() {
        return Err(Failure::bad_input(format!(
            "no clause or invariant is named {name:?}; near it: {}; `slotquake explain` lists all",
            nearest(name).join(", ")
        )));
    }
    console::result(&texts.join("\n"));
    Ok(Exit::Held)
}

fn explanation(entry: &Entry) -> String {
    format!(
        "{}: {}\nclauses: {}\n\n{}\n",
        entry.id,
        entry.title,
        entry.clauses.join(", "),
        entry.help.trim()
    )
}

/// The three names nearest to what was asked for.
fn nearest(name: &str) -> Vec<&'static str> {
    let wanted = name.to_uppercase();
    let mut names: Vec<&'static str> = CHECKERS.iter().map(|entry| entry.id).collect();
    names.extend(clauses::clauses().map(|clause| clause.id));
    names.sort_by_key(|known| (distance(&wanted, known), *known));
    names.dedup();
    names.truncate(3);
    names
}

/// Levenshtein's distance, in characters.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_edits() {
        assert_eq!(distance("VT-01", "VT-01"), 0);
        assert_eq!(distance("VT01", "VT-01"), 1);
        assert_eq!(distance("", "VT"), 2);
        assert_eq!(distance("TV-01", "VT-01"), 2);
    }

    #[test]
    fn the_nearest_name_comes_first() {
        assert_eq!(nearest("vt-1").first(), Some(&"VT-01"));
    }
}
