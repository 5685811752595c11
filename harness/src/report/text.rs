//! The one-screen verdict for a terminal or a pipe.

use std::fmt::Write;

use slotquake_checkers::judge::Check;
use slotquake_checkers::verdict::{Violation, Word};

use super::ledger::Loss;
use super::model::Model;
use super::words::{grouped, seconds};

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// ANSI colours.
    Colour,
    /// Plain text.
    Plain,
}

/// The verdict: checks, coverage, losses, the first stories, how to replay, where the report is.
pub fn verdict_text(model: &Model, paint: Paint) -> String {
    let mut out = String::new();
    head(&mut out, model, paint);
    if !model.course.is_empty() {
        told(&mut out, model);
    }
    checks(&mut out, model, paint);
    covered(&mut out, model);
    losses(&mut out, model);
    // A course tells it all already.
    if model.course.is_empty() {
        stories(&mut out, model);
    }
    foot(&mut out, model);
    out
}

/// What happened and what it broke, and nothing else.
pub fn story_text(model: &Model) -> String {
    let mut out = String::new();
    told(&mut out, model);
    out
}

/// The word over all in one line, for runs over many seeds.
pub fn verdict_line(model: &Model, paint: Paint) -> String {
    format!(
        "seed {:<8} {} {}\n",
        model.seed.unwrap_or(0),
        painted(model.word, paint),
        model.sentence
    )
}

fn head(out: &mut String, model: &Model, paint: Paint) {
    line(
        out,
        format_args!("{} {}", painted(model.word, paint), model.sentence),
    );
    if let Some(trouble) = &model.trouble {
        line(out, format_args!("  the harness stumbled: {trouble}"));
    }
    line(out, format_args!("  {}", model.subject));
    out.push('\n');
}

/// What happened, second by second, and why that is not an accident.
fn told(out: &mut String, model: &Model) {
    for step in model.course.iter().take(COURSE_MAX) {
        let broken = match step.broken.as_slice() {
            [] => String::new(),
            clauses => format!("   <- breaks {}", clauses.join(", ")),
        };
        line(
            out,
            format_args!(
                "  {:>7} s  {:<8} {}{broken}",
                seconds(step.time),
                step.who,
                step.what
            ),
        );
    }
    let hidden = model.course.len().saturating_sub(COURSE_MAX);
    if hidden > 0 {
        line(out, format_args!("  … and {hidden} more events"));
    }
    let mut reasons: Vec<&str> = Vec::new();
    for violation in model.violations() {
        let known = violation.known.as_deref();
        reasons.extend(known.filter(|why| !reasons.contains(why)));
    }
    for reason in reasons {
        line(out, format_args!("  known       {reason}"));
    }
    out.push('\n');
}

/// One line for each check; those that held share one if others did not, and so do those that had
/// nothing to examine, unless the run is undecided and they may be why.
fn checks(out: &mut String, model: &Model, paint: Paint) {
    let is_folded = |check: &Check| match check.verdict {
        Word::Held => model.word > Word::Held,
        Word::Undecided => check.examined == 0 && model.word != Word::Undecided,
        Word::Known | Word::Violated => false,
    };
    for check in model.checks.iter().filter(|check| !is_folded(check)) {
        line(
            out,
            format_args!(
                "  {} {:<6} {:>9} examined  {}",
                painted(check.verdict, paint),
                check.id,
                grouped(check.examined),
                clipped(&reason(check), WHY_CHARS_MAX),
            ),
        );
    }
    let names = |word: Word| {
        let folded = model.checks.iter().filter(|check| is_folded(check));
        let folded = folded.filter(|check| check.verdict == word);
        let names: Vec<&str> = folded.map(|check| check.id.as_str()).collect();
        names.join(", ")
    };
    let (held, idle) = (names(Word::Held), names(Word::Undecided));
    if !held.is_empty() {
        line(out, format_args!("  {} {held}", painted(Word::Held, paint)));
    }
    if !idle.is_empty() {
        // Not "undecided", which is a verdict: their workload or situation did not come up.
        line(out, format_args!("  not seen  {idle}: nothing to examine"));
    }
}

/// What a check has to say.
fn reason(check: &Check) -> String {
    match (check.violations.as_slice(), check.why.is_empty()) {
        ([only], _) => only.message.clone(),
        ([first, rest @ ..], _) => format!("(and {} more) {}", rest.len(), first.message),
        ([], false) => check.why.clone(),
        ([], true) => check.title.clone(),
    }
}

fn stories(out: &mut String, model: &Model) {
    for violation in model.violations().into_iter().take(STORIES_MAX) {
        story(out, violation);
    }
    let hidden = model.violations().len().saturating_sub(STORIES_MAX);
    if hidden > 0 {
        line(out, format_args!("\n{hidden} more in the report."));
    }
}

fn covered(out: &mut String, model: &Model) {
    let c = &model.coverage;
    line(
        out,
        format_args!(
            "\n  operations  {} ok, {} failed, {} unknown; {} redirected, {} stalled",
            grouped(c.ok_ops),
            grouped(c.failed_ops),
            grouped(c.indeterminate_ops),
            grouped(c.redirects),
            grouped(c.stalled_ops)
        ),
    );
    if !model.film.nodes.is_empty() {
        cluster_covered(out, model);
    }
}

/// What was seen of the cluster; a bare history has none.
fn cluster_covered(out: &mut String, model: &Model) {
    let c = &model.coverage;
    line(
        out,
        format_args!(
            "  faults      {} installed ({} kills, {} pauses, {} partitions), {} skipped, \
             {} indeterminate",
            c.faults_installed,
            c.kills,
            c.pauses,
            c.partitions,
            c.faults_skipped,
            c.faults_indeterminate
        ),
    );
    line(
        out,
        format_args!(
            "  elections   {} asked, {} votes, {} promotions, {} changes of owner",
            c.elections, c.votes, c.promotions, c.failovers
        ),
    );
    if let Some(outage) = model.outages.first() {
        line(
            out,
            format_args!(
                "  outage      longest {} s on slots {}, from {} s ({}): {}",
                seconds(outage.lasted),
                outage.slots(),
                seconds(outage.from),
                outage.errors_told(),
                outage.cause_told(),
            ),
        );
    }
    let floor = model.floor.map(|why| format!(" ({why})"));
    let healed = model.timing.maps_equal_after_heal_ms;
    let healed = healed.map(|ms| format!("; {ms} ms from the last heal to equal slot maps"));
    line(
        out,
        format_args!(
            "  times       {} ms from nothing to cluster_state:ok on every node{}{}",
            model.timing.cluster_ok_ms,
            floor.unwrap_or_default(),
            healed.unwrap_or_default()
        ),
    );
    if let (Some(ms), Some(mb)) = (model.timing.judging_cpu_ms, model.timing.memory_mb_max) {
        line(
            out,
            format_args!(
                "  judging     {ms} ms of CPU time; the harness held {} MB at the most",
                grouped(mb)
            ),
        );
    }
}

/// How many acknowledged writes are gone: all kinds of writes, as HI-03 judged them.
fn losses(out: &mut String, model: &Model) {
    let judged = model.checks.iter().find(|check| check.id == "HI-03");
    let Some(judged) = judged.filter(|check| check.examined > 0) else {
        return;
    };
    let c = &model.coverage;
    let windows: Vec<String> = c
        .losses
        .iter()
        .map(|(window, count)| format!("{count} in {window}"))
        .collect();
    line(
        out,
        format_args!(
            "  losses      {} of {} acknowledged writes are gone: {} inside the documented \
             windows{}, {} outside",
            grouped(c.losses_inside_windows + c.losses_outside_windows),
            grouped(judged.examined),
            c.losses_inside_windows,
            match windows.is_empty() {
                true => String::new(),
                false => format!(" ({})", windows.join(", ")),
            },
            c.losses_outside_windows,
        ),
    );
    let (inside, outside): (Vec<&Loss>, Vec<&Loss>) = model
        .ledger
        .losses
        .iter()
        .partition(|loss| loss.window.is_some());
    outside_losses(out, &outside);
    for loss in inside.iter().take(LOSSES_MAX) {
        line(
            out,
            format_args!(
                "              {} in {} (slot {}), acknowledged by {} at {} s, {}: {}",
                loss.value,
                loss.key,
                loss.slot,
                loss.node,
                seconds(loss.acknowledged),
                loss.near,
                loss.window.map_or("outside", |(clause, _)| clause)
            ),
        );
    }
    more(out, inside.len().saturating_sub(LOSSES_MAX));
}

/// Each write that no window excuses: its value and the second it was acknowledged.
fn outside_losses(out: &mut String, losses: &[&Loss]) {
    let Some(first) = losses.first() else {
        return;
    };
    line(
        out,
        format_args!(
            "  gone        (value at second; in {}{})",
            first.key,
            match losses.iter().all(|loss| loss.key == first.key) {
                true => "",
                false => " unless another key is named",
            }
        ),
    );
    let shown = &losses[..losses.len().min(OUTSIDE_MAX)];
    for row in shown.chunks(OUTSIDE_PER_LINE) {
        let words = row.iter().map(|loss| {
            let key = match loss.key == first.key {
                true => String::new(),
                false => format!(" in {}", loss.key),
            };
            format!("{}{key} at {}", loss.value, seconds(loss.acknowledged))
        });
        let words: Vec<String> = words.collect();
        line(out, format_args!("              {}", words.join("  ")));
    }
    more(out, losses.len().saturating_sub(OUTSIDE_MAX));
}

fn more(out: &mut String, hidden: usize) {
    if hidden > 0 {
        line(
            out,
            format_args!("              … and {hidden} more, one by one in the report"),
        );
    }
}

fn story(out: &mut String, violation: &Violation) {
    let known = violation
        .known
        .as_ref()
        .map(|why| format!(" (known: {why})"));
    line(
        out,
        format_args!(
            "\n{} at {} s: {}{}",
            violation.clause,
            seconds(violation.time),
            violation.message,
            known.unwrap_or_default()
        ),
    );
    for step in violation.witness.steps.iter().take(STEPS_MAX) {
        line(
            out,
            format_args!(
                "  {:>9} s  {:<8} {}",
                seconds(step.time),
                step.who,
                step.what
            ),
        );
    }
    let hidden = violation.witness.steps.len().saturating_sub(STEPS_MAX);
    if hidden > 0 {
        line(out, format_args!("  … {hidden} more steps in the report"));
    }
}

fn foot(out: &mut String, model: &Model) {
    out.push('\n');
    if let Some(command) = &model.command {
        line(out, format_args!("replay  {command}"));
    }
    if let Some(hash) = &model.trace_hash {
        line(
            out,
            format_args!("trace   {hash}, whenever and wherever it is played"),
        );
    }
    if let Some(folder) = &model.folder {
        line(out, format_args!("report  {folder}/report.html"));
    }
}

/// A word of a fixed width, in its colour.
pub fn painted(word: Word, paint: Paint) -> String {
    let (name, colour) = match word {
        Word::Held => ("held     ", "32"),
        Word::Known => ("known    ", "33"),
        Word::Undecided => ("undecided", "35"),
        Word::Violated => ("VIOLATED ", "1;31"),
    };
    match paint {
        Paint::Colour => format!("\x1b[{colour}m{name}\x1b[0m"),
        Paint::Plain => name.to_string(),
    }
}

fn clipped(text: &str, chars_max: usize) -> String {
    match text.chars().count() > chars_max {
        true => text.chars().take(chars_max - 1).chain(['…']).collect(),
        false => text.to_string(),
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a string cannot fail");
}

/// Events of a course that are told.
const COURSE_MAX: usize = 60;
const STORIES_MAX: usize = 3;
const STEPS_MAX: usize = 12;
/// Losses inside windows that are shown.
const LOSSES_MAX: usize = 5;
/// Losses outside windows that are shown.
const OUTSIDE_MAX: usize = 100;
const OUTSIDE_PER_LINE: usize = 6;
const WHY_CHARS_MAX: usize = 110;
