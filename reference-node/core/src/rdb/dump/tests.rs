//! The vectors of replication-wire.md section 6, and hostile payloads.

use proptest::prelude::*;

use super::*;
use crate::keyspace::{Score, StreamId, Zset};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16).expect("hex")).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn string(value: &str) -> Value {
    Value::String(text(value))
}

fn list(items: &[&str]) -> Value {
    Value::List(items.iter().map(|item| text(item)).collect())
}

fn set(items: &[&str]) -> Value {
    Value::Set(items.iter().map(|item| text(item)).collect())
}

fn hash(fields: &[(&str, &str)]) -> Value {
    Value::Hash(fields.iter().map(|(f, v)| (text(f), text(v))).collect())
}

fn zset(members: &[(&str, f64)]) -> Value {
    let mut zset = Zset::default();
    for (member, score) in members {
        zset.insert(text(member), Score::new(*score).expect("a number"));
    }
    Value::Zset(zset)
}

fn decoded(payload: &str) -> Value {
    decode_dump(&hex(payload)).expect("a payload of a real server")
}

#[test]
fn reads_strings_of_7_0() {
    assert_eq!(decoded("00c07b0a0048e253e1007a67b9"), string("123"));
    assert_eq!(
        decoded("000568656c6c6f0a006372df766534200a"),
        string("hello")
    );
    assert_eq!(decoded("00c2701101000a0001a408fe953095a5"), string("70000"));
    assert_eq!(
        decoded("000e2d313233343536373839303132330a0025d35fc9ea828ef1"),
        string("-1234567890123")
    );
    let long = "a".repeat(60);
    assert_eq!(
        decoded("00c3093c016161e02f000161610a00a67e08b217d09780"),
        string(&long)
    );
}

#[test]
fn reads_lists_of_every_version() {
    let expected = list(&["a", "1", "200", "70000", "bb"]);
    let payloads = [
        "120102181800000005008161020101c0c802f27011010482626203ff0a00d7322a12f6ff6404",
        "0e011d1d00000018000000050000016103f202c0c80004f070110105026262ff0900e6cbd625f2544348",
        "120102181800000005008161020101c0c802f27011010482626203ff0b00beed97610b608d8d",
    ];
    for payload in payloads {
        assert_eq!(decoded(payload), expected);
    }
}

#[test]
fn reads_sets_of_every_version() {
    let numbers = set(&["1", "2", "300"]);
    assert_eq!(
        decoded("0b0e0200000003000000010002002c010a00e510b28e7b9529aa"),
        numbers
    );
    assert_eq!(
        decoded("0b0e0200000003000000010002002c01090035e2e3422f134a1b"),
        numbers
    );
    assert_eq!(
        decoded("0b0e0200000003000000010002002c010b008ccf0ffd860ac023"),
        numbers
    );
    assert_eq!(
        decoded("0202016201610a0075d99d835ef85f65"),
        set(&["b", "a"])
    );
    assert_eq!(
        decoded("140d0d0000000200816102816202ff0b000aec0ab449a3d654"),
        set(&["a", "b"])
    );
}

#[test]
fn reads_hashes_of_every_version() {
    let small = hash(&[("f", "v"), ("n", "10")]);
    let payloads = [
        "1012120000000400816602817602816e020a01ff0b002c27ffab17997a43",
        "0d161600000013000000040000016603017603016e03fbff0900cbd05eb80f23087f",
    ];
    for payload in payloads {
        assert_eq!(decoded(payload), small);
    }
    assert_eq!(
        decoded("040103626967c3094041017676e034000176760a007f12a80c756772ea"),
        hash(&[("big", &"v".repeat(65))])
    );
}

#[test]
fn reads_zsets_of_every_version() {
    let small = zset(&[("a", 1.0), ("b", 2.5)]);
    let payloads = [
        "1114140000000400816102010181620283322e3504ff0a00d44c6ea4f644d9d7",
        "0c181800000012000000040000016103f20201620303322e35ff09008ca54c51c0e9cd06",
        "1114140000000400816102010181620283322e3504ff0b00bd93d3d70bdb305e",
    ];
    for payload in payloads {
        assert_eq!(decoded(payload), small);
    }
    let skiplist = "0503c3094041016363e034000163630000000000000840016200000000000004400161\
                    000000000000f03f0a009f9780c1b258c61f";
    let long = "c".repeat(65);
    assert_eq!(
        decoded(skiplist),
        zset(&[(&long, 3.0), ("b", 2.5), ("a", 1.0)])
    );
}

fn stream_of(payload: &str) -> crate::keyspace::Stream {
    match decoded(payload) {
        Value::Stream(stream) => stream,
        other => panic!("expected a stream, got {other:?}"),
    }
}

#[test]
fn reads_streams_of_every_version() {
    for payload in [STREAM_OF_6_2, STREAM_OF_7_2] {
        let stream = stream_of(payload);
        let one = StreamId { ms: 1, seq: 1 };
        assert_eq!((stream.len(), stream.last_id), (1, one));
        assert_eq!(stream.entry(one), Some(&vec![(text("f"), text("v"))]));
    }
    let stream = stream_of(STREAM_WITH_GROUP_OF_7_0);
    let group = &stream.groups[b"g".as_slice()];
    assert_eq!((stream.len(), stream.entries_added), (2, 2));
    assert_eq!(group.entries_read, Some(1));
    let pending = &group.pending()[&StreamId { ms: 1, seq: 1 }];
    assert_eq!(pending.consumer, text("cons"));
    assert_eq!(pending.deliveries, 1);
}

/// Proves RW-53.
#[test]
fn writes_streams_byte_for_byte_as_6_2_does() {
    let written = encode_dump(&decoded(STREAM_OF_6_2));
    assert_eq!(written, hex(STREAM_OF_6_2));
    let grouped = decoded(STREAM_WITH_GROUP_OF_7_0);
    assert_eq!(decode_dump(&encode_dump(&grouped)), Ok(grouped));
}

const STREAM_OF_6_2: &str = "0f0110000000000000000100000000000000011d1d0000000a000101000101018166\
    0200010201000100018176020401ff010101000900360960008c8f1658";
const STREAM_OF_7_2: &str = "150110000000000000000100000000000000011d1d0000000a000101000101018166\
    0200010201000100018176020401ff0101010101000001000b00e55aacd2a8048c73";
const STREAM_WITH_GROUP_OF_7_0: &str = "1301100000000000000001000000000000000128280000000f000201\
    00010101816602000102010001000181760204010201010100018177020401ff020201010100000201016701010101\
    000000000000000100000000000000012f32ba00a2010000010104636f6e732f32ba00a20100000100000000000000\
    0100000000000000010a00c518ad7f68477e91";

/// Proves RW-53.
#[test]
fn writes_what_6_2_writes_for_plain_types() {
    let written = encode_dump(&set(&["a", "b"]));
    assert_eq!(written[..8], hex("0202016101620900"));
    assert_eq!(encode_dump(&string("123"))[..5], hex("00c07b0900"));
}

#[test]
fn what_is_written_is_read_back() {
    let objects = [
        string(""),
        string("-7"),
        list(&["x", "x", "3000000000"]),
        hash(&[("f", "1"), ("g", "")]),
        zset(&[("a", f64::INFINITY), ("b", -0.5)]),
    ];
    for object in objects {
        assert_eq!(decode_dump(&encode_dump(&object)), Ok(object));
    }
}

/// Proves RW-51: a version above our own and a zero CRC are refused.
#[test]
fn refuses_newer_versions_and_wrong_checksums() {
    let mut newer = encode_dump(&string("x")).to_vec();
    let at = newer.len() - 10;
    newer[at] = VERSION_READ_MAX as u8 + 1;
    assert!(matches!(decode_dump(&newer), Err(RdbError::Version(_))));
    let mut zero = encode_dump(&string("x")).to_vec();
    zero[at + 2..].fill(0);
    assert!(matches!(decode_dump(&zero), Err(RdbError::Checksum { .. })));
}

#[test]
fn refuses_empty_aggregates_and_duplicates() {
    assert!(decode_dump(&encode_dump(&set(&[]))).is_err());
    let mut twice = hex("02020161016109000000000000000000");
    let body_length = twice.len() - 8;
    let crc = crc64(0, &twice[..body_length]);
    twice[body_length..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(
        decode_dump(&twice),
        Err(RdbError::Bad("the same member twice"))
    );
}

proptest! {
    #[test]
    fn survives_any_bytes_behind_a_right_checksum(
        mut bytes in prop::collection::vec(any::<u8>(), 1..200),
        kind in 0u8..26,
    ) {
        bytes[0] = kind;
        bytes.extend_from_slice(&9u16.to_le_bytes());
        let crc = crc64(0, &bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let _ = decode_dump(&bytes);
    }
}
