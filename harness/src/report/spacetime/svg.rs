//! Draws a [`Diagram`] as SVG, by the style sheet of the page; nothing in it moves.

use std::collections::BTreeSet;
use std::fmt::Write;

use slotquake_checkers::history::EventKind;

use super::{Bar, Diagram, Message, Subject};
use crate::report::junit::escaped;
use crate::report::lanes::ProcessState;
use crate::report::words::seconds;

/// The drawing.
pub fn svg(diagram: &Diagram) -> String {
    let rows = Rows::of(diagram);
    let mut out = String::new();
    let width = LEFT + diagram.columns.len() as u64 * COLUMN + RIGHT;
    let height = rows.bottom() + FOOT;
    push(
        &mut out,
        format_args!("<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" role=\"img\"><defs>"),
    );
    for subject in Subject::ALL {
        let class = subject.class();
        push(
            &mut out,
            format_args!(
                "<marker id=\"to-{class}\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" \
                 markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
                 <path class=\"head {class}\" d=\"M0 1L8 4L0 7z\"/></marker>"
            ),
        );
    }
    out.push_str("</defs>");
    lifelines(&mut out, diagram, &rows);
    times(&mut out, diagram, &rows);
    for bar in &diagram.bars {
        draw_bar(&mut out, diagram, &rows, bar);
    }
    draw_messages(&mut out, diagram, &rows);
    draw_turns(&mut out, diagram, &rows);
    draw_orders(&mut out, diagram, &rows);
    draw_dots(&mut out, diagram, &rows);
    breach(&mut out, diagram, &rows, width);
    out.push_str("</svg>");
    out
}

/// Where each instant stands.
struct Rows {
    /// Instants with a row of their own, ns, and their heights.
    rows: Vec<(u64, u64)>,
}

impl Rows {
    fn of(diagram: &Diagram) -> Rows {
        let within = |time: &u64| (diagram.from..=diagram.to).contains(time);
        let mut times: BTreeSet<u64> = diagram.event_times().into_iter().filter(within).collect();
        if within(&diagram.breach.time) {
            times.insert(diagram.breach.time);
        }
        let mut rows: Vec<(u64, u64)> = Vec::new();
        for time in times {
            let y = match rows.last() {
                None => HEAD + ROW,
                Some((last, y)) if time - last < SAME_NS => *y,
                Some((last, y)) => {
                    let gap_ms = (time - last) / 1_000_000;
                    y + ROW + (u64::from((gap_ms + 1).ilog2()) * 4).min(ROW_MAX - ROW)
                }
            };
            rows.push((time, y));
        }
        Rows { rows }
    }

    /// An instant between two rows lies between them.
    fn y(&self, time: u64) -> u64 {
        let after = self.rows.partition_point(|(row, _)| *row <= time);
        match (
            after.checked_sub(1).and_then(|at| self.rows.get(at)),
            self.rows.get(after),
        ) {
            (Some((t0, y0)), Some((t1, y1))) => {
                y0 + ((y1 - y0) as u128 * (time - t0) as u128 / (t1 - t0) as u128) as u64
            }
            (Some((_, y)), None) => y + ROW / 2,
            (None, _) => HEAD,
        }
    }

    fn bottom(&self) -> u64 {
        self.rows.last().map_or(HEAD, |(_, y)| *y) + ROW
    }
}

impl Diagram {
    /// Where the line of a node is; none if it has no place in the drawing.
    fn x(&self, node: usize) -> Option<u64> {
        let at = self.columns.iter().position(|column| column.node == node)?;
        Some(LEFT + COLUMN / 2 + at as u64 * COLUMN)
    }
}

fn lifelines(out: &mut String, diagram: &Diagram, rows: &Rows) {
    for column in &diagram.columns {
        let Some(x) = diagram.x(column.node) else {
            continue;
        };
        push(
            out,
            format_args!(
                "<text class=\"name\" x=\"{x}\" y=\"16\" text-anchor=\"middle\">{}</text>\
                 <text class=\"soft\" x=\"{x}\" y=\"31\" text-anchor=\"middle\">{}</text>\
                 <path class=\"life\" d=\"M{x} {HEAD}V{}\"/>",
                escaped(&column.name),
                escaped(&column.role),
                rows.bottom(),
            ),
        );
    }
}

/// The time of each row, as far as there is room.
fn times(out: &mut String, diagram: &Diagram, rows: &Rows) {
    let mut last: Option<(u64, u64)> = None;
    for (time, y) in &rows.rows {
        if last.is_some_and(|(_, above)| y - above < LABEL) {
            continue;
        }
        let when = match last {
            Some((before, _)) if time - before < RELATIVE_NS => {
                format!("+{} µs", (time - before) / 1_000)
            }
            Some(_) | None => format!("{} s", seconds(*time)),
        };
        last = Some((*time, *y));
        push(
            out,
            format_args!(
                "<text class=\"soft\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{when}</text>",
                LEFT - 12,
                y + 4,
            ),
        );
    }
    let rest = match diagram.left_out {
        0 => String::new(),
        count => format!("{count} more events around it are not drawn. "),
    };
    push(
        out,
        format_args!(
            "<text class=\"soft\" x=\"4\" y=\"{}\">{rest}Distances in time are \
             not to scale.</text>",
            rows.bottom() + FOOT - 8
        ),
    );
}

fn draw_bar(out: &mut String, diagram: &Diagram, rows: &Rows, bar: &Bar) {
    let Some(x) = diagram.x(bar.node) else {
        return;
    };
    let top = rows.y(bar.from.max(diagram.from));
    let bottom = match bar.to > diagram.to {
        true => rows.bottom(),
        false => rows.y(bar.to),
    };
    let (class, word) = match bar.state {
        ProcessState::Killed => ("kill", "killed"),
        ProcessState::Died => ("kill", "died"),
        ProcessState::Paused => ("pause", "paused"),
        ProcessState::Cut => ("partition", "cut off"),
    };
    push(
        out,
        format_args!(
            "<rect class=\"bar {class}\" x=\"{}\" y=\"{top}\" width=\"12\" height=\"{}\"/>\
             <text class=\"on-bar {class}\" x=\"{}\" y=\"{}\">{word}</text>",
            x - 6,
            (bottom - top).max(3),
            x + 10,
            top + 4,
        ),
    );
}

/// Messages of the same words to several nodes at once are named once.
fn draw_messages(out: &mut String, diagram: &Diagram, rows: &Rows) {
    let mut named: Option<(&Message, u64)> = None;
    for message in &diagram.messages {
        let (Some(x0), Some(x1)) = (diagram.x(message.from), diagram.x(message.to)) else {
            continue;
        };
        let y0 = rows.y(message.sent);
        let class = message.subject.class();
        match message.received {
            Some(received) => {
                let y1 = rows.y(received).clamp(y0 + ARROW_MIN, y0 + ARROW_MAX);
                push(
                    out,
                    format_args!(
                        "<path class=\"arrow {class}\" d=\"M{x0} {y0}L{x1} {y1}\" \
                         marker-end=\"url(#to-{class})\"/>"
                    ),
                );
            }
            // Nobody saw it arrive: it ends on the way, with a cross.
            None => {
                let (x, y) = ((2 * x0 + x1) / 3, y0 + ARROW_MIN);
                push(
                    out,
                    format_args!(
                        "<path class=\"arrow lost {class}\" d=\"M{x0} {y0}L{x} {y}\
                         m-4 -4l8 8m0 -8l-8 8\"/>"
                    ),
                );
            }
        }
        let is_named = named.is_some_and(|(last, y)| {
            last.from == message.from && last.words == message.words && y0 - y < ROW
        });
        if !is_named {
            named = Some((message, y0));
            let (x, anchor) = match x1 > x0 {
                true => (x0 + 9, "start"),
                false => (x0 - 9, "end"),
            };
            push(
                out,
                format_args!(
                    "<text class=\"words {class}\" x=\"{x}\" y=\"{}\" \
                     text-anchor=\"{anchor}\">{}</text>",
                    y0 - 3,
                    escaped(&message.words)
                ),
            );
        }
    }
}

fn draw_turns(out: &mut String, diagram: &Diagram, rows: &Rows) {
    for turn in &diagram.turns {
        let Some(x) = diagram.x(turn.node) else {
            continue;
        };
        let y = rows.y(turn.time);
        let class = if turn.epoch.is_some() { "up" } else { "down" };
        let width = 12 + 6 * turn.becomes.chars().count() as u64;
        push(
            out,
            format_args!(
                "<rect class=\"turn {class}\" x=\"{}\" y=\"{}\" width=\"{width}\" height=\"15\" \
                 rx=\"7\"/><text class=\"turned {class}\" x=\"{x}\" y=\"{}\" \
                 text-anchor=\"middle\">{}</text>",
                x - width / 2,
                y - 8,
                y + 4,
                escaped(&turn.becomes)
            ),
        );
    }
}

fn draw_orders(out: &mut String, diagram: &Diagram, rows: &Rows) {
    for order in &diagram.orders {
        let Some(x) = diagram.x(order.node) else {
            continue;
        };
        let y = rows.y(order.time);
        push(
            out,
            format_args!(
                "<path class=\"order\" d=\"M{x} {y}l-6 -10h12z\"/>\
                 <text class=\"words order\" x=\"{}\" y=\"{}\">{}</text>",
                x + 9,
                y - 2,
                escaped(&order.what)
            ),
        );
    }
}

fn draw_dots(out: &mut String, diagram: &Diagram, rows: &Rows) {
    for dot in &diagram.dots {
        let Some(x) = diagram.x(dot.node) else {
            continue;
        };
        let (class, word) = match dot.kind {
            _ if dot.is_lost => ("lost", "ok, and lost"),
            EventKind::Ok => ("ok", "ok"),
            EventKind::Fail => ("fail", "refused"),
            EventKind::Info | EventKind::Invoke => ("info", "unknown"),
        };
        let y = rows.y(dot.time);
        push(
            out,
            format_args!(
                "<circle class=\"dot {class}\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>\
                 <text class=\"words\" x=\"{}\" y=\"{}\">{}: {word}</text>",
                x + 8,
                y + 12,
                escaped(&dot.what)
            ),
        );
    }
}

fn breach(out: &mut String, diagram: &Diagram, rows: &Rows, width: u64) {
    let breach = &diagram.breach;
    let is_below = breach.time > diagram.to;
    let y = if is_below {
        rows.bottom() - 2
    } else {
        rows.y(breach.time)
    };
    let when = match is_below {
        true => format!(", seen at {} s", seconds(breach.time)),
        false => String::new(),
    };
    push(
        out,
        format_args!(
            "<path class=\"breach\" d=\"M{} {y}H{width}\"/>\
             <text class=\"broken\" x=\"{}\" y=\"{}\" text-anchor=\"end\">breaks {}{when}</text>",
            LEFT - 8,
            width - 4,
            y + 13,
            escaped(&breach.clause)
        ),
    );
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to a string cannot fail");
}

const LEFT: u64 = 84;
const RIGHT: u64 = 90;
const COLUMN: u64 = 165;
const HEAD: u64 = 40;
const FOOT: u64 = 34;
/// Least and greatest height between two instants.
const ROW: u64 = 16;
const ROW_MAX: u64 = 58;
const LABEL: u64 = 14;
/// Below this a time is said as the distance from the one above, ns.
const RELATIVE_NS: u64 = 1_000_000;
const ARROW_MIN: u64 = 8;
const ARROW_MAX: u64 = 400;
/// Instants nearer than this share a row, ns.
const SAME_NS: u64 = 20_000;
