//! Which packets matter: who asked for votes and who gave one, who was said to have failed, who was
//! told better, and the first words of a new master.

use std::collections::BTreeMap;

use slotquake_checkers::observation::{Body, Packet, PacketKind};

use super::Turn;
use crate::report::evidence::Evidence;

/// An arrow.
#[derive(Debug)]
pub struct Message {
    /// Position of the sender.
    pub from: usize,
    /// Position of the receiver.
    pub to: usize,
    /// When it left, ns.
    pub sent: u64,
    /// When it arrived, ns, if it was seen to.
    pub received: Option<u64>,
    /// What it is about.
    pub subject: Subject,
    /// In a few words.
    pub words: String,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// AUTH_REQUEST.
    VoteRequest,
    /// AUTH_ACK.
    Vote,
    /// FAIL.
    Failure,
    /// UPDATE.
    Update,
    /// The first heartbeat of a new master to each node.
    Claim,
    /// MFSTART.
    ManualFailover,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Subject; 6] = [
        Subject::VoteRequest,
        Subject::Vote,
        Subject::Failure,
        Subject::Update,
        Subject::Claim,
        Subject::ManualFailover,
    ];

    /// For the legend.
    pub fn name(self) -> &'static str {
        match self {
            Subject::VoteRequest => "asks for votes",
            Subject::Vote => "votes",
            Subject::Failure => "says who failed",
            Subject::Update => "says who owns what (UPDATE)",
            Subject::Claim => "first heartbeat of a new master",
            Subject::ManualFailover => "manual failover begins",
        }
    }

    /// Its class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Subject::VoteRequest => "request",
            Subject::Vote => "vote",
            Subject::Failure => "failure",
            Subject::Update => "update",
            Subject::Claim => "claim",
            Subject::ManualFailover => "manual",
        }
    }
}

/// The messages of a stretch of time, in order.
pub fn messages(evidence: &Evidence<'_>, turns: &[Turn], from: u64, to: u64) -> Vec<Message> {
    let (index, ids) = (evidence.node_index(), evidence.id_index());
    let name =
        |node: Option<&usize>| node.map_or("a stranger".into(), |node| format!("n{}", node + 1));
    let mut heard = Heard::default();
    let mut found = Vec::new();
    let first = evidence
        .packets
        .partition_point(|packet| packet.time < from);
    let packets = evidence.packets[first..]
        .iter()
        .take_while(|packet| packet.time <= to);
    for packet in packets {
        let (Some(sender), Some(receiver)) = (index.get(&packet.from), index.get(&packet.to))
        else {
            continue;
        };
        let about = match (&packet.body, packet.kind) {
            (Body::Failed(id), _) => {
                Some((Subject::Failure, format!("{} failed", name(ids.get(id)))))
            }
            (
                Body::Owner {
                    id, config_epoch, ..
                },
                _,
            ) => {
                let owner = name(ids.get(id));
                Some((Subject::Update, format!("{owner} has epoch {config_epoch}")))
            }
            (_, kind) => by_kind(packet, kind, turns, *sender),
        };
        let Some((subject, words)) = about else {
            continue;
        };
        if heard.is_news(subject, &words, (*sender, *receiver), packet.time) {
            found.push(Message {
                from: *sender,
                to: *receiver,
                sent: packet.time,
                received: packet.delivered,
                subject,
                words,
            });
        }
    }
    found
}

fn by_kind(
    packet: &Packet,
    kind: PacketKind,
    turns: &[Turn],
    sender: usize,
) -> Option<(Subject, String)> {
    let header = &packet.header;
    match kind {
        PacketKind::AuthRequest => Some((
            Subject::VoteRequest,
            format!("votes for epoch {}?", header.current_epoch),
        )),
        PacketKind::AuthAck => Some((
            Subject::Vote,
            format!("yes, epoch {}", header.current_epoch),
        )),
        PacketKind::MfStart => Some((Subject::ManualFailover, "take over".to_string())),
        PacketKind::Ping | PacketKind::Pong | PacketKind::Meet if header.claims_slots() => {
            let is_new = turns.iter().any(|turn| {
                let after = packet.time.saturating_sub(turn.time);
                turn.node == sender
                    && turn.epoch == Some(header.config_epoch)
                    && packet.time + SAME_NS >= turn.time
                    && after <= CLAIM_NS
            });
            let words = format!("master of {}", clipped(&header.slots.to_string()));
            is_new.then_some((Subject::Claim, words))
        }
        PacketKind::Ping | PacketKind::Pong | PacketKind::Meet => None,
        PacketKind::Fail | PacketKind::Update => None,
        PacketKind::Publish | PacketKind::PublishShard | PacketKind::Module => None,
        PacketKind::Unknown(_) => None,
    }
}

fn clipped(slots: &str) -> String {
    match slots.chars().count() > SLOTS_CHARS_MAX {
        true => slots.chars().take(SLOTS_CHARS_MAX).chain(['…']).collect(),
        false => slots.to_string(),
    }
}

/// What was said before: the same words between the same two nodes are drawn again only later.
#[derive(Default)]
struct Heard {
    last: BTreeMap<(Subject, String, usize, usize), u64>,
}

impl Heard {
    fn is_news(&mut self, subject: Subject, words: &str, ends: (usize, usize), time: u64) -> bool {
        let key = (subject, words.to_string(), ends.0, ends.1);
        let quiet_ns = match subject {
            Subject::Claim => CLAIM_NS,
            Subject::Failure | Subject::Update | Subject::ManualFailover => REPEAT_NS,
            Subject::VoteRequest | Subject::Vote => 0,
        };
        match self.last.get(&key) {
            Some(last) if time.saturating_sub(*last) < quiet_ns => false,
            Some(_) | None => {
                self.last.insert(key, time);
                true
            }
        }
    }
}

/// How long after its promotion the words of a master are news, ns.
const CLAIM_NS: u64 = 3_000_000_000;
/// Roles are known to a tick only, ns.
const SAME_NS: u64 = 1_000_000;
const REPEAT_NS: u64 = 2_000_000_000;
const SLOTS_CHARS_MAX: usize = 24;
