//! A picture of one case: transactions as boxes, a lane for each process, time to the right by
//! rank, and an arrow for each edge of the cycle.

use std::fmt::Write as _;

use super::report::{Case, ToldTxn};

/// Width of one step of time.
const STEP: usize = 120;
/// Height of a line of text.
const LINE: usize = 16;
/// Room between lanes, for arrows.
const GAP: usize = 70;
/// Room for the names of the processes.
const MARGIN: usize = 90;

/// The case as an SVG document.
pub fn svg(title: &str, case: &Case) -> String {
    let layout = Layout::of(case);
    let mut out = String::new();
    let (width, height) = (layout.width(), layout.height());
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"monospace\" font-size=\"12\">\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#b00\"/></marker>\
         </defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"20\" font-size=\"14\" font-weight=\"bold\">{}</text>\n",
        escaped(title)
    );
    for (lane, process) in layout.processes.iter().enumerate() {
        let y = layout.lane_y(lane) + LINE;
        let _ = writeln!(out, "<text x=\"10\" y=\"{y}\">process {process}</text>");
    }
    for (at, txn) in case.transactions.iter().enumerate() {
        draw_box(&mut out, &layout, at, txn);
    }
    for (number, edge) in case.edges.iter().enumerate() {
        draw_edge(&mut out, &layout, (edge.from, edge.to), number, edge.kind);
    }
    let mut y = height - LINE * (case.edges.len() + 1);
    for edge in &case.edges {
        y += LINE;
        let told = format!("{}: {}", edge.kind, edge.because);
        let _ = writeln!(out, "<text x=\"10\" y=\"{y}\">{}</text>", escaped(&told));
    }
    out.push_str("</svg>\n");
    out
}

struct Layout {
    processes: Vec<u32>,
    /// By transaction: lane, begin and end as ranks of time.
    boxes: Vec<(usize, usize, usize)>,
    ranks: usize,
    lane_height: usize,
    notes: usize,
}

impl Layout {
    fn of(case: &Case) -> Layout {
        let txns = &case.transactions;
        let mut processes: Vec<u32> = txns.iter().map(|txn| txn.process).collect();
        processes.sort_unstable();
        processes.dedup();
        let end_of = |txn: &ToldTxn| txn.completed.unwrap_or(u64::MAX);
        let mut times: Vec<u64> = txns
            .iter()
            .flat_map(|txn| [txn.invoked, end_of(txn)])
            .collect();
        times.sort_unstable();
        times.dedup();
        let rank = |time: u64| times.partition_point(|known| *known < time);
        let place = |txn: &ToldTxn| {
            let lane = processes.partition_point(|known| *known < txn.process);
            let begin = rank(txn.invoked);
            (lane, begin, rank(end_of(txn)).max(begin + 1))
        };
        let steps_max = txns.iter().map(|txn| txn.steps.len()).max().unwrap_or(0);
        Layout {
            boxes: txns.iter().map(place).collect(),
            processes,
            ranks: times.len() + 1,
            lane_height: LINE * (steps_max + 2),
            notes: case.edges.len(),
        }
    }

    fn width(&self) -> usize {
        (MARGIN + self.ranks * STEP + 40).max(760)
    }

    fn height(&self) -> usize {
        self.lane_y(self.processes.len()) + LINE * (self.notes + 2)
    }

    fn lane_y(&self, lane: usize) -> usize {
        60 + lane * (self.lane_height + GAP)
    }

    /// Corner and size of a box.
    fn frame(&self, at: usize) -> (usize, usize, usize, usize) {
        let (lane, begin, end) = self.boxes[at];
        let width = (end - begin) * STEP - 20;
        let x = MARGIN + begin * STEP;
        (x, self.lane_y(lane), width, self.lane_height)
    }
}

fn draw_box(out: &mut String, layout: &Layout, at: usize, txn: &ToldTxn) {
    let (x, y, width, height) = layout.frame(at);
    let fill = match txn.outcome {
        "ok" => "#dbe9ff",
        "aborted" => "#ffd9e8",
        _ => "#ffe9c7",
    };
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\" \
         fill=\"{fill}\" stroke=\"#345\"><title>op {}, {}</title></rect>",
        txn.index, txn.outcome
    );
    let head = format!("{} (op {})", txn.name, txn.index);
    let lines = std::iter::once(&head).chain(&txn.steps);
    for (number, line) in lines.enumerate() {
        let y = y + LINE * (number + 1);
        let x = x + 6;
        let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\">{}</text>", escaped(line));
    }
}

fn draw_edge(
    out: &mut String,
    layout: &Layout,
    (from, to): (usize, usize),
    number: usize,
    kind: &str,
) {
    let middle = |at: usize| {
        let (x, y, width, height) = layout.frame(at);
        (x + width / 2, y, y + height)
    };
    let ((x1, top1, bottom1), (x2, top2, bottom2)) = (middle(from), middle(to));
    // Arrows of one pair of boxes leave at different places.
    let shift = 14 * (number % 4);
    let (x1, x2) = (x1 + shift, x2 + shift);
    let (y1, y2) = match top1.cmp(&top2) {
        std::cmp::Ordering::Less => (bottom1, top2),
        std::cmp::Ordering::Greater => (top1, bottom2),
        std::cmp::Ordering::Equal => (bottom1, bottom2),
    };
    let (cx, cy) = match y1 == y2 {
        true => ((x1 + x2) / 2, y1 + GAP - 20),
        false => ((x1 + x2) / 2 + 20, (y1 + y2) / 2),
    };
    let label_y = if y1 == y2 { y1 + GAP / 2 } else { cy };
    let _ = writeln!(
        out,
        "<path d=\"M{x1} {y1}Q{cx} {cy} {x2} {y2}\" fill=\"none\" stroke=\"#b00\" \
         marker-end=\"url(#tip)\"/>\n<text x=\"{cx}\" y=\"{label_y}\" fill=\"#b00\" \
         font-weight=\"bold\">{kind}</text>"
    );
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            letter => out.push(letter),
        }
    }
    out
}
