//! Tests of the keyspace.

use super::*;

fn text(content: &'static str) -> Value {
    Value::String(Bytes::from_static(content.as_bytes()))
}

fn key(name: &'static str) -> Bytes {
    Bytes::from_static(name.as_bytes())
}

#[test]
fn counts_and_lists_keys_by_slot() {
    let mut keyspace = Keyspace::default();
    for name in ["{a}1", "{a}2", "{b}1"] {
        keyspace.insert(key(name), text("x"));
    }
    let slot = Slot::of_key(b"{a}");
    assert_eq!(keyspace.count_in_slot(slot), 2);
    assert_eq!(keyspace.keys_in_slot(slot, 1), [key("{a}1")]);
    assert_eq!(keyspace.delete_slot(slot).len(), 2);
    assert_eq!(keyspace.len(), 1);
}

#[test]
fn hides_a_key_only_after_its_time() {
    let mut keyspace = Keyspace::default();
    keyspace.insert_entry(
        key("a"),
        Entry {
            value: text("x"),
            expires: Some(Millis(10)),
        },
    );
    assert!(keyspace.contains(b"a", Millis(10)));
    assert!(!keyspace.contains(b"a", Millis(11)));
    assert!(
        keyspace.contains(b"a", Millis(0)),
        "a view of 0 shows everything"
    );
    assert_eq!(keyspace.len(), 1, "looking deletes nothing (SM-10)");
}

#[test]
fn forgets_the_expiry_of_an_overwritten_key() {
    let mut keyspace = Keyspace::default();
    keyspace.insert_entry(
        key("a"),
        Entry {
            value: text("x"),
            expires: Some(Millis(10)),
        },
    );
    keyspace.insert(key("a"), text("y"));
    assert_eq!(keyspace.next_expiry(), None);
    keyspace.set_expiry(b"a", Some(Millis(20)));
    keyspace.replace(key("a"), text("z"));
    assert_eq!(keyspace.next_expiry(), Some(Millis(20)));
    keyspace.remove(b"a");
    assert_eq!(keyspace.next_expiry(), None);
}

#[test]
fn notices_every_kind_of_change_of_a_watched_key() {
    let mut keyspace = Keyspace::default();
    let name = key("a");
    let mut seen = keyspace.watch(&name);
    let mut changed = |keyspace: &Keyspace| {
        let version = keyspace.version(b"a");
        std::mem::replace(&mut seen, version) != version
    };
    keyspace.insert(name.clone(), text("x"));
    assert!(changed(&keyspace));
    keyspace.set_expiry(b"a", Some(Millis(5)));
    assert!(changed(&keyspace));
    keyspace.flush();
    assert!(changed(&keyspace));
    keyspace.insert(key("b"), text("x"));
    assert!(!changed(&keyspace));
}

#[test]
fn reads_integers_as_upstream_does() {
    for (input, expected) in [
        ("0", Some(0)),
        ("-1", Some(-1)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("-0", None),
        ("01", None),
        ("+1", None),
        (" 1", None),
        ("", None),
        ("-", None),
    ] {
        assert_eq!(parse_integer(input.as_bytes()), expected, "{input:?}");
    }
}

#[test]
fn keeps_members_in_order_of_score_then_bytes() {
    let score = |number: f64| Score::new(number).unwrap();
    let mut zset: Zset = [
        (key("b"), score(1.0)),
        (key("a"), score(1.0)),
        (key("c"), score(-1.0)),
    ]
    .into_iter()
    .collect();
    let members = |zset: &Zset| {
        zset.iter()
            .map(|(member, _)| member.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(members(&zset), [key("c"), key("a"), key("b")]);
    zset.insert(key("c"), score(2.0));
    assert_eq!(members(&zset), [key("a"), key("b"), key("c")]);
    assert_eq!(zset.rank(b"c"), Some(2));
    assert_eq!(Score::new(-0.0), Score::new(0.0));
}
