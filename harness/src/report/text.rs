//! The one-screen verdict for a terminal or a pipe.

use std::fmt::Write;

use slotquake_checkers::verdict::{Violation, Word};

use super::model::{Model, grouped, seconds};

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
    for check in &model.checks {
        let why = match check.violations.first() {
            Some(first) => format!(
                "{}{}",
                first.message,
                match check.violations.len() {
                    1 => String::new(),
                    count => format!(" (and {} more)", count - 1),
                }
            ),
            None => check.why.clone(),
        };
        let why = if why.is_empty() {
            check.title.clone()
        } else {
            why
        };
        line(
            &mut out,
            format_args!(
                "  {} {:<6} {:>9} examined  {}",
                painted(check.verdict, paint),
                check.id,
                grouped(check.examined),
                clipped(&why, WHY_CHARS_MAX),
            ),
        );
    }
    covered(&mut out, model);
    losses(&mut out, model);
    for violation in model.violations().into_iter().take(STORIES_MAX) {
        story(&mut out, violation);
    }
    let hidden = model.violations().len().saturating_sub(STORIES_MAX);
    if hidden > 0 {
        line(&mut out, format_args!("\n{hidden} more in the report."));
    }
    foot(&mut out, model);
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
                "  outage      longest {} s on slots {}-{}, from {} s",
                seconds(outage.to - outage.from),
                outage.first,
                outage.last,
                seconds(outage.from)
            ),
        );
    }
    let healed = model.timing.maps_equal_after_heal_ms;
    let healed = healed.map(|ms| format!("; {ms} ms from the last heal to equal slot maps"));
    line(
        out,
        format_args!(
            "  times       {} ms from nothing to cluster_state:ok on every node{}",
            model.timing.cluster_ok_ms,
            healed.unwrap_or_default()
        ),
    );
}

fn losses(out: &mut String, model: &Model) {
    let ledger = &model.ledger;
    if ledger.examined == 0 {
        return;
    }
    let c = &model.coverage;
    let windows: Vec<String> = c
        .losses
        .iter()
        .map(|(window, count)| format!("{count} in {window}"))
        .collect();
    line(
        out,
        format_args!(
            "  losses      {} of {} acknowledged additions are missing: {} inside the documented \
             windows, {} outside{}",
            grouped(ledger.losses.len() as u64),
            grouped(ledger.examined),
            c.losses_inside_windows,
            c.losses_outside_windows,
            match windows.is_empty() {
                true => String::new(),
                false => format!(" ({})", windows.join(", ")),
            }
        ),
    );
    for loss in ledger.losses.iter().take(LOSSES_MAX) {
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
                loss.window
                    .map_or("OUTSIDE all windows", |(clause, _)| clause)
            ),
        );
    }
    let hidden = ledger.losses.len().saturating_sub(LOSSES_MAX);
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
    if let Some(folder) = &model.folder {
        line(out, format_args!("report  {folder}/report.html"));
    }
}

fn painted(word: Word, paint: Paint) -> String {
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

const STORIES_MAX: usize = 3;
const STEPS_MAX: usize = 12;
const LOSSES_MAX: usize = 5;
const WHY_CHARS_MAX: usize = 110;
