//! `slotquake simulate --bench`: what was measured, and how.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::console::{self, Form};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{check, progress::ProgressLine};
use crate::explore::bench::{Figures, measure, standard};
use crate::report::replay::replay_command;
use crate::report::words::grouped;
use crate::world::sim::Codec;

/// Measures and prints.
///
/// # Errors
/// The standard scenario cannot be played.
pub fn run(seeds: Option<u64>, form: Form) -> Result<Exit, Failure> {
    let seeds = seeds.unwrap_or(SEEDS_USUAL);
    let mut progress = ProgressLine::new();
    let mut measured = |codec, name: &str| {
        progress.say(&format!("measuring {seeds} seeds with {name}"));
        measure(seeds, codec).map_err(|error| Failure::machine(format!("{error:#}")))
    };
    let typed = measured(Codec::Typed, "packets as types")?;
    let wire = measured(Codec::InTheLoop, "packets as bytes")?;
    drop(progress);
    console::words(form, &words(&typed, &wire));
    if form == Form::Json {
        let object = json!({ "typed": object(&typed), "wire": object(&wire) });
        console::result(&check::json_line(&object));
    }
    Ok(Exit::Held)
}

fn words(typed: &Figures, wire: &Figures) -> String {
    let plan = replay_command(&standard(1), None);
    let mut out = format!(
        "standard scenario, seeds 1..{}: {plan}\n\
         {:<14} {:>12} {:>12} {:>16} {:>12} {:>9}\n",
        typed.seeds,
        "packets as",
        "virtual s",
        "CPU s",
        "virtual s/CPU s",
        "events/CPU s",
        "judging"
    );
    for (name, figures) in [("types", typed), ("encoded bytes", wire)] {
        out.push_str(&format!(
            "{name:<14} {:>12} {:>12.2} {:>16.0} {:>12} {:>7.0} %\n",
            grouped(figures.virtual_ns / 1_000_000_000),
            figures.cpu().as_secs_f64(),
            virtual_per_cpu(figures),
            grouped(per_cpu(figures.events, figures.cpu()) as u64),
            100.0 * figures.judged.as_secs_f64() / figures.cpu().as_secs_f64().max(f64::EPSILON),
        ));
    }
    let each = |count: u64| count * 1_000_000_000 / typed.virtual_ns.max(1);
    out.push_str(&format!(
        "per virtual second: {} events, {} bus packets, {} views, {} operations\n\
         CPU time of one thread, boot to verdict, all checkers on, histories recorded; an event is \
         one taken from the simulation's queue; with encoded bytes the views travel as text, too\n",
        each(typed.events),
        each(typed.packets),
        each(typed.views),
        each(typed.operations),
    ));
    out.push_str(
        "beside madsim, turmoil and a bare queue: cargo run --release in tests/peers, with the \
         path of this program\n",
    );
    if cfg!(debug_assertions) {
        out.push_str("this is a debug build: these figures say little\n");
    }
    out
}

fn object(figures: &Figures) -> Value {
    json!({
        "seeds": figures.seeds,
        "virtual_ns": figures.virtual_ns,
        "events": figures.events,
        "packets": figures.packets,
        "views": figures.views,
        "operations": figures.operations,
        "played_cpu_ns": figures.played.as_nanos() as u64,
        "judged_cpu_ns": figures.judged.as_nanos() as u64,
        "virtual_s_per_cpu_s": virtual_per_cpu(figures),
        "events_per_cpu_s": per_cpu(figures.events, figures.cpu()),
    })
}

fn virtual_per_cpu(figures: &Figures) -> f64 {
    per_cpu(figures.virtual_ns, figures.cpu()) / 1e9
}

fn per_cpu(count: u64, cpu: Duration) -> f64 {
    count as f64 / cpu.as_secs_f64().max(f64::EPSILON)
}

/// Seeds that are measured unless told otherwise.
const SEEDS_USUAL: u64 = 8;
