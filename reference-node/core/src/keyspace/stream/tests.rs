//! Tests of streams: nodes, trimming, counters.

use super::*;
use crate::time::Millis;

fn id(ms: u64) -> StreamId {
    StreamId { ms, seq: 0 }
}

fn stream(count: u64) -> Stream {
    let mut stream = Stream::default();
    let limits = NodeLimits {
        entries: 10,
        size_bytes: 0,
    };
    for ms in 1..=count {
        stream.append(id(ms), vec![(Bytes::from("f"), Bytes::from("v"))], limits);
    }
    stream
}

#[test]
fn reads_ids_as_upstream_does() {
    for (text, expected) in [
        ("1-2", Some(StreamId { ms: 1, seq: 2 })),
        ("7", Some(StreamId { ms: 7, seq: 9 })),
        (
            "18446744073709551615-18446744073709551615",
            Some(StreamId::MAX),
        ),
        ("18446744073709551616", None),
        ("1-", None),
        ("-1", None),
        ("+", None),
        ("1-2-3", None),
        ("", None),
    ] {
        assert_eq!(StreamId::parse(text.as_bytes(), 9), expected, "{text}");
    }
}

#[test]
fn neighbours_of_ids_carry_over() {
    let end = StreamId {
        ms: 1,
        seq: u64::MAX,
    };
    assert_eq!(end.next(), Some(id(2)));
    assert_eq!(id(2).previous(), Some(end));
    assert_eq!(StreamId::MAX.next(), None);
    assert_eq!(StreamId::MIN.previous(), None);
    assert_eq!(StreamId::from_bytes(end.to_bytes()), end);
}

#[test]
fn trims_whole_nodes_only_when_asked_to_be_quick() {
    let mut quick = stream(25);
    assert_eq!(quick.trim(TrimTo::Length(12), TrimKind::Nodes(0)), 10);
    assert_eq!(quick.len(), 15);
    assert_eq!(quick.trim(TrimTo::Length(12), TrimKind::Exact), 3);
    assert_eq!((quick.len(), quick.first_id()), (12, id(14)));
    let mut limited = stream(25);
    assert_eq!(limited.trim(TrimTo::Length(0), TrimKind::Nodes(15)), 10);
    assert_eq!(limited.trim(TrimTo::MinId(id(25)), TrimKind::Exact), 14);
    assert_eq!(limited.first_id(), id(25));
}

#[test]
fn empty_nodes_go() {
    let mut stream = stream(20);
    (11..=20).for_each(|ms| assert!(stream.delete(id(ms))));
    assert_eq!(stream.node_count(), 1);
    assert_eq!(stream.max_deleted_id, id(20));
    assert!(!stream.delete(id(20)));
    assert_eq!(stream.last_id, id(20));
}

#[test]
fn tells_the_lag_of_a_group_where_it_can() {
    let mut stream = stream(5);
    let group = |last: u64, read| Group::new(id(last), read);
    assert_eq!(stream.lag(&group(0, None)), Some(5));
    assert_eq!(stream.lag(&group(1, None)), Some(4));
    assert_eq!(stream.lag(&group(2, None)), None);
    assert_eq!(stream.lag(&group(2, Some(2))), Some(3));
    assert_eq!(stream.lag(&group(5, None)), Some(0));
    stream.delete(id(3));
    assert_eq!(stream.lag(&group(2, Some(2))), None);
    assert_eq!(stream.lag(&group(4, Some(4))), Some(1));
}

#[test]
fn an_entry_is_pending_with_one_consumer() {
    let mut group = Group::default();
    let pending = |name: &'static str| Pending {
        consumer: Bytes::from(name),
        delivered: Millis(1),
        deliveries: 1,
    };
    group.assign(id(1), pending("a"));
    group.assign(id(1), pending("b"));
    assert_eq!(group.pending().len(), 1);
    assert!(group.consumers()[b"a".as_slice()].pending.is_empty());
    assert_eq!(group.delete_consumer(b"b"), Some(1));
    assert_eq!(group.acknowledge(id(1)), None);
}
