//! `slotquake check --model`: is a bare history linearizable, and if not, why. Models of
//! transactions are judged next door.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use slotquake_checkers::consistency::linear::judges::{JUDGES, ObjectJudge, judge_of};
use slotquake_checkers::consistency::linear::{Budget, Initial, picture, report};
use slotquake_checkers::history::Value;
use slotquake_checkers::history::compact::Log;
use slotquake_checkers::transactions::Beginning;
use slotquake_checkers::verdict::Word;

use super::super::console::{self, Form};
use super::super::duration::parse_ms;
use super::super::exit::{Exit, Failure};
use super::history::{HistoryOptions, collect};
use super::{json_line, transactions, write};

/// What to hold a history against, and for how long.
#[derive(Debug, Args)]
pub struct ObjectOptions {
    /// Judge a bare history against one model
    #[arg(long, value_name = "MODEL", help = model_help())]
    model: Option<String>,
    /// The consistency that is demanded of transactions
    #[arg(
        long,
        value_name = "NAME",
        default_value = "strict-serializable",
        requires = "model"
    )]
    consistency: String,
    /// What registers, lists and keys hold before the history begins: a number, a text, or `any`
    /// (without it nothing)
    #[arg(
        long,
        value_name = "VALUE",
        requires = "model",
        allow_negative_numbers = true
    )]
    initial: Option<String>,
    /// Draw the smallest witness
    #[arg(long, value_name = "FILE", requires = "model")]
    svg: Option<PathBuf>,
    /// Give up after this time (exit 4)
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_ms)]
    budget_time: u64,
    /// Give up beyond this memory, in MB (exit 4)
    #[arg(long, value_name = "MB", default_value_t = 2048)]
    budget_memory: usize,
}

impl ObjectOptions {
    /// Whether a model was given.
    pub fn is_asked(&self) -> bool {
        self.model.is_some()
    }
}

/// Judges and prints.
///
/// # Errors
/// What cannot be read or written.
pub fn run(
    path: &Path,
    history: &HistoryOptions,
    options: &ObjectOptions,
    form: Form,
) -> Result<Exit, Failure> {
    let name = options.model.as_deref().unwrap_or_default();
    if let Some(dialect) = transactions::dialect(name) {
        return transactions::run(&transactions::Task {
            path,
            history,
            dialect,
            consistency: &options.consistency,
            beginning: beginning(options.initial.as_deref())?,
            svg: options.svg.as_deref(),
            form,
        });
    }
    let judge = judge_of(name).ok_or_else(|| {
        let names = JUDGES.iter().map(|judge| judge.name());
        let names: Vec<&str> = names.chain(transactions::MODELS).collect();
        Failure::bad_input(format!(
            "no model is called {name}; there are {}",
            names.join(", ")
        ))
    })?;
    let mut log = collect(path, history)?;
    let initial = begin(&mut log, judge, options.initial.as_deref())?;
    let begun = Instant::now();
    let allowed = Duration::from_millis(options.budget_time);
    let is_over = move || begun.elapsed() >= allowed;
    let budget = Budget {
        steps_max: u64::MAX,
        bytes_max: options.budget_memory.saturating_mul(1 << 20),
        is_over: Some(&is_over),
    };
    let report = report::judge(judge, &log, initial, budget);
    if let (Some(file), Some(finding)) = (&options.svg, report.findings.first()) {
        write(file, &picture::svg(finding, report_of(path).as_deref()))?;
    }
    console::words(form, &report.told());
    if form == Form::Json {
        console::result(&json_line(&report));
    }
    Ok(match report.verdict {
        Word::Held | Word::Known => Exit::Held,
        Word::Violated => Exit::Violated,
        Word::Undecided => Exit::Undecided,
    })
}

/// The report of the run that a history is from, if it is from one that has a report.
fn report_of(path: &Path) -> Option<String> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    let report = folder.join("report.html").canonicalize().ok()?;
    Some(report.display().to_string())
}

/// What transactions may find at first.
fn beginning(initial: Option<&str>) -> Result<Beginning, Failure> {
    match initial {
        None | Some("nil") => Ok(Beginning::Empty),
        Some("any") => Ok(Beginning::Unknown),
        Some(_) => Err(Failure::bad_input(
            "transactions begin with nothing, or with --initial any".to_string(),
        )),
    }
}

/// Lets the objects of a log begin as they should.
fn begin(
    log: &mut Log,
    judge: &dyn ObjectJudge,
    initial: Option<&str>,
) -> Result<Initial, Failure> {
    let name = judge.name();
    match initial {
        None | Some("nil") => Ok(Initial::Known),
        Some("any")
            if judge
                .rule_from_anything(log, &[], Budget::steps(1))
                .is_some() =>
        {
            Ok(Initial::Unknown)
        }
        Some("any") => Err(Failure::bad_input(format!(
            "a {name} that begins with anything cannot be judged"
        ))),
        Some(value) if judge.has_writes() => {
            log.begin_with(&match value.parse() {
                Ok(number) => Value::Int(number),
                Err(_) => Value::Text(value.into()),
            });
            Ok(Initial::Known)
        }
        Some(_) => Err(Failure::bad_input(format!(
            "a {name} cannot be said to begin with a value"
        ))),
    }
}

fn model_help() -> String {
    let listed = JUDGES
        .iter()
        .map(|judge| format!("{} ({})", judge.name(), judge.help()));
    let listed: Vec<String> = listed.collect();
    format!(
        "Judge a bare history alone: transactions ({}), or linearizability: {}",
        transactions::MODELS.join(", "),
        listed.join("; ")
    )
}
