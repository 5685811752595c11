//! What several invariants look up.
//!
//! The last view of each node, who was told of which failure, and who heard whom when. The scene
//! keeps them for all. Nothing here judges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::links::{ByPair, PairNumber};
use crate::checker::Happening;
use crate::observation::bounds::MILLISECOND;
use crate::observation::{Body, Incarnations, NodeId, NodeName, Packet, View, ViewEntry};
use crate::scene::Scene;
use crate::verdict::Violation;
use crate::witness::Witness;

/// A violation told by one step.
pub fn finding(clause: &str, time: u64, who: &NodeName, what: String) -> Violation {
    Violation {
        clause: clause.into(),
        time,
        message: format!("{who} {what}"),
        witness: Witness::default().step(time, who, what),
        known: None,
    }
}

/// Who owns a slot by a node table, and by which configEpoch. Two views with the same claim had no
/// other owner in between: a claim that wins has a larger configEpoch.
pub fn claim_in(table: &[ViewEntry], slot: u16) -> Option<(NodeId, u64)> {
    let owner = table.iter().find(|entry| entry.slots.contains(slot))?;
    Some((owner.id.clone(), owner.config_epoch))
}

/// `ip:port` of `ip:port@busport,hostname`; none if the node has no known ip.
pub fn client_address(entry: &ViewEntry) -> Option<&str> {
    let (address, _) = entry.address.split_once('@')?;
    (!address.starts_with([':', '?'])).then_some(address)
}

/// A view, as far as it is kept.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When the question left, ns.
    pub asked: u64,
    /// When the answer was complete, ns.
    pub time: u64,
    /// Which life of the node answered.
    pub incarnation: u32,
    /// Its id.
    pub id: NodeId,
    /// Whether it believed the cluster ok.
    pub state_ok: bool,
    /// How many masters with slots it counted.
    pub size: usize,
    /// Its node table.
    pub table: Arc<Vec<ViewEntry>>,
}

impl Seen {
    /// The line of a node.
    pub fn entry(&self, id: &NodeId) -> Option<&ViewEntry> {
        self.table.iter().find(|entry| entry.id == *id)
    }

    /// Whether a node is FAIL here; none if it is not in the table.
    pub fn is_failed(&self, id: &NodeId) -> Option<bool> {
        self.entry(id).map(|entry| entry.has_flag("fail"))
    }

    /// The id of the node's master, if it is a replica.
    pub fn my_master(&self) -> Option<&NodeId> {
        self.entry(&self.id)?.master.as_ref()
    }
}

/// The last view of each node, of the life that is running.
#[derive(Debug, Default)]
pub struct LastViews {
    last: BTreeMap<NodeName, Seen>,
    nodes: BTreeSet<NodeName>,
    before: Option<Seen>,
    names: BTreeMap<NodeId, NodeName>,
}

impl LastViews {
    /// Takes in a happening.
    pub fn observe(&mut self, happening: Happening<'_>, lives: &Incarnations) {
        self.before = match happening {
            Happening::View(view) => self.replace(view, lives),
            Happening::Packet(_)
            | Happening::Op(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => None,
        };
    }

    fn replace(&mut self, view: &View, lives: &Incarnations) -> Option<Seen> {
        if !self.names.contains_key(&view.id) {
            self.names.insert(view.id.clone(), view.node.clone());
            self.nodes.insert(view.node.clone());
        }
        let life = lives.life(&view.node);
        if view.asked < life.since || life.ended.is_some() {
            self.last.remove(&view.node);
            return None;
        }
        let seen = Seen {
            asked: view.asked,
            time: view.time,
            incarnation: life.incarnation,
            id: view.id.clone(),
            state_ok: view.state_ok,
            size: view.size as usize,
            table: Arc::clone(&view.table),
        };
        let before = self.last.insert(view.node.clone(), seen)?;
        let is_same = before.incarnation == life.incarnation && before.id == view.id;
        is_same.then_some(before)
    }

    /// The view before the one at hand, if it is of the same life.
    pub fn before(&self) -> Option<&Seen> {
        self.before.as_ref()
    }

    /// The last view of a node, if it is of its present life.
    pub fn of(&self, node: &NodeName, lives: &Incarnations) -> Option<&Seen> {
        let incarnation = lives.life(node).incarnation;
        let last = self.last.get(node);
        last.filter(|seen| seen.incarnation == incarnation)
    }

    /// The nodes that ever answered.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeName> {
        self.nodes.iter()
    }

    /// The node that was the first to answer with this id.
    pub fn name(&self, id: &NodeId) -> Option<&NodeName> {
        self.names.get(id)
    }
}

/// A FAIL message at a node that sent or got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailWord {
    /// When it was sent: it was not known here earlier.
    pub sent: u64,
    /// When it was here for certain. A captured acknowledgement may come long after the data.
    pub arrived: u64,
}

/// When each node sent, or was delivered, a FAIL message about another.
#[derive(Debug, Default)]
pub struct FailWords(BTreeMap<NodeName, Told>);

/// What one node was told.
#[derive(Debug, Default)]
struct Told {
    /// When the last word was there, ns.
    last: u64,
    about: BTreeMap<NodeId, Vec<FailWord>>,
}

impl FailWords {
    /// Takes in a packet.
    pub fn observe(&mut self, packet: &Packet) {
        let Body::Failed(about) = &packet.body else {
            return;
        };
        let sent = packet.time;
        let mut note = |node: &NodeName, arrived: u64| {
            let told = self.0.entry(node.clone()).or_default();
            let word = FailWord { sent, arrived };
            told.last = told.last.max(arrived);
            told.about.entry(about.clone()).or_default().push(word);
        };
        note(&packet.from, sent);
        if let Some(delivered) = packet.delivered {
            note(&packet.to, delivered);
        }
    }

    /// Whether a node may have had a word about anybody since this time.
    pub fn is_told_since(&self, node: &NodeName, from: u64) -> bool {
        self.0.get(node).is_some_and(|told| told.last >= from)
    }

    /// The first word that may have come between these times, both included.
    pub fn first(&self, node: &NodeName, about: &NodeId, from: u64, to: u64) -> Option<FailWord> {
        let words = self.0.get(node)?.about.get(about)?;
        let within = words
            .iter()
            .filter(|word| word.sent <= to && word.arrived >= from);
        within.min().copied()
    }
}

/// What a node heard of another.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Last data, ns.
    pub last: u64,
    /// When the last of it was sent: it may have been here as early as that.
    pub last_sent: u64,
    /// Silences of some length: when data came again, and how long they lasted, ns.
    pub silences: Vec<(u64, u64)>,
}

impl Heard {
    /// What was sent earlier on another link may have come later, and made a silence of the time in
    /// which this came.
    fn break_silence(&mut self, time: u64) {
        let mut silences = self.silences.iter();
        let around = |(end, length): &(u64, u64)| (end - length..*end).contains(&time);
        let Some(place) = silences.rposition(around) else {
            return;
        };
        let (end, length) = self.silences[place];
        let pieces = [(time, time - (end - length)), (end, end - time)];
        let long = pieces
            .into_iter()
            .filter(|(_, length)| *length > SILENCE_MIN);
        self.silences.splice(place..=place, long);
    }
}

/// When each node heard each other one.
#[derive(Debug, Default)]
pub struct Hearing {
    heard: ByPair<Heard>,
    /// Whom each node heard, by name.
    senders: BTreeMap<NodeName, BTreeMap<NodeName, PairNumber>>,
}

impl Hearing {
    /// Takes in a packet between these two.
    pub fn observe(&mut self, packet: &Packet, pair: PairNumber) {
        // R2: only what was delivered was heard.
        let Some(time) = packet.delivered else {
            return;
        };
        match self.heard.get_mut(pair) {
            Some(heard) => {
                if time > heard.last + SILENCE_MIN {
                    heard.silences.push((time, time - heard.last));
                } else if time < heard.last {
                    heard.break_silence(time);
                }
                heard.last = heard.last.max(time);
                heard.last_sent = heard.last_sent.max(packet.time);
            }
            None => {
                let heard = Heard {
                    last: time,
                    last_sent: packet.time,
                    silences: Vec::new(),
                };
                self.heard.insert(pair, heard);
                let senders = self.senders.entry(packet.to.clone()).or_default();
                senders.insert(packet.from.clone(), pair);
            }
        }
    }

    /// What a node heard of the others.
    pub fn of(&self, node: &NodeName) -> impl Iterator<Item = (&NodeName, &Heard)> {
        let senders = self.senders.get(node).into_iter().flatten();
        senders.filter_map(|(name, pair)| Some((name, self.heard.get(*pair)?)))
    }

    /// What a node heard of another.
    pub fn between(&self, node: &NodeName, other: &NodeName) -> Option<&Heard> {
        self.heard.get(*self.senders.get(node)?.get(other)?)
    }
}

/// Silences below this are below any T_pfail and not noted, ns.
const SILENCE_MIN: u64 = 600 * MILLISECOND;

/// Whether a node stood still at some time between these two.
pub fn is_paused_within(scene: &Scene, node: &NodeName, from: u64, to: u64) -> bool {
    let pauses = scene.timeline().pauses.get(node);
    let mut pauses = pauses.into_iter().flatten();
    pauses.any(|(begin, end)| *begin <= to && *end >= from)
}

/// When a node read what was delivered to it at this time: a paused one does so when it goes on.
pub fn read_at(scene: &Scene, node: &NodeName, delivered: u64) -> u64 {
    let pauses = scene.timeline().pauses.get(node);
    let mut pauses = pauses.into_iter().flatten();
    let pause = pauses.find(|(begin, end)| *begin <= delivered && delivered <= *end);
    pause.map_or(delivered, |(_, end)| (*end).max(delivered))
}
