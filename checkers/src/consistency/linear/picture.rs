//! A witness as a picture: operations as bars over processes, in SVG.
//!
//! Time runs by rank, not by length: what matters is what came before what. The operation that
//! cannot be placed is red; the longest order before it is told below, with the state after each.

use std::fmt::Write as _;

use super::report::{Finding, Line};

/// The picture of one finding; its title leads into the report at that moment, if there is one.
pub fn svg(finding: &Finding, report: Option<&str>) -> String {
    let mut ranks: Vec<u64> = finding
        .witness
        .iter()
        .flat_map(|line| [Some(line.invoked), line.completed])
        .flatten()
        .collect();
    ranks.sort_unstable();
    ranks.dedup();
    let mut processes: Vec<u32> = finding.witness.iter().map(|line| line.process).collect();
    processes.sort_unstable();
    processes.dedup();
    let rank = |time: u64| ranks.partition_point(|other| *other < time);
    let width = LEFT + (ranks.len() + 1) * STEP;
    let bottom = TOP + processes.len() * ROW;
    let height = bottom + (finding.order.len() + 2) * TEXT;
    let (link, link_end) = match report {
        Some(report) => {
            let moment = moment(&finding.witness[finding.stuck]);
            (
                format!("<a href=\"{}#t={moment}\">", escaped(report)),
                "</a>",
            )
        }
        None => (String::new(), ""),
    };
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         {link}<text x=\"8\" y=\"20\" font-weight=\"bold\">{}</text>{link_end}\n",
        escaped(&finding.message)
    );
    for (row, process) in processes.iter().enumerate() {
        let y = TOP + row * ROW + ROW / 2;
        let _ = writeln!(out, "<text x=\"8\" y=\"{y}\">process {process}</text>");
    }
    for (at, line) in finding.witness.iter().enumerate() {
        let row = processes.partition_point(|process| *process < line.process);
        let begin = LEFT + rank(line.invoked) * STEP;
        let end = line
            .completed
            .map_or(width, |time| LEFT + rank(time) * STEP + STEP / 2);
        let y = TOP + row * ROW;
        let colour = colour(line, at == finding.stuck);
        let place = finding.order.iter().position(|(other, _)| *other == at);
        let number = place.map_or_else(String::new, |place| format!("{}: ", place + 1));
        let _ = write!(
            out,
            "<rect x=\"{begin}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"3\" fill=\"{colour}\" \
             stroke=\"#444444\"/>\n<text x=\"{}\" y=\"{}\">{number}{}</text>\n",
            (end - begin).max(STEP / 2),
            ROW - 12,
            begin + 4,
            y + ROW / 2,
            escaped(&line.told)
        );
    }
    tell_order(&mut out, finding, bottom);
    out.push_str("</svg>\n");
    out
}

/// The longest order, below the bars.
fn tell_order(out: &mut String, finding: &Finding, bottom: usize) {
    for (place, (at, state)) in finding.order.iter().enumerate() {
        let y = bottom + (place + 1) * TEXT;
        let told = escaped(&finding.witness[*at].told);
        let (number, state) = (place + 1, escaped(state));
        let _ = writeln!(
            out,
            "<text x=\"8\" y=\"{y}\">{number}. {told}, then the state is {state}</text>"
        );
    }
}

/// From when to when the film of a report should show what cannot be placed, in seconds.
fn moment(stuck: &Line) -> String {
    let end = stuck.completed.unwrap_or(stuck.invoked);
    let margin = ((end - stuck.invoked) / 5).max(MARGIN_NS);
    let seconds = |time: u64| time as f64 / 1e9;
    let (from, to) = (
        stuck.invoked.saturating_sub(margin),
        end.saturating_add(margin),
    );
    format!("{:.3}-{:.3}", seconds(from), seconds(to))
}

fn colour(line: &Line, is_stuck: bool) -> &'static str {
    match (is_stuck, line.completed) {
        (true, _) => "#ff8a80",
        (false, Some(_)) => "#bbdefb",
        (false, None) => "#ffe0b2",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

const LEFT: usize = 90;
const TOP: usize = 34;
const ROW: usize = 34;
const STEP: usize = 110;
const TEXT: usize = 18;
/// Least time shown before and after.
const MARGIN_NS: u64 = 100_000_000;
