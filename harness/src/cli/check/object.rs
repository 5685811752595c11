//! `slotquake check --model`: is a bare history linearizable, and if not, why. Models of
//! transactions are judged next door.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use slotquake_checkers::consistency::linear::judges::{JUDGES, judge_of};
use slotquake_checkers::consistency::linear::{Budget, picture, report};
use slotquake_checkers::history::compact::Collector;
use slotquake_checkers::verdict::Word;

use super::super::console::{self, Form};
use super::super::duration::parse_ms;
use super::super::exit::{Exit, Failure};
use super::history::{HistoryOptions, each};
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
    let mut collector = Collector::default();
    each(path, history, |event| collector.observe(event))?;
    let log = collector.finish();
    let begun = Instant::now();
    let allowed = Duration::from_millis(options.budget_time);
    let is_over = move || begun.elapsed() >= allowed;
    let budget = Budget {
        steps_max: u64::MAX,
        bytes_max: options.budget_memory.saturating_mul(1 << 20),
        is_over: Some(&is_over),
    };
    let report = report::judge(judge, &log, budget);
    if let (Some(file), Some(finding)) = (&options.svg, report.findings.first()) {
        write(file, &picture::svg(finding))?;
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
