//! A campaign as JUnit XML, for CI systems: a case for each seed that failed, one for all others,
//! and one for each rare event.

use std::fmt::Write;

use serde_json::Value;

use super::words;
use crate::explore::marks::Mark;
use crate::explore::{Selection, Summary};
use crate::report::junit::escaped;

/// The document. A violation is a failure, a seed that proved nothing an error; a rare event that
/// never happened is skipped.
pub fn document(selection: &Selection, summary: &Summary, failed: &[Value]) -> String {
    let (mut cases, mut counts) = (String::new(), Counts::default());
    for seed in failed {
        case(&mut cases, &mut counts, seed);
    }
    let others = summary.seeds.saturating_sub(failed.len() as u64);
    counts.tests += 1;
    push(
        &mut cases,
        format_args!("    <testcase name=\"{others} seeds that held\" classname=\"seeds\"/>\n"),
    );
    for mark in Mark::ALL {
        let told = escaped(mark.told());
        let (open, close) = match summary.marks.of(mark) {
            0 => ("><skipped message=\"it never happened\"/>", "</testcase>"),
            _ => ("/>", ""),
        };
        counts.tests += 1;
        counts.skipped += u64::from(!close.is_empty());
        push(
            &mut cases,
            format_args!("    <testcase name=\"{told}\" classname=\"rare events\"{open}{close}\n"),
        );
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite \
         name=\"slotquake simulate, {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" \
         skipped=\"{}\">\n{cases}  </testsuite>\n</testsuites>\n",
        escaped(&words::range(selection)),
        counts.tests,
        counts.failures,
        counts.errors,
        counts.skipped
    )
}

#[derive(Default)]
struct Counts {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
}

fn case(out: &mut String, counts: &mut Counts, failed: &Value) {
    let text = |field: &str| escaped(failed[field].as_str().unwrap_or_default());
    let is_failure = matches!(failed["verdict"].as_str(), Some("violated" | "known"));
    counts.tests += 1;
    counts.failures += u64::from(is_failure);
    counts.errors += u64::from(!is_failure);
    let element = if is_failure { "failure" } else { "error" };
    let why = match failed["trouble"].as_str() {
        Some(trouble) => escaped(trouble),
        None => text("why"),
    };
    push(
        out,
        format_args!(
            "    <testcase name=\"seed {}\" classname=\"seeds\"><{element} \
             message=\"{why}\">{}</{element}></testcase>\n",
            failed["seed"],
            text("replay")
        ),
    );
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::explore::Shard;

    #[test]
    fn a_violation_is_a_failure_and_the_unproven_an_error() {
        let selection = Selection {
            first: 1,
            last: 9,
            shard: Shard::WHOLE,
        };
        let summary = Summary {
            seeds: 9,
            ..Summary::default()
        };
        let failed = [
            json!({"seed": 3, "verdict": "violated", "why": "a < b", "replay": "play 3"}),
            json!({"seed": 4, "verdict": "undecided", "why": "quiet", "replay": "play 4"}),
            json!({"seed": 5, "verdict": null, "trouble": "it panicked", "replay": "play 5"}),
        ];
        let document = document(&selection, &summary, &failed);
        for expected in [
            "failures=\"1\" errors=\"2\"",
            "name=\"seed 3\" classname=\"seeds\"><failure message=\"a &lt; b\">play 3</failure>",
            "<error message=\"it panicked\">play 5</error>",
            "name=\"6 seeds that held\"",
            "<skipped message=\"it never happened\"/>",
        ] {
            assert!(document.contains(expected), "{expected}: {document}");
        }
    }
}
