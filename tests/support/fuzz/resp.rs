//! The client protocol: requests as the node reads them, replies as the harness reads them.

use bytes::Bytes;
use slotquake_core::resp::request::{ProtocolError, RequestParser, Trust};
use slotquake_workloads::client::resp::{RespError, RespParser, RespValue, encode};

/// Requests: the same commands however the bytes are cut, and again from their encoding.
pub(super) fn request(input: &[u8]) {
    let (commands, end) = commands_of(input.chunks(input.len().max(1)), Trust::Authenticated);
    let (again, end_again) = commands_of(pieces(input).into_iter(), Trust::Authenticated);
    assert_eq!(commands, again, "the same bytes in pieces");
    assert_eq!(end.is_err(), end_again.is_err(), "the end of the pieces");
    assert!(commands.iter().all(|args| !args.is_empty()));
    let mut encoded = Vec::new();
    for args in &commands {
        encode(args, &mut encoded);
    }
    let (read_back, _) = commands_of([encoded.as_slice()].into_iter(), Trust::Authenticated);
    assert_eq!(commands, read_back, "encoded and read again");
    let (short, _) = commands_of([input].into_iter(), Trust::Unauthenticated);
    assert!(
        short.len() <= commands.len(),
        "less trust, no more commands"
    );
}

type Commands = (Vec<Vec<Bytes>>, Result<(), ProtocolError>);

fn commands_of<'a>(pieces: impl Iterator<Item = &'a [u8]>, trust: Trust) -> Commands {
    let mut parser = RequestParser::default();
    parser.set_trust(trust);
    let mut commands = Vec::new();
    for piece in pieces {
        parser.feed(piece);
        loop {
            match parser.next_command() {
                Ok(Some(args)) => commands.push(args),
                Ok(None) => break,
                Err(error) => return (commands, Err(error)),
            }
        }
    }
    (commands, Ok(()))
}

/// Replies: the same values however the bytes are cut.
pub(super) fn reply(input: &[u8]) {
    let (replies, end) = replies_of(input.chunks(input.len().max(1)));
    let (again, end_again) = replies_of(pieces(input).into_iter());
    // Debug text, because no number is equal to one that is none.
    assert_eq!(format!("{replies:?}"), format!("{again:?}"), "in pieces");
    assert_eq!(end.is_err(), end_again.is_err(), "the end of the pieces");
}

type Replies = (Vec<RespValue>, Result<(), RespError>);

fn replies_of<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Replies {
    let mut parser = RespParser::default();
    let mut replies = Vec::new();
    for piece in pieces {
        parser.feed(piece);
        loop {
            match parser.next_reply() {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => return (replies, Err(error)),
            }
        }
    }
    (replies, Ok(()))
}

/// Cuts the input at places that depend on it alone; many short pieces, few long ones.
pub(super) fn pieces(input: &[u8]) -> Vec<&[u8]> {
    let mut rest = input;
    let mut pieces = Vec::new();
    let mut state = input.iter().fold(17_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    while !rest.is_empty() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let wanted = 1 + (state >> 40) as usize % 9;
        // A long input in short pieces would only take long.
        let wanted = wanted.max(input.len() / 64);
        let (piece, after) = rest.split_at(wanted.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
