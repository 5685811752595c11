//! The decision table of routing, as text.

use super::*;
use crate::commands::doors::ClusterReads;
use crate::keyspace::{Entry, Value};

struct Fake {
    owner: Option<NodeId>,
    is_ok: bool,
    is_replica: bool,
    migrating: Option<NodeId>,
    importing: Option<NodeId>,
}

impl ClusterReads for Fake {
    fn is_ok(&self) -> bool {
        self.is_ok
    }
    fn myself(&self) -> NodeId {
        node(b'a')
    }
    fn my_master(&self) -> Option<NodeId> {
        self.is_replica.then(|| node(b'b'))
    }
    fn is_replica(&self) -> bool {
        self.is_replica
    }
    fn slot_owner(&self, _: Slot) -> Option<NodeId> {
        self.owner
    }
    fn migrating_to(&self, _: Slot) -> Option<NodeId> {
        self.migrating
    }
    fn importing_from(&self, _: Slot) -> Option<NodeId> {
        self.importing
    }
    fn endpoint_of(&self, _: NodeId, _: &Config) -> (String, u16) {
        ("127.0.0.1".into(), 7000)
    }
}

fn node(letter: u8) -> NodeId {
    NodeId::parse(&[letter; 40]).unwrap()
}

fn keyspace() -> Keyspace {
    let mut keyspace = Keyspace::default();
    let value = Value::String(Bytes::from_static(b"x"));
    for name in ["{a}here1", "{a}here2"] {
        keyspace.insert(name.into(), value.clone());
    }
    let entry = Entry {
        value,
        expires: Some(Millis(10)),
    };
    keyspace.insert_entry("{a}due".into(), entry);
    keyspace
}

fn keys(letters: &str) -> Vec<Bytes> {
    let mut keys: Vec<Bytes> = Vec::new();
    for (place, letter) in letters.chars().enumerate() {
        keys.push(match letter {
            'h' => format!("{{a}}here{}", place + 1).into(),
            'm' => format!("{{a}}missing{place}").into(),
            'o' => Bytes::from_static(b"{b}other"),
            's' => keys[place - 1].clone(),
            'd' => Bytes::from_static(b"{a}due"),
            other => panic!("unknown kind of key {other}"),
        });
    }
    keys
}

fn route_of(words: &[&str]) -> Route {
    let [owner, state, marks, client, access, letters] = words else {
        panic!("six words expected, got {words:?}");
    };
    let owner = match *owner {
        "me" => Some(node(b'a')),
        "master" => Some(node(b'b')),
        "other" => Some(node(b'c')),
        _ => None,
    };
    let fake = Fake {
        owner,
        is_ok: *state == "ok",
        is_replica: owner == Some(node(b'b')),
        migrating: (*marks == "migrating").then(|| node(b'd')),
        importing: (*marks == "importing").then(|| node(b'c')),
    };
    let config = Config {
        cluster_allow_reads_when_down: *marks == "reads",
        cluster_allow_pubsubshard_when_down: *marks != "no-shard",
        ..Config::default()
    };
    let access = match *access {
        "read" => Access::Read,
        "write" => Access::Write,
        "channel" => Access::ShardChannel,
        _ => Access::Migrate,
    };
    let keys = keys(letters);
    let keys: Vec<&Bytes> = keys.iter().collect();
    let request = Request {
        keys: &keys,
        access,
        is_asking: client.contains("asking"),
        is_readonly: client.contains("readonly"),
    };
    decide(&request, &fake, &config, &keyspace(), Millis(100))
}

fn name(route: Route) -> &'static str {
    match route {
        Route::Serve => "serve",
        Route::Moved(_, node) => {
            assert_ne!(node.as_bytes()[0], b'd', "MOVED names the owner");
            "moved"
        }
        Route::Ask(_, node) => {
            assert_eq!(node.as_bytes()[0], b'd', "ASK names the target");
            "ask"
        }
        Route::TryAgain => "try-again",
        Route::CrossSlot => "cross-slot",
        Route::Down => "down",
        Route::DownReadOnly => "down-read-only",
        Route::NotServed => "not-served",
    }
}

/// Proves RD-03, RD-04, RD-06, RD-09, RD-14, RP-08, SM-02, SM-03, SM-04, SM-05, SM-06, SM-09,
/// SM-10, SM-23, PU-06, PU-07, PU-10, CF-10, CF-11.
#[test]
fn routes_as_the_table_of_decisions_says() {
    let table = include_str!("decisions.txt").lines();
    for line in table.filter(|line| !line.starts_with('#')) {
        let (question, expected) = line.split_once("->").expect("a line has an arrow");
        let words: Vec<&str> = question.split_whitespace().collect();
        assert_eq!(name(route_of(&words)), expected.trim(), "{line}");
    }
}

/// Proves RD-13.
#[test]
fn ends_the_wait_of_a_blocked_client_whose_slot_went_away() {
    let owned_by = |letter: Option<u8>| Fake {
        owner: letter.map(node),
        is_ok: true,
        is_replica: false,
        migrating: None,
        importing: None,
    };
    assert_eq!(decide_blocked(b"a", &owned_by(Some(b'a'))), None);
    assert_eq!(
        decide_blocked(b"a", &owned_by(None)),
        Some(Route::NotServed)
    );
    let moved = Some(Route::Moved(Slot::of_key(b"a"), node(b'c')));
    assert_eq!(decide_blocked(b"a", &owned_by(Some(b'c'))), moved);
    let importing = Fake {
        importing: Some(node(b'c')),
        ..owned_by(Some(b'c'))
    };
    assert_eq!(decide_blocked(b"a", &importing), None, "the key may come");
    let down = Fake {
        is_ok: false,
        ..owned_by(Some(b'a'))
    };
    assert_eq!(decide_blocked(b"a", &down), Some(Route::Down));
}
