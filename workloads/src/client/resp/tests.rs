//! Proofs of the reply parser.

use proptest::prelude::*;

use super::*;

fn parse_all(bytes: &[u8]) -> Result<Vec<RespValue>, RespError> {
    let mut parser = RespParser::default();
    parser.feed(bytes);
    let mut replies = Vec::new();
    while let Some(reply) = parser.next_reply()? {
        replies.push(reply);
    }
    Ok(replies)
}

fn bulk(text: &str) -> RespValue {
    RespValue::Bulk(Some(Bytes::copy_from_slice(text.as_bytes())))
}

#[test]
fn reads_each_type() {
    let table: [(&[u8], RespValue); 15] = [
        (b"+OK\r\n", RespValue::Simple("OK".into())),
        (b"-ERR no\r\n", RespValue::Error("ERR no".into())),
        (b":-7\r\n", RespValue::Integer(-7)),
        (b"$2\r\nab\r\n", bulk("ab")),
        (b"$0\r\n\r\n", bulk("")),
        (b"$-1\r\n", RespValue::Bulk(None)),
        (b"*-1\r\n", RespValue::Array(None)),
        (b"_\r\n", RespValue::Bulk(None)),
        (b"#t\r\n", RespValue::Integer(1)),
        (b",1.5\r\n", RespValue::Simple("1.5".into())),
        (b"=6\r\ntxt:ab\r\n", bulk("ab")),
        (b"!5\r\nERR x\r\n", RespValue::Error("ERR x".into())),
        (
            b"*2\r\n:1\r\n*0\r\n",
            RespValue::Array(Some(vec![
                RespValue::Integer(1),
                RespValue::Array(Some(Vec::new())),
            ])),
        ),
        (
            b"%1\r\n+a\r\n:1\r\n",
            RespValue::Map(vec![(RespValue::Simple("a".into()), RespValue::Integer(1))]),
        ),
        (b"|1\r\n+ttl\r\n:9\r\n:5\r\n", RespValue::Integer(5)),
    ];
    for (bytes, expected) in table {
        assert_eq!(parse_all(bytes), Ok(vec![expected]));
    }
}

#[test]
fn refuses_what_is_no_resp() {
    let table: [(&[u8], RespError); 6] = [
        (b"hello\r\n", RespError::Type(b'h')),
        (b":x\r\n", RespError::Integer("x".into())),
        (b"$-2\r\n", RespError::Length(-2)),
        (b"*99999999999\r\n", RespError::Length(99_999_999_999)),
        (b"$1\r\nabc", RespError::BulkEnd),
        (&b"*1\r\n".repeat(40), RespError::Depth),
    ];
    for (bytes, expected) in table {
        assert_eq!(parse_all(bytes), Err(expected));
    }
}

#[test]
fn takes_no_memory_for_elements_that_never_come() {
    assert_eq!(parse_all(b"*16000000\r\n:1\r\n"), Ok(Vec::new()));
    assert_eq!(parse_all(b"$500000000\r\nabc"), Ok(Vec::new()));
}

#[test]
fn encodes_a_request() {
    let mut out = Vec::new();
    encode(&[Bytes::from("GET"), Bytes::from("k1")], &mut out);
    assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$2\r\nk1\r\n");
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_all(&bytes);
    }

    #[test]
    fn never_panics_on_nearly_resp(text in "[*$:+%|~>=0-9a\r\n-]{0,80}") {
        let _ = parse_all(text.as_bytes());
    }

    #[test]
    fn reads_the_same_however_the_bytes_are_cut(cuts in proptest::collection::vec(1usize..9, 30)) {
        let bytes = b"*3\r\n$2\r\nab\r\n:12\r\n*1\r\n+x\r\n-ASK 1 a:1\r\n$-1\r\n%1\r\n+k\r\n:1\r\n";
        let whole = parse_all(bytes).expect("well formed");
        let mut parser = RespParser::default();
        let mut replies = Vec::new();
        let mut rest: &[u8] = bytes;
        for cut in cuts.into_iter().chain(std::iter::once(bytes.len())) {
            let (head, tail) = rest.split_at(cut.min(rest.len()));
            parser.feed(head);
            rest = tail;
            while let Some(reply) = parser.next_reply().expect("well formed") {
                replies.push(reply);
            }
        }
        prop_assert_eq!(replies, whole);
    }
}
