//! The rest at the end: is the data of each replica that of its master, and every key where its
//! slot is?
//!
//! Nobody writes any more. All nodes are asked for a digest of their data (DEBUG DIGEST), again and
//! again until each replica has that of its master, as long as recovery may take. What each said
//! last goes into the recording for the checkers. Nodes that refuse the question are let alone.
//! Then masters are asked for all their keys (SCAN), of which the slots are recorded.

use std::collections::BTreeMap;

use bytes::Bytes;
use slotquake_checkers::observation::slots::slot_of_key;
use slotquake_checkers::observation::{Dataset, NodeName, SlotSet};
use slotquake_workloads::client::RespValue;

use super::agenda::Due;
use super::state::Director;
use crate::nemesis::{Picture, Role};
use crate::world::Command;

/// From one question to the next, ns.
const AGAIN_NS: u64 = 400_000_000;
/// Least time of the rest, ns: until each node said its offset in a heartbeat.
const REST_NS: u64 = 1_200_000_000;
/// Keys that one question asks for.
const KEYS_AT_ONCE: &str = "10000";
/// Tags from here on are ours; those below are of errands and scenarios.
const TAG_FIRST: u64 = 1 << 48;

/// What was said so far.
#[derive(Debug, Default)]
pub struct Rest {
    asked: BTreeMap<u64, (NodeName, Question)>,
    said: BTreeMap<NodeName, Dataset>,
    /// The slots of the keys that were named so far; none before the first question.
    scans: Option<BTreeMap<NodeName, SlotSet>>,
    tag_last: u64,
    is_refused: bool,
}

/// What a node is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    /// DEBUG DIGEST.
    Digest,
    /// INFO stats: how its replicas were brought up to date.
    Stats,
    /// SCAN from this cursor on.
    Keys(u64),
}

impl Question {
    fn words(self) -> Vec<Bytes> {
        match self {
            Question::Digest => ["DEBUG", "DIGEST"].map(Bytes::from).to_vec(),
            Question::Stats => ["INFO", "stats"].map(Bytes::from).to_vec(),
            Question::Keys(cursor) => vec![
                Bytes::from("SCAN"),
                Bytes::from(cursor.to_string()),
                Bytes::from("COUNT"),
                Bytes::from(KEYS_AT_ONCE),
            ],
        }
    }
}

impl Rest {
    /// Questions to these nodes.
    fn ask(&mut self, nodes: impl Iterator<Item = NodeName>) -> Vec<Command> {
        let mut commands = Vec::new();
        for node in nodes {
            for question in [Question::Digest, Question::Stats] {
                commands.push(self.question(node.clone(), question));
            }
        }
        commands
    }

    fn question(&mut self, node: NodeName, question: Question) -> Command {
        self.tag_last = self.tag_last.max(TAG_FIRST) + 1;
        self.asked.insert(self.tag_last, (node.clone(), question));
        Command::Ask {
            node,
            args: question.words(),
            tag: self.tag_last,
        }
    }

    /// The first questions for keys, to these nodes.
    fn scan(&mut self, nodes: Vec<NodeName>) -> Vec<Command> {
        self.scans = Some(BTreeMap::new());
        let ask = |node| self.question(node, Question::Keys(0));
        nodes.into_iter().map(ask).collect()
    }

    /// Takes in keys, and gives the next question, if there are more. A node that does not answer
    /// in its own way is asked no more.
    fn take_keys(&mut self, node: NodeName, reply: &RespValue, now: u64) -> Option<Command> {
        let (cursor, keys) = page(reply)?;
        let slots = self.scans.as_mut()?.entry(node.clone()).or_default();
        for key in keys {
            if let RespValue::Bulk(Some(key)) = key {
                slots.insert(slot_of_key(key));
            }
        }
        match (cursor, self.said.get_mut(&node)) {
            (0, Some(said)) => {
                (said.slots, said.time) = (Some(slots.clone()), now);
                None
            }
            (0, None) => None,
            (more, _) => Some(self.question(node, Question::Keys(more))),
        }
    }

    /// Whether all that were asked for their keys have named them, or will not.
    fn has_scanned(&self) -> bool {
        let mut asked = self.asked.values();
        self.scans.is_some() && !asked.any(|(_, asked)| matches!(asked, Question::Keys(_)))
    }

    /// Takes in an answer; says whether it was to a question of ours, and what to ask next.
    fn take(
        &mut self,
        tag: u64,
        reply: &Result<RespValue, String>,
        now: u64,
    ) -> Option<Option<Command>> {
        let (node, question) = self.asked.remove(&tag)?;
        match (question, reply) {
            (Question::Keys(_), Ok(reply)) => return Some(self.take_keys(node, reply, now)),
            (Question::Digest, Ok(RespValue::Error(_))) => self.is_refused = true,
            (Question::Digest, Ok(answer)) => {
                if let Some(digest) = answer.text() {
                    let dataset = Dataset {
                        node: node.clone(),
                        time: now,
                        digest: digest.into(),
                        full_resyncs: 0,
                        partial_resyncs: 0,
                        slots: None,
                    };
                    self.said.insert(node, dataset);
                }
            }
            (Question::Stats, Ok(answer)) => {
                if let (Some(stats), Some(said)) = (answer.text(), self.said.get_mut(&node)) {
                    said.full_resyncs = figure(stats, "sync_full:");
                    said.partial_resyncs = figure(stats, "sync_partial_ok:");
                }
            }
            (Question::Digest | Question::Stats | Question::Keys(_), Err(_)) => {}
        }
        Some(None)
    }

    /// Whether each replica has the data of its master, as far as they can be asked.
    fn agrees(&self, picture: &Picture) -> bool {
        let digest = |node: &NodeName| self.said.get(node).map(|dataset| &dataset.digest);
        let has_same = |node: &NodeName, master: &NodeName| {
            digest(node).is_some_and(|own| Some(own) == digest(master))
        };
        self.is_refused
            || picture.nodes.iter().all(|node| match &node.role {
                Role::Replica { of } => has_same(&node.name, of),
                Role::Master { .. } | Role::Slotless | Role::Other => true,
            })
    }

    /// What the nodes held last.
    pub fn datasets(&self) -> Vec<Dataset> {
        self.said.values().cloned().collect()
    }
}

/// The next cursor and the keys in a reply to SCAN.
fn page(reply: &RespValue) -> Option<(u64, &[RespValue])> {
    let RespValue::Array(Some(parts)) = reply else {
        return None;
    };
    match parts.as_slice() {
        [cursor, RespValue::Array(Some(keys))] => Some((cursor.text()?.parse().ok()?, keys)),
        _ => None,
    }
}

/// The figure on the line of INFO that begins so.
fn figure(text: &str, name: &str) -> u64 {
    let mut figures = text.lines().filter_map(|line| line.strip_prefix(name));
    let figure = figures.next().and_then(|figure| figure.trim().parse().ok());
    figure.unwrap_or_default()
}

impl Director {
    /// Asks all nodes, and looks at what they said before.
    pub(super) fn rest(&mut self, now: u64, out: &mut Vec<Command>) {
        if !self.is_at_rest(now) {
            let names = self.nodes.iter().map(|node| node.name.clone());
            out.extend(self.rest.ask(names));
        }
        let (_, since) = self.phase_and_begin();
        let picture = self.chart.picture(now);
        if self.rest.agrees(&picture) && now - since >= REST_NS && self.rest.scans.is_none() {
            let masters = picture.nodes.iter().filter(|node| match node.role {
                Role::Master { .. } | Role::Slotless => true,
                Role::Replica { .. } | Role::Other => false,
            });
            let masters = masters.map(|node| node.name.clone()).collect();
            out.extend(self.rest.scan(masters));
        }
        self.agenda.add(now + AGAIN_NS, Due::Rest);
    }

    /// Whether nothing is left to wait for but the time of the rest itself.
    pub(super) fn is_at_rest(&self, now: u64) -> bool {
        self.rest.agrees(&self.chart.picture(now))
    }

    /// Whether the rest is over.
    pub(super) fn has_rested(&self, now: u64, elapsed: u64) -> bool {
        let is_untold = self.rest.said.is_empty();
        let is_over = elapsed >= REST_NS && self.rest.has_scanned();
        self.is_at_rest(now) && (is_over || is_untold)
    }

    /// Takes in an answer; says whether it was to a question of the rest.
    pub(super) fn take_dataset(
        &mut self,
        now: u64,
        tag: u64,
        reply: &Result<RespValue, String>,
        out: &mut Vec<Command>,
    ) -> bool {
        let taken = self.rest.take(tag, reply, now);
        let is_ours = taken.is_some();
        out.extend(taken.flatten());
        is_ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nemesis::{Condition, NodePicture};
    use crate::plan::WorldKind;

    fn picture() -> Picture {
        let node = |number: usize, role: Role| NodePicture {
            name: NodeName::numbered(number),
            role,
            condition: Condition::Settled,
        };
        let slots = "0-16383".into();
        let of = NodeName::numbered(1);
        Picture {
            nodes: vec![
                node(1, Role::Master { slots }),
                node(2, Role::Replica { of }),
            ],
            node_timeout_ms: 1000,
            busy_slots: Vec::new(),
            world: WorldKind::Local,
        }
    }

    fn said(rest: &mut Rest, answers: [&str; 2]) {
        let commands = rest.ask((1..=2).map(NodeName::numbered));
        let stats = "# Stats\r\nsync_full:3\r\nsync_partial_ok:1\r\n";
        let answers = answers.into_iter().flat_map(|digest| [digest, stats]);
        for (command, answer) in commands.into_iter().zip(answers) {
            let Command::Ask { tag, .. } = command else {
                panic!("a question: {command:?}");
            };
            let reply = Ok(RespValue::Simple(answer.into()));
            assert_eq!(rest.take(tag, &reply, 7), Some(None));
        }
    }

    #[test]
    fn the_rest_lasts_until_each_replica_has_the_data_of_its_master() {
        let mut rest = Rest::default();
        assert!(!rest.agrees(&picture()), "nobody was asked");
        said(&mut rest, ["a1", "b2"]);
        assert!(!rest.agrees(&picture()));
        said(&mut rest, ["a1", "a1"]);
        assert!(rest.agrees(&picture()));
        let datasets = rest.datasets();
        assert_eq!(datasets.len(), 2);
        assert_eq!(
            (datasets[0].full_resyncs, datasets[0].partial_resyncs),
            (3, 1)
        );
    }

    #[test]
    fn who_refuses_the_question_is_let_alone() {
        let mut rest = Rest::default();
        let commands = rest.ask([NodeName::numbered(1)].into_iter());
        let Some(Command::Ask { tag, .. }) = commands.first() else {
            panic!("a question: {commands:?}");
        };
        let reply = Ok(RespValue::Error("ERR DEBUG command not allowed".into()));
        assert_eq!(rest.take(*tag, &reply, 7), Some(None));
        assert!(rest.agrees(&picture()));
        assert_eq!(rest.take(*tag, &reply, 8), None, "answered before");
    }

    /// Answers a question for keys, and gives the next one.
    fn scanned(
        rest: &mut Rest,
        asked: &Command,
        (cursor, keys): (&'static str, &[&'static str]),
    ) -> Option<Command> {
        let Command::Ask { tag, .. } = asked else {
            panic!("a question: {asked:?}");
        };
        let bulk = |text: &'static str| RespValue::Bulk(Some(Bytes::from(text)));
        let keys = keys.iter().map(|key| bulk(key)).collect();
        let reply = RespValue::Array(Some(vec![bulk(cursor), RespValue::Array(Some(keys))]));
        rest.take(*tag, &Ok(reply), 9)
            .expect("a question of the rest")
    }

    #[test]
    fn keys_are_asked_for_page_by_page_and_their_slots_kept() {
        let mut rest = Rest::default();
        said(&mut rest, ["a1", "a1"]);
        assert!(!rest.has_scanned(), "not begun");
        let asked = rest.scan(vec![NodeName::numbered(1)]);
        let more = scanned(&mut rest, &asked[0], ("17", &["{06S}a"])).expect("a next page");
        let Command::Ask { args, .. } = &more else {
            panic!("a question: {more:?}");
        };
        assert_eq!(args[1], "17");
        assert!(!rest.has_scanned());
        assert_eq!(scanned(&mut rest, &more, ("0", &["foo", "{06S}b"])), None);
        assert!(rest.has_scanned());
        let slots = rest.datasets()[0].slots.clone().expect("it was asked");
        assert_eq!(slots.to_string(), "0 12182");
        assert_eq!(rest.datasets()[1].slots, None);
    }
}
