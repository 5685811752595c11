//! Visits every state of the small model of failover voting, and prints what it found.
//!
//! `voting-model --elections 3 --crashes 2`; `--sabotage NAME` and `--profile upstream-7.0` show
//! what a broken rule looks like. Exit status: 0 no rule is broken, 1 one is, 2 bad usage, 4 the
//! search gave up.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use slotquake::explore::trial::thread_cpu;
use slotquake_core::cluster::Profile;
use slotquake_tests::voting::explorer::Explorer;
use slotquake_tests::voting::sabotage::Sabotage;
use slotquake_tests::voting::story;
use slotquake_tests::voting::{Delivery, Scope};

const USAGE: &str = "usage: voting-model [--elections N] [--crashes N] [--states N] \
                     [--delivery once|any-number] [--profile default|upstream-7.0] \
                     [--sabotage NAME]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let scope = match scope_of(&arguments) {
        Ok(scope) => scope,
        Err(why) => {
            eprintln!("voting-model: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let begun = thread_cpu();
    let mut explorer = Explorer::new(scope);
    let found = explorer.run();
    let cpu = thread_cpu().saturating_sub(begun);
    let mut text = story::told(&found, &mut explorer, &scope);
    text.push_str(&costs(found.visited, cpu));
    // A reader that closed its end, such as `head`, is no error.
    drop(std::io::stdout().write_all(text.as_bytes()));
    match (found.broken.is_some(), found.is_complete) {
        (true, _) => ExitCode::from(1),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(4),
    }
}

fn scope_of(arguments: &[String]) -> Result<Scope, String> {
    let mut scope = Scope::default();
    for pair in arguments.chunks(2) {
        let [name, value] = pair else {
            return Err(format!("{} needs a value", pair[0]));
        };
        let number = || {
            let number = value.parse::<u32>();
            number.map_err(|_| format!("{name}: a whole number expected, got {value:?}"))
        };
        match name.as_str() {
            "--elections" => scope.elections = u64::from(number()?.min(200)),
            "--crashes" => scope.crashes = number()?.min(200) as u8,
            "--states" => scope.states_max = number()? as usize,
            "--delivery" => scope.delivery = delivery_of(value)?,
            "--profile" => scope.profile = Profile::parse(value)?,
            "--sabotage" => scope.sabotage = sabotage_of(value)?,
            _ => return Err(format!("no option is called {name}")),
        }
    }
    Ok(scope)
}

fn delivery_of(text: &str) -> Result<Delivery, String> {
    match text {
        "once" => Ok(Delivery::Once),
        "any-number" => Ok(Delivery::AnyNumber),
        _ => Err("--delivery: once or any-number".into()),
    }
}

fn sabotage_of(text: &str) -> Result<Sabotage, String> {
    let mut named = Sabotage::NAMES.into_iter();
    let found = named.find(|(name, _)| *name == text);
    let names = Sabotage::NAMES.map(|(name, _)| name).join(", ");
    found
        .map(|(_, sabotage)| sabotage)
        .ok_or(format!("--sabotage: one of {names}"))
}

fn costs(visited: u64, cpu: Duration) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let seconds = cpu.as_secs_f64();
    format!(
        "  {seconds:.1} s of CPU, {:.0} states visited per CPU second, {} of memory at most\n",
        visited as f64 / seconds.max(f64::EPSILON),
        peak.unwrap_or("unknown amount").trim()
    )
}
