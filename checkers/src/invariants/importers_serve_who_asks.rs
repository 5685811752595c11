//! RD-05: a node that imports a slot serves who was sent to it by ASK.
//!
//! An operation that went from the source of a migration to its target and was sent on from there
//! is held against the views of both ends: if both show the slot open towards each other before
//! and after it, then the target refused who said ASKING, or the client did not say it. Both are
//! mistakes. Operations that had to try again at one node (TRYAGAIN) are left out.
//!
//! ASK is for one command: a process that was served by a target after ASK, and begins its next
//! write there, took it for MOVED. Reads may go astray on purpose.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{Seen, finding};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Event, EventKind, Process};
use crate::observation::{NodeId, NodeName, Setting, View, ViewEntry, slots::slot_of_key};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RD-05",
    title: "an importing node serves who was sent by ASK",
    clauses: &["RD-05"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "After ASK a client says ASKING and its command to the target of the migration, which \
           serves it. Judged from operations that the target sent on: if the views of source \
           and target show the slot open before and after, either side broke the rule.",
    make: || Box::new(ImportersServeWhoAsks::default()),
};

/// The checker of RD-05.
#[derive(Debug, Default)]
pub struct ImportersServeWhoAsks {
    /// Operations that wait for the next views of both ends.
    waiting: Vec<SentOn>,
    asked: Asked,
    tally: Tally,
}

/// An operation that a target of a migration sent on.
#[derive(Debug)]
struct SentOn {
    completed: u64,
    slot: u16,
    /// Source and target, each until its later view was seen.
    ends: BTreeMap<NodeName, End>,
    target: NodeName,
    what: &'static str,
    told: String,
}

/// One end of a migration, as its own view has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    id: NodeId,
    mark: String,
}

impl Checker for ImportersServeWhoAsks {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Op, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Op(event) => self.note(event, scene),
            Happening::View(view) => self.judge(view),
            Happening::Lifecycle(lifecycle) => {
                let is_of = |sent: &SentOn| sent.ends.contains_key(&lifecycle.node);
                self.waiting.retain(|sent| !is_of(sent));
            }
            Happening::Packet(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no operation was sent to the target of a migration",
        )
    }
}

impl ImportersServeWhoAsks {
    fn note(&mut self, event: &Event, scene: &Scene) {
        let Some(operation) = scene
            .operation()
            .filter(|_| event.kind != EventKind::Invoke && event.f.is_for_the_owner())
        else {
            return;
        };
        let slot = slot_of_key(operation.key.as_bytes());
        let view_of = |node: &NodeName| {
            let seen = scene.view_of(node);
            seen.filter(|seen| seen.time <= operation.invoked)
        };
        let ends = |source: &NodeName, target: &NodeName| {
            ends_of(slot, view_of(source)?, view_of(target)?)
        };
        let last = event.hops.last().zip(event.node.as_ref());
        let is_by_ask = last.is_some_and(|(source, target)| ends(source, target).is_some());
        let way = match is_by_ask {
            true => Way::ByAsk,
            false => Way::Other,
        };
        self.tally.examined += u64::from(is_by_ask);
        let has_asked = begins_where_it_asked(&self.asked, event, slot);
        if event.hops.windows(2).any(|pair| pair[0] == pair[1]) {
            return self.remember(event, slot, Way::Other);
        }
        let back = match (has_asked, event.hops.as_slice()) {
            (true, [target, source, ..]) => Some([source.clone(), target.clone()]),
            (_, _) => None,
        };
        let what = match back {
            Some(_) => "gets a client's next write at once, though ASK is for one command",
            None => "sends on who was sent to it by ASK",
        };
        let back = back.as_ref().map(|pair| pair.as_slice());
        let mut pairs = event.hops.windows(2).chain(back);
        let found = pairs.find_map(|pair| Some((pair, ends(&pair[0], &pair[1])?)));
        if let Some((pair, ends)) = found {
            let names = [pair[0].clone(), pair[1].clone()];
            self.waiting.push(SentOn {
                completed: event.time,
                slot,
                target: pair[1].clone(),
                ends: names.into_iter().zip(ends).collect(),
                what,
                told: operation.told(),
            });
        }
        self.remember(event, slot, way);
    }

    /// Notes who served an operation after an ASK. A process whose operation took any other way
    /// but the straight one may have got a new map.
    fn remember(&mut self, event: &Event, slot: u16, way: Way) {
        let is_ok = event.kind == EventKind::Ok;
        match (event.hops.as_slice(), &event.node) {
            ([], _) if is_ok => {}
            ([source], Some(node)) if is_ok && way == Way::ByAsk => {
                let pair = [source.clone(), node.clone()];
                self.asked.insert((event.process, slot), pair);
            }
            (_, _) => self
                .asked
                .retain(|(process, _), _| *process != event.process),
        }
    }

    fn judge(&mut self, view: &View) {
        for mut sent in std::mem::take(&mut self.waiting) {
            let due = sent.ends.get(&view.node);
            let Some(end) = due.filter(|_| sent.completed < view.asked) else {
                self.waiting.push(sent);
                continue;
            };
            if !has_mark(&view.table, end) {
                continue;
            }
            sent.ends.remove(&view.node);
            if !sent.ends.is_empty() {
                self.waiting.push(sent);
                continue;
            }
            let what = format!(
                "imports slot {} and {}: {}",
                sent.slot, sent.what, sent.told
            );
            let found = finding("RD-05", sent.completed, &sent.target, what);
            self.tally.findings.push(found);
        }
    }
}

/// By process and slot: source and target of the ASK by which its last operation was served.
type Asked = BTreeMap<(Process, u16), [NodeName; 2]>;

/// How an operation came to who served it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From the source of a migration to its target.
    ByAsk,
    /// Otherwise, as far as is known.
    Other,
}

/// Whether an operation is a write that begins at the node that served its process after an ASK.
fn begins_where_it_asked(asked: &Asked, event: &Event, slot: u16) -> bool {
    let known = asked.get(&(event.process, slot));
    let is_back = |[source, target]: &[NodeName; 2]| {
        let mut hops = event.hops.iter();
        hops.next() == Some(target) && hops.next() == Some(source)
    };
    event.f.is_write() && known.is_some_and(is_back)
}

/// Source and target, if their views show the slot open towards each other.
fn ends_of(slot: u16, source: &Seen, target: &Seen) -> Option<[End; 2]> {
    let migrating = End {
        id: source.id.clone(),
        mark: format!("{slot}->-{}", target.id),
    };
    let importing = End {
        id: target.id.clone(),
        mark: format!("{slot}-<-{}", source.id),
    };
    let is_open = has_mark(&source.table, &migrating) && has_mark(&target.table, &importing);
    is_open.then_some([migrating, importing])
}

fn has_mark(table: &[ViewEntry], end: &End) -> bool {
    let mut own = table.iter().filter(|entry| entry.id == end.id);
    own.any(|entry| entry.open_slots.contains(&end.mark))
}
