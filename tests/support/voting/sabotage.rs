//! Nodes broken on purpose, from outside: the model must find each.
//!
//! A saboteur changes what a node did in a step, or what is on its disk when it starts again; the
//! room itself stays the real one.

use bytes::Bytes;
use slotquake_core::bus::packet::Body;

use super::Scope;
use super::node::{Did, Input, LocalNode};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing.
    None,
    /// Gives votes without noting that it has voted in this epoch (VO-03).
    VoteNotNoted,
    /// Notes its vote in memory only: a restart forgets it (VO-10).
    VoteNotSaved,
    /// Lets the packets of a step leave before the file is written (BUS-10).
    SendsBeforeSaving,
    /// Does not save the epoch that it began or heard of (EP-06).
    EpochNotSaved,
}

impl Sabotage {
    /// Each with its name on the command line.
    pub const NAMES: [(&str, Sabotage); 4] = [
        ("vote-not-noted", Sabotage::VoteNotNoted),
        ("vote-not-saved", Sabotage::VoteNotSaved),
        ("sends-before-saving", Sabotage::SendsBeforeSaving),
        ("epoch-not-saved", Sabotage::EpochNotSaved),
    ];

    /// One step of a node that is broken like this.
    pub fn step(self, node: &mut LocalNode, input: &Input, scope: &Scope) -> Vec<Did> {
        let before = node.disk.clone();
        let mut did = node.take(input, scope);
        match self {
            Sabotage::None => {}
            Sabotage::VoteNotNoted => {
                if did.iter().any(is_vote) {
                    let amended = with_var(&node.disk, "lastVoteEpoch", &before);
                    *node = node.restarted_from(amended, scope);
                }
            }
            Sabotage::VoteNotSaved => amend(node, &mut did, "lastVoteEpoch", &before),
            Sabotage::SendsBeforeSaving => did.sort_by_key(|did| matches!(did, Did::Saved(_))),
            Sabotage::EpochNotSaved => amend(node, &mut did, "currentEpoch", &before),
        }
        did
    }
}

fn is_vote(did: &Did) -> bool {
    matches!(did, Did::Sent(_, packet) if packet.body == Body::AuthAck)
}

/// What is saved keeps the older value of a variable.
fn amend(node: &mut LocalNode, did: &mut [Did], name: &str, before: &Bytes) {
    for did in did {
        if let Did::Saved(bytes) = did {
            *bytes = with_var(bytes, name, before);
            node.disk = bytes.clone();
        }
    }
}

/// A file with a variable of another file; without the seal, which would tell.
fn with_var(file: &Bytes, name: &str, other: &Bytes) -> Bytes {
    let text = String::from_utf8_lossy(file);
    let other = String::from_utf8_lossy(other);
    let lines = text.lines().map(|line| match line.strip_prefix("vars ") {
        None => line.to_string(),
        Some(vars) => {
            let words: Vec<&str> = vars.split(' ').collect();
            let kept = words
                .chunks_exact(2)
                .filter(|pair| pair[0] != "slotquake-seal");
            let pairs = kept.map(|pair| match pair[0] == name {
                true => format!("{name} {}", var(&other, name)),
                false => pair.join(" "),
            });
            format!("vars {}", pairs.collect::<Vec<String>>().join(" "))
        }
    });
    Bytes::from(lines.collect::<Vec<String>>().join("\n") + "\n")
}

fn var<'a>(file: &'a str, name: &str) -> &'a str {
    let vars = file.lines().find_map(|line| line.strip_prefix("vars "));
    let words: Vec<&str> = vars.unwrap_or_default().split(' ').collect();
    let pair = words.chunks_exact(2).find(|pair| pair[0] == name);
    pair.map_or("0", |pair| pair[1])
}
