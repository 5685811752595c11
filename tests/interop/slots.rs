//! Slots and keys travel between ours and real nodes, in all forms of MIGRATE.

use std::collections::BTreeMap;

use bytes::Bytes;
use slotquake_core::slot::Slot;
use slotquake_tests::live::{Client, Mode, Router, Server};
use slotquake_workloads::client::resp::RespValue;

use crate::corpus::{self, assert_same, contents, flat, held};
use crate::stage::{
    Part, Real, field, form, newest, number, ok, oldest, ours, wait_settled, with_each_real,
};

/// Proves SM-04, SM-06, SM-08, SM-09, RW-51, RW-52 and RW-53 between different makes.
#[test]
fn a_slot_with_all_types_goes_from_hand_to_hand() {
    with_each_real(|real| {
        let (ours, oldest) = (ours(), oldest());
        let nodes = form(&[
            (&real.program, Part::Master),
            (&ours, Part::Master),
            (&oldest.program, Part::Master),
        ]);
        let slot = Slot::of_key(TAG.as_bytes()).number().to_string();
        let at = |node: &Server| number(&mut node.client(), &["CLUSTER", "COUNTKEYSINSLOT", &slot]);
        corpus::write(&mut nodes[0].client(), TAG);
        let before = contents(&mut nodes[0].client());
        assert_eq!(before.len(), corpus::KEYS);
        // From a real one to ours, to the oldest, back to ours, and home: what a newer one wrote
        // the oldest reads by way of ours.
        for [from, to] in [[0, 1], [1, 2], [2, 1], [1, 0]] {
            move_slot(&nodes[from], &nodes[to], &slot, &nodes);
            assert_eq!(at(&nodes[from]), 0, "nothing stays behind");
            assert_same(&before, &contents(&mut nodes[to].client()));
        }
        wait_settled(&nodes);
    });
}

/// As redis-cli does it, and half of the way looked at by a client.
fn move_slot(from: &Server, to: &Server, slot: &str, all: &[Server]) {
    let (mut source, mut target) = (from.client(), to.client());
    let (from_id, to_id, port) = (from.id(), to.id(), to.port.to_string());
    let setslot = |client: &mut Client, words: &[&str]| {
        ok(client, &[&["CLUSTER", "SETSLOT", slot], words].concat());
    };
    setslot(&mut target, &["IMPORTING", &from_id]);
    setslot(&mut source, &["MIGRATING", &to_id]);
    let reply = source.call(&["CLUSTER", "GETKEYSINSLOT", slot, "1000"]);
    let keys = flat(reply);
    let (first, rest) = keys.split_at(keys.len() / 2);
    migrate(&mut source, &port, first);

    // A key that went is asked for there; two of which one went are nowhere for a while.
    let says = |client: &mut Client, words: &[&str], kind: &str| {
        let reply = client.call(words);
        let is_right = matches!(&reply, RespValue::Error(text) if text.starts_with(kind));
        assert!(is_right, "{words:?}: {reply:?}, not {kind}");
    };
    says(&mut source, &["TYPE", &first[0]], "ASK ");
    let both = ["EXISTS", &first[0], &rest[0]];
    let is_old = field(from, &["INFO", "server"], "redis_version").starts_with("6.");
    says(
        &mut source,
        &both,
        if is_old { "ASK " } else { "TRYAGAIN " },
    );
    ok(&mut target, &["ASKING"]);
    says(&mut target, &both, "TRYAGAIN ");
    says(&mut target, &["TYPE", &first[0]], "MOVED ");
    let mut router = Router::new(from);
    for key in &keys {
        assert_eq!(
            router.call(&["EXISTS", key]),
            RespValue::Integer(1),
            "{key}"
        );
    }

    migrate(&mut source, &port, rest);
    setslot(&mut target, &["NODE", &to_id]);
    setslot(&mut source, &["NODE", &to_id]);
    for other in all {
        let id = other.id();
        if id != from_id && id != to_id {
            setslot(&mut other.client(), &["NODE", &to_id]);
        }
    }
}

fn migrate(source: &mut Client, port: &str, keys: &[String]) {
    let mut words = vec![
        "MIGRATE",
        "127.0.0.1",
        port,
        "",
        "0",
        "20000",
        "REPLACE",
        "KEYS",
    ];
    words.extend(keys.iter().map(String::as_str));
    ok(source, &words);
}

/// Proves SM-08 in each form of MIGRATE, against servers of the other make.
#[test]
fn every_form_of_migrate_is_understood() {
    with_each_real(|real| {
        let makes = [ours(), real.program.clone()];
        for (from, to) in [(0, 1), (1, 0)] {
            let [source, target] =
                [from, to].map(|make| Server::start(&makes[make], Mode::Standalone));
            forms(&source, &target);
        }
    });
}

fn forms(from: &Server, to: &Server) {
    let (mut source, mut target) = (from.client(), to.client());
    let port = to.port.to_string();
    let start = ["MIGRATE", "127.0.0.1", &port];
    let said = |source: &mut Client, words: &[&str]| {
        let reply = source.call(&[&start, words].concat());
        match reply {
            RespValue::Simple(text) | RespValue::Error(text) => text,
            other => panic!("{words:?}: {other:?}"),
        }
    };
    let set = |client: &mut Client, key: &str, value: &str| ok(client, &["SET", key, value]);
    set(&mut source, "k", "1");
    assert_eq!(said(&mut source, &["none", "0", "5000"]), "NOKEY");
    assert_eq!(said(&mut source, &["k", "0", "5000", "COPY"]), "OK");
    assert_eq!(number(&mut source, &["EXISTS", "k"]), 1, "a copy leaves it");
    let busy = said(&mut source, &["k", "0", "5000"]);
    assert!(busy.contains("BUSYKEY"), "{busy}");
    assert_eq!(number(&mut source, &["EXISTS", "k"]), 1, "refused, so kept");
    set(&mut source, "k", "2");
    assert_eq!(said(&mut source, &["k", "0", "5000", "REPLACE"]), "OK");
    assert_eq!(number(&mut source, &["EXISTS", "k"]), 0);
    assert_eq!(held(&mut target, "k")[2], "2");

    corpus::write(&mut source, "many");
    let before = contents(&mut source);
    let keys: Vec<String> = flat(source.call(&["KEYS", "*"]));
    let mut words = vec!["", "0", "5000", "COPY", "KEYS", "none"];
    words.extend(keys.iter().map(String::as_str));
    assert_eq!(said(&mut source, &words), "OK");
    number(&mut target, &["DEL", "k"]);
    assert_same(&before, &contents(&mut target));

    ok(&mut target, &["CONFIG", "SET", "requirepass", "secret"]);
    // A connection that MIGRATE has kept needs no password.
    number(&mut target, &["CLIENT", "KILL", "TYPE", "normal"]);
    let refused = said(&mut source, &["text{many}", "0", "5000", "REPLACE"]);
    assert!(refused.contains("NOAUTH"), "{refused}");
    let wrong = ["text{many}", "0", "5000", "REPLACE", "AUTH", "wrong"];
    let refused = said(&mut source, &wrong);
    assert!(refused.contains("WRONGPASS"), "{refused}");
    assert_eq!(number(&mut source, &["EXISTS", "text{many}"]), 1);
    let right = ["text{many}", "0", "5000", "REPLACE", "AUTH", "secret"];
    assert_eq!(said(&mut source, &right), "OK");
    let mut words = vec![
        "", "0", "5000", "REPLACE", "AUTH2", "default", "secret", "KEYS",
    ];
    words.extend(keys.iter().map(String::as_str));
    assert_eq!(said(&mut source, &words), "OK");
    assert_eq!(number(&mut source, &["DBSIZE"]), 0);
    let mut client = to.client();
    ok(&mut client, &["AUTH", "secret"]);
    assert_same(&before, &contents(&mut client));
}

/// Proves RW-51 and RW-53: payloads, by hand, with the options of RESTORE.
#[test]
fn payloads_of_either_make_are_restored_by_the_other() {
    with_each_real(|real: &Real| {
        let makes = [ours(), real.program.clone()];
        let servers = makes.map(|make| Server::start(&make, Mode::Standalone));
        for (from, to) in [(0, 1), (1, 0)] {
            let (mut source, mut target) = (servers[from].client(), servers[to].client());
            ok(&mut source, &["FLUSHALL"]);
            ok(&mut target, &["FLUSHALL"]);
            corpus::write(&mut source, "dump");
            let before = contents(&mut source);
            let mut found = BTreeMap::new();
            for key in before.keys() {
                let RespValue::Bulk(Some(payload)) = source.call(&["DUMP", key]) else {
                    panic!("no payload of {key}");
                };
                let ttl = number(&mut source, &["PTTL", key]).max(0).to_string();
                let mut args: Vec<Bytes> = vec!["RESTORE".into(), key.clone().into(), ttl.into()];
                args.push(payload);
                assert_eq!(
                    target.call_bytes(&args),
                    RespValue::Simple("OK".into()),
                    "{key}"
                );
                args.extend(["REPLACE", "IDLETIME", "10"].map(Bytes::from));
                assert_eq!(
                    target.call_bytes(&args),
                    RespValue::Simple("OK".into()),
                    "{key}"
                );
                found.insert(key.clone(), held(&mut target, key));
            }
            assert_same(&before, &found);
        }
    });
}

/// Proves RW-51 for what only 8.2 holds: the target refuses, the source keeps.
#[test]
fn a_key_that_we_cannot_hold_stays_where_it_is() {
    let source = Server::start(&newest().program, Mode::Standalone);
    let target = Server::start(&ours(), Mode::Standalone);
    let (mut client, port) = (source.client(), target.port.to_string());
    client.call(&["HSET", "odd", "f", "v"]);
    client.call(&["HEXPIRE", "odd", "10000", "FIELDS", "1", "f"]);
    let words = ["MIGRATE", "127.0.0.1", &port, "odd", "0", "5000"];
    let RespValue::Error(text) = client.call(&words) else {
        panic!("it was taken");
    };
    assert!(text.contains("Bad data format"), "{text}");
    assert_eq!(number(&mut client, &["EXISTS", "odd"]), 1);
    assert_eq!(number(&mut target.client(), &["DBSIZE"]), 0);
}

/// In the first third of the slots, and hence at the real node to begin with.
const TAG: &str = "third";
