//! The rest at the end: is the data of each replica that of its master?
//!
//! Nobody writes any more. All nodes are asked for a digest of their data (DEBUG DIGEST), again and
//! again until each replica has that of its master, as long as recovery may take. What each said
//! last goes into the recording for the checkers. Nodes that refuse the question are let alone.

use std::collections::BTreeMap;

use bytes::Bytes;
use slotquake_checkers::observation::{Dataset, NodeName};
use slotquake_workloads::client::RespValue;

use super::agenda::Due;
use super::state::Director;
use crate::nemesis::{Picture, Role};
use crate::world::Command;

/// From one question to the next, ns.
const AGAIN_NS: u64 = 400_000_000;
/// Least time of the rest, ns: until each node said its offset in a heartbeat.
const REST_NS: u64 = 1_200_000_000;
/// Tags from here on are ours; those below are of errands and scenarios.
const TAG_FIRST: u64 = 1 << 48;

/// What was said so far.
#[derive(Debug, Default)]
pub struct Rest {
    asked: BTreeMap<u64, (NodeName, Question)>,
    said: BTreeMap<NodeName, Dataset>,
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
}

impl Question {
    fn words(self) -> [&'static str; 2] {
        match self {
            Question::Digest => ["DEBUG", "DIGEST"],
            Question::Stats => ["INFO", "stats"],
        }
    }
}

impl Rest {
    /// Questions to these nodes.
    fn ask(&mut self, nodes: impl Iterator<Item = NodeName>) -> Vec<Command> {
        let mut commands = Vec::new();
        for node in nodes {
            for question in [Question::Digest, Question::Stats] {
                self.tag_last = self.tag_last.max(TAG_FIRST) + 1;
                self.asked.insert(self.tag_last, (node.clone(), question));
                commands.push(Command::Ask {
                    node: node.clone(),
                    args: question.words().map(Bytes::from).to_vec(),
                    tag: self.tag_last,
                });
            }
        }
        commands
    }

    /// Takes in an answer; says whether it was to a question of ours.
    fn take(&mut self, tag: u64, reply: &Result<RespValue, String>, now: u64) -> bool {
        let Some((node, question)) = self.asked.remove(&tag) else {
            return false;
        };
        match (question, reply) {
            (Question::Digest, Ok(RespValue::Error(_))) => self.is_refused = true,
            (Question::Digest, Ok(answer)) => {
                if let Some(digest) = answer.text() {
                    let dataset = Dataset {
                        node: node.clone(),
                        time: now,
                        digest: digest.into(),
                        full_resyncs: 0,
                        partial_resyncs: 0,
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
            (Question::Digest | Question::Stats, Err(_)) => {}
        }
        true
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
        self.agenda.add(now + AGAIN_NS, Due::Rest);
    }

    /// Whether nothing is left to wait for but the time of the rest itself.
    pub(super) fn is_at_rest(&self, now: u64) -> bool {
        self.rest.agrees(&self.chart.picture(now))
    }

    /// Whether the rest is over.
    pub(super) fn has_rested(&self, now: u64, elapsed: u64) -> bool {
        let is_untold = self.rest.said.is_empty();
        self.is_at_rest(now) && (elapsed >= REST_NS || is_untold)
    }

    /// Takes in an answer; says whether it was to a question of the rest.
    pub(super) fn take_dataset(
        &mut self,
        now: u64,
        tag: u64,
        reply: &Result<RespValue, String>,
    ) -> bool {
        self.rest.take(tag, reply, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nemesis::{Condition, NodePicture};

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
            assert!(rest.take(tag, &reply, 7));
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
        assert!(rest.take(*tag, &reply, 7));
        assert!(rest.agrees(&picture()));
        assert!(!rest.take(*tag, &reply, 8), "answered before");
    }
}
