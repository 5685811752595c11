//! The space-time diagram of what broke: a line a node, time downwards, and the few messages that
//! matter as arrows.
//!
//! This file says what is drawn ([`Diagram`]) and around which instant; `messages` picks the
//! packets, [`svg`] draws. Time is not to scale: between two events there is a little space for a
//! little time and not much more for a lot.

mod messages;
mod svg;

use slotquake_checkers::history::EventKind;
use slotquake_checkers::verdict::Violation;

use super::drawn::Share;
use super::evidence::{Evidence, NS_PER_TICK, Operation};
use super::film::{DrawnStance, Film};
use super::lanes::ProcessState;
use super::ledger::Ledger;

pub use messages::{Message, Subject};
pub use svg::svg;

/// What is drawn.
#[derive(Debug)]
pub struct Diagram {
    /// The nodes, from left to right.
    pub columns: Vec<Column>,
    /// The arrows, in order of time.
    pub messages: Vec<Message>,
    /// When nodes were not simply running.
    pub bars: Vec<Bar>,
    /// Who became what.
    pub turns: Vec<Turn>,
    /// What an operator ordered.
    pub orders: Vec<Order>,
    /// What clients saw.
    pub dots: Vec<Dot>,
    /// What broke.
    pub breach: Breach,
    /// First instant that is drawn, ns.
    pub from: u64,
    /// Last instant that is drawn, ns.
    pub to: u64,
    /// Events near the breach for which there was no room.
    pub left_out: usize,
}

/// A node.
#[derive(Debug)]
pub struct Column {
    /// Position of the node in the cluster.
    pub node: usize,
    /// Its name.
    pub name: String,
    /// What it is at the first instant.
    pub role: String,
}

/// A stretch in which a node was killed, paused or cut off.
#[derive(Debug)]
pub struct Bar {
    /// Position of the node.
    pub node: usize,
    /// From, ns.
    pub from: u64,
    /// To, ns.
    pub to: u64,
    /// What was done to it.
    pub state: ProcessState,
}

/// A node becomes a master, or ceases to be one.
#[derive(Debug)]
pub struct Turn {
    /// Position of the node.
    pub node: usize,
    /// When, ns.
    pub time: u64,
    /// What it is from now on.
    pub becomes: String,
    /// The epoch of a new master; none of a replica.
    pub epoch: Option<u64>,
}

/// An act that takes no time.
#[derive(Debug)]
pub struct Order {
    /// Position of the node that is told.
    pub node: usize,
    /// When, ns.
    pub time: u64,
    /// What.
    pub what: String,
}

/// The end of an operation, at the node that answered.
#[derive(Debug)]
pub struct Dot {
    /// Position of the node.
    pub node: usize,
    /// When, ns.
    pub time: u64,
    /// How it ended.
    pub kind: EventKind,
    /// What it was.
    pub what: String,
    /// Whether it was acknowledged and is gone at the end.
    pub is_lost: bool,
}

/// The violation in the middle of it.
#[derive(Debug)]
pub struct Breach {
    /// When, ns.
    pub time: u64,
    /// The clause.
    pub clause: String,
    /// One sentence.
    pub message: String,
}

/// What a diagram is made from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The recording.
    pub evidence: &'a Evidence<'a>,
    /// Everything drawn.
    pub film: &'a Film,
    /// The operations.
    pub operations: &'a [Operation<'a>],
    /// The lost writes.
    pub ledger: &'a Ledger,
    /// What broke.
    pub violations: &'a [Violation],
}

impl Diagram {
    /// The diagram of the first thing that broke; none where nothing did, or nothing is known of
    /// the nodes.
    pub fn of(sources: Sources<'_>) -> Option<Diagram> {
        let violation = first_broken(sources.violations)?;
        if sources.film.nodes.is_empty() {
            return None;
        }
        let node_timeout_ns = sources.evidence.setting.node_timeout_ms * 1_000_000;
        let anchor = anchor(violation);
        let begin = cause(sources, anchor, node_timeout_ns);
        let end = violation.time.max(anchor) + AFTER_NS;
        let healed_at = sources.evidence.setting.healed_at.unwrap_or(u64::MAX);
        // What is only seen by the reads at the end went wrong before.
        let centre = violation.time.min(healed_at).max(anchor);
        let turns = turns(sources);
        let mut diagram = Diagram {
            columns: Vec::new(),
            messages: messages::messages(sources.evidence, &turns, begin, end),
            bars: bars(sources.film),
            turns,
            orders: orders(sources.film),
            dots: dots(sources, begin, end),
            breach: Breach {
                time: violation.time,
                clause: violation.clause.clone(),
                message: violation.message.clone(),
            },
            from: begin,
            to: end,
            left_out: 0,
        };
        diagram.keep_what_has_room(centre);
        diagram.choose_columns(sources, violation);
        Some(diagram)
    }

    /// Narrows the time around the centre until there is room for all events, and drops the rest.
    fn keep_what_has_room(&mut self, centre: u64) {
        let mut times = self.event_times();
        times.retain(|time| (self.from..=self.to).contains(time));
        if times.len() > EVENTS_MAX {
            let middle = times.partition_point(|time| *time <= centre);
            let first = middle.saturating_sub(EVENTS_MAX * 4 / 5);
            let first = first.min(times.len() - EVENTS_MAX);
            self.left_out = times.len() - EVENTS_MAX;
            (self.from, self.to) = (times[first], times[first + EVENTS_MAX - 1]);
        }
        let (from, to) = (self.from, self.to);
        let is_shown = |time: u64| (from..=to).contains(&time);
        self.messages.retain(|message| is_shown(message.sent));
        self.dots.retain(|dot| is_shown(dot.time));
        self.orders.retain(|order| is_shown(order.time));
        self.bars.retain(|bar| bar.from <= to && bar.to >= from);
    }

    /// Instants at which something is drawn, in order; messages sent to several at once are one.
    fn event_times(&self) -> Vec<u64> {
        let bars = self.bars.iter().flat_map(|bar| [bar.from, bar.to]);
        let messages = self.messages.iter().map(|message| message.sent);
        let dots = self.dots.iter().map(|dot| dot.time);
        let orders = self.orders.iter().map(|order| order.time);
        let turns = self.turns.iter().map(|turn| turn.time);
        let mut times: Vec<u64> = bars
            .chain(messages)
            .chain(dots)
            .chain(orders)
            .chain(turns)
            .collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// All nodes, or those with a part in it where there are too many.
    fn choose_columns(&mut self, sources: Sources<'_>, violation: &Violation) {
        let nodes = &sources.film.nodes;
        let mut parts: Vec<usize> = vec![0; nodes.len()];
        for message in &self.messages {
            for node in [message.from, message.to] {
                parts[node] += 1;
            }
        }
        let marked = self.bars.iter().map(|bar| bar.node);
        let shown_turns = self.turns.iter().filter(|turn| turn.time >= self.from);
        let marked = marked.chain(shown_turns.map(|turn| turn.node));
        let marked = marked.chain(self.orders.iter().map(|order| order.node));
        for node in marked.chain(self.dots.iter().map(|dot| dot.node)) {
            parts[node] += PART_OF_A_MARK;
        }
        let words: Vec<&str> = violation
            .message
            .split(|c: char| !c.is_alphanumeric())
            .collect();
        let is_named = |node: usize| words.contains(&nodes[node].name.as_str());
        let mut chosen: Vec<usize> = (0..nodes.len()).collect();
        chosen.sort_by_key(|node| std::cmp::Reverse((is_named(*node), parts[*node])));
        chosen.truncate(COLUMNS_MAX);
        chosen.sort_unstable();
        self.columns = chosen
            .into_iter()
            .map(|node| Column {
                node,
                name: nodes[node].name.clone(),
                role: role_at(sources.film, node, self.from),
            })
            .collect();
        let columns: Vec<usize> = self.columns.iter().map(|column| column.node).collect();
        let is_shown = |node: usize| columns.contains(&node);
        self.messages
            .retain(|message| is_shown(message.from) && is_shown(message.to));
        self.bars.retain(|bar| is_shown(bar.node));
        self.dots.retain(|dot| is_shown(dot.node));
        self.orders.retain(|order| is_shown(order.node));
        let (from, to) = (self.from, self.to);
        let is_within = |turn: &Turn| (from..=to).contains(&turn.time);
        self.turns
            .retain(|turn| is_shown(turn.node) && is_within(turn));
    }
}

/// The first violation; known weaknesses only where there is nothing else.
fn first_broken(violations: &[Violation]) -> Option<&Violation> {
    violations
        .iter()
        .min_by_key(|violation| (violation.known.is_some(), violation.time))
}

/// When it began to go wrong: many a breach is only seen at the end of the run.
fn anchor(violation: &Violation) -> u64 {
    let steps = violation.witness.steps.iter().map(|step| step.time);
    steps
        .chain([violation.time])
        .min()
        .unwrap_or(violation.time)
}

/// The beginning of the fault that led to it, if there is one, and of the one before.
fn cause(sources: Sources<'_>, anchor: u64, node_timeout_ns: u64) -> u64 {
    let bands = sources.film.bands.iter();
    let mut begins: Vec<u64> = bands
        .filter(|band| band.certainty != super::bands::Certainty::Skipped)
        .map(|band| band.from.nanoseconds())
        .filter(|from| *from <= anchor && from + CAUSE_NODE_TIMEOUTS * node_timeout_ns >= anchor)
        .collect();
    begins.sort_unstable();
    let earliest = begins.into_iter().rev().nth(1).or_else(|| {
        let bands = sources
            .film
            .bands
            .iter()
            .map(|band| band.from.nanoseconds());
        bands.filter(|from| *from <= anchor).max()
    });
    let usual = anchor.saturating_sub(2 * node_timeout_ns);
    earliest
        .unwrap_or(usual)
        .min(usual)
        .saturating_sub(BEFORE_NS)
}

fn bars(film: &Film) -> Vec<Bar> {
    let bars = film.nodes.iter().enumerate().flat_map(|(node, lane)| {
        lane.outages.iter().map(move |outage| Bar {
            node,
            from: outage.from.nanoseconds(),
            to: outage.to.nanoseconds(),
            state: outage.state,
        })
    });
    bars.collect()
}

/// Acts of an operator, at the first node that is told.
fn orders(film: &Film) -> Vec<Order> {
    let acts = film
        .bands
        .iter()
        .filter(|band| band.from == band.to && band.certainty != super::bands::Certainty::Skipped);
    let orders = acts.filter_map(|band| {
        Some(Order {
            node: *band.nodes.first()?,
            time: band.from.nanoseconds(),
            what: band.note.clone(),
        })
    });
    orders.collect()
}

fn turns(sources: Sources<'_>) -> Vec<Turn> {
    let film = sources.film;
    let mut turns = Vec::new();
    for (node, lane) in film.nodes.iter().enumerate() {
        for pair in lane.stances.windows(2) {
            let [before, after] = pair else { continue };
            let is_news = is_reign(after) != is_reign(before)
                || (is_reign(after) && after.epoch != before.epoch);
            if is_news && (is_reign(after) || after.master != -1) {
                turns.push(Turn {
                    node,
                    time: first_word(sources, node, after),
                    becomes: role(film, after),
                    epoch: is_reign(after).then_some(after.epoch),
                });
            }
        }
    }
    turns.sort_by_key(|turn| turn.time);
    turns
}

/// A stance is known to a tick only: when the packet that began it left, ns.
fn first_word(sources: Sources<'_>, node: usize, stance: &DrawnStance) -> u64 {
    let from = stance.from.nanoseconds();
    let packets = sources.evidence.packets;
    let first = packets.partition_point(|packet| packet.time < from);
    let tick = packets[first..]
        .iter()
        .take_while(|packet| packet.time < from + NS_PER_TICK);
    let name = &sources.film.nodes[node].name;
    let mut same = tick.filter(|packet| {
        *packet.from.0 == **name
            && packet.header.config_epoch == stance.epoch
            && packet.header.is_master() == (stance.master == -1)
    });
    same.next().map_or(from, |packet| packet.time)
}

fn is_reign(stance: &DrawnStance) -> bool {
    stance.master == -1 && !stance.slots.is_empty()
}

fn role_at(film: &Film, node: usize, time: u64) -> String {
    let stances = film.nodes[node].stances.iter();
    let last = stances
        .take_while(|stance| stance.from.nanoseconds() <= time)
        .last();
    last.or(film.nodes[node].stances.first())
        .map_or_else(String::new, |stance| role(film, stance))
}

fn role(film: &Film, stance: &DrawnStance) -> String {
    let master = usize::try_from(stance.master)
        .ok()
        .and_then(|node| film.nodes.get(node));
    match master {
        Some(master) => format!("replica of {}", master.name),
        None if is_reign(stance) => format!("master, epoch {}", stance.epoch),
        None => "without slots".to_string(),
    }
}

/// Operations that were lost; all of them where there are few.
fn dots(sources: Sources<'_>, from: u64, to: u64) -> Vec<Dot> {
    let index = sources.evidence.node_index();
    let lost: Vec<u64> = sources
        .ledger
        .losses
        .iter()
        .filter(|loss| loss.window.is_none())
        .map(|loss| loss.index)
        .collect();
    let within = |time: u64| (from..=to).contains(&time);
    let ended = sources.operations.iter().filter_map(|operation| {
        let end = operation.completion?;
        let node = *index.get(end.node.as_ref()?)?;
        within(end.time).then(|| Dot {
            node,
            time: end.time,
            kind: end.kind,
            what: format!("{} {}", function_name(operation), argument(operation)),
            is_lost: lost.contains(&operation.invoke.index),
        })
    });
    let mut dots: Vec<Dot> = ended.collect();
    if dots.len() > DOTS_MAX || sources.evidence.share == Share::Part {
        dots.retain(|dot| dot.is_lost);
        thin(&mut dots);
    }
    dots
}

/// Keeps the first lost writes and the last one, which says how many lie between.
fn thin(lost: &mut Vec<Dot>) {
    let Some(hidden) = lost
        .len()
        .checked_sub(LOST_MAX)
        .filter(|hidden| *hidden > 0)
    else {
        return;
    };
    lost.drain(LOST_MAX - 1..LOST_MAX - 1 + hidden);
    if let Some(last) = lost.last_mut() {
        last.what = format!("{} and {hidden} before it", last.what);
    }
}

fn function_name(operation: &Operation<'_>) -> String {
    format!("{:?}", operation.invoke.f).to_lowercase()
}

fn argument(operation: &Operation<'_>) -> String {
    slotquake_checkers::history::operation::short(&operation.invoke.value)
}

const EVENTS_MAX: usize = 110;
const COLUMNS_MAX: usize = 12;
const DOTS_MAX: usize = 30;
/// Lost writes that are drawn where there are many operations.
const LOST_MAX: usize = 6;
const PART_OF_A_MARK: usize = 20;
const CAUSE_NODE_TIMEOUTS: u64 = 12;
const BEFORE_NS: u64 = 50_000_000;
const AFTER_NS: u64 = 300_000_000;
