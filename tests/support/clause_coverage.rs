//! Prints clause coverage: clause, where implemented, which tests prove it, and what has none.
//!
//! Without arguments: the figures by family, and every clause that owes a test. `--all` lists all
//! clauses; ids or families (`VO-03`, `EL`) show those in full.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use slotquake_tests::clauses::{Clause, REQUIRED, coverage};

const USAGE: &str = "usage: clause-coverage [--all | ID | FAMILY]...";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let clauses: Vec<Clause> = coverage()
        .into_iter()
        .filter(|clause| REQUIRED.contains(&clause.source.as_str()))
        .collect();
    let is_known = |word: &String| {
        word == "--all" || clauses.iter().any(|c| c.id == *word || c.family() == word)
    };
    if let Some(word) = arguments.iter().find(|word| !is_known(word)) {
        eprintln!("clause-coverage: no clause or family is called {word:?}\n{USAGE}");
        return ExitCode::from(2);
    }
    let text = if arguments.is_empty() {
        summary(&clauses)
    } else {
        let wanted = |clause: &&Clause| {
            let names =
                |word: &String| word == "--all" || clause.id == *word || clause.family() == word;
            arguments.iter().any(names)
        };
        clauses.iter().filter(wanted).map(in_full).collect()
    };
    // A reader that closed its end, such as `head`, is no error.
    drop(std::io::stdout().write_all(text.as_bytes()));
    ExitCode::SUCCESS
}

/// Counts of one family: clauses, cited by code, proven by a test, waived with a reason, open.
#[derive(Default)]
struct Count {
    clauses: usize,
    implemented: usize,
    proven: usize,
    waived: usize,
    open: usize,
}

impl Count {
    fn add(&mut self, clause: &Clause) {
        self.clauses += 1;
        self.implemented += usize::from(!clause.implemented.is_empty());
        self.proven += usize::from(!clause.proven.is_empty());
        self.waived += usize::from(clause.proven.is_empty() && clause.waived.is_some());
        self.open += usize::from(clause.is_open());
    }
}

fn summary(clauses: &[Clause]) -> String {
    let mut families: BTreeMap<&str, Count> = BTreeMap::new();
    let mut all = Count::default();
    for clause in clauses {
        families.entry(clause.family()).or_default().add(clause);
        all.add(clause);
    }
    let mut text = String::from("family  clauses  cited  proven  waived  open\n");
    let mut row = |name: &str, count: &Count| {
        let Count {
            clauses,
            implemented,
            proven,
            waived,
            open,
        } = count;
        let line = writeln!(
            text,
            "{name:<6}  {clauses:>7}  {implemented:>5}  {proven:>6}  {waived:>6}  {open:>4}"
        );
        line.expect("a string takes all");
    };
    for (family, count) in &families {
        row(family, count);
    }
    row("all", &all);
    let applicable = all.clauses - all.waived;
    let open: String = clauses
        .iter()
        .filter(|clause| clause.is_open())
        .map(in_full)
        .collect();
    format!(
        "{text}\nclause coverage: {} of {applicable} clauses that apply are proven by a test; {} \
         are waived in docs/clause-waivers.tsv\n{open}",
        all.proven, all.waived
    )
}

fn in_full(clause: &Clause) -> String {
    let list = |places: &[String], none: &str| match places {
        [] => none.to_string(),
        _ => places.join(", "),
    };
    let none = clause
        .waived
        .as_deref()
        .map_or_else(|| "none".into(), |why| format!("none: {why}"));
    format!(
        "{} [{}] {}\n  implemented: {}\n  proven by:   {}\n",
        clause.id,
        clause.marker,
        clause.statement,
        list(&clause.implemented, "cited nowhere"),
        list(&clause.proven, &none),
    )
}
