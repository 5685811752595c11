//! `slotquake simulate --mutant NAME|all`: which checker catches each seeded bug, and how soon.
//!
//! stdout has the table, as words, as Markdown for `docs/mutants.md`, or as JSON; progress goes to
//! stderr. The unmutated node plays the same seeds, and must hold.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use slotquake_checkers::registry::CHECKERS;

use super::options::CampaignOptions;
use crate::cli::console::{self, Form};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{check, duration};
use crate::explore::Source;
use crate::explore::mutants::{Budget, Caught, Hunted, hunt, hunt_all};
use crate::world::sim::seeded::{self, SeededBug};

/// Which seeded bugs are hunted, and for how long.
#[derive(Debug, Args)]
pub struct HuntOptions {
    /// Hunt a seeded bug, or `all` of them, or those of a list; `none` plays the control alone
    #[arg(long, value_name = "NAMES")]
    pub mutant: Option<String>,
    /// CPU time for each mutant
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse_ms)]
    pub budget: u64,
    /// Play that many candidates to shrink what catches a mutant; 0 for none
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub shrink_mutants: u64,
    /// Go on until this check objects, whoever else does before: is it shown to catch the mutant?
    #[arg(long, value_name = "CHECK", requires = "mutant")]
    pub caught_by: Option<String>,
    /// Print the table as Markdown: docs/mutants.md is made so
    #[arg(long, requires = "mutant")]
    pub markdown: bool,
}

/// Hunts, and prints what came of it.
pub fn run(
    which: &str,
    source: Source,
    options: &HuntOptions,
    campaign: &CampaignOptions,
    form: Form,
) -> Result<Exit, Failure> {
    let bugs = chosen(which)?;
    if let Some(check) = &options.caught_by
        && !CHECKERS.iter().any(|entry| entry.id == check)
    {
        return Err(Failure::bad_input(format!(
            "there is no check {check:?}: slotquake explain lists them"
        )));
    }
    let budget = Budget {
        cpu: Duration::from_millis(options.budget),
        first_seed: campaign.first_seed(),
        seeds_max: u64::MAX,
        candidates_max: options.shrink_mutants,
        check: options.caught_by.as_deref(),
    };
    let hunted = hunt_all(&source, &bugs, budget, campaign.jobs(), |hunted| {
        console::aside(&line(&bugs[hunted.place], hunted));
    });
    let seeds_max = hunted.iter().map(|hunted| hunted.seeds).max();
    let control = hunt(
        &source,
        None,
        Budget {
            seeds_max: seeds_max.unwrap_or(u64::MAX),
            check: None,
            ..budget
        },
    );
    match (form, options.markdown) {
        (Form::Json, _) => {
            console::result(&check::json_line(&table_json(&bugs, &hunted, &control)))
        }
        (Form::Words, true) => console::words(form, &markdown(&bugs, &hunted, &control, options)),
        (Form::Words, false) => console::words(form, &words(&bugs, &hunted, &control)),
    }
    let is_complete = hunted.iter().all(|hunted| hunted.caught.is_some());
    Ok(match is_complete && control.caught.is_none() {
        true => Exit::Held,
        false => Exit::Violated,
    })
}

fn chosen(which: &str) -> Result<Vec<SeededBug>, Failure> {
    let all = seeded::all();
    match which {
        "all" => return Ok(all),
        "none" => return Ok(Vec::new()),
        _ => {}
    }
    let names = which.split(',').map(str::trim);
    let found = names.map(|name| {
        let bug = all.iter().find(|bug| bug.name == name).copied();
        bug.ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|bug| bug.name).collect();
            let known = names.join(", ");
            Failure::bad_input(format!("there is no mutant {name:?}; there are: {known}"))
        })
    });
    found.collect()
}

/// Who caught it.
fn catcher(caught: &Caught) -> String {
    match (&caught.by[..], &caught.trial.trouble) {
        ([], Some(trouble)) => {
            let first = trouble.lines().next().unwrap_or_default();
            format!("the node's own assertion: {first}")
        }
        ([], None) => "nobody".into(),
        (by, _) => by.join(", "),
    }
}

/// How many steps are left of the plan that caught it.
fn steps(caught: &Caught) -> String {
    let steps = caught.steps.map(|steps| steps.to_string());
    steps.unwrap_or_else(|| "?".into())
}

fn seconds(cpu: Duration) -> String {
    format!("{:.1}", cpu.as_secs_f64())
}

fn line(bug: &SeededBug, hunted: &Hunted) -> String {
    let (seeds, cpu) = (hunted.seeds, seconds(hunted.cpu));
    let name = bug.name;
    match &hunted.caught {
        Some(caught) => {
            let by = catcher(caught);
            let (steps, seed) = (steps(caught), caught.trial.plan.seed);
            format!("{name:<28} caught by {by} at seed {seed}, {cpu} CPU s, {steps} steps\n")
        }
        None => format!("{name:<28} NOT CAUGHT in {seeds} seeds, {cpu} CPU s\n"),
    }
}

fn control_line(control: &Hunted) -> String {
    match &control.caught {
        None => format!("unmutated: held over {} seeds\n", control.seeds),
        Some(caught) => format!(
            "unmutated: FALSE ALARM of {} at seed {}\n",
            catcher(caught),
            caught.trial.plan.seed
        ),
    }
}

fn totals(hunted: &[Hunted]) -> String {
    let caught = hunted.iter().filter(|hunted| hunted.caught.is_some());
    format!("{} of {} mutants caught", caught.count(), hunted.len())
}

fn words(bugs: &[SeededBug], hunted: &[Hunted], control: &Hunted) -> String {
    let lines = hunted
        .iter()
        .map(|hunted| line(&bugs[hunted.place], hunted));
    let mut out: String = lines.collect();
    out.push_str(&format!("{}\n", totals(hunted)));
    out.push_str(&control_line(control));
    out
}

fn markdown(
    bugs: &[SeededBug],
    hunted: &[Hunted],
    control: &Hunted,
    options: &HuntOptions,
) -> String {
    let mut out = String::from(INTRODUCTION);
    let budget = options.budget / 1000;
    let control = control_line(control);
    let mut put = |text: String| out.push_str(&text);
    put(format!(
        "{}, each within {budget} CPU seconds; {control}\n",
        totals(hunted)
    ));
    put(
        "| mutant | area | the mistake | caught by | seeds | CPU s | steps |\n\
         |---|---|---|---|--:|--:|--:|\n"
            .into(),
    );
    for hunted in hunted {
        let bug = &bugs[hunted.place];
        let by = match &hunted.caught {
            Some(caught) => catcher(caught),
            None => "**nobody**".into(),
        };
        let steps = hunted.caught.as_ref().map(steps).unwrap_or_default();
        put(format!(
            "| `{}` | {} | {} | {by} | {} | {} | {steps} |\n",
            bug.name,
            bug.area,
            bug.help,
            hunted.seeds,
            seconds(hunted.cpu)
        ));
    }
    out
}

fn table_json(bugs: &[SeededBug], hunted: &[Hunted], control: &Hunted) -> Value {
    let mutants = hunted.iter().map(|hunted| {
        let (bug, caught) = (&bugs[hunted.place], hunted.caught.as_ref());
        json!({
            "name": bug.name,
            "area": bug.area,
            "help": bug.help,
            "caught": caught.is_some(),
            "by": caught.map(|caught| &caught.by),
            "trouble": caught.and_then(|caught| caught.trial.trouble.as_ref()),
            "steps": caught.and_then(|caught| caught.steps),
            // What `slotquake test --plan` takes.
            "plan": caught.map(|caught| &caught.trial.plan),
            "seeds": hunted.seeds,
            "cpu_ms": hunted.cpu.as_millis() as u64,
        })
    });
    json!({
        "mutants": mutants.collect::<Vec<Value>>(),
        "control": { "seeds": control.seeds, "held": control.caught.is_none() },
    })
}

const INTRODUCTION: &str = "\
# Seeded bugs

What do the checkers see? Each mutant is a mistake that a good engineer makes, put into the node,
the client or the host on purpose. The campaign of `slotquake simulate` plays seeds 1, 2, 3, …
with it until a checker objects; the unmutated node plays the same seeds and must hold. A mutant
named like a clause has the rule of that name switched off. They exist only in builds with the
cargo feature `mutants`. This page is made by

```console
$ cargo run --release --features mutants -- simulate --mutant all --markdown > docs/mutants.md
```

";
