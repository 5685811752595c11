//! What a campaign says: a few lines for each seed that failed, and the sums at the end.
//!
//! All of it follows from seeds and options, except [`speed`], which therefore goes to stderr.

use std::fmt::Write;
use std::time::Duration;

use slotquake_checkers::availability::coverage::Coverage;
use slotquake_checkers::verdict::Word;
use slotquake_workloads::rng::Rng;

use crate::explore::marks::Mark;
use crate::explore::{Selection, Shard, Source, Summary, Trial, Variety};
use crate::report::model::plan_line;
use crate::report::replay::replay_command;
use crate::report::text::{Paint, painted};
use crate::report::words::grouped;

/// What the campaign is about to do.
pub fn opening(selection: &Selection, variety: Variety) -> String {
    let plans = match variety {
        Variety::Swarm => "each with a plan of its own",
        Variety::Fixed => "all with the same plan",
    };
    let count = grouped(selection.count());
    format!("{}: {count} seeds, {plans}\n", range(selection))
}

/// A name that campaigns have in common if they play the same plans: those with other options, or
/// by another version, have another one.
pub fn name(source: &Source) -> String {
    let told = format!("{} {source:?}", env!("CARGO_PKG_VERSION"));
    format!("{:016x}", Rng::named(0, &told).next_u64())
}

/// `seeds 1..1000`, with the share of them if it is one.
pub fn range(selection: &Selection) -> String {
    let share = match selection.shard {
        Shard::WHOLE => String::new(),
        shard => format!(", shard {shard}"),
    };
    format!("seeds {}..{}{share}", selection.first, selection.last)
}

/// A seed that failed: what, its plan, and the command that plays it again.
pub fn failed(trial: &Trial, paint: Paint) -> String {
    let mut out = String::new();
    let (word, why) = match &trial.judged {
        Some(judged) => (judged.word, judged.why.as_str()),
        None => (Word::Undecided, "it was not judged"),
    };
    let seed = trial.plan.seed;
    line(
        &mut out,
        format_args!("seed {seed:<8} {} {}", painted(word, paint), clipped(why)),
    );
    if let Some(trouble) = &trial.trouble {
        line(&mut out, format_args!("  trouble {}", clipped(trouble)));
    }
    line(
        &mut out,
        format_args!("  plan    {}", plan_line(&trial.plan)),
    );
    line(
        &mut out,
        format_args!("  replay  {}", replay_command(&trial.plan, None)),
    );
    out
}

/// The sums.
pub fn summary(selection: &Selection, summary: &Summary) -> String {
    let mut out = String::new();
    let stumbled = match summary.stumbled {
        0 => String::new(),
        count => format!(", {count} stumbled"),
    };
    line(
        &mut out,
        format_args!(
            "{}: {} held, {} known, {} undecided, {} violated{stumbled}",
            range(selection),
            grouped(summary.held),
            grouped(summary.known),
            grouped(summary.undecided),
            grouped(summary.violated),
        ),
    );
    line(
        &mut out,
        format_args!(
            "  played      {} of cluster time, {} events",
            span(summary.virtual_ns / 1_000_000_000),
            grouped(summary.events)
        ),
    );
    covered(&mut out, &summary.coverage);
    rare(&mut out, summary);
    out
}

/// Rare events: how often, and which never; those are the gaps of the campaign.
fn rare(out: &mut String, summary: &Summary) {
    line(out, format_args!("rare events"));
    for mark in Mark::ALL {
        let count = summary.marks.of(mark);
        if count > 0 {
            line(
                out,
                format_args!("  {:>10}  {}", grouped(count), mark.told()),
            );
        }
    }
    for gap in summary.gaps() {
        line(out, format_args!("  {:>10}  {}", "NEVER", gap.told()));
    }
}

fn covered(out: &mut String, c: &Coverage) {
    line(
        out,
        format_args!(
            "  operations  {} ok, {} failed, {} unknown; {} redirected, {} stalled",
            grouped(c.ok_ops),
            grouped(c.failed_ops),
            grouped(c.indeterminate_ops),
            grouped(c.redirects),
            grouped(c.stalled_ops)
        ),
    );
    line(
        out,
        format_args!(
            "  faults      {} installed ({} kills, {} pauses, {} partitions, {} manual failovers), \
             {} skipped, {} indeterminate",
            grouped(c.faults_installed),
            grouped(c.kills),
            grouped(c.pauses),
            grouped(c.partitions),
            grouped(c.manual_failovers),
            grouped(c.faults_skipped),
            grouped(c.faults_indeterminate)
        ),
    );
    if !c.acts.is_empty() {
        let acts = c.acts.iter();
        let acts = acts.map(|(kind, count)| format!("{} {kind}", grouped(*count)));
        let acts: Vec<String> = acts.collect();
        line(out, format_args!("  acts        {}", acts.join(", ")));
    }
    line(
        out,
        format_args!(
            "  elections   {} asked, {} votes, {} promotions, {} changes of owner",
            grouped(c.elections),
            grouped(c.votes),
            grouped(c.promotions),
            grouped(c.failovers)
        ),
    );
    let windows = c.losses.iter();
    let windows: Vec<String> = windows
        .map(|(window, count)| format!("{} in {window}", grouped(*count)))
        .collect();
    line(
        out,
        format_args!(
            "  losses      {} acknowledged writes inside the documented windows{}, {} outside",
            grouped(c.losses_inside_windows),
            match windows.is_empty() {
                true => String::new(),
                false => format!(" ({})", windows.join(", ")),
            },
            grouped(c.losses_outside_windows),
        ),
    );
}

/// The trace hash of a campaign: the same in each process and build.
pub fn traces(summary: &Summary) -> String {
    let same = summary.seeds.saturating_sub(summary.stumbled);
    format!(
        "  traces      {} seeds played again, the same each time; trace hash {:016x}\n",
        grouped(same),
        summary.trace_hash
    )
}

/// How fast it went; differs each time.
pub fn speed(summary: &Summary, wall: Duration, jobs: usize) -> String {
    let cpu = summary.cpu.as_secs_f64().max(f64::EPSILON);
    let virtual_s = summary.virtual_ns as f64 / 1e9;
    format!(
        "{:.1} s of CPU, {:.1} s on {jobs} threads: {:.0} virtual seconds and {} events per CPU \
         second, {:.1} seeds/s{}\n",
        summary.cpu.as_secs_f64(),
        wall.as_secs_f64(),
        virtual_s / cpu,
        grouped((summary.events as f64 / cpu) as u64),
        summary.seeds as f64 / wall.as_secs_f64().max(f64::EPSILON),
        match cfg!(debug_assertions) {
            true => " (a debug build: a release build is some ten times faster)",
            false => "",
        }
    )
}

/// How far it is, for people who watch.
pub fn progress(summary: &Summary, count: u64, wall: Duration) -> String {
    let rate = summary.seeds as f64 / wall.as_secs_f64().max(f64::EPSILON);
    let left = count.saturating_sub(summary.seeds) as f64 / rate.max(f64::EPSILON);
    format!(
        "{} of {} seeds, {rate:.1} a second, {} left; {} violated, {} undecided",
        grouped(summary.seeds),
        grouped(count),
        span(left as u64),
        summary.violated,
        summary.undecided
    )
}

/// Seconds for people: `3 d 4 h`, `12 min 3 s`.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        (_, _, _) => format!("{} d {} h", grouped(days), hours % 24),
    }
}

fn clipped(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() > WHY_CHARS_MAX {
        true => line.chars().take(WHY_CHARS_MAX - 1).chain(['…']).collect(),
        false => line,
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a string cannot fail");
}

const WHY_CHARS_MAX: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        let cases = [(59, "59 s"), (61, "1 min 1 s"), (3_660, "1 h 1 min")];
        for (seconds, expected) in cases {
            assert_eq!(span(seconds), expected);
        }
        assert_eq!(span(90_000), "1 d 1 h");
    }

    #[test]
    fn what_is_left_is_estimated_from_what_was_done() {
        let summary = Summary {
            seeds: 100,
            ..Summary::default()
        };
        let told = progress(&summary, 400, Duration::from_secs(10));
        assert!(told.contains("10.0 a second, 30 s left"), "{told}");
    }
}
