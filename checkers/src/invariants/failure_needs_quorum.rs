//! FD-03: FAIL is raised only by a node that has the word of a majority.
//!
//! Who sends a FAIL message marked the node itself. Its own voice counts if it is a master with
//! slots; the others are masters whose heartbeats, delivered to it within two node timeouts, named
//! the node as PFAIL or FAIL and were not withdrawn by a later one. Cluster-bus flags 4 and 8.

use std::collections::{BTreeMap, BTreeSet};

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{finding, read_at};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{
    Body, Bounds, GossipEntry, NodeId, NodeName, Packet, Setting, bounds::CRON,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "FD-03",
    title: "FAIL needs the reports of a majority",
    clauses: &["FD-03", "FD-06", "FD-08"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A node turns PFAIL into FAIL and tells everybody when a majority of the masters, \
           by its own count of them, reported the failure to it within the last two node \
           timeouts. Reports are gossip entries in heartbeats of masters that were delivered to \
           it; a later heartbeat of the same master that finds the node well withdraws its \
           report. As each of them suspects only who was silent for a node timeout (FD-01), no \
           node is FAIL that a majority hears (FD-06). Reports from before a pause are void \
           after it (FD-08). Upstream counts masters without slots as well.",
    make: || Box::new(FailureNeedsQuorum::default()),
};

/// The checker of FD-03.
#[derive(Debug, Default)]
pub struct FailureNeedsQuorum {
    /// What was said of a node, by whom it was heard.
    words: BTreeMap<(NodeId, NodeName), Vec<Word>>,
    /// Who heard last that this node fails, and from whom.
    accused: BTreeMap<NodeId, Vec<(NodeName, NodeId)>>,
    marks: Vec<Mark>,
}

impl Checker for FailureNeedsQuorum {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => match &packet.body {
                Body::Gossip(entries) => self.note(packet, entries),
                Body::Failed(about) => self.note_mark(packet, about, scene),
                Body::Owner { .. } | Body::Nothing => {}
            },
            Happening::View(_)
            | Happening::Op(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let bounds = Bounds::of(setting);
        for ((_, by), words) in &mut self.words {
            for word in words {
                // R4: what came while the node stood still it read when it went on.
                word.delivered = read_at(scene, by, word.delivered);
            }
        }
        let mut tally = Tally::default();
        for mark in std::mem::take(&mut self.marks) {
            tally.examined += 1;
            let is_lenient = setting.runs_upstream(&mark.by);
            let voices = mark.own_voice + self.reporters(&mark, &bounds, is_lenient).len();
            let quorum = mark.smallest_size(&bounds, scene) / 2 + 1;
            if voices >= quorum {
                continue;
            }
            let what = format!(
                "marks {} as FAIL with {voices} of {quorum} masters that say so",
                mark.about
            );
            tally
                .findings
                .push(finding("FD-03", mark.time, &mark.by, what));
        }
        let nothing = "nobody was marked as FAIL";
        tally.conclude(setting, Completeness::Proving, nothing)
    }
}

impl FailureNeedsQuorum {
    fn note(&mut self, packet: &Packet, entries: &[GossipEntry]) {
        let Some(delivered) = packet.delivered.filter(|_| packet.header.is_master()) else {
            return;
        };
        for entry in entries {
            let is_failing = entry.flags & FAILING != 0;
            let by = &packet.header.sender;
            // Nearly all words are that nothing is wrong, where nothing was: they withdraw nothing.
            let accusers = match self.accused.get_mut(&entry.id) {
                Some(accusers) => accusers,
                None if !is_failing => continue,
                None => self.accused.entry(entry.id.clone()).or_default(),
            };
            let mut known = accusers.iter();
            let known = known.position(|(hearer, accuser)| *hearer == packet.to && accuser == by);
            match (known, is_failing) {
                (None, false) => continue,
                (Some(_), true) => {}
                (None, true) => accusers.push((packet.to.clone(), by.clone())),
                (Some(place), false) => {
                    accusers.swap_remove(place);
                }
            }
            let key = (entry.id.clone(), packet.to.clone());
            let words = self.words.entry(key).or_default();
            words.push(Word {
                delivered,
                by: by.clone(),
                has_slots: packet.header.claims_slots(),
                is_failing,
            });
        }
    }

    fn note_mark(&mut self, packet: &Packet, about: &NodeId, scene: &Scene) {
        let is_told = |mark: &Mark| {
            mark.by == packet.from && mark.about == *about && mark.time + CRON > packet.time
        };
        if self.marks.iter().rev().take(TOLD_AT_ONCE).any(is_told) {
            return;
        }
        let Some(seen) = scene.view_of(&packet.from) else {
            return;
        };
        self.marks.push(Mark {
            time: packet.time,
            by: packet.from.clone(),
            about: about.clone(),
            own_voice: usize::from(packet.header.is_master()),
            size: seen.size.min(scene.voters_before()),
        });
    }

    /// The masters whose last word before the mark was that the node fails, and is still valid.
    fn reporters(&self, mark: &Mark, bounds: &Bounds, is_lenient: bool) -> BTreeSet<&NodeId> {
        let valid = 2 * bounds.node_timeout + CRON + bounds.reading;
        let key = (mark.about.clone(), mark.by.clone());
        let words = || self.words.get(&key).into_iter().flatten();
        let counts = |word: &&Word| {
            let is_in_time =
                word.delivered <= mark.time + bounds.reading && word.delivered + valid >= mark.time;
            word.is_failing && is_in_time && (word.has_slots || is_lenient)
        };
        let is_withdrawn = |word: &Word| {
            words().any(|later| {
                later.by == word.by
                    && !later.is_failing
                    && later.delivered > word.delivered + bounds.reading
                    && later.delivered + bounds.reading < mark.time
            })
        };
        let valid = words().filter(counts).filter(|word| !is_withdrawn(word));
        valid.map(|word| &word.by).collect()
    }
}

/// A gossip entry of a master, at who heard it.
#[derive(Debug)]
struct Word {
    delivered: u64,
    by: NodeId,
    has_slots: bool,
    is_failing: bool,
}

/// A node marked another one as FAIL.
#[derive(Debug)]
struct Mark {
    time: u64,
    by: NodeName,
    about: NodeId,
    own_voice: usize,
    /// Masters with slots, as its last view counted them.
    size: usize,
}

impl Mark {
    /// ST-08: the count is that of the last evaluation, and a master that gave way counts no more
    /// from then on, its successor not until its claim was heard.
    fn smallest_size(&self, bounds: &Bounds, scene: &Scene) -> usize {
        let lately = self
            .time
            .saturating_sub(2 * bounds.node_timeout + bounds.slack);
        let claims = scene.ownership().claims().iter();
        let gave_way = claims
            .filter(|claim| claim.slots.is_empty() && (lately..=self.time).contains(&claim.time));
        self.size.saturating_sub(gave_way.count())
    }
}

/// PFAIL and FAIL.
const FAILING: u16 = 4 | 8;
/// Marks among which the same one told to another node is looked for.
const TOLD_AT_ONCE: usize = 8;
