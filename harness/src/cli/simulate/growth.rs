//! `slotquake simulate --grow 10,100,1000`: clusters of growing size, measured.

use serde_json::{Value, json};

use crate::cli::console::{self, Form};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{check, progress::ProgressLine};
use crate::explore::growth::{Growth, Step, measure};
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
        let mut is_first = true;
        // Each phase is told when it is over: the next one may take minutes.
        let mut done = |step: &Step| {
            progress.close();
            if std::mem::take(&mut is_first) {
                console::words(form, &head(*size));
            }
            console::words(form, &line(step));
            progress.say(&format!("{size} nodes"));
        };
        let growth = measure((*size, node_timeout_ms, seed), &mut done)
            .map_err(|error| Failure::machine(format!("{size} nodes: {error:#}")))?;
        drop(progress);
        console::words(form, &foot(&growth));
        objects.push(object(&growth));
    }
    if form == Form::Json {
        console::result(&check::json_line(&json!({ "clusters": objects })));
    }
    Ok(Exit::Held)
}

fn head(size: u16) -> String {
    let nodes = format!("{} nodes, half of them replicas", size / 2 * 2);
    format!(
        "{nodes:<44} {:>10} {:>14} {:>9} {:>14}\n",
        "virtual s", "events", "CPU s", "CPU us/event"
    )
}

fn line(step: &Step) -> String {
    let seconds = step.cpu.as_secs_f64();
    format!(
        "  {:<42} {:>10.1} {:>14} {:>9.2} {:>14.2}\n",
        step.name,
        step.virtual_ns as f64 / 1e9,
        grouped(step.events),
        seconds,
        seconds * 1e6 / step.events.max(1) as f64,
    )
}

fn foot(growth: &Growth) -> String {
    format!(
        "  {} masters lost at once; {} MB at most so far\n",
        growth.lost,
        growth.memory_kb_max / 1000
    )
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
