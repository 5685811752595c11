//! The same commands to our node and to a real server 7.0.15: the replies are equal, byte for
//! byte, in RESP2 and in RESP3, but for what `differential/allowed.txt` lists with a reason.
//!
//! `differential/*.txt` holds the commands, one a line, in the words of redis-cli; before one
//! `~` stands for "in any order" and `?` for "only the shape": lengths and types. At
//! `@serving` the nodes may take their time until they serve.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use slotquake::target::servers;
use slotquake_core::resp::request::split_words;
use slotquake_tests::live::{Mode, Program, Server, wait_until};
use wire::{Connection, Wire};

#[path = "differential/wire.rs"]
mod wire;

#[test]
fn strings_lists_sets_and_hashes_are_answered_as_by_a_real_server() {
    compare(Mode::Standalone, &["strings", "lists", "sets", "hashes"]);
}

#[test]
fn zsets_streams_bitmaps_and_places_are_answered_as_by_a_real_server() {
    compare(Mode::Standalone, &["zsets", "streams", "bitmaps"]);
}

#[test]
fn keys_transactions_and_connections_are_answered_as_by_a_real_server() {
    compare(Mode::Standalone, &["generic", "transactions", "connection"]);
}

#[test]
fn settings_users_and_tools_are_answered_as_by_a_real_server() {
    compare(Mode::Standalone, &["server"]);
}

/// Proves CF-01: the texts of every CLUSTER subcommand are a real server's.
#[test]
fn a_cluster_node_is_answered_as_by_a_real_one() {
    compare(Mode::Cluster, &["cluster"]);
}

#[test]
fn every_command_is_known_as_a_real_server_knows_it() {
    let (ours, real) = servers(Mode::Standalone);
    let (mut ours, mut real) = (Connection::open(ours.port), Connection::open(real.port));
    let lines = std::fs::read_to_string("../reference-node/core/src/commands/catalogue.txt");
    let lines = lines.unwrap();
    let names = lines.lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for name in names.filter_map(|line| line.split('\t').next()) {
        let row = words(&["COMMAND", "INFO", name]);
        let answer = facts(&ours.call(&row));
        if answer == facts(&ours.call(&words(&["COMMAND", "INFO", "none"]))) {
            // A command that we have not.
            continue;
        }
        count += 1;
        assert_eq!(answer, facts(&real.call(&row)), "COMMAND INFO {name}");
    }
    assert!(count > 200, "{count} commands were compared");
}

fn words(texts: &[&str]) -> Vec<Bytes> {
    let words = texts
        .iter()
        .map(|text| Bytes::copy_from_slice(text.as_bytes()));
    words.collect()
}

// Name, arity, flags, places and categories; the rest is told in another order, and in prose.
fn facts(replies: &[Wire]) -> Vec<Wire> {
    let rows = replies[0].items();
    rows.iter()
        .flat_map(|row| row.items().iter().take(7).cloned())
        .collect()
}

fn servers(mode: Mode) -> (Server, Server) {
    let known = servers::KNOWN
        .iter()
        .find(|known| known.name == "redis@7.0.15");
    let installed = match servers::ensure(known.unwrap()) {
        Ok(installed) => installed,
        Err(error) => panic!("{error}\nremedy: slotquake servers fetch redis@7.0.15"),
    };
    let ours = Program::reference(env!("CARGO_BIN_EXE_slotquake-under-test"));
    let real = Program::redis(&installed);
    (Server::start(&ours, mode), Server::start(&real, mode))
}

fn compare(mode: Mode, names: &[&str]) {
    // One at a time: the machine may be small.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (ours, real) = servers(mode);
    let allowed = allowed();
    let mut differing = Vec::new();
    let mut count = 0;
    for name in names {
        for protocol in ["2", "3"] {
            let mut pair = [ours.port, real.port].map(|port| start(port, protocol, mode));
            for line in lines(&format!("{name}.txt")) {
                if line == "@serving" {
                    pair.iter_mut().for_each(wait_until_serving);
                    continue;
                }
                count += 1;
                let [ours, real] = pair.each_mut().map(|connection| answer(connection, &line));
                if ours != real && !allowed.contains_key(&(name.to_string(), line.clone())) {
                    let replies = format!("  ours {ours:?}\n  real {real:?}");
                    differing.push(format!("{name}.txt, RESP{protocol}: {line}\n{replies}"));
                }
            }
        }
    }
    assert!(count > 200, "{count} commands were compared");
    let differing_count = differing.len();
    let text = differing.join("\n");
    assert!(
        differing.is_empty(),
        "{differing_count} of {count} differ:\n{text}"
    );
}

fn start(port: u16, protocol: &str, mode: Mode) -> Connection {
    let mut connection = Connection::open(port);
    connection.call(&words(&["HELLO", protocol]));
    connection.call(&words(&["FLUSHALL"]));
    if mode == Mode::Cluster {
        connection.call(&words(&["CLUSTER", "RESET", "HARD"]));
    }
    connection
}

fn wait_until_serving(connection: &mut Connection) {
    wait_until("a node to serve", || {
        let replies = connection.call(&words(&["CLUSTER", "INFO"]));
        format!("{replies:?}").contains("cluster_state:ok")
    });
}

fn answer(connection: &mut Connection, line: &str) -> Vec<Wire> {
    let (kind, text) = match line.split_at(1) {
        ("~", text) => ('~', text),
        ("?", text) => ('?', text),
        _ => (' ', line),
    };
    let words = split_words(text.as_bytes()).expect("quotes are closed");
    let replies = connection.call(&words);
    let replies = replies.into_iter().map(|reply| match kind {
        '~' => reply.sorted(),
        '?' => reply.shape(),
        _ => reply,
    });
    replies.collect()
}

fn lines(name: &str) -> Vec<String> {
    let path = Path::new("differential").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty());
    let lines = lines.filter(|line| !line.starts_with('#'));
    lines.map(String::from).collect()
}

// File and command line to the reason why they may differ.
fn allowed() -> BTreeMap<(String, String), String> {
    let mut reason = String::new();
    let mut allowed = BTreeMap::new();
    let text = std::fs::read_to_string("differential/allowed.txt").unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.split_once(": ") {
            Some(("because", text)) => reason = text.into(),
            Some((file, command)) => {
                assert!(!reason.is_empty(), "{line} has no reason");
                let key = (file.to_string(), command.to_string());
                allowed.insert(key, reason.clone());
            }
            None => assert!(line.is_empty(), "{line}"),
        }
    }
    allowed
}
