//! `slotquake simulate --grow 10,100,1000`: clusters of growing size, measured.

use serde_json::{Value, json};

use crate::cli::console::{self, Form};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{check, progress::ProgressLine};
use crate::explore::growth::{Growth, measure};
use crate::report::words::grouped;

/// Measures and prints.
///
/// # Errors
/// A size that no cluster can have, or a cluster that does not converge.
pub fn run(sizes: &[u16], node_timeout_ms: u64, seed: u64, form: Form) -> Result<Exit, Failure> {
    let mut objects = Vec::new();
    for size in sizes {
        let mut progress = ProgressLine::new();
        progress.say(&format!("{size} nodes"));
        let growth = measure(*size, node_timeout_ms, seed)
            .map_err(|error| Failure::machine(format!("{size} nodes: {error:#}")))?;
        drop(progress);
        console::words(form, &words(&growth));
        objects.push(object(&growth));
    }
    if form == Form::Json {
        console::result(&check::json_line(&json!({ "clusters": objects })));
    }
    Ok(Exit::Held)
}

fn words(growth: &Growth) -> String {
    let mut out = format!(
        "{} nodes, half of them replicas; {} masters lost at once; {} MB at most so far\n\
         {:<44} {:>10} {:>14} {:>9} {:>14}\n",
        growth.nodes,
        growth.lost,
        growth.memory_kb_max / 1000,
        "",
        "virtual s",
        "events",
        "CPU s",
        "CPU us/event"
    );
    for step in &growth.steps {
        let seconds = step.cpu.as_secs_f64();
        out.push_str(&format!(
            "  {:<42} {:>10.1} {:>14} {:>9.2} {:>14.2}\n",
            step.name,
            step.virtual_ns as f64 / 1e9,
            grouped(step.events),
            seconds,
            seconds * 1e6 / step.events.max(1) as f64,
        ));
    }
    out
}

fn object(growth: &Growth) -> Value {
    let steps = growth.steps.iter().map(|step| {
        json!({
            "name": step.name,
            "virtual_ns": step.virtual_ns,
            "events": step.events,
            "cpu_ns": step.cpu.as_nanos() as u64,
        })
    });
    json!({
        "nodes": growth.nodes,
        "lost": growth.lost,
        "memory_kb_max": growth.memory_kb_max,
        "steps": steps.collect::<Vec<_>>(),
    })
}
