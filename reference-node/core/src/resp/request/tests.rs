//! Tests of the request parser.

use proptest::prelude::*;

use super::*;

fn parse_all(pieces: &[&[u8]]) -> (Vec<Vec<Bytes>>, Option<ProtocolError>) {
    let mut parser = RequestParser::default();
    let mut commands = Vec::new();
    for piece in pieces {
        parser.feed(piece);
        loop {
            match parser.next_command() {
                Ok(Some(command)) => commands.push(command),
                Ok(None) => break,
                Err(error) => return (commands, Some(error)),
            }
        }
    }
    (commands, None)
}

fn error_of(bytes: &[u8]) -> String {
    parse_all(&[bytes])
        .1
        .map_or("none".into(), |error| error.to_string())
}

#[test]
fn reads_multibulk_and_inline_commands_in_one_stream() {
    let (commands, error) =
        parse_all(&[b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n\r\nECHO \"a b\"\n"]);
    assert_eq!(error, None);
    let words: Vec<Vec<&[u8]>> = commands
        .iter()
        .map(|args| args.iter().map(|arg| arg.as_ref()).collect())
        .collect();
    assert_eq!(
        words,
        [
            vec![&b"GET"[..], b"a"],
            vec![b"PING"],
            vec![b"ECHO", b"a b"]
        ]
    );
}

#[test]
fn gives_the_exact_errors_of_upstream() {
    let long = [b'*'].repeat(70_000);
    for (bytes, expected) in [
        (&b"*3\r\n+a\r\n"[..], "expected '$', got '+'"),
        (b"*x\r\n", "invalid multibulk length"),
        (b"*4294967296\r\n", "invalid multibulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$abc\r\n", "invalid bulk length"),
        (b"SET \"a\r\n", "unbalanced quotes in request"),
        (b"SET 'a'b\r\n", "unbalanced quotes in request"),
        (&long, "too big mbulk count string"),
        (
            &[b"*1\r\n$", &long[..]].concat(),
            "too big bulk count string",
        ),
        (&[b"A", &long[..]].concat(), "too big inline request"),
        (b"*0\r\n*-1\r\nPING\r\n", "none"),
    ] {
        assert_eq!(error_of(bytes), expected);
    }
}

#[test]
fn limits_clients_that_have_not_authenticated() {
    for (bytes, expected) in [
        (&b"*11\r\n"[..], ProtocolError::MultibulkUnauthenticated),
        (b"*1\r\n$16385\r\n", ProtocolError::BulkUnauthenticated),
    ] {
        let mut parser = RequestParser::default();
        parser.set_trust(Trust::Unauthenticated);
        parser.feed(bytes);
        assert_eq!(parser.next_command(), Err(expected));
    }
}

#[test]
fn splits_words_with_quotes_and_escapes() {
    let words = split_words(br#"a "b\x41\n" 'it\'s' """#).unwrap();
    assert_eq!(words, [&b"a"[..], b"bA\n", b"it's", b""]);
    assert_eq!(split_words(b"\"open"), None);
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        parse_all(&[&bytes]);
    }

    #[test]
    fn reads_the_same_wherever_the_stream_is_cut(
        commands in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 1..5), 1..5),
        cuts in proptest::collection::vec(0usize..400, 0..6),
    ) {
        let mut stream = Vec::new();
        for args in &commands {
            stream.extend(format!("*{}\r\n", args.len()).bytes());
            for arg in args {
                stream.extend(format!("${}\r\n", arg.len()).bytes());
                stream.extend(arg);
                stream.extend(b"\r\n");
            }
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]).collect();
        let (parsed, error) = parse_all(&pieces);
        prop_assert_eq!(error, None);
        let parsed: Vec<Vec<Vec<u8>>> = parsed.into_iter()
            .map(|args| args.into_iter().map(|arg| arg.to_vec()).collect()).collect();
        prop_assert_eq!(parsed, commands);
    }
}
