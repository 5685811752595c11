//! `slotquake check --model list-append|rw-register`: transactions, read as they come.
//!
//! Prints what was found on one screen: the verdict, the shortest case with a sentence for each
//! edge, the other anomalies by number, and which consistency models are out.

use std::path::Path;

use slotquake_checkers::transactions::judgement::report;
use slotquake_checkers::transactions::report::{Anomaly, Case, ToldTxn};
use slotquake_checkers::transactions::{
    Beginning, ConsistencyModel, Demand, Dialect, Transactions, TxnReport, picture,
};

use super::super::console::{self, Form};
use super::super::exit::{Exit, Failure};
use super::history::{HistoryOptions, open};
use super::{json_line, write};

/// What to judge, and where to put it.
#[derive(Debug)]
pub struct Task<'a> {
    /// A folder of a run, a file, or `-`.
    pub path: &'a Path,
    /// In which form it is.
    pub history: &'a HistoryOptions,
    /// What the micro-operations are.
    pub dialect: Dialect,
    /// The model that is demanded, by name.
    pub consistency: &'a str,
    /// What keys may hold at first.
    pub beginning: Beginning,
    /// Where to draw the shortest case.
    pub svg: Option<&'a Path>,
    /// What stdout is for.
    pub form: Form,
}

/// Models of transactions.
pub const MODELS: [&str; 2] = ["list-append", "rw-register"];

/// The dialect of a model's name.
pub fn dialect(model: &str) -> Option<Dialect> {
    match model {
        "list-append" => Some(Dialect::ListAppend),
        "rw-register" => Some(Dialect::RwRegister),
        _ => None,
    }
}

/// Judges and prints.
///
/// # Errors
/// The history cannot be read, or not be judged.
pub fn run(task: &Task<'_>) -> Result<Exit, Failure> {
    let model = demanded(task.consistency)?;
    let transactions = read(task)?;
    let demand = Demand {
        model,
        beginning: task.beginning,
    };
    let report = report(transactions, demand);
    if let (Some(file), Some((anomaly, case))) = (task.svg, report.shortest()) {
        let title = format!("{}: {}", anomaly.name.name(), anomaly.meaning);
        write(file, &picture::svg(&title, case))?;
    }
    console::words(task.form, &text(&report));
    if task.form == Form::Json {
        console::result(&json_line(&report));
    }
    Ok(exit_of(&report))
}

fn demanded(name: &str) -> Result<ConsistencyModel, Failure> {
    ConsistencyModel::of_name(name).ok_or_else(|| {
        let names = ConsistencyModel::ALL.map(ConsistencyModel::name);
        Failure::bad_input(format!(
            "no consistency is called {name}; there are {}",
            names.join(", ")
        ))
    })
}

fn read(task: &Task<'_>) -> Result<Transactions, Failure> {
    let named = |problem| Failure::bad_input(format!("{}: {problem}", task.path.display()));
    let mut transactions = Transactions::new(task.dialect);
    for event in open(task.path, task.history)? {
        transactions.observe(&event?).map_err(named)?;
    }
    transactions.finish().map_err(named)?;
    Ok(transactions)
}

fn exit_of(report: &TxnReport) -> Exit {
    if report.is_violated() {
        Exit::Violated
    } else if report.committed == 0 || !report.unfinished.is_empty() {
        Exit::Undecided
    } else {
        Exit::Held
    }
}

fn text(report: &TxnReport) -> String {
    let word = match exit_of(report) {
        Exit::Violated => "VIOLATED",
        Exit::Held => "held",
        Exit::Undecided | Exit::BadInput | Exit::MachineCannot => "UNDECIDED",
    };
    let mut out = format!(
        "{word}: {}\n{} transactions committed, {} unknown, {} aborted; {} micro-operations on {} \
         keys\n",
        report.demanded.name(),
        report.committed,
        report.unknown,
        report.aborted,
        report.micro_operations,
        report.keys
    );
    if report.committed == 0 {
        out.push_str("no transaction committed, so nothing was judged\n");
    }
    if let Some((anomaly, case)) = report.shortest() {
        out.push_str(&case_text(anomaly, case));
    }
    if !report.anomalies.is_empty() {
        out.push_str("\nfound\n");
    }
    for Anomaly {
        name,
        meaning,
        count,
        ..
    } in &report.anomalies
    {
        out.push_str(&format!("  {:<28} {count:>6}  {meaning}\n", name.name()));
    }
    let names = |models: &[ConsistencyModel]| -> String {
        let names: Vec<&str> = models.iter().map(|model| model.name()).collect();
        names.join(", ")
    };
    if !report.not.is_empty() {
        out.push_str(&format!("\nnot       {}\n", names(&report.not)));
    }
    if !report.also_not.is_empty() {
        out.push_str(&format!("also not  {}\n", names(&report.also_not)));
    }
    for why in &report.unfinished {
        out.push_str(&format!("note: {why}\n"));
    }
    out
}

fn case_text(anomaly: &Anomaly, case: &Case) -> String {
    let mut out = format!("\n{}: {}\n", anomaly.name.name(), anomaly.meaning);
    for txn in &case.transactions {
        out.push_str(&format!("  {}\n", txn_text(txn)));
    }
    match case.edges.is_empty() {
        true => out.push_str(&format!("  {}\n", case.message)),
        false => out.push_str("then\n"),
    }
    for edge in &case.edges {
        let name = |at: usize| case.transactions[at].name.as_str();
        out.push_str(&format!(
            "  {} < {}, because {} ({})\n",
            name(edge.from),
            name(edge.to),
            edge.because,
            edge.kind
        ));
    }
    if !case.edges.is_empty() {
        out.push_str("  so T1 would come before itself\n");
    }
    out
}

fn txn_text(txn: &ToldTxn) -> String {
    let end = match txn.completed {
        Some(time) => format!("{:.6}", time as f64 / 1e9),
        None => "?".into(),
    };
    format!(
        "{} = {}   (op {}, process {}, {:.6} s .. {end} s, {})",
        txn.name,
        txn.steps.join(" · "),
        txn.index,
        txn.process,
        txn.invoked as f64 / 1e9,
        txn.outcome
    )
}
