//! ST-03: while its state is fail a node serves no key, not even for reading.
//!
//! A node says its state in each header and in its views. An operation that it carried out is held
//! against the last word before and the first one after it: if both are fail and lie so close
//! together that the state cannot have come and gone, the node served while it was down. While
//! the news of a takeover or a restart are on their way it can: the owner's claim makes the state
//! ok, and an older word about it, or its silence on a link that is cut, makes it fail again.

use std::collections::{BTreeMap, VecDeque};

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Object, Operation, Outcome};
use crate::observation::{Bounds, NodeName, Setting, bounds::MILLISECOND};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation};

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "ST-03",
    title: "a node whose state is fail serves no reads either",
    clauses: &["ST-03"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "While cluster_state is fail a node answers CLUSTERDOWN to every command with a key, \
           unless it was told to allow reads. Its state is known from its headers and views: \
           the last before an operation and the first after it, at most 150 ms apart, while no \
           takeover or restart is news (H_map).",
    make: || Box::new(StopsServingWhenDown::default()),
};

/// The checker of ST-03.
#[derive(Debug, Default)]
pub struct StopsServingWhenDown {
    /// The latest words of each node, as long as they were fail.
    words: BTreeMap<NodeName, VecDeque<Word>>,
    /// Operations that wait for the next word of their node.
    waiting: BTreeMap<NodeName, Vec<Served>>,
    /// When processes started and ended, ns.
    restarts: Vec<u64>,
    /// Operations served between two words of fail, and when the first of them was said, ns.
    found: Vec<(u64, Violation)>,
    tally: Tally,
}

/// That a node said fail, at some time between these two.
#[derive(Debug, Clone, Copy)]
struct Word {
    from: u64,
    until: u64,
}

/// An operation carried out by a node whose last word was fail.
#[derive(Debug)]
struct Served {
    /// When that was said, ns.
    said: u64,
    completed: u64,
    told: String,
}

impl Checker for StopsServingWhenDown {
    fn looks_at(&self) -> &'static [Sort] {
        &[
            Sort::Heartbeat,
            Sort::Message,
            Sort::View,
            Sort::Op,
            Sort::Lifecycle,
        ]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => {
                let is_ok = packet.header.state_ok;
                let times = (packet.time, packet.time);
                self.hear(&packet.from, is_ok, times);
            }
            Happening::View(view) => {
                self.hear(&view.node, view.state_ok, (view.asked, view.time));
            }
            Happening::Op(_) => {
                if let Some(operation) = scene.operation() {
                    self.note(operation);
                }
            }
            Happening::Lifecycle(lifecycle) => {
                self.restarts.push(lifecycle.time);
                self.words.remove(&lifecycle.node);
                self.waiting.remove(&lifecycle.node);
            }
            Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let on_its_way = Bounds::of(setting).maps_equal();
        for (said, found) in std::mem::take(&mut self.found) {
            let since = said.saturating_sub(on_its_way);
            let takeovers = scene.ownership().takeovers().iter();
            let takeovers = takeovers.map(|takeover| takeover.time);
            let mut news = takeovers.chain(self.restarts.iter().copied());
            if !news.any(|time| (since..=found.time + WORDS_APART).contains(&time)) {
                self.tally.findings.push(found);
            }
        }
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no node was asked for a key while its state was fail",
        )
    }
}

impl StopsServingWhenDown {
    /// A node said its state at some time between `from` and `until`.
    fn hear(&mut self, node: &NodeName, is_ok: bool, (from, until): (u64, u64)) {
        if is_ok && self.words.is_empty() && self.waiting.is_empty() {
            return;
        }
        if let Some(waiting) = self.waiting.get_mut(node) {
            for served in std::mem::take(waiting) {
                let is_close = until <= served.said + WORDS_APART;
                if from < served.completed {
                    // It was said during the operation: that it was ok then explains all.
                    if !is_ok && is_close {
                        waiting.push(served);
                    }
                } else if !is_ok && is_close {
                    let what = format!("says its state is fail, and serves {}", served.told);
                    let found = finding("ST-03", served.completed, node, what);
                    self.found.push((served.said, found));
                }
            }
            if waiting.is_empty() {
                self.waiting.remove(node);
            }
        }
        if is_ok {
            self.words.remove(node);
            return;
        }
        let words = self.words.entry(node.clone()).or_default();
        words.retain(|word| from <= word.from + WORDS_APART);
        words.push_back(Word { from, until });
    }

    fn note(&mut self, operation: &Operation) {
        let is_message = operation.f.object() == Some(Object::Channel);
        let is_judged = !is_message && !operation.key.is_empty();
        let Some(node) = operation.node.as_ref().filter(|_| is_judged) else {
            return;
        };
        let words = self.words.get(node).into_iter().flatten();
        let before = words.filter(|word| word.until <= operation.invoked);
        let Some(said) = before.map(|word| word.from).max() else {
            return;
        };
        self.tally.examined += 1;
        if operation.outcome == Outcome::Ok {
            let served = Served {
                said,
                completed: operation.completed,
                told: operation.told(),
            };
            self.waiting.entry(node.clone()).or_default().push(served);
        }
    }
}

/// Most time between two words for the state to have been the same in between, ns.
const WORDS_APART: u64 = 150 * MILLISECOND;
